//! Device identity on device trees written by hand from publicly known descriptors: cameras are cameras, fakes fakes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "device/cases.rs"]
mod cases;
#[path = "device/tree.rs"]
mod tree;

use cases::{cameras, facts, fakes, on_usb};
use gstdeepfake::analysis::source::provenance::{Class, FINDING_CAP, Finding, Outcome, Weighed, weigh};
use gstdeepfake::provenance::device::inspect;
use gstdeepfake::provenance::device_checks::{CHECKS, check};
use gstdeepfake::provenance::device_facts::DeviceFacts;
use gstdeepfake::provenance::v4l2::{Format, Node};
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::Path;
use tree::{Sys, Usb, VIDEO, VIDEO_AUDIO, WEBCAM};

fn told(facts: &DeviceFacts) -> (Weighed, String) {
    let findings = check(facts);
    let said = findings
        .iter()
        .map(|f| format!("{} {:?} {} {}: {}\n", f.check, f.class, f.weight, f.injection, f.reason));
    (weigh(&findings), said.collect())
}

#[test]
fn cameras_are_cameras() {
    for (card, sys, answer) in cameras() {
        let (weighed, said) = told(&facts(&sys, Some(answer)));
        assert_eq!(weighed.class, Class::Physical, "{card}\n{said}");
        assert!(weighed.confidence > 0.75 && weighed.injection < 0.0, "{card}: {weighed:?}\n{said}");
        // Without permission to open the node the tree alone must do.
        let (weighed, said) = told(&facts(&sys, None));
        assert_eq!(weighed.class, Class::Physical, "{card}\n{said}");
    }
}

#[test]
fn fakes_are_fakes() {
    for (card, sys, answer) in fakes() {
        let (weighed, said) = told(&facts(&sys, Some(answer)));
        assert_eq!(weighed.class, Class::Virtual, "{card}\n{said}");
        assert!(weighed.confidence > 0.75 && weighed.injection > 0.0, "{card}: {weighed:?}\n{said}");
        let (weighed, said) = told(&facts(&sys, None));
        assert_ne!(weighed.class, Class::Physical, "{card}\n{said}");
    }
}

fn finding(usb: Usb, card: &'static str, name: &str) -> Finding {
    let (_, sys, answer) = on_usb(usb, card);
    check(&facts(&sys, Some(answer))).into_iter().find(|f| f.check == name).unwrap()
}

#[test]
fn a_forged_webcam_contradicts_itself() {
    let whole = finding(WEBCAM, "HD Pro Webcam C920", "contradiction");
    assert_eq!(whole.outcome, Outcome::Nothing);
    let other_maker = finding(Usb { id: ("1234", "5678"), ..WEBCAM }, "HD Pro Webcam C920", "contradiction");
    assert!(other_maker.injection >= 4.0, "{other_maker:?}");
    let no_microphone = finding(Usb { interfaces: VIDEO, ..WEBCAM }, "HD Pro Webcam C920", "contradiction");
    assert!(
        no_microphone.injection >= 3.0 && no_microphone.reason.contains("microphone"),
        "{no_microphone:?}"
    );
    let (_, sys, answer) = on_usb(WEBCAM, "HD Pro Webcam C920");
    let elsewhere = Node { bus_info: "usb-0000:00:1d.0-2".into(), ..answer };
    let elsewhere =
        check(&facts(&sys, Some(elsewhere))).into_iter().find(|f| f.check == "contradiction").unwrap();
    assert!(elsewhere.injection >= 5.0, "{elsewhere:?}");
}

#[test]
fn what_cannot_be_read_says_so() {
    let sys = Sys::new();
    let device = inspect(Path::new("video7"), &sys.roots());
    assert_eq!(device.node, sys.roots().dev.join("video7"));
    assert_eq!(device.findings.iter().map(|f| f.check.as_str()).collect::<Vec<_>>(), CHECKS);
    for finding in &device.findings {
        assert!(finding.outcome == Outcome::NotReadable && !finding.reason.is_empty(), "{finding:?}");
    }
    assert_eq!(weigh(&device.findings).class, Class::Unknown);
    // A plain file in the place of a node: the tree of that name is not this file's.
    sys.node(None, "Camera");
    fs::write(sys.roots().dev.join("video0"), b"").unwrap();
    assert_eq!(inspect(Path::new("video0"), &sys.roots()).facts.tree, None);
}

#[test]
fn hostile_trees_are_survived() {
    let sys = Sys::new();
    sys.usb(&WEBCAM, "Camera");
    let device = "devices/pci0000:00/0000:00:14.0/usb1/1-5";
    // Gigabytes in an attribute, a pipe and a folder for others, a link to itself, hundreds of interfaces.
    fs::remove_file(sys.at(&format!("{device}/product"))).unwrap();
    File::create(sys.at(&format!("{device}/product"))).unwrap().set_len(1 << 40).unwrap();
    fs::remove_file(sys.at(&format!("{device}/serial"))).unwrap();
    let pipe = sys.at(&format!("{device}/serial"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    sys.folder(&format!("{device}/manufacturer"));
    let driver = sys.at(&format!("{device}/1-5:1.0/driver"));
    fs::remove_file(&driver).unwrap();
    std::os::unix::fs::symlink(&driver, &driver).unwrap();
    for number in 4..200 {
        sys.file(&format!("{device}/1-5:1.{number}/bInterfaceClass"), "0e");
        sys.file(&format!("{device}/1-5:1.{number}/bInterfaceSubClass"), "02");
    }
    let tree = facts(&sys, None).tree.unwrap();
    let usb = tree.usb.unwrap();
    assert_eq!((usb.product, usb.manufacturer, usb.serial), (None, None, false));
    assert!(usb.interfaces.len() <= 64);
    // The node's own link goes round in a circle.
    let node = sys.at("class/video4linux/video0");
    fs::remove_file(&node).unwrap();
    std::os::unix::fs::symlink(&node, &node).unwrap();
    assert_eq!(inspect(Path::new("video0"), &sys.roots()).facts.tree, None);
    // A link out of the device tree is not followed.
    fs::remove_file(&node).unwrap();
    std::os::unix::fs::symlink("/", &node).unwrap();
    assert_eq!(inspect(Path::new("video0"), &sys.roots()).facts.tree, None);
}

#[test]
fn no_serial_number_leaves() {
    let (_, sys, answer) = on_usb(WEBCAM, "HD Pro Webcam C920");
    let facts = facts(&sys, Some(answer));
    assert!(facts.tree.as_ref().unwrap().usb.as_ref().unwrap().serial);
    let all = serde_json::to_string(&facts).unwrap() + &serde_json::to_string(&check(&facts)).unwrap();
    assert!(!all.contains("0123456789"), "{all}");
    assert_eq!(serde_json::from_str::<DeviceFacts>(&serde_json::to_string(&facts).unwrap()).unwrap(), facts);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn garbage_in_the_tree_is_bounded(
        attributes in prop::collection::vec((0usize..12, prop::collection::vec(any::<u8>(), 0..300)), 1..12)
    ) {
        const NAMES: [&str; 12] = [
            "idVendor", "idProduct", "bcdDevice", "manufacturer", "product", "serial", "speed", "bDeviceClass",
            "descriptors", "removable", "1-5:1.0/bInterfaceClass", "1-5:1.0/video4linux/video0/name",
        ];
        let sys = Sys::new();
        sys.usb(&WEBCAM, "Camera");
        for (which, bytes) in &attributes {
            fs::write(sys.at(&format!("devices/pci0000:00/0000:00:14.0/usb1/1-5/{}", NAMES[*which])), bytes).unwrap();
        }
        let device = inspect(Path::new("video0"), &sys.roots());
        sound(&device.findings)?;
        prop_assert!(serde_json::to_string(&device).unwrap().len() < 16 * 1024);
    }

    #[test]
    fn any_answer_is_judged(
        texts in prop::collection::vec(".{0,32}", 4), capabilities in any::<u32>(), names in prop::collection::vec(".{0,31}", 0..20),
        camera_controls in 0usize..20, formats in 0usize..64, with_tree in any::<bool>()
    ) {
        let answer = Node {
            driver: texts[0].clone(), card: texts[1].clone(), bus_info: texts[2].clone(), version: texts[3].clone(),
            capabilities, input: None, formats: vec![Format::default(); formats], controls: names, camera_controls,
        };
        let sys = Sys::new();
        sys.usb(&WEBCAM, "Camera");
        let tree = if with_tree { facts(&sys, None).tree } else { None };
        sound(&check(&DeviceFacts { v4l2: Some(answer), tree, ..Default::default() }))?;
    }
}

/// One finding for each check, within bounds, and numbers only where something was found.
fn sound(findings: &[Finding]) -> Result<(), TestCaseError> {
    prop_assert_eq!(findings.iter().map(|f| f.check.as_str()).collect::<Vec<_>>(), CHECKS);
    for finding in findings {
        prop_assert!(
            finding.weight.abs() <= FINDING_CAP && finding.injection.abs() <= FINDING_CAP,
            "{:?}",
            finding
        );
        prop_assert!(finding.outcome == Outcome::Found || (finding.weight, finding.injection) == (0.0, 0.0));
        prop_assert_eq!(finding.outcome == Outcome::Found, finding.class.is_some());
        prop_assert!(finding.reason.chars().count() < 1024);
    }
    Ok(())
}

#[test]
fn the_interfaces_of_a_webcam_are_read() {
    let (_, sys, answer) = on_usb(WEBCAM, "HD Pro Webcam C920");
    let tree = facts(&sys, Some(answer)).tree.unwrap();
    let usb = tree.usb.unwrap();
    let mut interfaces: Vec<_> = VIDEO_AUDIO.iter().map(|(c, s)| (u16::from(*c), u16::from(*s))).collect();
    interfaces.sort_unstable();
    assert_eq!(usb.interfaces, interfaces);
    assert_eq!((usb.id.to_string().as_str(), usb.inputs), ("046d:082d", vec![0x0201]));
    assert_eq!((usb.speed, usb.class), (Some(480.0), Some(0xef)));
    let controller = usb.controller.unwrap();
    assert_eq!((controller.name.as_str(), controller.driver.as_deref()), ("0000:00:14.0", Some("xhci_hcd")));
    assert_eq!(tree.parent.unwrap().driver.as_deref(), Some("uvcvideo"));
    assert!(tree.rooted);
}
