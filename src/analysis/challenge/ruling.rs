//! What a judge of one kind is, and how it decides.

use super::report::{Reason, State};
use super::sample::Sample;
use std::fmt;

/// How one kind's judge decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ruling {
    pub state: State,
    pub reason: Reason,
    pub latency_ms: Option<f64>,
    pub evidence: Vec<(&'static str, f64)>,
}

impl Ruling {
    pub(crate) fn new(state: State, reason: Reason) -> Self {
        Self { state, reason, latency_ms: None, evidence: Vec::new() }
    }

    pub(crate) fn passed() -> Self {
        Self::new(State::Passed, Reason::Answered)
    }

    pub(crate) fn failed(reason: Reason) -> Self {
        Self::new(State::Failed, reason)
    }

    pub(crate) fn after(mut self, latency_ms: Option<f64>) -> Self {
        self.latency_ms = latency_ms;
        self
    }

    /// Adds numbers; what is not finite is left out.
    pub(crate) fn with(mut self, evidence: impl IntoIterator<Item = (&'static str, f64)>) -> Self {
        self.evidence.extend(evidence.into_iter().filter(|e| e.1.is_finite()));
        self
    }
}

/// Judges the answer to one challenge. Sees only samples after it was told, of the one face, in order of time.
pub(crate) trait Judge: fmt::Debug + Send {
    /// A picture with the face in it, good enough to be judged.
    fn see(&mut self, sample: &Sample) -> Option<Ruling>;
    /// A picture in which the face was looked for and not found.
    fn miss(&mut self, _pts: u64) -> Option<Ruling> {
        None
    }
    /// The deadline has come.
    fn finish(&mut self) -> Ruling;
}

/// Nobody reacts faster, ns. World Athletics takes a start within 100 ms of the gun as a false one; to something seen,
/// people need about 200 ms.
pub const REACTION: u64 = 100_000_000;

/// Milliseconds from `a` to `b` (ns), negative when `b` is the earlier.
pub(crate) fn millis(a: u64, b: u64) -> f64 {
    (b as f64 - a as f64) * 1e-6
}
