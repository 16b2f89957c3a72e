//! What is said of a challenge: which kind, how far it has come, and why it ended as it did.

use super::task::Task;
use crate::analysis::evidence::{Evidence, names};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a person can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Turn the head to some sides, one after the other.
    TurnHead,
    /// Follow a dot with the eyes (and the head).
    FollowDot,
    /// Blink some times in quick succession.
    Blink,
    /// Pass a hand before the face.
    Hand,
    /// Look at a screen that changes its colour.
    Flash,
}
names!(Kind {
    TurnHead => "turn-head", FollowDot => "follow-dot", Blink => "blink", Hand => "hand", Flash => "flash",
});

/// How far a challenge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The application must show it now.
    Issued,
    /// What was asked for was seen.
    Passed,
    /// The face was watched all the time, and did something else or nothing.
    Failed,
    /// It could not be judged. Speaks neither way, and is no pass.
    NotSeen,
    /// The stream or the face did not stay the same. No pass either.
    Cancelled,
    /// It was not opened.
    Refused,
}
names!(State {
    Issued => "issued", Passed => "passed", Failed => "failed", NotSeen => "not-seen",
    Cancelled => "cancelled", Refused => "refused",
});

/// Why a challenge ended as it did, for programs; [`Report::text`] says it to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Issued,
    /// Passed.
    Answered,
    /// Nothing of what was asked for by the deadline.
    NoAnswer,
    /// Something else than what was asked for.
    OtherAnswer,
    /// Earlier than a person can react.
    TooFast,
    /// No light of the screen can be told on the skin.
    NoReflection,
    /// The face was gone for too long.
    FaceLeft,
    /// Too small, blurred or dark for too much of the time.
    TooPoor,
    /// Too few pictures a second were analysed.
    TooFewFrames,
    /// No picture was analysed until after the deadline.
    NotAnalysed,
    /// Another face took the place of the one that was asked.
    TrackChanged,
    /// Flush, new segment, new format, reset.
    NewEpoch,
    EndOfStream,
    Stopped,
    /// See [`super::request::Refusal`].
    Refused,
}
names!(Reason {
    Issued => "issued", Answered => "answered", NoAnswer => "no-answer", OtherAnswer => "other-answer",
    TooFast => "too-fast", NoReflection => "no-reflection", FaceLeft => "face-left", TooPoor => "too-poor",
    TooFewFrames => "too-few-frames", NotAnalysed => "not-analysed", TrackChanged => "track-changed",
    NewEpoch => "new-epoch", EndOfStream => "end-of-stream", Stopped => "stopped", Refused => "refused",
});

impl Reason {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Issued => "show it to the person now",
            Self::Answered => "done as asked",
            Self::NoAnswer => "not done by the deadline",
            Self::OtherAnswer => "something else was done than what was asked for",
            Self::TooFast => "done before a person can have reacted",
            Self::NoReflection => {
                "no light of the screen can be told on the skin: too bright a room, or no screen"
            }
            Self::FaceLeft => "the face was gone for too long",
            Self::TooPoor => "the face was too small, blurred or dark",
            Self::TooFewFrames => "too few pictures a second were analysed",
            Self::NotAnalysed => "no picture was analysed in time",
            Self::TrackChanged => "another face took the place of the one that was asked",
            Self::NewEpoch => "the stream began anew",
            Self::EndOfStream => "the stream ended",
            Self::Stopped => "the element was stopped",
            Self::Refused => "the challenge was not opened",
        }
    }
}

impl Kind {
    /// The name of its evidence.
    pub fn signal(self) -> String {
        format!("challenge-{self}")
    }

    /// The largest distance between two analysed pictures at which it can be judged, ns.
    pub(super) const fn slowest(self) -> u64 {
        match self {
            Self::Blink | Self::Flash => 130_000_000,
            Self::FollowDot | Self::Hand => 160_000_000,
            Self::TurnHead => 210_000_000,
        }
    }

    /// The share of the time that must have been watched for a failure to be one.
    pub(super) const fn coverage(self) -> f64 {
        match self {
            // The mesh may lose a face that turns far; a hand hides it.
            Self::TurnHead | Self::Hand => 0.5,
            _ => 0.8,
        }
    }
}

/// All that is known of a challenge, when it is opened and when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub state: State,
    /// 128 random bits, hexadecimal: names this challenge and no other.
    pub nonce: String,
    pub kind: Kind,
    /// The face that is asked.
    pub track_id: u32,
    pub epoch: u64,
    /// PTS of the newest buffer when it was opened, ns: answers begin after it.
    pub issued: u64,
    /// PTS after which no answer counts, ns.
    pub deadline: u64,
    /// The stream shows the person as a mirror does.
    pub mirrored: bool,
    pub task: Task,
    pub reason: Reason,
    /// One line for a person.
    pub text: String,
    /// From [`Report::issued`] to the beginning of the answer, milliseconds: display, network, person and camera.
    pub latency_ms: Option<f64>,
    /// Measured numbers, by name.
    pub evidence: BTreeMap<String, f64>,
}

impl Report {
    /// As evidence in a verdict: what is known, and nothing that counts (see `Calibration::outcomes` for what may).
    pub fn evidence(&self, llr: f64) -> Evidence {
        Evidence {
            signal: self.kind.signal(),
            llr,
            quality: if llr == 0.0 { 0.0 } else { 1.0 },
            reason: format!("{}: {}", self.state, self.text),
        }
    }
}
