//! What the kernel's device tree knows of a video node: the bus behind it, its driver, its USB descriptors.
//!
//! Text here comes from the device itself (a USB gadget writes its own strings), so every read is bounded and
//! every string cleaned. A serial number identifies a person's device: only whether there is one is kept.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// No attribute is read further than this, bytes.
const ATTRIBUTE: u64 = 4096;
/// USB descriptors are read up to here; those of a webcam with all its formats take about 3 KiB.
const DESCRIPTORS: u64 = 64 * 1024;
/// No text is kept longer than this, characters.
const TEXT: usize = 128;
/// No more directories above a node than this are looked at.
const ANCESTORS: usize = 32;
/// No more entries of a directory than this are looked at.
const ENTRIES: usize = 1024;
/// No more interfaces of a USB device than this are kept; USB allows 256.
const INTERFACES: usize = 64;

/// The vendor's and the product's number of a USB device, `046d:082d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

impl From<UsbId> for String {
    fn from(id: UsbId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for UsbId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no USB id: write it as 046d:082d");
        let (vendor, product) = text.split_once(':').ok_or_else(wrong)?;
        hex(vendor).zip(hex(product)).map(|(vendor, product)| Self { vendor, product }).ok_or_else(wrong)
    }
}

/// A place in the device tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The directory's name, `0000:00:14.0`, `dummy_hcd.0`.
    pub name: String,
    pub driver: Option<String>,
    /// The bus it hangs on: `usb`, `pci`, `platform`, ...
    pub bus: Option<String>,
}

/// The USB device behind a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usb {
    pub id: UsbId,
    /// `bcdDevice`, `0011`: the maker's number of the device's release. Linux gadgets put the kernel's version there.
    pub release: Option<String>,
    pub manufacturer: Option<String>,
    pub product: Option<String>,
    /// Whether it has a serial number. The number itself is not kept.
    pub serial: bool,
    /// Mbit/s.
    pub speed: Option<f64>,
    /// `bDeviceClass`.
    pub class: Option<u16>,
    /// Class and subclass of each interface, sorted; 14 is video, 1 audio, 3 human interface.
    pub interfaces: Vec<(u16, u16)>,
    /// `wTerminalType` of the video function's inputs: 0x0201 is a sensor, 0x04xx a connector for a cable.
    pub inputs: Vec<u16>,
    /// `fixed` is soldered in (the firmware says so), `removable` has a plug.
    pub removable: Option<String>,
    /// What the root hub hangs on.
    pub controller: Option<Place>,
}

/// What the device tree says of a video node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Attribute `name`: the card's name, which some drivers let anybody choose.
    pub name: Option<String>,
    pub index: Option<u32>,
    /// Below /sys: `devices/pci0000:00/.../video4linux/video0`.
    pub path: String,
    /// What the node belongs to; none for a node that a driver made out of nothing.
    pub parent: Option<Place>,
    /// Whether the bus enumerates the device (PCI) or the firmware describes it (device tree, ACPI), here or above.
    pub rooted: bool,
    /// Attributes of the node that v4l2loopback adds, whatever it calls itself.
    pub loopback_attributes: Vec<String>,
    pub usb: Option<Usb>,
}

/// Why the device tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("{0} is not there: is sysfs mounted, and is this the name of a video node?")]
    Missing(PathBuf),
    #[error("{0} cannot be read: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    #[error("{0} is outside {1}")]
    Outside(PathBuf, PathBuf),
}

/// Reads about the video node of this name (`video0`).
pub fn by_name(sys: &Path, name: &str) -> Result<Tree, Unread> {
    let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
    let at = sys.join("class/video4linux").join(if plain { name } else { "" });
    if plain && !name.is_empty() && !name.contains('/') { read(sys, &at) } else { Err(Unread::Missing(at)) }
}

/// Reads about the character device of these numbers; the node's name in /dev is anybody's choice.
pub fn by_number(sys: &Path, major: u32, minor: u32) -> Result<Tree, Unread> {
    read(sys, &sys.join(format!("dev/char/{major}:{minor}")))
}

fn read(sys: &Path, link: &Path) -> Result<Tree, Unread> {
    // The kernel gives up on a loop of links by itself.
    let real = |path: &Path| {
        fs::canonicalize(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Unread::Missing(path.to_owned()),
            _ => Unread::Io(path.to_owned(), e),
        })
    };
    let root = real(sys)?;
    let node = real(link)?;
    let Ok(below) = node.strip_prefix(&root) else { return Err(Unread::Outside(node, root)) };
    let path = clean(below.to_string_lossy().as_bytes(), 4 * TEXT);
    let above = || node.ancestors().take_while(|p| *p != root).take(ANCESTORS);
    let usb_at = above().find(|p| p.join("idVendor").is_file());
    Ok(Tree {
        name: text(&node, "name"),
        index: text(&node, "index").and_then(|s| s.parse().ok()),
        path,
        parent: fs::canonicalize(node.join("device"))
            .ok()
            .filter(|p| p.starts_with(&root))
            .map(|p| place(&p)),
        rooted: above().skip(1).any(|p| {
            let described = |link: &str| fs::symlink_metadata(p.join(link)).is_ok();
            described("of_node")
                || described("firmware_node")
                || link_name(p, "subsystem").as_deref() == Some("pci")
        }),
        loopback_attributes: ["max_openers", "buffers", "format"]
            .into_iter()
            .filter(|a| node.join(a).is_file())
            .map(str::to_owned)
            .collect(),
        usb: usb_at.and_then(|at| usb(&root, at)),
    })
}

fn usb(root: &Path, at: &Path) -> Option<Usb> {
    let number = |name: &str| text(at, name).and_then(|s| hex(&s));
    let mut interfaces: Vec<_> = fs::read_dir(at)
        .into_iter()
        .flatten()
        .take(ENTRIES)
        .flatten()
        .filter_map(|entry| {
            let of = |name: &str| text(&entry.path(), name).and_then(|s| hex(&s));
            of("bInterfaceClass").zip(of("bInterfaceSubClass"))
        })
        .take(INTERFACES)
        .collect();
    interfaces.sort_unstable();
    let hub = at.ancestors().take_while(|p| *p != root).take(ANCESTORS).find(|p| is_root_hub(p));
    Some(Usb {
        id: UsbId { vendor: number("idVendor")?, product: number("idProduct")? },
        release: text(at, "bcdDevice"),
        manufacturer: text(at, "manufacturer"),
        product: text(at, "product"),
        serial: text(at, "serial").is_some(),
        speed: text(at, "speed").and_then(|s| s.parse().ok()).filter(|v: &f64| v.is_finite()),
        class: number("bDeviceClass"),
        interfaces,
        inputs: inputs(&bytes(&at.join("descriptors"), DESCRIPTORS).unwrap_or_default()),
        removable: text(at, "removable"),
        controller: hub.and_then(Path::parent).filter(|p| *p != root).map(place),
    })
}

/// A root hub's directory is called `usb` and a number.
fn is_root_hub(path: &Path) -> bool {
    let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix("usb"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The terminal types of the inputs in the video control interfaces of raw USB descriptors.
pub fn inputs(mut rest: &[u8]) -> Vec<u16> {
    const INTERFACE: u8 = 0x04;
    const CLASS_SPECIFIC: u8 = 0x24;
    const INPUT_TERMINAL: u8 = 0x02;
    const VIDEO_CONTROL: [u8; 2] = [0x0e, 0x01];
    let mut found = Vec::new();
    let mut control = false;
    while let Some((&length, _)) = rest.split_first() {
        let Some((descriptor, next)) = rest.split_at_checked(usize::from(length)).filter(|_| length >= 2)
        else {
            break;
        };
        match *descriptor {
            [_, INTERFACE, _, _, _, class, sub, ..] => control = [class, sub] == VIDEO_CONTROL,
            [_, CLASS_SPECIFIC, INPUT_TERMINAL, _, low, high, ..] if control && found.len() < INTERFACES => {
                found.push(u16::from_le_bytes([low, high]));
            }
            _ => {}
        }
        rest = next;
    }
    found
}

fn place(at: &Path) -> Place {
    let name = at.file_name().map_or(String::new(), |n| clean(n.to_string_lossy().as_bytes(), TEXT));
    Place { name, driver: link_name(at, "driver"), bus: link_name(at, "subsystem") }
}

/// The last part of what a link points to.
fn link_name(at: &Path, link: &str) -> Option<String> {
    let target = fs::read_link(at.join(link)).ok()?;
    Some(clean(target.file_name()?.to_string_lossy().as_bytes(), TEXT)).filter(|s| !s.is_empty())
}

fn text(at: &Path, name: &str) -> Option<String> {
    Some(clean(&bytes(&at.join(name), ATTRIBUTE)?, TEXT)).filter(|s| !s.is_empty())
}

/// The start of a plain file; nothing else is opened, so that no pipe is waited for.
fn bytes(path: &Path, limit: u64) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut read = Vec::new();
    File::open(path).ok()?.take(limit).read_to_end(&mut read).ok()?;
    Some(read)
}

fn hex(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u16::from_str_radix(digits, 16).ok() } else { None }
}

/// Text from a device as it may be shown: valid, short, on one line, without what steers a terminal or hides letters.
pub fn clean(raw: &[u8], most: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let raw = raw.split(|b| *b == 0).next().unwrap_or_default();
    let shown: String = String::from_utf8_lossy(raw).chars().filter(|c| !hidden(*c)).take(most).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cleaned() {
        assert_eq!(clean(b"HD Pro\x1b[31m Web\tcam\n\0secret", 128), "HD Pro[31m Webcam");
        assert_eq!(clean("O\u{200b}BS \u{202e}Virtual".as_bytes(), 128), "OBS Virtual");
        assert_eq!(clean(b"\xff\xfeCam", 128), "\u{fffd}\u{fffd}Cam");
        assert_eq!(clean(&[b'a'; 9999], 128).len(), 128);
    }

    #[test]
    fn ids_are_written_as_lsusb_does() {
        let id = UsbId { vendor: 0x46d, product: 0x82d };
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"046d:082d\"");
        assert_eq!(serde_json::from_str::<UsbId>("\"046d:082d\"").unwrap(), id);
        for wrong in ["", "046d", "046d:", ":082d", "g:1", "+46d:082d", "1046d:082d"] {
            assert!(UsbId::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_cannot_leave_the_class() {
        let sys = tempfile::tempdir().unwrap();
        fs::create_dir_all(sys.path().join("class/video4linux")).unwrap();
        for name in ["", ".", "..", "../..", "/etc", "a/b", "video0"] {
            assert!(matches!(by_name(sys.path(), name), Err(Unread::Missing(_))), "{name:?}");
        }
    }

    #[test]
    fn inputs_are_found_in_the_video_control_interface_only() {
        let interface = |class: u8, sub: u8| vec![9, 4, 0, 0, 1, class, sub, 0, 0];
        let input = |kind: u16| vec![8, 0x24, 2, 1, kind.to_le_bytes()[0], kind.to_le_bytes()[1], 0, 0];
        let descriptors = [
            interface(14, 1),
            input(0x0201),
            interface(1, 1),
            input(0x0201),
            interface(14, 1),
            input(0x0401),
        ];
        assert_eq!(inputs(&descriptors.concat()), [0x0201, 0x0401]);
        assert!(inputs(&[]).is_empty());
        assert!(inputs(&[0, 4, 0]).is_empty());
    }

    proptest! {
        #[test]
        fn any_descriptors_are_read(raw in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(inputs(&raw).len() <= INTERFACES);
        }

        #[test]
        fn any_bytes_become_plain_text(raw in prop::collection::vec(any::<u8>(), 0..600)) {
            let text = clean(&raw, TEXT);
            prop_assert!(text.chars().count() <= TEXT && !text.chars().any(char::is_control));
        }
    }
}
