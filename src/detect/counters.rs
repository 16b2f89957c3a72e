//! Counters and timings of one element, cheap to write and read at any time.

use crate::analysis::face::meter::{Meter, Stage};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident => $text:literal),+ $(,)?) => {
        /// What is counted. Counters only grow, until the element starts again.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: AtomicU64),+ }
        impl Counters {
            /// Name and value of each.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($text, self.$name.load(Ordering::Relaxed))),+]
            }
        }
    };
}

counters! {
    /// Buffers that passed.
    seen => "frames-seen",
    /// Of these, chosen for analysis.
    sampled => "frames-sampled",
    /// Of these, analysed to the end.
    analysed => "frames-analysed",
    /// Skipped: a newer sampled frame took the slot.
    replaced => "skipped-replaced",
    /// Skipped: the result came after its epoch had ended.
    stale => "skipped-stale-epoch",
    /// Skipped: the same picture as the last one (only its repetition was judged).
    duplicate => "skipped-duplicate",
    /// Skipped: the analysis failed.
    failed => "skipped-failed",
    /// Skipped: interlaced.
    interlaced => "skipped-interlaced",
    /// Skipped: no PTS and no frame rate to make one from.
    timeless => "skipped-no-pts",
    /// Skipped: the buffer is not what its caps say, or cannot be read.
    unreadable => "skipped-unreadable",
    /// Fingerprints dropped because the worker was behind.
    prints_dropped => "fingerprints-dropped",
    /// Alerts whose evidence is on the disk.
    evidence_written => "evidence-written",
    /// Alerts whose evidence was dropped because the disk was behind.
    evidence_dropped => "evidence-dropped",
    /// Alerts whose evidence could not be written.
    evidence_failed => "evidence-failed",
}

impl Counters {
    /// Sampled frames that wait or are in work, 2 at most.
    pub fn unfinished(&self) -> u64 {
        let done = [&self.analysed, &self.replaced, &self.stale, &self.duplicate, &self.failed];
        let done: u64 = done.into_iter().map(|c| c.load(Ordering::Relaxed)).sum();
        self.sampled.load(Ordering::Relaxed).saturating_sub(done)
    }

    /// Why sampled or passing frames were not analysed, by reason, for the summary.
    pub fn skipped(&self) -> BTreeMap<String, u64> {
        let skipped =
            self.all().into_iter().filter_map(|(name, n)| Some((name.strip_prefix("skipped-")?, n)));
        skipped.filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_owned(), n)).collect()
    }
}

/// Adds one.
pub fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Median and 99th percentile of a stage, and how often it ran; microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    pub count: u64,
    pub p50: u64,
    pub p99: u64,
    pub total: u64,
}

#[derive(Debug)]
struct Entry {
    histogram: Histogram<u32>,
    total: u64,
}

/// Time spent in each stage of the analysis.
#[derive(Debug, Default)]
pub struct Timings(Mutex<BTreeMap<&'static str, Entry>>);

impl Timings {
    /// Adds one run of `micros` to each stage given.
    pub fn add(&self, laps: &[(&'static str, u64)]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (stage, micros) in laps {
            if !all.contains_key(stage) {
                // One microsecond to a minute at two digits: some kilobytes a stage.
                let Ok(histogram) = Histogram::new_with_bounds(1, 60_000_000, 2) else { continue };
                all.insert(stage, Entry { histogram, total: 0 });
            }
            if let Some(entry) = all.get_mut(stage) {
                entry.histogram.saturating_record((*micros).max(1));
                entry.total += micros;
            }
        }
    }

    /// What was measured so far.
    pub fn read(&self) -> Vec<(&'static str, Timing)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(stage, e)| {
                let timing = Timing {
                    count: e.histogram.len(),
                    p50: e.histogram.value_at_quantile(0.5),
                    p99: e.histogram.value_at_quantile(0.99),
                    total: e.total,
                };
                (*stage, timing)
            })
            .collect()
    }
}

/// Measures the stages of one frame.
#[derive(Debug)]
pub struct StopWatch {
    laps: [u64; Stage::ALL.len()],
    current: Option<(Stage, Instant)>,
    start: Instant,
}

impl StopWatch {
    pub fn start() -> Self {
        Self { laps: [0; Stage::ALL.len()], current: None, start: Instant::now() }
    }

    fn close(&mut self, now: Instant) {
        if let Some((stage, since)) = self.current.take()
            && let Some(slot) = self.laps.get_mut(stage as usize)
        {
            *slot += now.duration_since(since).as_nanos() as u64;
        }
    }

    /// Ends the frame: nanoseconds in all, and microseconds of each stage that ran, with `total`.
    pub fn finish(mut self) -> (u64, Vec<(&'static str, u64)>) {
        let now = Instant::now();
        self.close(now);
        let total = now.duration_since(self.start).as_nanos() as u64;
        let mut laps: Vec<_> = Stage::ALL
            .into_iter()
            .zip(self.laps)
            .filter(|(_, ns)| *ns > 0)
            .map(|(s, ns)| (s.name(), ns / 1000))
            .collect();
        laps.push(("total", total / 1000));
        (total, laps)
    }
}

impl Meter for StopWatch {
    fn begin(&mut self, stage: Stage) {
        let now = Instant::now();
        self.close(now);
        self.current = Some((stage, now));
    }
}

/// Resident memory of the whole process, bytes; 0 where the system does not report it.
pub fn resident_memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|s| s.split_ascii_whitespace().nth(1).and_then(|p| p.parse::<u64>().ok()));
    pages.unwrap_or_default() * 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_tell_median_and_tail() {
        let timings = Timings::default();
        for i in 1..=100 {
            timings.add(&[("mesh", i * 100)]);
        }
        let (name, t) = timings.read()[0];
        assert_eq!((name, t.count, t.total), ("mesh", 100, 505_000));
        assert!(t.p50.abs_diff(5_000) < 100 && t.p99.abs_diff(9_900) < 200, "{t:?}");
    }

    #[test]
    fn only_reasons_that_happened_are_in_the_summary() {
        let counters = Counters::default();
        bump(&counters.replaced);
        bump(&counters.seen);
        assert_eq!(counters.skipped(), BTreeMap::from([("replaced".to_owned(), 1)]));
    }
}
