//! What the analysis says of a stream: the immutable result that travels to metadata, messages and JSON.
//!
//! Times are nanoseconds of the stream's own PTS clock; boxes are normalised to the frame (0..1), so that
//! they survive scaling. Log-likelihood ratios are natural logarithms of P(observation | attack) over
//! P(observation | genuine): positive speaks for an attack, negative for a live person.

use super::decision::Decision;
use super::fusion::Posterior;
use crate::analysis::evidence::{Evidence, names};
use crate::analysis::pixels::rect::NormRect;
use crate::analysis::source::provenance::Source;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the fields below as they leave the process (metadata, messages, JSON).
/// Raised when a field changes its meaning or goes away; new fields do not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// What the evidence so far amounts to, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Sustained evidence of a live person in front of a camera.
    Live,
    /// Not enough evidence either way. Not "safe".
    #[default]
    Unknown,
    /// Evidence of an attack is growing; no alert yet.
    Suspect,
    /// An alert is raised.
    Attack,
}

/// How good the ground is on which [`State`] stands at this moment. Only [`Condition::Analysed`] means
/// that the newest frame was looked at; none of the others means safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// No frame of this epoch has been analysed yet.
    #[default]
    NotAnalysed,
    /// The newest sampled frame was analysed and judged.
    Analysed,
    /// Analysed; there was no face in it.
    NoFace,
    /// A face was there, but too small, blurred, dark, turned or compressed to judge.
    TooPoor,
    /// The newest analysis is older than the stale limit.
    Stale,
    /// Analysis failed; the bus carries the error.
    Failed,
}

names!(State { Live => "live", Unknown => "unknown", Suspect => "suspect", Attack => "attack" });
names!(Condition {
    NotAnalysed => "not-analysed", Analysed => "analysed", NoFace => "no-face",
    TooPoor => "too-poor", Stale => "stale", Failed => "failed",
});

/// What is said of one face.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrackVerdict {
    /// Stable for as long as the face is followed; never reused within an epoch.
    pub track_id: u32,
    pub rect: NormRect,
    pub state: State,
    pub condition: Condition,
    /// 0..1: how far the change-detection statistic is on its way to an alert (1 = alert threshold).
    pub risk: f64,
    /// The CUSUM statistic, nats.
    pub statistic: f64,
    /// Probabilities of attack.
    #[serde(default)]
    pub posterior: Posterior,
    /// The strongest first.
    pub evidence: Vec<Evidence>,
}

/// What is said of the stream at one analysed frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub schema_version: u32,
    /// Counts stream starts, caps changes, segments and flushes; results of an older epoch are void.
    pub epoch: u64,
    /// PTS of the analysed frame, ns.
    pub analysed_pts: Option<u64>,
    /// The worst state of any track and of the stream itself.
    pub state: State,
    pub condition: Condition,
    /// The highest risk of any track and of the stream itself.
    pub risk: f64,
    /// Whether an alert is standing.
    pub alert: bool,
    /// Faces by track id, ascending.
    pub tracks: Vec<TrackVerdict>,
    /// Evidence that belongs to the stream rather than to a face (repeats, provenance).
    pub stream_evidence: Vec<Evidence>,
    /// All that speaks for an attack in this session, nats: `Ruling::statistic`.
    #[serde(default)]
    pub statistic: f64,
    /// Probabilities of attack, of the face or stream of which they are highest.
    #[serde(default)]
    pub posterior: Posterior,
    /// What the session would end in now.
    #[serde(default)]
    pub decision: Decision,
    /// Where the stream comes from, once that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Verdict {
    /// The verdict of a new epoch, before anything was analysed.
    pub fn not_analysed(epoch: u64) -> Self {
        Self { schema_version: SCHEMA_VERSION, epoch, ..Self::default() }
    }

    /// The same verdict under another condition (`stale`, `failed`): what was known stays, the ground changes.
    pub fn under(self: &Arc<Self>, condition: Condition) -> Arc<Self> {
        if self.condition == condition {
            return Arc::clone(self);
        }
        Arc::new(Self { condition, ..Self::clone(self) })
    }
}

/// Which way an alert went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    Raised,
    Cleared,
}
names!(AlertKind { Raised => "raised", Cleared => "cleared" });

/// An alert was raised or cleared, with the evidence that did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub kind: AlertKind,
    pub epoch: u64,
    /// PTS of the analysed frame that decided, ns.
    pub pts: u64,
    /// The change detector's estimate of when the change began, ns (raised alerts).
    pub onset_pts: Option<u64>,
    /// The face; `None` for an alert about the stream as a whole.
    pub track_id: Option<u32>,
    /// The statistic and the threshold it crossed, nats.
    pub statistic: f64,
    pub threshold: f64,
    /// What each signal has added since the onset, the strongest first.
    pub evidence: Vec<Evidence>,
}
