//! What the tests of `deepfakedetect` share: the library and the small face networks of `tests/fixtures/face`, made
//! pictures, and a harness around the element with its own bus.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // not every test program uses all of it

use gst::prelude::*;
use gst_check::Harness;
use gstdeepfake::analysis::judgement::verdict::Verdict;
use gstdeepfake::inference::{Manifest, library};
use gstdeepfake::message::{self, DeepfakeMessage};
use gstdeepfake::meta;
use gstreamer as gst;
use gstreamer_check as gst_check;
use gstreamer_video as gst_video;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub mod child;
pub mod clip;
pub mod frames;
pub mod gate;
#[cfg(feature = "tools")]
pub mod program;

/// The longest that a test waits for something that will come.
pub const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

pub fn init() {
    gstdeepfake::register_static().unwrap();
}

/// A free UDP port of this machine.
pub fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn face_models() -> PathBuf {
    root().join("tests/fixtures/face")
}

fn find_library() -> Option<PathBuf> {
    let from = |var| std::env::var_os(var).filter(|v| !v.is_empty()).map(PathBuf::from);
    let fetched = || {
        let manifest = Manifest::load(&root().join("models")).ok()?;
        Some(manifest.dir().join(&manifest.library(library::NAME)?.file))
    };
    from(library::ENV_VAR).or_else(fetched).filter(|p| p.is_file())
}

/// ONNX Runtime, or `None` after saying that the test is skipped.
pub fn onnxruntime() -> Option<PathBuf> {
    static FOUND: LazyLock<Option<PathBuf>> = LazyLock::new(find_library);
    if FOUND.is_none() {
        eprintln!("SKIPPED: no ONNX Runtime; run `make models` or set ORT_DYLIB_PATH");
    }
    FOUND.clone()
}

/// The real networks' directory and one of the fetched clips, or `None` after saying that the test is skipped.
pub fn real_models_and_clip(clip: &str) -> Option<(PathBuf, PathBuf)> {
    let models = root().join("models");
    let clip = models.join("fetched/clips").join(clip);
    if !clip.is_file() || !models.join("fetched/face-mesh-v2.onnx").is_file() {
        eprintln!("SKIPPED: no networks or no clip; run `make models clips`");
        return None;
    }
    Some((models, clip))
}

/// `deepfakedetect` with the small networks; `None` after saying that the test is skipped.
pub fn element(properties: &[(&str, &str)]) -> Option<gst::Element> {
    let library = onnxruntime()?;
    init();
    let element = gst::ElementFactory::make("deepfakedetect")
        .property("model-dir", face_models().to_str().unwrap())
        .property("onnxruntime-library", library.to_str().unwrap())
        .build()
        .unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    Some(element)
}

/// A `u64` of the `stats` property.
pub fn stat(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).unwrap()
}

/// Sampled frames whose fate is known.
pub fn accounted(element: &gst::Element) -> u64 {
    let stats = element.property::<gst::Structure>("stats");
    let settled = ["analysed", "replaced", "stale-epoch", "duplicate", "failed"];
    let name = |n: &str| if n == "analysed" { format!("frames-{n}") } else { format!("skipped-{n}") };
    settled.iter().map(|n| stats.get::<u64>(&name(n)).unwrap()).sum()
}

pub fn verdict(buffer: &gst::BufferRef) -> Verdict {
    meta::read(buffer).expect("no verdict").expect("bad verdict")
}

/// The element alone between two pads, with a bus.
pub struct Rig {
    pub h: Harness,
    pub element: gst::Element,
    pub bus: gst::Bus,
    pub info: gst_video::VideoInfo,
    /// Frames made so far.
    pub made: u64,
    /// All of this plugin's messages that were popped.
    pub messages: Vec<DeepfakeMessage>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Messages hold pads, and pads that go tell the element's bus: none may go while the bus is replaced.
        self.bus.set_flushing(true);
    }
}

impl Rig {
    /// I420, 160x120, 25 a second.
    pub fn new(properties: &[(&str, &str)]) -> Option<Self> {
        Self::with_caps(properties, "video/x-raw,format=I420,width=160,height=120,framerate=25/1")
    }

    pub fn with_caps(properties: &[(&str, &str)], caps: &str) -> Option<Self> {
        Some(Self::around(element(properties)?, caps))
    }

    pub fn around(element: gst::Element, caps: &str) -> Self {
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let caps: gst::Caps = caps.parse().unwrap();
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        // The harness would end the whole process if this failed.
        if element.set_state(gst::State::Playing).is_err() {
            let error = bus.pop_filtered(&[gst::MessageType::Error]);
            element.set_state(gst::State::Null).unwrap();
            panic!("it does not start: {error:?}");
        }
        let mut h = Harness::with_element(&element, Some("sink"), Some("src"));
        h.set_src_caps(caps);
        Self { h, element, bus, info, made: 0, messages: Vec::new() }
    }

    pub fn set_caps(&mut self, caps: &str) {
        let caps: gst::Caps = caps.parse().unwrap();
        self.info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        self.h.set_src_caps(caps);
    }

    /// The PTS of frame `n`.
    pub fn pts(&self, n: u64) -> gst::ClockTime {
        let fps = self.info.fps();
        let second = gst::ClockTime::SECOND;
        second.mul_div_floor(n * fps.denom() as u64, fps.numer() as u64).unwrap()
    }

    /// The next frame: lively noise, different every time.
    pub fn noise(&mut self) -> gst::Buffer {
        let n = self.made;
        self.made += 1;
        frames::noise(&self.info, n, self.pts(n))
    }

    /// The next frame, bright noise.
    pub fn bright(&mut self) -> gst::Buffer {
        let n = self.made;
        self.made += 1;
        frames::bright(&self.info, n, self.pts(n))
    }

    /// The next frame, near black: no face.
    pub fn black(&mut self) -> gst::Buffer {
        let n = self.made;
        self.made += 1;
        frames::black(&self.info, n, self.pts(n))
    }

    /// Pushes a buffer; what comes out.
    pub fn pass(&mut self, buffer: gst::Buffer) -> gst::Buffer {
        self.h.push(buffer).expect("flow");
        self.h.try_pull().expect("a buffer goes in, none comes out")
    }

    /// Pushes a buffer and, if it was sampled, waits for its verdict message (needs `report-interval=1`).
    pub fn pass_settled(&mut self, buffer: gst::Buffer) -> gst::Buffer {
        let before = stat(&self.element, "frames-sampled");
        let pts = buffer.pts().map(|p| p.nseconds());
        let out = self.pass(buffer);
        if stat(&self.element, "frames-sampled") > before {
            self.wait_for(|m| matches!(m, DeepfakeMessage::Verdict(v) if v.header.timestamp == pts));
        }
        out
    }

    /// Pops messages until one is what is wanted.
    pub fn wait_for(&mut self, wanted: impl Fn(&DeepfakeMessage) -> bool) -> DeepfakeMessage {
        loop {
            let popped = self.bus.timed_pop(PATIENCE).expect("the message never came");
            let Some(message) = message::parse(&popped) else { continue };
            let message = message.unwrap();
            self.messages.push(message.clone());
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Pops what is there; the texts of warnings and errors.
    pub fn drain(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(popped) = self.bus.pop() {
            match popped.view() {
                gst::MessageView::Warning(w) => texts.push(w.error().to_string()),
                gst::MessageView::Error(e) => texts.push(e.error().to_string()),
                _ => {}
            }
            self.messages.extend(message::parse(&popped).map(Result::unwrap));
        }
        texts
    }

    pub fn eos(&mut self) {
        assert!(self.h.push_event(gst::event::Eos::new()));
    }
}
