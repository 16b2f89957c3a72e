//! The probes on a source's way: what passes there is copied or counted on the streaming thread, and weighed on
//! the monitor's.

use super::identity::Identity;
use super::walk::Origin;
use crate::analysis::source::Timing;
use crate::analysis::source::bitstream::{self, Mark, mark_of_tag, marks_in_access_unit};
use crate::analysis::source::provenance::{Class, Finding};
use crate::analysis::source::rtp::RtpWatch;
use crate::lock::lock;
use gst::prelude::*;
use gstreamer as gst;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// Pads of a way that are looked at for caps and tags.
const MAX_PADS: usize = 64;
/// Bytes of an access unit that are searched for marks, and units that are: encoders sign the first ones.
const UNIT_BYTES: usize = 4096;
const UNITS: u32 = 64;
/// Tag lists of a pad that are read.
const MAX_TAGS: u32 = 16;
/// Tags whose text may name a program.
const TAGS: [&str; 4] = ["encoder", "application-name", "comment", "description"];
/// An RTCP packet's bytes that are read; a sender report comes first.
const RTCP_BYTES: usize = 256;

/// A steady clock, ns: when a buffer passed.
fn now() -> u64 {
    gst::get_timestamp().nseconds()
}

/// Access units on their way to the monitor's thread.
#[derive(Debug, Default)]
struct Units {
    /// The beginning of one that waits; while one waits no other is taken.
    waiting: Vec<u8>,
    taken: u32,
}

/// Probes of one source; taken away when dropped.
#[derive(Debug)]
pub struct Probes {
    placed: Vec<(glib::WeakRef<gst::Pad>, gst::PadProbeId)>,
    pads: Vec<glib::WeakRef<gst::Pad>>,
    claim: Class,
    timing: Option<Arc<Mutex<Timing>>>,
    rtp: Option<Arc<Mutex<RtpWatch>>>,
    units: Option<Arc<Mutex<Units>>>,
    marks: Vec<Mark>,
}

impl Drop for Probes {
    fn drop(&mut self) {
        for (pad, probe) in self.placed.drain(..) {
            if let Some(pad) = pad.upgrade() {
                pad.remove_probe(probe);
            }
        }
    }
}

/// The name of the media type that a pad carries now.
pub(super) fn media_type(pad: &gst::Pad) -> String {
    let caps = pad.current_caps();
    caps.and_then(|c| c.structure(0).map(|s| s.name().to_string())).unwrap_or_default()
}

/// The marks in what a container says of itself.
pub(super) fn marks_in_tags(tags: &gst::TagListRef) -> impl Iterator<Item = Mark> {
    let texts = TAGS.iter().filter_map(|name| tags.generic(*name)?.get::<String>().ok());
    texts.filter_map(|text| mark_of_tag(&text))
}

impl Probes {
    /// Puts probes where a source's stream can be looked at.
    pub fn attach(origin: &Origin, identity: &Identity) -> Self {
        let pads: Vec<gst::Pad> =
            [&origin.pad].into_iter().chain(&origin.way).take(MAX_PADS).cloned().collect();
        let mut probes = Self {
            placed: Vec::new(),
            pads: pads.iter().map(|p| p.downgrade()).collect(),
            claim: identity.claim(),
            timing: None,
            rtp: None,
            units: None,
            marks: Vec::new(),
        };
        let first = |wanted: &dyn Fn(&str) -> bool| pads.iter().find(|p| wanted(&media_type(p)));
        // The first that carries RTP is nearest to the network: no jitter buffer has hidden anything yet.
        if let Some(pad) = first(&|m| m == "application/x-rtp") {
            probes.watch_rtp(pad, &pads);
        }
        if let Some(pad) = first(&|m| m == "video/x-h264" || m == "video/x-h265") {
            probes.watch_units(pad);
        }
        let media = media_type(&origin.pad);
        // The bytes of a file and the packets of a network have no times of pictures.
        if media.starts_with("video/") || media.starts_with("image/") {
            probes.watch_times(&origin.pad);
        }
        probes
    }

    fn place(&mut self, pad: &gst::Pad, look: impl FnMut(&gst::BufferRef) + Send + 'static) {
        // `add_probe` wants a callback that may be shared; a pad calls it from one thread at a time.
        let look = Mutex::new(look);
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        let probe = pad.add_probe(mask, move |_, info| {
            let mut look = lock(&look);
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => look(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(&mut *look),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        if let Some(probe) = probe {
            self.placed.push((pad.downgrade(), probe));
        }
    }

    fn watch_times(&mut self, pad: &gst::Pad) {
        let caps = pad.current_caps();
        let rate = caps.and_then(|c| c.structure(0)?.get::<gst::Fraction>("framerate").ok());
        let rate = rate.and_then(|r| Some((u32::try_from(r.numer()).ok()?, u32::try_from(r.denom()).ok()?)));
        let timing = Arc::new(Mutex::new(Timing::new(rate)));
        let seen = Arc::clone(&timing);
        self.place(pad, move |buffer| {
            let time = |t: Option<gst::ClockTime>| t.map(gst::ClockTime::nseconds);
            lock(&seen).observe(now(), time(buffer.pts()), time(buffer.duration()));
        });
        self.timing = Some(timing);
    }

    fn watch_units(&mut self, pad: &gst::Pad) {
        let waiting = Vec::with_capacity(UNIT_BYTES);
        let units = Arc::new(Mutex::new(Units { waiting, taken: 0 }));
        let seen = Arc::clone(&units);
        self.place(pad, move |buffer| {
            let mut units = lock(&seen);
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            if key && units.taken < UNITS && units.waiting.is_empty() {
                units.taken += 1;
                units.waiting.resize(UNIT_BYTES.min(buffer.size()), 0);
                if buffer.copy_to_slice(0, &mut units.waiting).is_err() {
                    units.waiting.clear();
                }
            }
        });
        self.units = Some(units);
    }

    fn watch_rtp(&mut self, pad: &gst::Pad, way: &[gst::Pad]) {
        let caps = pad.current_caps();
        let rate = caps.and_then(|c| c.structure(0)?.get::<i32>("clock-rate").ok()).unwrap_or(90_000);
        let watch = Arc::new(Mutex::new(RtpWatch::new(rate.max(1).unsigned_abs())));
        let seen = Arc::clone(&watch);
        self.place(pad, move |buffer| {
            let mut head = [0; 12];
            if buffer.copy_to_slice(0, &mut head).is_ok() {
                lock(&seen).packet(&head, now());
            }
        });
        // Reports arrive beside the packets, at the session that the packets pass.
        let sessions = way.iter().filter_map(|p| p.parent_element());
        let reports = sessions.flat_map(|e| e.sink_pads()).find(|p| p.name().starts_with("recv_rtcp_sink"));
        if let Some(pad) = reports {
            let seen = Arc::clone(&watch);
            self.place(&pad, move |buffer| {
                let mut bytes = [0u8; RTCP_BYTES];
                let length = RTCP_BYTES.min(buffer.size());
                let Some(bytes) = bytes.get_mut(..length) else { return };
                if buffer.copy_to_slice(0, bytes).is_ok() {
                    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    lock(&seen).report(bytes, u64::try_from(time.as_nanos()).unwrap_or_default());
                }
            });
        }
        self.rtp = Some(watch);
    }

    /// What the probes have seen so far, weighed.
    pub fn findings(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Copies: the streaming thread must not wait for the weighing.
        if let Some(timing) = &self.timing {
            let timing = lock(timing).clone();
            findings.extend(timing.findings(self.claim));
        }
        if let Some(watch) = &self.rtp {
            let watch = lock(watch).clone();
            findings.extend(watch.findings());
        }
        self.read_marks();
        findings.extend(bitstream::findings(&self.marks, self.claim));
        findings
    }

    fn read_marks(&mut self) {
        let mut found = Vec::new();
        if let Some(units) = &self.units {
            let waiting = std::mem::take(&mut lock(units).waiting);
            found.extend(marks_in_access_unit(&waiting));
            // The memory goes back, so that the streaming thread need not allocate.
            let mut emptied = waiting;
            emptied.clear();
            let mut units = lock(units);
            if units.waiting.is_empty() {
                units.waiting = emptied;
            }
        }
        for pad in self.pads.iter().filter_map(glib::WeakRef::upgrade) {
            for index in 0..MAX_TAGS {
                let Some(event) = pad.sticky_event::<gst::event::Tag>(index) else { break };
                found.extend(marks_in_tags(event.tag()));
            }
            if let Some(caps) = pad.current_caps()
                && let Some(s) = caps.structure(0)
            {
                // Session descriptions name the program that wrote them.
                let texts = s.iter().filter(|(name, _)| name.contains("tool"));
                found.extend(texts.filter_map(|(_, v)| mark_of_tag(v.get::<&str>().ok()?)));
            }
        }
        for mark in found {
            if !self.marks.contains(&mark) && self.marks.len() < MAX_PADS {
                self.marks.push(mark);
            }
        }
    }
}
