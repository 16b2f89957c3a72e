//! Device trees for tests, as the kernel would show them: directories, attributes and links in a temporary folder.

use gstdeepfake::provenance::device::Roots;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A USB camera and where it is plugged in.
#[derive(Clone, Copy)]
pub struct Usb {
    /// The host controller's directory below `devices/`, its bus and driver.
    pub controller: (&'static str, &'static str, &'static str),
    /// The directory of the controller or above that the firmware describes, if one is.
    pub firmware: Option<&'static str>,
    /// Below the root hub: `1-5`, or `1-1/1-1.4` behind a hub.
    pub port: &'static str,
    pub id: (&'static str, &'static str),
    pub product: Option<&'static str>,
    pub speed: &'static str,
    pub removable: &'static str,
    /// Class and subclass of its interfaces.
    pub interfaces: &'static [(u8, u8)],
    /// `wTerminalType` of its input.
    pub input: u16,
    pub driver: &'static str,
}

/// A laptop's or desktop's USB controller on PCI.
pub const XHCI: (&str, &str, &str) = ("pci0000:00/0000:00:14.0", "pci", "xhci_hcd");
pub const VIDEO: &[(u8, u8)] = &[(14, 1), (14, 2)];
pub const VIDEO_AUDIO: &[(u8, u8)] = &[(14, 1), (14, 2), (1, 1), (1, 2)];
pub const WEBCAM: Usb = Usb {
    controller: XHCI,
    firmware: Some("pci0000:00"),
    port: "1-5",
    id: ("046d", "082d"),
    product: Some("HD Pro Webcam C920"),
    speed: "480",
    removable: "removable",
    interfaces: VIDEO_AUDIO,
    input: 0x0201,
    driver: "uvcvideo",
};

pub struct Sys {
    folder: tempfile::TempDir,
}

impl Sys {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dev")).unwrap();
        fs::create_dir_all(folder.path().join("sys/class/video4linux")).unwrap();
        Self { folder }
    }

    pub fn roots(&self) -> Roots {
        Roots { dev: self.folder.path().join("dev"), sys: self.folder.path().join("sys") }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.roots().sys.join(path)
    }

    pub fn folder(&self, path: &str) -> PathBuf {
        let at = self.at(path);
        fs::create_dir_all(&at).unwrap();
        at
    }

    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        self.folder(path.rsplit_once('/').unwrap().0);
        fs::write(self.at(path), content).unwrap();
    }

    pub fn link(&self, at: &str, to: &str) {
        self.folder(at.rsplit_once('/').unwrap().0);
        symlink(self.folder(to), self.at(at)).unwrap();
    }

    /// A device on a bus, with its driver.
    pub fn device(&self, path: &str, bus: &str, driver: &str) {
        self.link(&format!("devices/{path}/subsystem"), &format!("bus/{bus}"));
        if !driver.is_empty() {
            self.link(&format!("devices/{path}/driver"), &format!("bus/{bus}/drivers/{driver}"));
        }
    }

    /// What the firmware (device tree, ACPI) describes.
    pub fn firmware(&self, path: &str) {
        self.link(&format!("devices/{path}/firmware_node"), "devices/LNXSYSTM:00");
    }

    /// `video0` below a device, or below none.
    pub fn node(&self, device: Option<&str>, name: &str) {
        let parent = device.unwrap_or("virtual");
        let node = format!("devices/{parent}/video4linux/video0");
        self.file(&format!("{node}/name"), format!("{name}\n"));
        self.file(&format!("{node}/index"), "0\n");
        self.link("class/video4linux/video0", &node);
        if device.is_some() {
            self.link(&format!("{node}/device"), &format!("devices/{parent}"));
        }
    }

    /// A USB camera with its node.
    pub fn usb(&self, usb: &Usb, card: &str) {
        let (controller, bus, driver) = usb.controller;
        self.device(controller, bus, driver);
        if let Some(path) = usb.firmware {
            self.firmware(path);
        }
        let hub = format!("{controller}/usb1");
        self.device(&hub, "usb", "usb");
        for (name, text) in [("idVendor", "1d6b"), ("idProduct", "0002"), ("product", "xHCI Host Controller")]
        {
            self.file(&format!("devices/{hub}/{name}"), format!("{text}\n"));
        }
        let device = format!("{hub}/{}", usb.port);
        self.device(&device, "usb", "usb");
        let attribute =
            |name: &str, text: &str| self.file(&format!("devices/{device}/{name}"), format!("{text}\n"));
        attribute("idVendor", usb.id.0);
        attribute("idProduct", usb.id.1);
        attribute("bcdDevice", "0011");
        attribute("bDeviceClass", "ef");
        attribute("speed", usb.speed);
        attribute("removable", usb.removable);
        attribute("serial", "0123456789");
        if let Some(product) = usb.product {
            attribute("product", product);
        }
        let [low, high] = usb.input.to_le_bytes();
        let descriptors = [
            &[18, 1, 0, 2, 0xef, 2, 1, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..],
            &[9, 4, 0, 0, 0, 14, 1, 0, 0],
            &[8, 0x24, 2, 1, low, high, 0, 0],
        ];
        self.file(&format!("devices/{device}/descriptors"), descriptors.concat());
        let port = usb.port.rsplit('/').next().unwrap();
        for (number, (class, sub)) in usb.interfaces.iter().enumerate() {
            let interface = format!("{device}/{port}:1.{number}");
            self.device(&interface, "usb", if *class == 14 { usb.driver } else { "snd-usb-audio" });
            self.file(&format!("devices/{interface}/bInterfaceClass"), format!("{class:02x}\n"));
            self.file(&format!("devices/{interface}/bInterfaceSubClass"), format!("{sub:02x}\n"));
        }
        self.node(Some(&format!("{device}/{port}:1.0")), card);
    }
}
