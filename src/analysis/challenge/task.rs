//! What a person is asked to do, drawn to its end.

use crate::analysis::evidence::names;
use serde::{Deserialize, Serialize};

/// As the person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Left,
    Right,
    Up,
    Down,
}
names!(Direction { Left => "left", Right => "right", Up => "up", Down => "down" });

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub direction: Direction,
    /// At least so far, degrees.
    pub angle: f64,
}

/// Where the dot is at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waypoint {
    /// Since it began to be shown, ms.
    pub at_ms: u32,
    /// 0 (left) to 1 (right) and 0 (top) to 1 (bottom) of the screen, as the person sees it.
    pub x: f64,
    pub y: f64,
}

/// What the whole screen shows for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour {
    /// 0xRRGGBB, sRGB.
    pub rgb: u32,
    pub ms: u32,
}

/// What the application must show or say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One turn after the other, looking straight ahead in between.
    TurnHead(Vec<Step>),
    /// Where the dot is; in straight lines from one to the next.
    FollowDot(Vec<Waypoint>),
    /// That many blinks in quick succession, and then none.
    Blink(u32),
    /// That many passes of a hand.
    Hand(u32),
    /// The colours of the whole screen, one after the other.
    Flash(Vec<Colour>),
}
