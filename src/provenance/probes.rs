//! The probes on a source's way: what passes there is looked at on the streaming thread, briefly, and judged on the
//! monitor's.

use super::identity::Identity;
use super::walk::Origin;
use crate::analysis::provenance::Finding;
use crate::analysis::rtp::RtpWatch;
use gst::prelude::*;
use gstreamer as gst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Pads of a way that are looked at for caps and tags.
const MAX_PADS: usize = 64;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A steady clock, ns: when a buffer passed.
fn now() -> u64 {
    gst::util_get_timestamp().nseconds()
}

/// Probes of one source; taken away when dropped.
pub struct Probes {
    placed: Vec<(glib::WeakRef<gst::Pad>, gst::PadProbeId)>,
    pads: Vec<glib::WeakRef<gst::Pad>>,
    rtp: Option<Arc<Mutex<RtpWatch>>>,
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
fn media_type(pad: &gst::Pad) -> String {
    let caps = pad.current_caps();
    caps.and_then(|c| c.structure(0).map(|s| s.name().to_string())).unwrap_or_default()
}

impl Probes {
    /// Puts probes where a source's stream can be looked at.
    pub fn attach(origin: &Origin, _identity: &Identity) -> Self {
        let pads: Vec<gst::Pad> =
            [&origin.pad].into_iter().chain(&origin.way).take(MAX_PADS).cloned().collect();
        let mut probes =
            Self { placed: Vec::new(), pads: pads.iter().map(|p| p.downgrade()).collect(), rtp: None };
        // The first that carries RTP is nearest to the network: no jitter buffer has hidden anything yet.
        if let Some(pad) = pads.iter().find(|p| media_type(p) == "application/x-rtp") {
            probes.watch_rtp(pad, &pads);
        }
        probes
    }

    fn place(&mut self, pad: &gst::Pad, mut look: impl FnMut(&gst::BufferRef) + Send + 'static) {
        // `add_probe` wants a callback that may be shared; a pad calls it from one thread at a time.
        let look = Mutex::new(move |buffer: &gst::BufferRef| look(buffer));
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        let probe = pad.add_probe(mask, move |_, info| {
            let mut look = lock(&look);
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => look(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(|b| look(b)),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        if let Some(probe) = probe {
            self.placed.push((pad.downgrade(), probe));
        }
    }

    fn watch_rtp(&mut self, pad: &gst::Pad, way: &[gst::Pad]) {
        let caps = pad.current_caps();
        let rate = caps.and_then(|c| c.structure(0)?.get::<i32>("clock-rate").ok()).unwrap_or(90_000);
        let watch = Arc::new(Mutex::new(RtpWatch::new(rate.max(1).unsigned_abs())));
        let seen = Arc::clone(&watch);
        self.place(pad, move |buffer| {
            if let Some(head) = head(buffer) {
                lock(&seen).packet(&head, now());
            }
        });
        // Reports arrive beside the packets, at the session that the packets pass.
        let sessions = way.iter().filter_map(|p| p.parent_element());
        let reports = sessions.flat_map(|e| e.sink_pads()).find(|p| p.name().starts_with("recv_rtcp_sink"));
        if let Some(pad) = reports {
            let seen = Arc::clone(&watch);
            self.place(&pad, move |buffer| {
                let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let mut bytes = [0u8; 256];
                let filled = buffer.copy_to_slice(0, prefix(&mut bytes, buffer.size()));
                if filled.is_ok() {
                    let bytes = bytes.get(..buffer.size().min(256)).unwrap_or_default();
                    lock(&seen).report(bytes, u64::try_from(time.as_nanos()).unwrap_or_default());
                }
            });
        }
        self.rtp = Some(watch);
    }

    /// What the probes have seen so far, judged.
    pub fn findings(&mut self, _identity: &Identity) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(watch) = &self.rtp {
            // A copy: the streaming thread must not wait for the judging.
            let watch = lock(watch).clone();
            findings.extend(watch.findings());
        }
        findings
    }
}

/// The first bytes of a buffer as large as RTP's fixed header, without mapping it.
fn head(buffer: &gst::BufferRef) -> Option<[u8; 12]> {
    let mut head = [0; 12];
    buffer.copy_to_slice(0, &mut head).is_ok().then_some(head)
}

fn prefix(bytes: &mut [u8], length: usize) -> &mut [u8] {
    let end = bytes.len().min(length);
    bytes.get_mut(..end).unwrap_or_default()
}
