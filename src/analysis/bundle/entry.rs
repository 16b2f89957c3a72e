//! What happened in an analysis, entry by entry.

use crate::analysis::judgement::step::{FamilySum, Said, Step};
use crate::analysis::judgement::verdict::{Condition, State, Verdict};
use serde::{Deserialize, Serialize};

/// What the verdict of one frame was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frame {
    pub pts: u64,
    pub epoch: u64,
    pub state: State,
    pub condition: Condition,
    pub risk: f64,
    /// Whether an alert stood.
    pub alert: bool,
    /// The picture was the one before once more: only its repetition was judged.
    pub duplicate: bool,
    /// The faces in it.
    pub tracks: Vec<u32>,
}

impl Frame {
    pub fn of(verdict: &Verdict, duplicate: bool) -> Self {
        Self {
            pts: verdict.analysed_pts.unwrap_or_default(),
            epoch: verdict.epoch,
            state: verdict.state,
            condition: verdict.condition,
            risk: verdict.risk,
            alert: verdict.alert,
            duplicate,
            tracks: verdict.tracks.iter().map(|t| t.track_id).collect(),
        }
    }
}

/// What happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A judge was told something.
    Step(Step),
    /// A face is gone for good, and its judge with it.
    Ended { pts: u64, track_id: u32 },
    /// A frame was done.
    Frame(Frame),
}

impl Entry {
    pub const fn pts(&self) -> u64 {
        match self {
            Self::Step(s) => s.pts,
            Self::Ended { pts, .. } => *pts,
            Self::Frame(f) => f.pts,
        }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        let fixed = std::mem::size_of::<Self>();
        match self {
            Self::Step(s) => {
                let said = |s: &Said| {
                    std::mem::size_of::<Said>() + s.signal.len() + s.reason.len() + 8 * s.features.len()
                };
                let sums = s.after.sums.len() * std::mem::size_of::<FamilySum>();
                fixed + sums + s.said.iter().map(said).sum::<usize>()
            }
            Self::Ended { .. } => fixed,
            Self::Frame(f) => fixed + 4 * f.tracks.len(),
        }
    }
}
