//! Weighing a recording once more.

use super::entry::Entry;
use super::history::{Judges, Recording, apply};
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::step::After;
use crate::analysis::judgement::verdict::{Alert, AlertKind};

/// A number that is not what the fusion makes of the readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub pts: u64,
    pub what: String,
}

/// What a recording says when it is weighed once more.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Raised and cleared, in their order.
    pub alerts: Vec<Alert>,
    /// Frames that were replayed.
    pub frames: usize,
    /// Judges' updates that were replayed.
    pub steps: usize,
    /// The first [`MAX_DIFFERENCES`] of them.
    pub differences: Vec<Difference>,
}

/// Differences that a replay names.
pub const MAX_DIFFERENCES: usize = 50;

/// Weighs a recording once more, with the code that weighed it first.
pub fn replay(recording: &Recording) -> Replay {
    let mut out = Replay::default();
    let mut judges = Judges::new();
    let mut differ = |pts: u64, what: String| {
        if out.differences.len() < MAX_DIFFERENCES {
            out.differences.push(Difference { pts, what });
        }
    };
    let begin = recording.entries.first().map_or(0, |e| e.pts());
    for standing in &recording.base {
        if standing.judge.threshold().to_bits() != recording.threshold.to_bits() {
            let (a, b) = (standing.judge.threshold(), recording.threshold);
            differ(begin, format!("a judge begins with the threshold {a}, that of the recording is {b}"));
        }
        judges.insert(standing.track_id, standing.judge.clone());
    }
    let mut last = begin;
    for entry in &recording.entries {
        let pts = entry.pts();
        if pts < last {
            differ(pts, "the time goes back".to_owned());
        }
        last = pts;
        let alert = apply(&mut judges, entry, recording.threshold);
        match entry.as_ref() {
            Entry::Step(step) => {
                out.steps += 1;
                for said in &step.said {
                    let gain = said.weighed(step.dt);
                    if gain.to_bits() != said.gain.to_bits() && !(gain.is_nan() && said.gain.is_nan()) {
                        let (name, was) = (&said.signal, said.gain);
                        differ(pts, format!("`{name}` adds {gain} nats and {was} is written"));
                    }
                }
                let after = judges.get(&step.track_id).map(After::of).unwrap_or_default();
                if let Some(what) = after.difference(&step.after) {
                    differ(pts, what);
                }
                if alert.as_ref().map(|a| a.kind) != step.alert {
                    let name = |kind: Option<AlertKind>| kind.map_or("no alert", AlertKind::name);
                    let (now, was) = (name(alert.as_ref().map(|a| a.kind)), name(step.alert));
                    differ(pts, format!("{now} comes of it and {was} is written"));
                }
            }
            Entry::Frame(frame) => {
                out.frames += 1;
                let risk = judges.values().map(Judge::risk).fold(0.0, f64::max);
                if risk.to_bits() != frame.risk.to_bits() {
                    differ(pts, format!("the risk is {risk} and {} is written", frame.risk));
                }
                if judges.values().any(Judge::is_raised) != frame.alert {
                    differ(pts, "whether an alert stands is not what is written".to_owned());
                }
            }
            Entry::Ended { .. } => {}
        }
        out.alerts.extend(alert);
    }
    out
}
