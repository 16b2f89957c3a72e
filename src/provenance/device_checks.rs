//! What the facts about a video node are worth: one finding for each check.
//!
//! The numbers are judgements, not fits: nobody has a fair sample of cameras and fakes. They follow three rules. What a
//! program cannot change without its own kernel module or hardware weighs most (3 to 7 nats; 7 is the cap of a single
//! finding). What anybody can type (names, USB ids) weighs little in favour and much against: nobody forges a name to
//! be refused. Evidence of injection is given once, to the check nearest to the cause, since driver, bus and device
//! tree of one fake say the same thing three times.

use super::device_facts::DeviceFacts;
use super::known_devices::{self, Driver};
use super::{sysfs, v4l2};
use crate::analysis::source::provenance::{Class, Finding};

/// Names of the checks, in the order of the findings.
pub const CHECKS: [&str; 7] = [
    "v4l2-driver",
    "v4l2-capabilities",
    "v4l2-bus",
    "device-tree",
    "usb-identity",
    "contradiction",
    "card-name",
];

/// What some facts say: one finding for each of [`CHECKS`].
pub fn check(facts: &DeviceFacts) -> Vec<Finding> {
    let [driver_check, capabilities_check, bus_check, tree_check, usb_check, contradiction_check, name_check] =
        CHECKS;
    let unread = |reason: &Option<String>| reason.clone().unwrap_or_else(|| "not looked at".into());
    let asked = |check, found: &dyn Fn(&v4l2::Node) -> Finding| match &facts.v4l2 {
        Some(node) => Finding { check: String::from(check), ..found(node) },
        None => Finding::not_readable(check, unread(&facts.v4l2_unread)),
    };
    let seen = |check, found: &dyn Fn(&sysfs::Tree) -> Finding| match &facts.tree {
        Some(tree) => Finding { check: String::from(check), ..found(tree) },
        None => Finding::not_readable(check, unread(&facts.tree_unread)),
    };
    let any = |check, found: &dyn Fn() -> Finding| match (&facts.v4l2, &facts.tree) {
        (None, None) => Finding::not_readable(check, unread(&facts.v4l2_unread)),
        _ => Finding { check: String::from(check), ..found() },
    };
    vec![
        any(driver_check, &|| driver(facts)),
        asked(capabilities_check, &capabilities),
        asked(bus_check, &|node| bus(node, facts.tree.as_ref())),
        seen(tree_check, &tree),
        seen(usb_check, &usb_identity),
        any(contradiction_check, &|| contradiction(facts)),
        any(name_check, &|| card_name(facts)),
    ]
}

fn physical(nats: f64, reason: impl Into<String>) -> Finding {
    Finding::of("", Class::Physical, nats, reason)
}

fn fake(nats: f64, reason: impl Into<String>) -> Finding {
    Finding::of("", Class::Virtual, nats, reason)
}

fn nothing(reason: impl Into<String>) -> Finding {
    Finding::nothing("", reason)
}

fn driver(facts: &DeviceFacts) -> Finding {
    let of_tree = || facts.tree.as_ref()?.parent.as_ref()?.driver.as_deref();
    let Some(name) = facts.v4l2.as_ref().map(|n| n.driver.as_str()).or_else(of_tree) else {
        return nothing("no driver is named");
    };
    // To deny its name a module must be built anew: 6. That a module is called like a camera's driver says little
    // for it: 1. Capture cards have lawful uses, so they say less of injection than what only software feeds.
    match known_devices::driver(name) {
        Some(Driver::Software) => {
            fake(6.0, format!("driver {name}: programs write its frames")).injected(3.0)
        }
        Some(Driver::TestPattern) => {
            fake(6.0, format!("driver {name}: it draws its frames itself")).injected(3.0)
        }
        Some(Driver::GadgetEnd) => {
            fake(5.0, format!("driver {name}: the sending end of a USB gadget")).injected(2.0)
        }
        Some(Driver::Processor) => {
            fake(4.0, format!("driver {name}: it processes frames and takes none")).injected(2.0)
        }
        Some(Driver::CaptureCard) => {
            fake(6.0, format!("driver {name}: it takes a cable's signal")).injected(1.5)
        }
        Some(Driver::Camera) => physical(1.0, format!("driver {name}, for cameras")),
        None => nothing(format!("driver {name} is not known here")),
    }
}

fn capabilities(node: &v4l2::Node) -> Finding {
    use v4l2::capability::{CAPTURE, MEDIA_CONTROLLER, MEMORY_TO_MEMORY, METADATA, OUTPUT};
    let has = |bits| node.capabilities & bits != 0;
    let control = |name: &str| node.controls.iter().any(|c| c == name);
    // Controls of v4l2loopback alone; they stay when it is renamed by its options.
    if control("sustain_framerate") || control("timeout_image_io") {
        return fake(6.0, "it has the controls of v4l2loopback").injected(1.0);
    }
    // A camera has no way in. Codecs and scalers have, but nobody points an application at them as a camera.
    if has(OUTPUT | MEMORY_TO_MEMORY) {
        return fake(4.0, "programs can write frames to it").injected(2.0);
    }
    if !has(CAPTURE) {
        let what = if has(METADATA) { "carries metadata, no pictures" } else { "captures no pictures" };
        return nothing(format!("it {what}"));
    }
    // Behind a media controller formats and controls are free or elsewhere: nothing follows.
    if has(MEDIA_CONTROLLER) {
        return nothing("the bridge of an image processor");
    }
    if node.camera_controls > 0 {
        // Gadgets and modules can offer them as well, but most do not take the trouble.
        return physical(1.0, format!("{} controls of sensor or optics", node.camera_controls));
    }
    let free = node.formats.len() >= 12 && node.formats.iter().all(|f| f.sizes == 0);
    match (free, node.controls.is_empty()) {
        (true, _) => {
            fake(1.5, format!("{} formats of any size, like no sensor", node.formats.len())).injected(0.5)
        }
        // Cheap cameras without any control exist.
        (false, true) => fake(0.5, "no control at all"),
        (false, false) => nothing("no control of sensor or optics"),
    }
}

fn bus(node: &v4l2::Node, tree: Option<&sysfs::Tree>) -> Finding {
    let info = node.bus_info.as_str();
    let has = |part: &str| info.contains(part);
    // The driver's own words; injection is counted where the device tree says the same.
    if ["v4l2loopback", "akvcam", "vivid", "vimc", "vim2m", "vicodec"].iter().any(|name| has(name)) {
        return fake(5.0, format!("bus {info}: a module's own, no hardware")).injected(1.0);
    }
    if has("dummy_hcd") || has("dummy_udc") || has("gadget") {
        return fake(6.0, format!("bus {info}: a USB gadget's, no hardware")).injected(1.0);
    }
    if has("vhci_hcd") {
        return fake(4.0, format!("bus {info}: USB from another machine or process")).injected(1.0);
    }
    match tree {
        Some(tree) if tree.rooted && on_controller(info, tree) => physical(0.5, format!("bus {info}")),
        Some(tree) if tree.rooted && !info.is_empty() && !info.starts_with("usb-") => {
            physical(0.3, format!("bus {info}"))
        }
        _ => nothing(format!("bus {info:?} proves nothing")),
    }
}

/// Whether `usb-CONTROLLER-PORT` fits the controller in the device tree; the field may be cut off.
fn on_controller(info: &str, tree: &sysfs::Tree) -> bool {
    let controller = tree.usb.as_ref().and_then(|u| u.controller.as_ref());
    controller.is_some_and(|c| {
        let wanted = format!("usb-{}-", c.name);
        info.starts_with(&wanted) || (info.len() >= 31 && wanted.starts_with(info))
    })
}

fn tree(tree: &sysfs::Tree) -> Finding {
    if tree.loopback_attributes.iter().any(|a| a == "max_openers") {
        return fake(6.0, "the node has the attributes of v4l2loopback").injected(3.0);
    }
    if tree.path.starts_with("devices/virtual/") {
        return fake(6.0, "no device is behind the node: a module made it").injected(3.0);
    }
    let controller = tree.usb.as_ref().and_then(|u| u.controller.as_ref());
    let named = |part: &str| {
        controller.is_some_and(|c| {
            c.name.starts_with(part) || c.driver.as_deref().is_some_and(|d| d.starts_with(part))
        })
    };
    if named("dummy_hcd") {
        return fake(7.0, "a USB gadget on a made-up controller (dummy_hcd)").injected(4.0);
    }
    // A remote desktop does this to honest cameras too.
    if named("vhci_hcd") {
        return fake(5.0, "a USB device of another machine or process (vhci_hcd)").injected(2.0);
    }
    if tree
        .path
        .split('/')
        .any(|part| part == "gadget" || part.starts_with("gadget.") || part.starts_with("dummy_udc"))
    {
        return fake(6.0, "the sending end of a USB gadget").injected(2.0);
    }
    match (&tree.usb, tree.rooted) {
        // Real hardware is enumerated or described; what a module made up is not, whatever it is called.
        (Some(_), false) => {
            fake(5.5, "a USB controller that neither a bus nor the firmware knows").injected(3.0)
        }
        (Some(usb), true) => {
            let at = controller.map_or("unknown", |c| c.name.as_str());
            match usb.removable.as_deref() {
                // Firmware says so; to fake that the machine must be opened.
                Some("fixed") => {
                    physical(4.0, format!("a built-in USB device on controller {at}")).injected(-1.5)
                }
                _ => physical(3.0, format!("a USB device on controller {at}")).injected(-1.0),
            }
        }
        (None, true) => {
            let name = tree.parent.as_ref().map_or("a device", |p| p.name.as_str());
            physical(3.0, format!("{name}, known to the firmware or a bus")).injected(-1.0)
        }
        (None, false) => match &tree.parent {
            Some(parent) => fake(5.5, format!("{}, which neither a bus nor the firmware knows", parent.name))
                .injected(3.0),
            None => nothing("no device is named"),
        },
    }
}

fn usb_identity(tree: &sysfs::Tree) -> Finding {
    const SENSOR: u16 = 0x0201;
    let Some(usb) = &tree.usb else { return nothing("no USB device") };
    let id = usb.id;
    // Against itself, and it must outweigh the true bus that it is on (about 5 in all): as good as proof of what the
    // device is, but not of a bad purpose.
    if let Some(what) = known_devices::grabber(id) {
        return fake(7.0, format!("{id} is {what}")).injected(2.0);
    }
    if known_devices::gadget(id) {
        return fake(7.0, format!("{id} is the id of a Linux machine that plays a USB device")).injected(2.5);
    }
    let connector = usb.inputs.iter().find(|kind| matches!(kind, 0x0401..=0x0403));
    match (connector, usb.inputs.contains(&SENSOR)) {
        (Some(_), false) => fake(6.5, format!("{id} describes its input as a connector")).injected(1.5),
        (_, true) => physical(0.5, format!("{id} describes its input as a sensor")),
        (None, false) => nothing(format!("{id} is not known here")),
    }
}

/// The names that a node goes by.
fn names(facts: &DeviceFacts) -> impl Iterator<Item = &str> {
    let tree = facts.tree.as_ref();
    let card = facts.v4l2.as_ref().map(|n| n.card.as_str());
    let label = tree.and_then(|t| t.name.as_deref());
    let product = tree.and_then(|t| t.usb.as_ref()).and_then(|u| u.product.as_deref());
    card.into_iter().chain(label).chain(product)
}

/// An honest device does not contradict itself. What a name claims may be wrong on a rebranded camera; what the driver
/// claims of its bus is not.
fn contradiction(facts: &DeviceFacts) -> Finding {
    let Some(tree) = &facts.tree else { return nothing("nothing to compare with") };
    let usb = tree.usb.as_ref();
    let mut found = Vec::new();
    if let Some(node) = &facts.v4l2 {
        let info = &node.bus_info;
        if node.driver == "uvcvideo" && usb.is_none() {
            found.push((
                6.0,
                6.0,
                "it claims the driver uvcvideo, and no USB device is behind it".to_owned(),
            ));
        }
        let linked = tree.parent.as_ref().and_then(|p| p.driver.as_deref());
        if let Some(linked) = linked.filter(|d| (node.driver == "uvcvideo") != (*d == "uvcvideo")) {
            found.push((5.0, 5.0, format!("it claims the driver {}, and {linked} drives it", node.driver)));
        }
        if info.starts_with("usb-") && !on_controller(info, tree) {
            found.push((5.0, 5.0, format!("it claims the bus {info}, and is not there in the device tree")));
        }
    }
    if let Some(make) = names(facts).find_map(known_devices::make).filter(|m| !m.vendors.is_empty()) {
        let name = make.name.trim();
        match usb {
            None => found.push((3.0, 4.0, format!("it is called {name}, a USB camera, and is on no USB"))),
            Some(usb) if !make.vendors.contains(&usb.id.vendor) => {
                found.push((3.0, 4.0, format!("it is called {name}, and {} is not that maker's id", usb.id)));
            }
            // A copy of a camera's ids and strings often lacks what else is in it.
            Some(usb)
                if make.microphone
                    && !usb.interfaces.is_empty()
                    && !usb.interfaces.iter().any(|i| i.0 == 1) =>
            {
                found.push((2.5, 3.0, format!("it is called {name}, which has a microphone, and has none")));
            }
            Some(_) => {}
        }
    }
    let greatest = |of: fn(&(f64, f64, String)) -> f64| found.iter().map(of).fold(0.0, f64::max);
    let (nats, injection) = (greatest(|f| f.0), greatest(|f| f.1));
    let reasons: Vec<_> = found.into_iter().map(|f| f.2).collect();
    if reasons.is_empty() {
        nothing("no contradiction")
    } else {
        fake(nats, reasons.join("; ")).injected(injection)
    }
}

fn card_name(facts: &DeviceFacts) -> Finding {
    let shown = names(facts).next().unwrap_or_default().to_owned();
    if let Some(part) = names(facts).find_map(known_devices::software_name) {
        return fake(5.5, format!("it calls itself {shown:?}: {part} is software")).injected(1.0);
    }
    if let Some(part) = names(facts).find_map(known_devices::grabber_name) {
        return fake(6.5, format!("it calls itself {shown:?}: {part} takes a cable's signal")).injected(1.5);
    }
    match names(facts).find_map(known_devices::make) {
        Some(_) => physical(0.3, format!("it calls itself {shown:?}, a camera; names prove nothing")),
        None => nothing(format!("it calls itself {shown:?}")),
    }
}
