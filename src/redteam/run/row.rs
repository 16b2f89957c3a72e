//! What is kept of an evaluation: one line of the results.

use crate::batch::json_lines::Line;
use crate::batch::{Ground, Scanned};
use crate::redteam::attack::Family;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub schema_version: u32,
    /// Names the work; see `Task::key`.
    pub key: String,
    pub condition: String,
    pub family: Family,
    pub about: String,
    /// Procedural: never to be quoted as a result on a generator of fakes.
    pub procedural: bool,
    pub source: String,
    pub seed: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    Judged(Box<Judged>),
    Failed { reason: String },
}

/// What the element said. Times are seconds of the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// When the attack begins; none of a control.
    pub onset_s: Option<f64>,
    pub alerted: bool,
    /// The first alert that stands at the onset or comes after it, and why; the first at all of a control.
    pub alert_s: Option<f64>,
    pub signal: String,
    pub reason: String,
    /// There was an alert before anything was wrong.
    pub early: bool,
    pub score: f64,
    pub threshold: f64,
    pub ground: Ground,
    pub frames: u64,
    pub analysed: u64,
    pub duration_s: f64,
    pub wall_s: f64,
    /// The loudest that each signal spoke for an attack, nats.
    pub signals: BTreeMap<String, f64>,
    pub models: Vec<String>,
    /// A small picture as a `data:` URI, if asked for.
    pub picture: Option<String>,
}

/// Rounded time stamps may put an onset a little after its alert.
const SLACK: f64 = 0.1;

impl Judged {
    pub fn of(scanned: Scanned, onset_s: Option<f64>, picture: Option<String>) -> Self {
        let onset = onset_s.unwrap_or(0.0);
        let stands = |cleared: Option<f64>| cleared.is_none_or(|c| c > onset);
        let after = scanned.alerts.iter().find(|a| a.at_s + SLACK >= onset || stands(a.cleared_s));
        let early = onset_s.is_some() && scanned.alerts.iter().any(|a| a.at_s + SLACK < onset);
        let mut signals = BTreeMap::new();
        for (name, llr) in scanned.timeline.iter().flat_map(|m| &m.llr) {
            let loudest = signals.entry(name.clone()).or_insert(*llr);
            if llr > loudest {
                *loudest = *llr;
            }
        }
        Self {
            onset_s,
            alerted: after.is_some(),
            alert_s: after.map(|a| a.at_s),
            signal: after.map(|a| a.signal.clone()).unwrap_or_default(),
            reason: after.map(|a| a.reason.clone()).unwrap_or_default(),
            early,
            score: scanned.score,
            threshold: scanned.threshold,
            ground: scanned.ground,
            frames: scanned.frames_seen,
            analysed: scanned.frames_analysed,
            duration_s: scanned.duration_s,
            wall_s: scanned.wall_s,
            signals,
            models: scanned.models,
            picture,
        }
    }

    /// From the onset to the alert; none without both, or if the alert came first.
    pub fn delay(&self) -> Option<f64> {
        let delay = self.alert_s? - self.onset_s?;
        (delay + SLACK >= 0.0).then_some(delay.max(0.0))
    }
}

impl Row {
    pub fn judged(&self) -> Option<&Judged> {
        match &self.outcome {
            Outcome::Judged(j) => Some(j),
            Outcome::Failed { .. } => None,
        }
    }

    pub fn is_attack(&self) -> bool {
        !self.family.is_control()
    }

    /// Whether the detector was wrong; `None` if it was not asked.
    pub fn wrong(&self) -> Option<bool> {
        self.judged().map(|j| j.alerted != self.is_attack())
    }
}

impl Line for Row {
    const VERSION: u32 = SCHEMA_VERSION;
    const OPTION: &'static str = "--results";

    fn version(&self) -> u32 {
        self.schema_version
    }

    fn key(&self) -> &str {
        &self.key
    }
}
