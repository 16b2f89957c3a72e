//! The pictures of a stream: their noise, their grids and their rhythm. Either some are kept as they pass
//! the pad, for the monitor's thread to look at, or the analysis passes on those it has ([`Forensics::add_picture`]).

use super::walk::{Origin, factory};
use crate::analysis::pixels::fingerprint::{Fingerprint, Print};
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::source::provenance::Finding;
use crate::analysis::source::response::{Sample, Trace};
use crate::analysis::source::{self, Coding, SourceForensics};
use crate::lock::lock;
use crate::provenance::identity::Identity;
use crate::view;
use gst::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Between two pictures that are kept, ns.
const INTERVAL: u64 = 200_000_000;
/// Fingerprints that wait; the oldest goes.
const MAX_PRINTS: usize = 240;

/// What the streaming thread leaves for the monitor's.
#[derive(Debug)]
pub struct Pictures {
    /// Whether pictures are kept as they pass.
    keep: bool,
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    info: Option<VideoInfo>,
    /// The newest picture that was kept: one that was not fetched in time is replaced.
    kept: Option<(u64, gst::Buffer, VideoInfo)>,
    last: Option<u64>,
    prints: VecDeque<Print>,
    /// The stream began anew: what was learnt of the pictures is void.
    fresh: bool,
}

impl Pictures {
    pub fn new(keep: bool) -> Self {
        Self { keep, slot: Mutex::default() }
    }

    /// New caps, on the streaming thread.
    pub fn caps(&self, caps: &gst::CapsRef) {
        let info = caps.is_fixed().then(|| VideoInfo::from_caps(caps).ok()).flatten();
        let mut slot = lock(&self.slot);
        let raw = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        slot.info = info.filter(|i| raw && !view::is_interlaced(i));
        slot.fresh = true;
    }

    /// A new segment or a flush, on the streaming thread.
    pub fn restart(&self) {
        let mut slot = lock(&self.slot);
        (slot.kept, slot.last, slot.fresh) = (None, None, true);
        slot.prints.clear();
    }

    /// A buffer passes. Returns whether it was kept.
    pub fn passed(&self, buffer: &gst::Buffer) -> bool {
        if !self.keep {
            return false;
        }
        let mut slot = lock(&self.slot);
        let Some(pts) = buffer.pts().map(gst::ClockTime::nseconds) else { return false };
        let Some(info) = &slot.info else { return false };
        let print = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .ok()
            .and_then(|frame| view::with_view(&frame, Fingerprint::of).ok());
        let keep = slot.last.is_none_or(|last| pts >= last.saturating_add(INTERVAL) || pts < last);
        // The pixels are shared, not copied.
        let kept = keep.then(|| (pts, buffer.copy(), info.clone()));
        if let Some(print) = print {
            if slot.prints.len() >= MAX_PRINTS {
                slot.prints.pop_front();
            }
            slot.prints.push_back((pts, print));
        }
        if kept.is_some() {
            (slot.last, slot.kept) = (Some(pts), kept);
        }
        keep
    }
}

/// What is learnt from the pictures of one source.
#[derive(Debug)]
pub struct Forensics {
    of: source::Origin,
    inner: SourceForensics,
    /// For the experiment with the controls; `None` where there is none.
    trace: Option<Trace>,
    last: Option<u64>,
}

impl Forensics {
    /// For the one source of a stream.
    pub fn new(origin: &Origin, identity: &Identity, keep_trace: bool) -> Self {
        let of = source::Origin { claim: identity.claim(), coding: coding(origin), altered: altered(origin) };
        Self { of, inner: SourceForensics::new(of), trace: keep_trace.then(Trace::default), last: None }
    }

    /// Takes a picture that the analysis has, and the fingerprints of all since the last one.
    pub fn add_picture(&mut self, frame: &FrameView<'_>, pts: u64, prints: &[Print]) {
        for (pts, print) in prints {
            self.inner.observe_print(*pts, print);
        }
        if self.last.is_none_or(|last| pts >= last.saturating_add(INTERVAL) || pts < last) {
            self.last = Some(pts);
            self.observe(frame, pts);
        }
    }

    fn observe(&mut self, frame: &FrameView<'_>, pts: u64) {
        self.inner.observe_frame(frame, pts, None);
        if let Some(trace) = &mut self.trace {
            trace.push(Sample::of(frame, pts));
        }
    }

    /// How bright and how sharp the pictures were; a copy.
    pub fn trace(&self) -> Trace {
        self.trace.clone().unwrap_or_default()
    }

    /// Takes what was kept since the last call.
    pub fn take_kept(&mut self, pictures: &Pictures) {
        let (kept, prints) = {
            let mut slot = lock(&pictures.slot);
            if std::mem::take(&mut slot.fresh) {
                self.inner = SourceForensics::new(self.of);
                self.trace = self.trace.take().map(|_| Trace::default());
            }
            (slot.kept.take(), std::mem::take(&mut slot.prints))
        };
        for (pts, print) in &prints {
            self.inner.observe_print(*pts, print);
        }
        // The memory goes back, so that the streaming thread need not allocate.
        let mut emptied = prints;
        emptied.clear();
        let mut slot = lock(&pictures.slot);
        if slot.prints.is_empty() {
            slot.prints = emptied;
        }
        drop(slot);
        let Some((pts, buffer, info)) = kept else { return };
        if let Ok(frame) = VideoFrameRef::from_buffer_ref_readable(&buffer, &info) {
            // A picture that cannot be read is not judged.
            let _ = view::with_view(&frame, |v| self.observe(v, pts));
        }
    }

    pub fn findings(&self) -> Vec<Finding> {
        self.inner.findings()
    }
}

/// How the source's own pictures are coded: the first media type on the way that says so.
fn coding(origin: &Origin) -> Coding {
    let of_pad = |pad: &gst::Pad| {
        let caps = pad.current_caps()?;
        let s = caps.structure(0)?;
        let name = match s.name().as_str() {
            "application/x-rtp" => {
                let encoding = s.get::<String>("encoding-name").ok()?.to_lowercase();
                match encoding.as_str() {
                    "raw" => "video/x-raw".to_owned(),
                    "jpeg" => "image/jpeg".to_owned(),
                    other => format!("video/x-{other}"),
                }
            }
            other => other.to_owned(),
        };
        Some(Coding::of_media_type(&name)).filter(|c| *c != Coding::Unknown)
    };
    [&origin.pad].into_iter().chain(&origin.way).find_map(of_pad).unwrap_or_default()
}

/// Whether an element on the way changes pictures or their times, by its class.
fn altered(origin: &Origin) -> bool {
    origin.way.iter().filter_map(|p| p.parent_element()).any(|element| {
        let class = element.metadata("klass").unwrap_or_default().to_owned();
        if factory(&element).starts_with("deepfake") || factory(&element) == "cameraprovenance" {
            return false;
        }
        if ["Effect", "Compositor", "Mixer", "Deinterlace"].iter().any(|c| class.contains(c)) {
            return true;
        }
        // A scaler that does not scale leaves the picture as it is.
        class.contains("Scaler") && {
            let size = |pad: &gst::Pad| {
                let caps = pad.current_caps()?;
                let s = caps.structure(0)?;
                Some((s.get::<i32>("width").ok()?, s.get::<i32>("height").ok()?))
            };
            let sizes: Vec<_> = element.pads().iter().filter_map(size).collect();
            sizes.windows(2).any(|w| w.first() != w.last())
        }
    })
}
