//! What a `webrtcbin` says of the call it is in: its statistics, asked for without waiting.
//!
//! They distinguish a call from anything that only looks like one: packets that a peer sent, their jitter, a codec that was
//! agreed upon, a path that was found. No address and no name of a machine is read.

use super::walk::factory;
use crate::analysis::source::provenance::{Class, Finding};
use crate::lock::lock;
use glib::prelude::*;
use gstreamer as gst;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The check's name.
const CHECK: &str = "webrtc-stats";
/// Entries of an answer that are read, and characters of a name in it.
const MAX_ENTRIES: usize = 256;
const MAX_NAME: usize = 32;

/// What is read of the statistics.
#[derive(Clone, Debug, Default, PartialEq)]
struct Call {
    received: u64,
    lost: i64,
    /// Seconds; the largest of all streams.
    jitter: f64,
    round_trip: Option<f64>,
    codecs: BTreeSet<String>,
    /// `host`, `srflx`, `prflx` or `relay`, of the far side.
    paths: BTreeSet<String>,
}

/// Asks one `webrtcbin` again and again; one question at a time.
#[derive(Debug)]
pub struct Stats {
    element: glib::WeakRef<gst::Element>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: bool,
    call: Option<Call>,
}

impl Stats {
    /// For the `webrtcbin` among the bins that hold a source.
    pub fn of(bins: &[gst::Element]) -> Option<Self> {
        let bin = bins.iter().find(|b| factory(b) == "webrtcbin")?;
        let stats = Self { element: bin.downgrade(), shared: Arc::default() };
        stats.ask();
        Some(stats)
    }

    /// The answer comes on `webrtcbin`'s own thread, or never, if it is stopped before.
    fn ask(&self) {
        let Some(element) = self.element.upgrade() else { return };
        if std::mem::replace(&mut lock(&self.shared).asked, true) {
            return;
        }
        let shared = Arc::downgrade(&self.shared);
        let promise = gst::Promise::with_change_func(move |reply| {
            let Some(shared) = shared.upgrade() else { return };
            let call = reply.ok().flatten().map(read);
            let mut shared = lock(&shared);
            shared.asked = false;
            shared.call = call.or_else(|| shared.call.take());
        });
        element.emit_by_name_with_values("get-stats", &[None::<gst::Pad>.to_value(), promise.to_value()]);
    }

    /// What the last answer says, and the next question. Facts that stay (names of codecs and kinds of paths) go into
    /// `device`.
    pub fn finding(&self, device: &mut BTreeMap<String, String>) -> Finding {
        let call = lock(&self.shared).call.clone();
        self.ask();
        let Some(call) = call else { return Finding::nothing(CHECK, "no statistics yet") };
        for (name, values) in [("codec", &call.codecs), ("path", &call.paths)] {
            if !values.is_empty() {
                device.insert(name.to_owned(), join(values));
            }
        }
        judge(&call)
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Reads an answer; what is not understood is left out.
fn read(stats: &gst::StructureRef) -> Call {
    let mut call = Call::default();
    let entries = stats.iter().take(MAX_ENTRIES).filter_map(|(_, v)| v.get::<gst::Structure>().ok());
    for s in entries {
        let word = |field: &str| {
            let text = s.get::<String>(field).ok()?;
            let known = |c: &char| c.is_ascii_alphanumeric() || "-/+.".contains(*c);
            Some(text.chars().filter(known).take(MAX_NAME).collect::<String>()).filter(|t| !t.is_empty())
        };
        let seconds = |field: &str| s.get::<f64>(field).ok().filter(|v| v.is_finite() && *v >= 0.0);
        match s.name().as_str() {
            "inbound-rtp" => {
                call.received = call.received.saturating_add(s.get("packets-received").unwrap_or(0u64));
                let lost =
                    s.get::<i64>("packets-lost").or_else(|_| s.get::<i32>("packets-lost").map(i64::from));
                call.lost = call.lost.saturating_add(lost.unwrap_or(0));
                call.jitter = call.jitter.max(seconds("jitter").unwrap_or(0.0));
            }
            "remote-inbound-rtp" | "candidate-pair" => {
                let times = [seconds("round-trip-time"), seconds("current-round-trip-time")];
                // 0 stands for "not measured".
                let measured = times.into_iter().flatten().filter(|t| *t > 0.0);
                call.round_trip = measured.chain(call.round_trip).reduce(f64::max);
            }
            "codec" => call.codecs.extend(word("mime-type")),
            "remote-candidate" => call.paths.extend(word("candidate-type")),
            _ => {}
        }
    }
    call
}

/// Packets that a peer sent are a network's. None of the numbers speaks of an injection: a peer may send what it likes.
fn judge(call: &Call) -> Finding {
    if call.received == 0 {
        return Finding::nothing(CHECK, "no packet of a call has arrived yet");
    }
    let mut reason = format!(
        "a WebRTC call: {} packets, {} lost, {:.1} ms jitter",
        call.received,
        call.lost.max(0),
        call.jitter * 1e3
    );
    if let Some(time) = call.round_trip {
        reason.push_str(&format!(", {:.0} ms round trip", time * 1e3));
    }
    for (what, names) in [("codec", &call.codecs), ("path", &call.paths)] {
        if !names.is_empty() {
            reason.push_str(&format!(", {what} {}", join(names)));
        }
    }
    Finding::of(CHECK, Class::Network, 1.5, reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(entries: &[gst::Structure]) -> gst::Structure {
        let mut all = gst::Structure::new_empty("stats");
        for (n, entry) in entries.iter().enumerate() {
            all.set(format!("entry-{n}"), entry);
        }
        all
    }

    #[test]
    fn a_call_is_a_network_and_no_address_is_told() {
        gst::init().unwrap();
        let stats = answer(&[
            gst::Structure::builder("inbound-rtp")
                .field("packets-received", 120u64)
                .field("packets-lost", 3i32)
                .field("jitter", 0.004f64)
                .build(),
            gst::Structure::builder("remote-inbound-rtp").field("round-trip-time", 0.021f64).build(),
            gst::Structure::builder("remote-candidate")
                .field("candidate-type", "relay")
                .field("address", "192.0.2.7")
                .build(),
            gst::Structure::builder("codec").field("mime-type", "video/VP8").build(),
        ]);
        let call = read(&stats);
        let finding = judge(&call);
        assert_eq!((finding.class, finding.injection), (Some(Class::Network), 0.0));
        let wanted = "120 packets, 3 lost, 4.0 ms jitter, 21 ms round trip, codec video/VP8, path relay";
        assert!(finding.reason.ends_with(wanted), "{finding:?}");
        assert!(!format!("{call:?}").contains("192."));
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        gst::init().unwrap();
        let stats = answer(&[
            gst::Structure::builder("inbound-rtp")
                .field("packets-received", "many")
                .field("jitter", f64::NAN)
                .build(),
            gst::Structure::builder("remote-candidate").field("candidate-type", 7i32).build(),
            gst::Structure::builder("codec").field("mime-type", "\u{1b}[31m").build(),
        ]);
        let call = read(&stats);
        assert_eq!(judge(&call).weight, 0.0);
        assert!(call.paths.is_empty() && call.jitter == 0.0);
        assert_eq!(join(&call.codecs), "31m");
        assert_eq!(read(&gst::Structure::new_empty("stats")), Call::default());
    }
}
