//! What is kept of a recording: one line of the results.

use super::settings::Settings;
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::fusion::Posterior;
use crate::analysis::judgement::verdict::{Condition, State};
use crate::analysis::source::signed::Signed;
use crate::provenance::recorded::SourceNote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of these fields; raised when one changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// A recording and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub schema_version: u32,
    /// As it was named: a path, or a URI without its password.
    pub clip: String,
    /// Length of the file; a file of another length is another recording.
    pub bytes: Option<u64>,
    pub settings: Settings,
    pub label: Option<Label>,
    pub outcome: Outcome,
}

/// What a manifest says of a recording. All of it may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Label {
    pub attack: Option<bool>,
    pub attack_type: Option<String>,
    pub pair_id: Option<String>,
    pub identity_group: Option<String>,
    pub source: Option<String>,
    /// When the attack begins, seconds.
    pub onset_s: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    Scanned(Box<Scanned>),
    /// What was said until the recording could be decoded no further; the note says when and why. It counts as failed.
    Damaged(Box<Scanned>),
    Failed {
        reason: String,
    },
}

/// The best ground on which any moment of the recording was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// No frame was analysed.
    #[default]
    NotAnalysed,
    /// There was never a face.
    NoFace,
    /// There was a face, but never one that could be judged.
    TooPoor,
    /// There was a face, but too little of it for any signal to speak: a still picture, a fraction of a second.
    TooLittle,
    /// At least one signal spoke of a face.
    Judged,
}

impl Ground {
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAnalysed => "not analysed",
            Self::NoFace => "no face",
            Self::TooPoor => "too poor",
            Self::TooLittle => "too little",
            Self::Judged => "judged",
        }
    }

    /// All grounds on which nothing is said of the person, the least first.
    pub const UNJUDGED: [Self; 4] = [Self::NotAnalysed, Self::NoFace, Self::TooPoor, Self::TooLittle];

    /// What a moment is worth, `spoken` telling whether a signal spoke of a face.
    pub const fn of(condition: Condition, spoken: bool) -> Self {
        match condition {
            Condition::Analysed if spoken => Self::Judged,
            Condition::Analysed => Self::TooLittle,
            Condition::TooPoor => Self::TooPoor,
            Condition::NoFace => Self::NoFace,
            Condition::NotAnalysed | Condition::Stale | Condition::Failed => Self::NotAnalysed,
        }
    }
}

/// What the element said of a recording. Times are seconds of the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scanned {
    pub ground: Ground,
    /// The highest CUSUM statistic of any face or of the stream, nats; 0 where nothing spoke for an attack.
    pub score: f64,
    /// All that speaks for an attack at the end, nats (`Ruling::statistic`); what error rates and curves are made of.
    #[serde(default)]
    pub fused: f64,
    /// What the session ended in, with the probability of an attack, 0..1, and the reasons.
    #[serde(default)]
    pub decision: Decision,
    #[serde(default)]
    pub posterior: Posterior,
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Seconds of a face good enough to judge.
    #[serde(default)]
    pub good_seconds: f64,
    /// The statistic that raises an alert.
    pub threshold: f64,
    pub alerted: bool,
    pub alerts: Vec<AlertNote>,
    pub worst_state: State,
    pub worst_risk: f64,
    /// At the end.
    pub state: State,
    pub duration_s: f64,
    pub frames_seen: u64,
    pub frames_analysed: u64,
    /// Analysed frames in which a signal spoke of a face.
    pub frames_judged: u64,
    pub frames_skipped: BTreeMap<String, u64>,
    pub time_in_state_s: BTreeMap<State, f64>,
    /// How long the scan took.
    pub wall_s: f64,
    /// What is odd about the recording, though it was scanned (it is cut off, say), or how it is damaged.
    pub note: Option<String>,
    /// The file's signed history, where the program was built to look at it (feature `c2pa`). It does not count in `score`.
    #[serde(default)]
    pub signed: Option<Signed>,
    pub models: Vec<String>,
    pub provider: String,
    /// What each network that watches a face said by itself, by the model's name.
    #[serde(default)]
    pub model_scores: BTreeMap<String, ModelScore>,
    /// What is said of where it comes from. For reading only: it is in no score and no alert.
    #[serde(default)]
    pub source: Option<SourceNote>,
    pub timeline: Vec<Moment>,
    /// The first analysed frame as a `data:` URI of a JPEG picture, if asked for.
    pub thumbnail: Option<String>,
}

/// What one network said of the faces of a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelScore {
    /// Name of its evidence.
    pub signal: String,
    pub family: String,
    /// Without a calibration it counts for nothing in `score`.
    pub calibrated: bool,
    /// How often it looked at a face.
    pub count: u64,
    /// Mean attack logit; none if it never looked.
    pub mean_score: Option<f64>,
    /// Mean width of the faces, pixels.
    pub mean_face_px: Option<f64>,
}

/// An alert that was raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertNote {
    pub at_s: f64,
    /// The estimate of when it began.
    pub onset_s: Option<f64>,
    /// The face; none for an alert about the stream.
    pub track_id: Option<u32>,
    pub statistic: f64,
    pub signal: String,
    pub reason: String,
    /// When it was cleared; none if it stood to the end.
    pub cleared_s: Option<f64>,
}

/// A stretch of the recording, from `at_s` to the next one: the worst that was said in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub at_s: f64,
    pub state: State,
    pub condition: Condition,
    pub risk: f64,
    /// Log-likelihood ratios by signal: those of the face at most risk, and the stream's.
    pub llr: BTreeMap<String, f64>,
}

impl Outcome {
    /// See [`Record::judged`].
    pub fn judged(&self) -> Option<&Scanned> {
        match self {
            Self::Scanned(s) | Self::Damaged(s) => Some(s),
            Self::Failed { .. } => None,
        }
    }

    /// As the results call it.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Scanned(_) => "scanned",
            Self::Damaged(_) => "damaged",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Record {
    /// What was said, if it was scanned to its end: what counts in rates.
    pub fn scanned(&self) -> Option<&Scanned> {
        match &self.outcome {
            Outcome::Scanned(s) => Some(s),
            Outcome::Damaged(_) | Outcome::Failed { .. } => None,
        }
    }

    /// What was said, also of a recording that is damaged further on: what a person wants to see.
    pub fn judged(&self) -> Option<&Scanned> {
        self.outcome.judged()
    }
}
