//! The newest seconds of an analysis, with the judges' states at their beginning.

use super::entry::Entry;
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::verdict::Alert;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A judge's state before the first entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Standing {
    pub track_id: Option<u32>,
    pub judge: Judge,
}

/// A stretch of an analysis, with all that its verdicts depend on.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Nats.
    pub threshold: f64,
    pub base: Vec<Standing>,
    pub entries: Vec<Arc<Entry>>,
}

pub(super) type Judges = BTreeMap<Option<u32>, Judge>;

/// Lets one entry work on the judges; an alert that it raised or cleared.
pub(super) fn apply(judges: &mut Judges, entry: &Entry, threshold: f64) -> Option<Alert> {
    match entry {
        Entry::Step(step) => {
            let judge = judges.entry(step.track_id).or_insert_with(|| Judge::new(threshold));
            step.tell(judge).0
        }
        Entry::Ended { track_id, .. } => {
            judges.remove(&Some(*track_id));
            None
        }
        Entry::Frame(_) => None,
    }
}

/// The newest seconds of one epoch.
#[derive(Debug)]
pub struct History {
    threshold: f64,
    window: u64,
    base: Judges,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

/// No history takes more memory than this, however many faces and signals there are; the oldest entries go first.
pub const MAX_BYTES: usize = 16 << 20;

impl History {
    /// Keeps `seconds` of what judges with that threshold (nats) are told.
    pub fn new(threshold: f64, seconds: u32) -> Self {
        let window = u64::from(seconds) * 1_000_000_000;
        Self { threshold, window, base: Judges::new(), entries: VecDeque::new(), bytes: 0 }
    }

    /// A new epoch: nothing of the old one counts any more.
    pub fn begin(&mut self) {
        self.base.clear();
        self.entries.clear();
        self.bytes = 0;
    }

    pub fn push(&mut self, entry: Entry) {
        let newest = entry.pts();
        self.bytes += entry.size();
        self.entries.push_back(Arc::new(entry));
        while self.bytes > MAX_BYTES
            || self.entries.front().is_some_and(|e| newest.saturating_sub(e.pts()) > self.window)
        {
            let Some(old) = self.entries.pop_front() else { break };
            self.bytes -= old.size();
            apply(&mut self.base, &old, self.threshold);
        }
    }

    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept at this moment. Cheap: entries are shared.
    pub fn recording(&self) -> Recording {
        let standing = |(id, judge): (&Option<u32>, &Judge)| Standing { track_id: *id, judge: judge.clone() };
        Recording {
            threshold: self.threshold,
            base: self.base.iter().map(standing).collect(),
            entries: self.entries.iter().cloned().collect(),
        }
    }
}
