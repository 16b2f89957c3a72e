//! Follow a dot: where head and eyes point must go with the dot's path, some time later.
//!
//! Gaze in space is the head's direction plus the eyes' in it, as the reflex that holds the gaze makes one of the other.
//! A photo's eyes stand, a recording's go another path. A live swap or reenactment passes on its driver's gaze, often
//! badly: many generators draw eyes that look ahead.

use super::draws::Draws;
use super::report::Reason;
use super::request::{Refusal, Request, within};
use super::ruling::{Judge, REACTION, Ruling, millis};
use super::sample::Sample;
use super::task::Waypoint;
use super::trace::{correlation, delays, smoothed, strength, without_line};

/// Places that can be gone to, and how many are.
const COUNT: std::ops::RangeInclusive<u32> = 5..=14;
const USUAL: u32 = 8;
/// How long the dot rests in the middle, goes, and rests at each place, ms.
const START: u32 = 500;
const GOES: u32 = 350;
const RESTS: u32 = 550;
/// The places, each way.
const PLACES: [f64; 3] = [0.05, 0.5, 0.95];
/// Mean correlation of both ways from which the dot was followed, and what each way needs.
pub(super) const FOLLOWED: f64 = 0.7;
const EACH: f64 = 0.45;
/// Degrees of gaze (root mean square) below which the eyes stand still.
const STILL: f64 = 0.7;
/// Degrees that the eye turns for an iris that goes one eye's width: 30 mm on an eyeball of 12 mm.
const DEGREES: f64 = 143.0;
/// Most pictures that are kept.
const MOST: usize = 1_800;

pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Option<Vec<Waypoint>>, Refusal> {
    let count = within("count", request.count, COUNT)?.unwrap_or(USUAL);
    let mut path = vec![Waypoint { at_ms: 0, x: 0.5, y: 0.5 }, Waypoint { at_ms: START, x: 0.5, y: 0.5 }];
    let (mut x, mut y, mut now) = (1u32, 1u32, START);
    for _ in 0..count {
        // Each of the other places alike, numbered on from this one.
        let Some(step) = draws.between(1, 8) else { return Ok(None) };
        let place = (3 * y + x + step) % 9;
        (x, y) = (place % 3, place / 3);
        let at = |i: u32| PLACES.get(i as usize).copied().unwrap_or(0.5);
        path.push(Waypoint { at_ms: now + GOES, x: at(x), y: at(y) });
        now += GOES + RESTS;
        path.push(Waypoint { at_ms: now, x: at(x), y: at(y) });
    }
    Ok(Some(path))
}

/// Where the dot is `ms` after its beginning; before and after it rests.
fn place(path: &[Waypoint], ms: f64) -> (f64, f64) {
    let after = path.partition_point(|p| f64::from(p.at_ms) <= ms);
    match (after.checked_sub(1).and_then(|i| path.get(i)), path.get(after)) {
        (Some(a), Some(b)) => {
            let w = (ms - f64::from(a.at_ms)) / f64::from(b.at_ms - a.at_ms).max(1.0);
            (a.x + w * (b.x - a.x), a.y + w * (b.y - a.y))
        }
        (Some(p), None) | (None, Some(p)) => (p.x, p.y),
        (None, None) => (0.5, 0.5),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Follow {
    path: Vec<Waypoint>,
    told: u64,
    mirrored: bool,
    max_delay: f64,
    /// Milliseconds since it was told.
    times: Vec<f64>,
    /// Degrees to the person's right, and down.
    gaze: [Vec<f64>; 2],
}

impl Follow {
    pub(super) fn new(path: Vec<Waypoint>, told: u64, mirrored: bool, max_delay: u32) -> Self {
        let max_delay = f64::from(max_delay);
        Self { path, told, mirrored, max_delay, times: Vec::new(), gaze: Default::default() }
    }

    fn judge(&self) -> Ruling {
        if self.times.len() < 20 {
            return Ruling::new(super::State::NotSeen, Reason::TooFewFrames);
        }
        let mut seen = self.gaze.clone();
        for trace in &mut seen {
            *trace = smoothed(&self.times, trace);
            without_line(&self.times, trace);
        }
        let moved = strength(&seen[0]).hypot(strength(&seen[1]));
        // Delay, both correlations.
        let mut best = (0.0, -1.0, -1.0);
        for delay in delays(self.max_delay) {
            let (x, y): (Vec<f64>, Vec<f64>) =
                self.times.iter().map(|t| place(&self.path, t - delay)).unzip();
            let (mut x, mut y) = (smoothed(&self.times, &x), smoothed(&self.times, &y));
            without_line(&self.times, &mut x);
            without_line(&self.times, &mut y);
            let (cx, cy) = (correlation(&x, &seen[0]), correlation(&y, &seen[1]));
            if cx + cy > best.1 + best.2 {
                best = (delay, cx, cy);
            }
        }
        let (delay, cx, cy) = best;
        let followed = (cx + cy) / 2.0 >= FOLLOWED && cx.min(cy) >= EACH && moved >= STILL;
        let ruling = if followed && delay < REACTION as f64 * 1e-6 {
            Ruling::failed(Reason::TooFast)
        } else if followed {
            Ruling::passed()
        } else if moved < STILL {
            Ruling::failed(Reason::NoAnswer)
        } else {
            Ruling::failed(Reason::OtherAnswer)
        };
        ruling.after(followed.then_some(delay)).with([
            ("correlation-across", cx),
            ("correlation-down", cy),
            ("moved-degrees", moved),
            ("best-delay-ms", delay),
        ])
    }
}

impl Judge for Follow {
    fn see(&mut self, sample: &Sample) -> Option<Ruling> {
        let now = millis(self.told, sample.pts);
        if let Some([across, down]) = sample.gaze
            && self.times.len() < MOST
        {
            // The picture's right is the person's left, unless it is mirrored; yaw grows to the picture's right.
            let right = f64::from(sample.pose.yaw).to_degrees() + DEGREES * f64::from(across);
            self.times.push(now);
            self.gaze[0].push(if self.mirrored { right } else { -right });
            self.gaze[1].push(f64::from(sample.pose.pitch).to_degrees() + DEGREES * f64::from(down));
        }
        let shown = self.path.last().map_or(0.0, |p| f64::from(p.at_ms));
        (now >= shown + self.max_delay).then(|| self.judge())
    }

    fn finish(&mut self) -> Ruling {
        self.judge()
    }
}
