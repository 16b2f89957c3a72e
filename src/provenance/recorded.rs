//! The source of a recording: the checks of `probes` and `pictures` that depend on the recording alone, made where its
//! pictures pass, without a thread. The same recording gives the same note, whatever the machine is busy with.
//!
//! What depends on when a buffer arrives (its delivery, its clock) is left out: a recording is played as fast as it goes.

use super::identity::{Identity, clean};
use super::pictures::Forensics;
use super::probes::marks_in_tags;
use super::report::SourceReport;
use super::walk::{factory, origins};
use crate::analysis::pixels::fingerprint::Fingerprint;
use crate::analysis::source::Timing;
use crate::analysis::source::bitstream::{self, MAX_MARKS, Mark, marks_in_access_unit};
use crate::analysis::source::provenance::{Class, Finding, Outcome};
use crate::lock::lock;
use crate::view;
use gst::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo};
use gstreamer as gst;
use gstreamer_video as gst_video;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Access units that are searched: encoders sign the first ones, or every key frame.
const UNITS: u32 = 64;
/// Bytes of one that are searched.
const UNIT_BYTES: usize = 4096;
/// What containers say of themselves, and how it is called here.
const TEXTS: [(&str, &str); 4] = [
    ("container-format", "container"),
    ("video-codec", "codec"),
    ("encoder", "encoder"),
    ("application-name", "application"),
];

/// What is said of a recording's source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceNote {
    pub class: Class,
    /// Probability of that class, 0..1.
    pub confidence: f64,
    /// What the container says of itself: `container`, `codec`, `encoder`, `application`.
    pub described: BTreeMap<String, String>,
    /// The strongest first.
    pub findings: Vec<Finding>,
}

impl SourceNote {
    /// What was found, in words, the strongest first; not what the chain of elements says, which opened the file itself.
    pub fn reasons(&self) -> Vec<&str> {
        let found = self.findings.iter().filter(|f| f.outcome == Outcome::Found && f.check != "element");
        found.map(|f| f.reason.as_str()).collect()
    }
}

/// What is known once the first picture passes, for then the elements are linked.
#[derive(Debug)]
struct Known {
    identity: Identity,
    forensics: Forensics,
    timing: Timing,
}

#[derive(Debug, Default)]
struct Seen {
    info: Option<VideoInfo>,
    known: Option<Known>,
    described: BTreeMap<String, String>,
    units: u32,
    /// With the time of the unit: the decoder may be ahead of the last picture by more or less.
    marks: Vec<(u64, Mark)>,
    newest: u64,
}

/// Watches a pipeline; see the module.
#[derive(Debug)]
pub struct Recorded(Arc<Mutex<Seen>>);

impl Recorded {
    /// Puts probes into a pipeline that was not started yet; decoded pictures pass `pad`.
    pub fn watch(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let of_units = Arc::clone(&seen);
        pipeline.connect_deep_element_added(move |_, _, element| {
            if matches!(factory(element).as_str(), "h264parse" | "h265parse")
                && let Some(pad) = element.static_pad("src")
            {
                let seen = Arc::clone(&of_units);
                pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                    if let Some(buffer) = info.buffer() {
                        lock(&seen).unit(buffer);
                    }
                    gst::PadProbeReturn::Ok
                });
            }
        });
        let of_pictures = Arc::clone(&seen);
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            let mut seen = lock(&of_pictures);
            // A defect in a check must not end the scan.
            let _ = catch_unwind(AssertUnwindSafe(|| match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => seen.picture(pad, buffer),
                Some(gst::PadProbeData::Event(event)) => match event.view() {
                    gst::EventView::Caps(e) => seen.caps(e.caps()),
                    gst::EventView::Tag(e) => seen.tags(e.tag()),
                    _ => {}
                },
                _ => {}
            }));
            gst::PadProbeReturn::Ok
        });
        Self(seen)
    }

    /// What was found out; none if no picture came.
    pub fn note(&self) -> Option<SourceNote> {
        lock(&self.0).note()
    }
}

impl Seen {
    fn unit(&mut self, buffer: &gst::BufferRef) {
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let Some(pts) = buffer.pts().filter(|_| key && self.units < UNITS) else { return };
        self.units += 1;
        let mut head = vec![0; UNIT_BYTES.min(buffer.size())];
        if buffer.copy_to_slice(0, &mut head).is_ok() {
            for mark in marks_in_access_unit(&head) {
                self.mark(pts.nseconds(), mark);
            }
        }
    }

    fn mark(&mut self, pts: u64, mark: Mark) {
        if self.marks.len() < MAX_MARKS && !self.marks.iter().any(|(_, m)| *m == mark) {
            self.marks.push((pts, mark));
        }
    }

    fn caps(&mut self, caps: &gst::CapsRef) {
        let raw = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        let info = VideoInfo::from_caps(caps).ok().filter(|_| raw);
        self.info = info.filter(|i| !view::is_interlaced(i));
    }

    fn tags(&mut self, tags: &gst::TagListRef) {
        for (tag, name) in TEXTS {
            if let Some(text) = tags.generic(tag).and_then(|v| v.get::<String>().ok()) {
                self.described.insert(name.into(), clean(&text));
            }
        }
        for mark in marks_in_tags(tags) {
            self.mark(0, mark);
        }
    }

    fn picture(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let Some(pts) = buffer.pts().map(gst::ClockTime::nseconds) else { return };
        self.newest = self.newest.max(pts);
        if self.known.is_none()
            && let [origin] = origins(pad).as_slice()
        {
            let identity = Identity::of(origin);
            let rate = self.info.as_ref().map(VideoInfo::fps);
            let part = |n: i32| u32::try_from(n).unwrap_or_default();
            let timing = Timing::new(rate.map(|r| (part(r.numer()), part(r.denom()))));
            let forensics = Forensics::new(origin, &identity, false);
            self.known = Some(Known { identity, forensics, timing });
        }
        let (Some(known), Some(info)) = (&mut self.known, &self.info) else { return };
        let duration = buffer.duration().map(gst::ClockTime::nseconds);
        known.timing.observe(pts, Some(pts), duration);
        // A picture that cannot be read is not judged.
        if let Ok(frame) = VideoFrameRef::from_buffer_ref_readable(buffer, info) {
            let _ = view::with_view(&frame, |v| {
                known.forensics.add_picture(v, pts, &[(pts, Fingerprint::of(v))])
            });
        }
    }

    fn note(&self) -> Option<SourceNote> {
        let known = self.known.as_ref()?;
        let claim = known.identity.claim();
        let mut findings = known.identity.findings();
        findings.extend(known.forensics.findings());
        findings.extend(known.timing.findings(claim).into_iter().filter(|f| f.check == "timestamps"));
        let marks = self.marks.iter().filter(|(pts, _)| *pts <= self.newest).map(|(_, m)| m.clone());
        findings.extend(bitstream::findings(&marks.collect::<Vec<_>>(), claim));
        let report = SourceReport::new(known.identity.clone(), BTreeMap::new(), findings);
        Some(SourceNote {
            class: report.class,
            confidence: report.confidence,
            described: self.described.clone(),
            findings: report.findings,
        })
    }
}
