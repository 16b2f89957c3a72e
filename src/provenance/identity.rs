//! What the elements on the way say of a stream's source: which factory, inside which bin, with which properties.
//!
//! Nothing inside the process can forge the chain of elements, but it says nothing of what lies behind the first of
//! them: `v4l2src` reads a webcam and a loopback device alike. So a camera interface weighs little by itself.

use super::walk::{Origin, factory};
use crate::analysis::source::provenance::{Class, Finding};
use gst::prelude::*;
use gstreamer as gst;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The chain of elements is what it says it is.
const BY_FACTORY: f64 = 6.0;
/// Most cameras come through a camera interface; so do most virtual ones.
const BY_CAMERA_INTERFACE: f64 = 1.0;
/// Properties that are read are cut to this many characters.
const MAX_TEXT: usize = 256;

/// Factories by what they are. A name that ends in `*` stands for all that begin so.
const TABLE: &[(Class, &[&str])] = &[
    (
        Class::File,
        &[
            "filesrc",
            "multifilesrc",
            "splitfilesrc",
            "splitmuxsrc",
            "imagesequencesrc",
            "dvdreadsrc",
            "pushfilesrc",
            "giosrc",
            "giostreamsrc",
        ],
    ),
    (
        Class::Network,
        &[
            "rtspsrc*",
            "webrtcbin",
            "webrtcsrc",
            "whipserversrc",
            "whepsrc",
            "whepclientsrc",
            "livekitwebrtcsrc",
            "rtpbin",
            "rtpsrc",
            "sdpdemux",
            "sdpsrc",
            "udpsrc",
            "tcpclientsrc",
            "tcpserversrc",
            "nicesrc",
            "srtsrc",
            "srtclientsrc",
            "srtserversrc",
            "ristsrc",
            "rtmpsrc",
            "rtmp2src",
            "souphttpsrc",
            "curlhttpsrc",
            "reqwesthttpsrc",
            "quinnquicsrc",
            "quicsrc",
            "ndisrc",
            "sipsrc",
        ],
    ),
    (
        Class::Synthetic,
        &[
            "videotestsrc",
            "gltestsrc",
            "fakesrc",
            "frei0r-src-*",
            "vulkantestsrc",
            "d3d11testsrc",
            "cairotestsrc",
        ],
    ),
    (
        Class::Application,
        &[
            "appsrc",
            "intervideosrc",
            "intersubsrc",
            "interpipesrc",
            "proxysrc",
            "shmsrc",
            "unixfdsrc",
            "ipcpipelinesrc",
            "fdsrc",
            "ximagesrc",
            "waylandsrc",
            "d3d11screencapturesrc",
            "gdiscreencapsrc",
            "dx9screencapsrc",
            "wpesrc",
            "wpevideosrc",
            "cefsrc",
            "ts-appsrc",
        ],
    ),
];

/// Elements that speak to camera drivers or camera services.
const CAMERA_INTERFACES: &[&str] = &[
    "v4l2src",
    "libcamerasrc",
    "pipewiresrc",
    "uvch264src",
    "uvcsrc",
    "avfvideosrc",
    "mfvideosrc",
    "ksvideosrc",
    "dshowvideosrc",
    "ahcsrc",
    "androidvideosource",
    "nvarguscamerasrc",
    "nvv4l2camerasrc",
    "decklinkvideosrc",
    "dc1394src",
    "aravissrc",
    "qtiqmmfsrc",
    "imxv4l2videosrc",
    "droidcamsrc",
];

/// Properties that say what a source reads, of whichever element has them.
const PROPERTIES: &[&str] = &[
    "device",
    "device-name",
    "device-index",
    "camera-name",
    "path",
    "target-object",
    "location",
    "uri",
    "pattern",
    "channel",
    "socket-path",
    "listen-to",
    "address",
    "host",
    "port",
    "client-name",
];

/// What is known of a source without opening anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The element's factory, and its name in the pipeline.
    pub factory: String,
    pub element: String,
    /// Factories of the bins that hold it, innermost first.
    pub inside: Vec<String>,
    /// Factories from the source to the element that asks.
    pub way: Vec<String>,
    /// Properties that say what it reads, passwords removed.
    pub properties: BTreeMap<String, String>,
}

impl Identity {
    /// Reads names and properties of an origin.
    pub fn of(origin: &Origin) -> Self {
        let mut properties = BTreeMap::new();
        for holder in [&origin.element].into_iter().chain(origin.bins.iter()) {
            for name in PROPERTIES {
                if properties.contains_key(*name) {
                    continue;
                }
                if let Some(text) = text_property(holder, name) {
                    properties.insert((*name).to_owned(), text);
                }
            }
        }
        Self {
            factory: factory(&origin.element),
            element: origin.element.name().to_string(),
            inside: origin.bins.iter().map(factory).filter(|f| !f.is_empty() && f != "bin").collect(),
            way: origin.way.iter().filter_map(|p| p.parent_element()).map(|e| factory(&e)).collect(),
            properties,
        }
    }

    /// Whether frames are asked of a camera driver or service.
    pub fn is_camera_interface(&self) -> bool {
        self.names().any(|n| CAMERA_INTERFACES.contains(&n))
    }

    /// What the source claims to be: an injection claims something else than it is.
    pub fn claim(&self) -> Class {
        if self.is_camera_interface() {
            return Class::Physical;
        }
        self.element_finding().class.unwrap_or_default()
    }

    /// The file of the V4L2 device it reads, if it does.
    pub fn v4l2_node(&self) -> Option<&str> {
        let path = |name: &str| self.properties.get(name).map(String::as_str);
        match self.factory.as_str() {
            "v4l2src" | "uvch264src" | "nvv4l2camerasrc" | "imxv4l2videosrc" => path("device"),
            _ => None,
        }
        .filter(|p| p.starts_with('/'))
    }

    /// The source's own factory and those of its bins, innermost first.
    fn names(&self) -> impl Iterator<Item = &str> {
        [&self.factory].into_iter().chain(&self.inside).map(String::as_str)
    }

    /// The check `element`, and what the chain says besides.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.element_finding()];
        // A still picture that is made a video somewhere on the way.
        if self.way.iter().any(|f| f == "imagefreeze") {
            findings.push(Finding::of(
                "still",
                Class::File,
                BY_FACTORY,
                "one picture is repeated (imagefreeze)",
            ));
        }
        findings
    }

    fn element_finding(&self) -> Finding {
        if self.is_camera_interface() {
            let reason = format!("{} asks a camera driver or service", self.factory);
            return Finding::of("element", Class::Physical, BY_CAMERA_INTERFACE, reason);
        }
        // The outermost bin that is known says most: the udpsrc inside an rtspsrc is that rtspsrc's.
        let names: Vec<&str> = self.names().collect();
        for name in names.iter().rev() {
            if let Some(class) = class_of(name) {
                let what = match class {
                    Class::File => "reads a recording",
                    Class::Network => "receives from a network",
                    Class::Synthetic => "computes its pictures",
                    _ => "takes frames from a program",
                };
                let inside = if *name == self.factory { String::new() } else { format!(" (in {name})") };
                return Finding::of("element", class, BY_FACTORY, format!("{}{inside} {what}", self.factory));
            }
        }
        let name = if self.factory.is_empty() { "an element without a factory" } else { &self.factory };
        Finding::nothing("element", format!("{name} is no source that this version knows"))
    }
}

fn class_of(factory: &str) -> Option<Class> {
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => factory.starts_with(start),
        None => factory == *pattern,
    };
    TABLE.iter().find(|(_, names)| names.iter().any(is)).map(|(class, _)| *class)
}

/// A property as text, if it is there, readable and not empty.
pub fn text_property(element: &gst::Element, name: &str) -> Option<String> {
    let spec = element.find_property(name)?;
    if !spec.flags().contains(glib::ParamFlags::READABLE) {
        return None;
    }
    let value = element.property_value(name);
    let text = match value.get::<Option<String>>() {
        Ok(text) => text?,
        Err(_) => value.serialize().ok()?.to_string(),
    };
    (!text.is_empty()).then(|| clean(&text))
}

/// Without control characters, passwords and endless length.
pub fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    // scheme://user:password@host: neither belongs into a log.
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            match host.rsplit_once('@') {
                Some((login, _)) => {
                    let rest = rest.get(login.len()..).unwrap_or_default();
                    format!("{scheme}://***{rest}").chars().take(MAX_TEXT).collect()
                }
                None => text,
            }
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::source::provenance::weigh;
    use proptest::prelude::*;

    fn named(factory: &str, inside: &[&str]) -> Identity {
        let inside = inside.iter().map(|s| (*s).to_owned()).collect();
        Identity { factory: factory.into(), inside, ..Identity::default() }
    }

    #[test]
    fn a_factory_says_what_it_is_and_its_bin_says_more() {
        let class = |i: Identity| weigh(&i.findings()).class;
        assert_eq!(class(named("filesrc", &["uridecodebin"])), Class::File);
        assert_eq!(class(named("udpsrc", &["rtspsrc"])), Class::Network);
        assert_eq!(class(named("appsrc", &["rtspsrc"])), Class::Network);
        assert_eq!(class(named("appsrc", &[])), Class::Application);
        assert_eq!(class(named("frei0r-src-plasma", &[])), Class::Synthetic);
        assert_eq!(class(named("something", &[])), Class::Unknown);
        // A camera interface alone names no class.
        assert_eq!(class(named("v4l2src", &[])), Class::Unknown);
        let frozen = Identity { way: vec!["imagefreeze".into()], ..named("v4l2src", &[]) };
        assert_eq!(class(frozen), Class::File);
    }

    #[test]
    fn passwords_stay_here() {
        assert_eq!(clean("rtsp://ann:secret@10.0.0.1/x?a@b"), "rtsp://***@10.0.0.1/x?a@b");
        assert_eq!(clean("rtsp://10.0.0.1/x@y"), "rtsp://10.0.0.1/x@y");
        assert_eq!(clean("/dev/video0\n"), "/dev/video0");
    }

    proptest! {
        #[test]
        fn any_text_is_cleaned(text in ".*") {
            let clean = clean(&text);
            prop_assert!(clean.chars().count() <= MAX_TEXT && !clean.chars().any(char::is_control));
        }
    }
}
