//! The property `stats`: counters, timings and what runs, as a structure.

use super::counters::resident_memory;
use super::shared::Shared;
use gstreamer as gst;
use std::sync::atomic::Ordering;

/// The `stats` structure.
pub fn stats(shared: &Shared) -> gst::Structure {
    let mut s = gst::Structure::new_empty("deepfake-stats");
    for (name, n) in shared.counters.all() {
        s.set(name, n);
    }
    let mut stages = gst::Structure::new_empty("stages");
    for (name, t) in shared.timings.read() {
        let stage = gst::Structure::builder(name)
            .field("count", t.count)
            .field("p50-us", t.p50)
            .field("p99-us", t.p99)
            .field("total-us", t.total)
            .build();
        stages.set(name, stage);
    }
    s.set("stages", stages);
    s.set("networks", shared.scores.read());
    s.set("threshold", shared.threshold);
    s.set("models", gst::Array::new(shared.models.iter().map(String::as_str)));
    s.set("provider", shared.provider.as_str());
    s.set("onnxruntime", shared.runtime.as_str());
    s.set("sampling-interval", shared.interval.load(Ordering::Relaxed));
    s.set("memory-rss", resident_memory());
    s
}
