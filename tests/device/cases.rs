//! The cameras and the fakes: device trees from publicly known descriptors, and what the nodes would answer.

use crate::tree::{Sys, Usb, VIDEO, WEBCAM};
use gstdeepfake::provenance::device::inspect;
use gstdeepfake::provenance::device_facts::DeviceFacts;
use gstdeepfake::provenance::v4l2::{Format, Node, capability};
use std::path::Path;

/// What a UVC camera answers.
fn uvc(card: &str, bus_info: &str) -> Node {
    Node {
        driver: "uvcvideo".into(),
        card: card.into(),
        bus_info: bus_info.into(),
        version: "6.1.0".into(),
        capabilities: capability::CAPTURE & 1,
        input: Some("Camera 1".into()),
        formats: vec![Format { code: "MJPG".into(), sizes: 17, width: 1920, height: 1080 }],
        controls: vec!["Brightness".into(), "Exposure Time, Absolute".into()],
        camera_controls: 1,
    }
}

/// What v4l2loopback answers.
fn loopback(card: &str) -> Node {
    Node {
        driver: "v4l2 loopback".into(),
        bus_info: "platform:v4l2loopback-000".into(),
        capabilities: 3,
        input: Some("loopback".into()),
        controls: ["keep_format", "sustain_framerate", "timeout", "timeout_image_io"]
            .map(String::from)
            .into(),
        camera_controls: 0,
        ..uvc(card, "")
    }
}

fn node(driver: &str, card: &str, bus_info: &str) -> Node {
    Node { driver: driver.into(), controls: Vec::new(), camera_controls: 0, ..uvc(card, bus_info) }
}

fn bridge(driver: &str, card: &str, bus_info: &str) -> Node {
    Node { capabilities: 0x1000 | capability::MEDIA_CONTROLLER, ..node(driver, card, bus_info) }
}

/// The facts that a tree gives, with what the node would answer.
pub fn facts(sys: &Sys, answer: Option<Node>) -> DeviceFacts {
    let found = inspect(Path::new("video0"), &sys.roots());
    assert!(found.facts.tree.is_some(), "{:?}", found.facts.tree_unread);
    DeviceFacts { v4l2: answer, ..found.facts }
}

pub fn on_usb(usb: Usb, card: &'static str) -> (&'static str, Sys, Node) {
    let sys = Sys::new();
    sys.usb(&usb, card);
    let controller = usb.controller.0.rsplit('/').next().unwrap();
    let port = usb.port.rsplit('/').next().unwrap().split_once('-').unwrap().1;
    let mut info = format!("usb-{controller}-{port}");
    info.truncate(31);
    (card, sys, uvc(card, &info))
}

/// A node of a device that the firmware describes.
fn on_board(
    path: &str,
    bus: &str,
    driver: &str,
    card: &'static str,
    answer: Node,
) -> (&'static str, Sys, Node) {
    let sys = Sys::new();
    sys.device(path, bus, driver);
    sys.firmware(path.split('/').next().map(|first| if first == "platform" { path } else { first }).unwrap());
    sys.node(Some(path), card);
    (card, sys, answer)
}

fn made_up(card: &'static str, answer: Node) -> (&'static str, Sys, Node) {
    let sys = Sys::new();
    sys.node(None, card);
    (card, sys, answer)
}

pub fn cameras() -> Vec<(&'static str, Sys, Node)> {
    let dwc3 = ("platform/soc/a800000.usb/xhci-hcd.1.auto", "platform", "xhci-hcd");
    let pi4 = ("platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0", "pci", "xhci_hcd");
    let named = |vendor, product, name| Usb { id: (vendor, product), product: Some(name), ..WEBCAM };
    let plain = |vendor, product, name| Usb { interfaces: VIDEO, ..named(vendor, product, name) };
    vec![
        on_usb(WEBCAM, "HD Pro Webcam C920"),
        on_usb(
            Usb { port: "1-1/1-1.4/1-1.4.2", ..named("046d", "08e5", "C920 PRO HD Webcam") },
            "C920 PRO HD Webcam",
        ),
        // It has no product string; the kernel makes a name of the ids.
        on_usb(Usb { id: ("046d", "0825"), product: None, ..WEBCAM }, "UVC Camera (046d:0825)"),
        on_usb(Usb { speed: "5000", ..named("046d", "085e", "Logitech BRIO") }, "Logitech BRIO"),
        on_usb(named("045e", "0779", "Microsoft® LifeCam HD-3000"), "Microsoft® LifeCam HD-3000: Mi"),
        on_usb(
            Usb { removable: "fixed", ..plain("04f2", "b6d9", "Integrated Camera") },
            "Integrated Camera: Integrated C",
        ),
        on_usb(
            Usb { removable: "fixed", ..plain("05ac", "8511", "FaceTime HD Camera (Built-in)") },
            "FaceTime HD Camera (Built-in)",
        ),
        on_usb(plain("18d1", "4eeb", "Pixel 8"), "Pixel 8: Android Webcam"),
        on_usb(
            Usb {
                controller: pi4,
                firmware: Some("platform/scb"),
                ..plain("0c45", "6366", "USB 2.0 Camera")
            },
            "USB 2.0 Camera: USB Camera",
        ),
        on_usb(
            Usb {
                controller: dwc3,
                firmware: Some("platform/soc"),
                ..plain("3564", "fef8", "OBSBOT Tiny 2")
            },
            "OBSBOT Tiny 2",
        ),
        // An old webcam that is not of the video class.
        {
            let gspca = Usb {
                driver: "zc3xx",
                interfaces: &[(0xff, 0xff)],
                input: 0,
                ..plain("046d", "08d9", "Camera")
            };
            let (card, sys, answer) = on_usb(gspca, "USB Camera (046d:08d9)");
            (card, sys, Node { driver: "zc3xx".into(), ..answer })
        },
        on_board(
            "platform/soc/fe801000.csi",
            "platform",
            "unicam",
            "unicam-image",
            bridge("unicam", "unicam", "platform:fe801000.csi"),
        ),
        on_board(
            "platform/ff910000.isp",
            "platform",
            "rkisp1",
            "rkisp1_mainpath",
            bridge("rkisp1", "rkisp1_mainpath", "platform:rkisp1"),
        ),
        on_board(
            "pci0000:00/0000:00:05.0",
            "pci",
            "intel-ipu6",
            "Intel IPU6 ISYS Capture 0",
            bridge("isys", "ipu6", "PCI:0000:00:05.0"),
        ),
        on_board(
            "pci0000:00/0000:02:00.0",
            "pci",
            "facetimehd",
            "Apple Facetime HD",
            node("facetimehd", "Apple Facetime HD", "PCI:0000:02:00.0"),
        ),
    ]
}

pub fn fakes() -> Vec<(&'static str, Sys, Node)> {
    let forged = |controller: &'static str, driver: &'static str| {
        on_usb(
            Usb { controller: (controller, "platform", driver), firmware: None, port: "1-1", ..WEBCAM },
            "HD Pro Webcam C920",
        )
    };
    let grabber = |vendor, product, name| Usb { id: (vendor, product), product: Some(name), ..WEBCAM };
    // Grabbers have no sensor to set.
    let on_cable = |usb: Usb, card: &'static str| {
        let (card, sys, answer) = on_usb(usb, card);
        (card, sys, Node { controls: vec!["Brightness".into()], camera_controls: 0, ..answer })
    };
    let on_module = |module: &'static str, card: &'static str, answer: Node| {
        let sys = Sys::new();
        sys.device(&format!("platform/{module}.0"), "platform", module);
        sys.node(Some(&format!("platform/{module}.0")), card);
        (card, sys, answer)
    };
    let attributed = |card: &'static str| {
        let fake = made_up(card, loopback(card));
        for name in ["format", "buffers", "max_openers"] {
            fake.1.file(&format!("devices/virtual/video4linux/video0/{name}"), "2\n");
        }
        fake
    };
    vec![
        attributed("Dummy video device (0x0000)"),
        attributed("HD Pro Webcam C920"),
        attributed("OBS Virtual Camera"),
        // The module built anew, so that it imitates uvcvideo to the last answer.
        made_up("Integrated Camera", uvc("Integrated Camera", "usb-0000:00:14.0-5")),
        made_up("Virtual Camera", node("akvcam", "Virtual Camera", "platform:akvcam-0")),
        on_module("vivid", "vivid-000-vid-cap", node("vivid", "vivid", "platform:vivid-000")),
        forged("platform/dummy_hcd.0", "dummy_hcd"),
        forged("platform/vhci_hcd.0", "vhci_hcd"),
        // The same module under another name.
        forged("platform/acme.0", "acme"),
        on_cable(grabber("534d", "2109", "USB Video"), "USB Video: USB Video"),
        on_cable(grabber("0fd9", "0066", "Cam Link 4K"), "Cam Link 4K: Cam Link 4K"),
        // Not on the list, but it says itself what it is.
        on_cable(grabber("32ed", "3201", "HDMI Capture"), "HDMI Capture"),
        on_cable(Usb { input: 0x0401, ..grabber("1234", "5678", "Video") }, "Video"),
        on_usb(grabber("1d6b", "0104", "UVC Camera"), "UVC Camera"),
        {
            let (card, sys, answer) =
                on_usb(Usb { driver: "stk1160", ..grabber("05e1", "0408", "USB 2.0 Video") }, "stk1160");
            (card, sys, Node { driver: "stk1160".into(), ..answer })
        },
        on_board(
            "pci0000:00/0000:03:00.0",
            "pci",
            "saa7134",
            "Card",
            node("saa7134", "Card", "PCI:0000:03:00.0"),
        ),
        on_board(
            "platform/fe980000.usb/gadget.0",
            "platform",
            "",
            "fe980000.usb",
            node("g_uvc", "fe980000.usb", "gadget.0"),
        ),
    ]
}
