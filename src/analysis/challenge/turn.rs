//! Turn the head: to some sides by at least some degrees, looking straight ahead in between.
//!
//! Face swaps and reenactment are trained on and driven by faces that look roughly ahead; turned far they lose their
//! anchor points and tear. A recording turns when it turns. What is judged here is whether the head turns as asked; how
//! well the face holds meanwhile is for the networks that watch it.

use super::draws::Draws;
use super::report::Reason;
use super::request::{Refusal, Request, within};
use super::ruling::{Judge, REACTION, Ruling, millis};
use super::sample::{Baseline, Sample};
use super::task::{Direction, Step};

/// Turns that can be asked for, and how many are.
const COUNT: std::ops::RangeInclusive<u32> = 1..=4;
const USUAL: u32 = 2;
/// Degrees to the sides that can be asked for, and that are drawn.
const ANGLE: std::ops::RangeInclusive<u32> = 10..=60;
const SIDEWAYS: (u32, u32) = (20, 35);
/// Degrees up and down that are drawn: necks and meshes go less far there.
const UPRIGHT: (u32, u32) = (10, 15);
/// Degrees that may lack.
const TOLERANCE: f64 = 3.0;
/// Degrees at which a turn has begun, and within which one looks straight ahead.
const BEGUN: f64 = 5.0;
const AHEAD: f64 = 9.0;
/// Degrees in another direction that are another answer: sideways, up or down.
const ASTRAY: [f64; 2] = [16.0, 12.0];
/// How long a turn must be held, or be wrong, ns.
const HOLD: u64 = 120_000_000;

pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Option<Vec<Step>>, Refusal> {
    let count = within("count", request.count, COUNT)?.unwrap_or(USUAL);
    let angle = within("angle", request.angle, ANGLE)?;
    let all = [Direction::Left, Direction::Right, Direction::Up, Direction::Down];
    Ok((0..count)
        .map(|_| {
            let direction = *all.get(draws.below(all.len() as u32)? as usize)?;
            let sideways = matches!(direction, Direction::Left | Direction::Right);
            let degrees = match angle {
                Some(angle) if sideways => angle,
                _ if sideways => draws.between(SIDEWAYS.0, SIDEWAYS.1)?,
                _ => draws.between(UPRIGHT.0, UPRIGHT.1)?,
            };
            Some(Step { direction, angle: f64::from(degrees) })
        })
        .collect())
}

/// How far the head is turned away before it is asked, degrees, if that is too far to ask.
pub(super) fn turned_away(baseline: &Baseline) -> Option<f64> {
    // The pitch depends on where the camera stands, so only the sides tell.
    let yaw = baseline.yaw.to_degrees().abs();
    (yaw > 20.0).then_some(yaw)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Turn {
    steps: Vec<Step>,
    told: u64,
    mirrored: bool,
    /// Degrees.
    ahead: [f64; 2],
    done: usize,
    /// The next step may begin: the person looks ahead.
    ready: bool,
    onset: Option<u64>,
    held: Option<u64>,
    astray: Option<u64>,
    latency: Option<f64>,
    /// How far each step was turned.
    reached: Vec<f64>,
    furthest: f64,
}

const REACHED: [&str; 4] = ["reached-1", "reached-2", "reached-3", "reached-4"];

impl Turn {
    pub(super) fn new(steps: Vec<Step>, told: u64, mirrored: bool, baseline: &Baseline) -> Self {
        Self {
            steps,
            told,
            mirrored,
            ahead: [baseline.yaw.to_degrees(), baseline.pitch.to_degrees()],
            done: 0,
            ready: true,
            onset: None,
            held: None,
            astray: None,
            latency: None,
            reached: Vec::new(),
            furthest: 0.0,
        }
    }

    fn numbers(&self, ruling: Ruling) -> Ruling {
        let reached = REACHED.into_iter().zip(self.reached.iter().copied());
        ruling
            .after(self.latency)
            .with([("done", self.done as f64), ("furthest", self.furthest)])
            .with(reached)
    }
}

/// Degrees of a turn in a direction, from degrees to the person's left and down.
fn along(direction: Direction, [left, down]: [f64; 2]) -> f64 {
    match direction {
        Direction::Left => left,
        Direction::Right => -left,
        Direction::Up => -down,
        Direction::Down => down,
    }
}

impl Judge for Turn {
    fn see(&mut self, sample: &Sample) -> Option<Ruling> {
        // Yaw grows to the person's own left, pitch downwards.
        let yaw = f64::from(sample.pose.yaw).to_degrees() - self.ahead[0];
        let turned = [
            if self.mirrored { -yaw } else { yaw },
            f64::from(sample.pose.pitch).to_degrees() - self.ahead[1],
        ];
        let step = *self.steps.get(self.done)?;
        if !self.ready {
            self.ready = turned[0].abs() < AHEAD && turned[1].abs() < AHEAD;
            return None;
        }
        let asked = along(step.direction, turned);
        self.furthest = self.furthest.max(asked);
        if asked < BEGUN {
            self.onset = None;
        } else {
            self.onset.get_or_insert(sample.pts);
        }
        let others = [Direction::Left, Direction::Right, Direction::Up, Direction::Down];
        let astray = others.into_iter().filter(|d| *d != step.direction).any(|d| {
            let sideways = matches!(d, Direction::Left | Direction::Right);
            let by = along(d, turned);
            by >= ASTRAY[usize::from(!sideways)] && by > asked
        });
        if astray {
            let since = *self.astray.get_or_insert(sample.pts);
            if sample.pts - since >= HOLD {
                let [left, down] = turned;
                let ruling = Ruling::failed(Reason::OtherAnswer).with([("left", left), ("down", down)]);
                return Some(self.numbers(ruling));
            }
        } else {
            self.astray = None;
        }
        if asked < step.angle - TOLERANCE {
            self.held = None;
            return None;
        }
        let since = *self.held.get_or_insert(sample.pts);
        if sample.pts - since < HOLD {
            return None;
        }
        let onset = self.onset.take().unwrap_or(since);
        if self.done == 0 {
            self.latency = Some(millis(self.told, onset));
            if onset.saturating_sub(self.told) < REACTION {
                return Some(self.numbers(Ruling::failed(Reason::TooFast)));
            }
        }
        self.reached.push(self.furthest);
        self.furthest = 0.0;
        self.held = None;
        self.ready = false;
        self.done += 1;
        (self.done == self.steps.len()).then(|| self.numbers(Ruling::passed()))
    }

    fn finish(&mut self) -> Ruling {
        self.numbers(Ruling::failed(Reason::NoAnswer))
    }
}
