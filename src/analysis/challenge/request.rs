//! What an application asks for, and why it is refused.

use super::report::Kind;
use super::task::Task;
use thiserror::Error;

/// A challenge that is wished for. What is left open is drawn or has a default; see `docs/challenges.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub kind: Kind,
    /// The face; without it, the only one.
    pub track_id: Option<u32>,
    pub timeout_ms: Option<u32>,
    /// The stream shows the person as a mirror does.
    pub mirrored: bool,
    /// How many turns, waypoints, blinks, passes or colours.
    pub count: Option<u32>,
    /// `turn-head`: how far to the sides, degrees.
    pub angle: Option<u32>,
    /// `flash`: how long one colour stands.
    pub step_ms: Option<u32>,
    /// `follow-dot`, `flash`: the longest time until what is shown can be seen in the pictures.
    pub max_delay_ms: Option<u32>,
}

/// Why a challenge is not opened. Each says what to do.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    #[error("there is no challenge `{0}`; there are turn-head, follow-dot, blink, hand and flash")]
    Kind(String),
    #[error("parameter `{name}` {what}")]
    Parameter { name: String, what: String },
    #[error("challenge {0} is still open; wait for its result")]
    Open(String),
    #[error("nothing is analysed: start the pipeline, and wait for a first buffer")]
    NotRunning,
    #[error("no face is in the picture now; wait for a verdict with a track")]
    NoFace,
    #[error("{0} faces are in the picture; name one with `track-id`")]
    SeveralFaces(usize),
    #[error("no face with the track-id {0} is in the picture now")]
    NoTrack(u32),
    #[error("the face has not been watched long enough; try again in a second")]
    TooNew,
    #[error("the face is too small, blurred or dark to be judged; come nearer, or make light")]
    TooPoor,
    #[error(
        "the head is turned away by {0:.0} degrees already; ask the person to look into the camera first"
    )]
    Turned(f64),
    #[error(
        "profile=economy does not find irises, which follow-dot needs; use profile=balanced, or another kind"
    )]
    NoIrises,
    #[error(
        "{kind} needs a picture every {needed} ms, and there is one every {found} ms; raise cpu-budget or the frame rate"
    )]
    TooSlow { kind: Kind, needed: u64, found: u64 },
    #[error("no random numbers: {0}")]
    Random(String),
}

/// Shortest and longest time that can be allowed, ms.
const TIMEOUT: std::ops::RangeInclusive<u32> = 3_000..=60_000;
/// Longest delay between showing and seeing, ms, and what it is unless told.
const MAX_DELAY: std::ops::RangeInclusive<u32> = 200..=5_000;
const USUAL_DELAY: u32 = 1_500;

pub(super) fn within(
    name: &str,
    value: Option<u32>,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Option<u32>, Refusal> {
    match value {
        Some(v) if !range.contains(&v) => Err(Refusal::Parameter {
            name: name.to_owned(),
            what: format!("is {v}; it must be in {}..{}", range.start(), range.end()),
        }),
        other => Ok(other),
    }
}

impl Request {
    /// A challenge of that kind with everything left open.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            track_id: None,
            timeout_ms: None,
            mirrored: false,
            count: None,
            angle: None,
            step_ms: None,
            max_delay_ms: None,
        }
    }

    /// Checks what was asked for.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let unknown = |name: &str, given: bool, kinds: &[Kind]| {
            if given && !kinds.contains(&self.kind) {
                let what = format!("means nothing for `{}`; leave it out", self.kind);
                return Err(Refusal::Parameter { name: name.to_owned(), what });
            }
            Ok(())
        };
        unknown("angle", self.angle.is_some(), &[Kind::TurnHead])?;
        unknown("step-ms", self.step_ms.is_some(), &[Kind::Flash])?;
        unknown("max-delay-ms", self.max_delay_ms.is_some(), &[Kind::Flash, Kind::FollowDot])?;
        within("max-delay-ms", self.max_delay_ms, MAX_DELAY)?;
        Ok(())
    }

    /// Longest delay between showing and seeing, ms.
    pub(super) fn max_delay(&self) -> u32 {
        self.max_delay_ms.unwrap_or(USUAL_DELAY)
    }

    /// How long an answer to `task` is waited for, ms.
    pub(super) fn timeout(&self, task: &Task) -> Result<u32, Refusal> {
        // What is shown for some time must be over, and seen.
        let (usual, least) = match task {
            Task::TurnHead(steps) => (4_000 + 3_000 * steps.len() as u32, 0),
            Task::Blink(_) => (10_000, 0),
            Task::Hand(n) => (6_000 + 2_000 * n, 0),
            Task::FollowDot(path) => {
                let shown = path.last().map_or(0, |p| p.at_ms) + self.max_delay();
                (shown + 1_500, shown + 500)
            }
            Task::Flash(colours) => {
                let shown = colours.iter().map(|c| c.ms).sum::<u32>() + self.max_delay();
                (shown + 1_500, shown + 500)
            }
        };
        let timeout = within("timeout-ms", self.timeout_ms, TIMEOUT)?.unwrap_or(usual);
        if timeout < least {
            let what = format!("is {timeout}, but what is shown takes until {least}; allow more");
            return Err(Refusal::Parameter { name: "timeout-ms".into(), what });
        }
        Ok(timeout)
    }
}
