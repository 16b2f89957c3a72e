//! Challenges: the person is asked to do something that nobody could know before, and the pictures must show it done.
//!
//! What is asked is drawn by chance by whoever opens a challenge; the random numbers come in from outside ([`Draws`]), as
//! the times do. [`desk`] is the state machine: one challenge at a time, one result each. A file a kind says what is asked
//! and judges the answer: [`turn`], [`dot`], [`blink`], [`hand`], [`flash`]. `docs/challenges.md` says what each is good for.

pub mod blink;
pub mod desk;
pub mod dot;
pub mod draws;
pub mod flash;
pub mod hand;
pub mod request;
pub mod sample;
mod trace;
pub mod turn;

#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_gestures;

pub use desk::{Desk, Frame};
pub use draws::Draws;
pub use request::{Refusal, Request};
pub use sample::{Baseline, Sample};

use super::verdict::{Evidence, names};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// See [`Refusal`].
    Refused,
}
names!(Reason {
    Issued => "issued", Answered => "answered", NoAnswer => "no-answer", OtherAnswer => "other-answer",
    TooFast => "too-fast", NoReflection => "no-reflection", FaceLeft => "face-left", TooPoor => "too-poor",
    TooFewFrames => "too-few-frames", NotAnalysed => "not-analysed", TrackChanged => "track-changed",
    NewEpoch => "new-epoch", EndOfStream => "end-of-stream", Stopped => "stopped", Refused => "refused",
});

impl Reason {
    const fn text(self) -> &'static str {
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

/// What the application must show or say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One turn after the other, looking straight ahead in between.
    TurnHead(Vec<turn::Step>),
    /// Where the dot is; in straight lines from one to the next.
    FollowDot(Vec<dot::Waypoint>),
    /// That many blinks in quick succession, and then none.
    Blink(u32),
    /// That many passes of a hand.
    Hand(u32),
    /// The colours of the whole screen, one after the other.
    Flash(Vec<flash::Colour>),
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
    /// As evidence in a verdict: what is known, and nothing that counts (see `Calibration::challenge` for what may).
    pub fn evidence(&self, llr: f64) -> Evidence {
        Evidence {
            signal: format!("challenge-{}", self.kind),
            llr,
            quality: if llr == 0.0 { 0.0 } else { 1.0 },
            reason: format!("{}: {}", self.state, self.text),
        }
    }
}

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
