//! Does the picture answer when the camera's controls are moved?
//!
//! A control (exposure, gain, brightness, focus) is switched between two values, a second each, in pairs whose order is
//! drawn by fair coins: high then low, or low then high. A sensor's pictures follow within a second; a program that
//! feeds a device node with a recording knows nothing of it. Whether they followed is a randomisation test (Fisher 1935):
//! the pictures are held against every order that the coins could have drawn, so that motion, drift of light and
//! automatic exposure, which know nothing of the coins, are mistaken for an answer in [`ALPHA`] of cases at most.

use crate::analysis::pixels::frame::FrameView;
use crate::analysis::source::provenance::{Class, Finding};
use std::collections::VecDeque;

/// The check's name.
pub const CHECK: &str = "control-response";
/// Pairs of steps of one control.
pub const PAIRS: usize = 8;
/// An answer is believed if no more than this share of the orders fits the pictures as well.
pub const ALPHA: f64 = 2.0 / (1 << PAIRS) as f64;
/// How late the pictures may answer, ns: buffers of driver and queues, the sensor's own latency.
const DELAYS: [u64; 5] = [100_000_000, 300_000_000, 500_000_000, 700_000_000, 900_000_000];
/// The longest of them.
pub const MAX_DELAY: u64 = 900_000_000;
/// Left out at the beginning of each step, while the picture may still be moving, ns.
const SETTLING: u64 = 100_000_000;
/// Pictures that each step must have.
const MIN_SAMPLES: usize = 2;
/// Samples that are kept: more than three minutes of them at five a second, and a control's steps last one at most.
const MAX_SAMPLES: usize = 1024;
/// Beyond these grey levels a picture is clipped and cannot answer.
const DARK: f64 = 12.0;
const BRIGHT: f64 = 243.0;

/// Weights, nats: judgements, not fits. An answer weighs no more, for a program that passes controls on to a real camera
/// gives it too; silence no more, for some cameras take values and ignore them.
const ANSWERED: (f64, f64) = (2.0, -1.0);
const SILENT: (f64, f64) = (1.5, 1.0);
const CONTRARY: (f64, f64) = (1.0, 0.5);
const REFUSED: (f64, f64) = (0.5, 0.25);

/// What a picture is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Mean luma, grey levels; the higher value makes it brighter.
    Luma,
    /// Logarithm of the energy of gradients; moving the focus changes it, either way.
    Sharpness,
}

impl Quantity {
    /// Less than this is no answer even if it is real.
    fn least(self) -> f64 {
        match self {
            Self::Luma => 0.5,
            Self::Sharpness => 0.03,
        }
    }

    /// A camera's answer would be larger than this.
    fn expected(self) -> f64 {
        2.0 * self.least()
    }
}

/// One picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub pts: u64,
    pub luma: f64,
    pub sharpness: f64,
}

impl Sample {
    /// Reads every fourth row.
    pub fn of(frame: &FrameView<'_>, pts: u64) -> Self {
        let plane = frame.plane(0);
        let (first, step) = frame.luma_step();
        let (mut sum, mut energy, mut count) = (0u64, 0u64, 0u64);
        for y in (0..frame.height()).step_by(4) {
            let Some(row) = plane.data.get(y * plane.stride + first..) else { continue };
            let mut last = None;
            for v in row.iter().step_by(step.max(1)).take(frame.width()) {
                sum += u64::from(*v);
                energy += u64::from(v.abs_diff(last.unwrap_or(*v))).pow(2);
                count += 1;
                last = Some(*v);
            }
        }
        let mean = |total: u64| total as f64 / count.max(1) as f64;
        Self { pts, luma: mean(sum), sharpness: (1.0 + mean(energy)).ln() }
    }

    fn value(&self, quantity: Quantity) -> f64 {
        match quantity {
            Quantity::Luma => self.luma,
            Quantity::Sharpness => self.sharpness,
        }
    }
}

/// The newest [`MAX_SAMPLES`] pictures.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    samples: VecDeque<Sample>,
}

impl Trace {
    /// A time that goes back starts afresh.
    pub fn push(&mut self, sample: Sample) {
        if !sample.luma.is_finite() || !sample.sharpness.is_finite() {
            return;
        }
        if self.samples.back().is_some_and(|last| sample.pts < last.pts) {
            self.samples.clear();
        }
        if self.samples.len() >= MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The mean over a stretch of time; `None` with too few pictures in it.
    fn mean(&self, from: u64, to: u64, quantity: Quantity) -> Option<f64> {
        let inside = self.samples.iter().filter(|s| (from..to).contains(&s.pts));
        let (n, sum) = inside.fold((0usize, 0.0), |(n, sum), s| (n + 1, sum + s.value(quantity)));
        (n >= MIN_SAMPLES).then(|| sum / n as f64)
    }
}

/// From `pts` on the control stood at its higher or lower value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub pts: u64,
    pub high: bool,
}

/// The order of steps that some random bits draw: pairs, each high-low or low-high.
pub fn schedule(bits: u64) -> impl Iterator<Item = bool> {
    (0..PAIRS).flat_map(move |pair| {
        let first = bits >> pair & 1 == 1;
        [first, !first]
    })
}

/// How the pictures took it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// They followed, by that much and that late (ns).
    Follows { effect: f64, delay: u64 },
    /// They went the other way.
    Contrary { effect: f64 },
    /// A camera's answer would have been seen, and there was none larger than that.
    Silent { bound: f64 },
    /// They move too much by themselves to tell.
    Unclear,
    /// Too few pictures, or clipped ones.
    Unmeasured,
    /// The driver offers the control and does not take a value.
    Refused,
}

/// Whether the pictures followed the steps, of which the last ended at `end`.
pub fn answer(trace: &Trace, steps: &[Step], end: u64, quantity: Quantity) -> Answer {
    let measured: Vec<(u64, Vec<f64>)> = DELAYS
        .iter()
        .filter_map(|delay| Some((*delay, differences(trace, steps, end, *delay, quantity)?)))
        .collect();
    let clipped = trace
        .mean(steps.first().map_or(0, |s| s.pts), end, Quantity::Luma)
        .is_none_or(|luma| !(DARK..=BRIGHT).contains(&luma));
    if measured.is_empty() || clipped {
        return Answer::Unmeasured;
    }
    // The differences are signed as they were drawn: flipping signs gives the other draws, no flips what happened.
    let effect = |differences: &[f64], flips: usize| {
        let signed = differences.iter().enumerate();
        signed.map(|(j, d)| if flips >> j & 1 == 1 { -d } else { *d }).sum::<f64>() / differences.len() as f64
    };
    let either_way = quantity == Quantity::Sharpness;
    let statistic = |flips: usize, sign: f64| {
        let all = measured.iter().map(|(_, d)| sign * effect(d, flips));
        all.map(|e| if either_way { e.abs() } else { e }).fold(f64::NEG_INFINITY, f64::max)
    };
    let share = |sign: f64| {
        let seen = statistic(0, sign);
        let as_good = (0..1 << PAIRS).filter(|flips| statistic(*flips, sign) >= seen - 1e-9).count();
        (seen, as_good as f64 / f64::from(1u32 << PAIRS))
    };
    let (seen, by_chance) = share(1.0);
    if by_chance <= ALPHA && seen >= quantity.least() {
        let strength = |e: f64| if either_way { e.abs() } else { e };
        let best =
            measured.iter().max_by(|a, b| strength(effect(&a.1, 0)).total_cmp(&strength(effect(&b.1, 0))));
        return Answer::Follows { effect: seen, delay: best.map_or(0, |(delay, _)| *delay) };
    }
    let (contrary, by_chance) = share(-1.0);
    if !either_way && by_chance <= ALPHA && contrary >= quantity.least() {
        return Answer::Contrary { effect: contrary };
    }
    // Three standard errors above what was seen, at the worst delay.
    let bound = measured.iter().map(|(_, d)| {
        let (n, mean) = (d.len() as f64, effect(d, 0));
        let variance = d.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        mean.abs() + 3.0 * (variance / n).sqrt()
    });
    let bound = bound.fold(0.0, f64::max);
    if bound < quantity.expected() { Answer::Silent { bound } } else { Answer::Unclear }
}

/// For each pair: the pictures at the higher value less those at the lower. `None` unless every step was seen.
fn differences(trace: &Trace, steps: &[Step], end: u64, delay: u64, quantity: Quantity) -> Option<Vec<f64>> {
    let ends = steps.iter().skip(1).map(|s| s.pts).chain([end]);
    let levels: Option<Vec<(bool, f64)>> = steps
        .iter()
        .zip(ends)
        .map(|(step, end)| {
            let from = step.pts.saturating_add(delay).saturating_add(SETTLING);
            Some((step.high, trace.mean(from, end.saturating_add(delay), quantity)?))
        })
        .collect();
    let levels = levels?;
    let of_pair = |pair: &[(bool, f64)]| match pair {
        [(true, high), (false, low)] | [(false, low), (true, high)] => Some(high - low),
        _ => None,
    };
    let differences: Option<Vec<f64>> = levels.chunks(2).map(of_pair).collect();
    differences.filter(|d| d.len() == PAIRS)
}

/// How a control's values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// An eighth of the range makes a step that is seen.
    Linear,
    /// Half as much again does (exposure times).
    Ratio,
}

/// The lower and the higher value for a control that stands at `current`, one of which it is; `None` without room.
pub fn values(minimum: i32, maximum: i32, step: i32, current: i32, scale: Scale) -> Option<(i32, i32)> {
    let (least, most, now) = (i64::from(minimum), i64::from(maximum), i64::from(current));
    let grain = i64::from(step).max(1);
    if !(least..=most).contains(&now) {
        return None;
    }
    let wished = match scale {
        Scale::Linear => (most - least) / 8,
        Scale::Ratio => now.abs() / 2,
    };
    let by = (wished / grain).max(1) * grain;
    let (low, high) = if now + by <= most { (now, now + by) } else { (now - by, now) };
    let fits = low >= least && high <= most;
    fits.then(|| Some((i32::try_from(low).ok()?, i32::try_from(high).ok()?))).flatten()
}

/// What the answers to some controls say together.
pub fn judge(answers: &[(&str, Answer)]) -> Finding {
    let named = |wanted: &dyn Fn(&Answer) -> bool| {
        let names: Vec<&str> = answers.iter().filter(|(_, a)| wanted(a)).map(|(name, _)| *name).collect();
        (names.len() as f64, names.join(" and "))
    };
    let follows = answers.iter().find_map(|(name, answer)| match answer {
        Answer::Follows { effect, delay } => Some((name, effect, *delay as f64 / 1e9)),
        _ => None,
    });
    if let Some((name, effect, delay)) = follows {
        let reason =
            format!("the pictures follow steps of {name} (by {effect:.2}, about {delay:.1} s later)");
        return Finding::of(CHECK, Class::Physical, ANSWERED.0, reason).injected(ANSWERED.1);
    }
    let fake = |(count, names): (f64, String), worth: (f64, f64), what: &str| {
        let reason = what.replace("{}", &names);
        Finding::of(CHECK, Class::Virtual, worth.0 * count.min(2.0), reason)
            .injected(worth.1 * count.min(2.0))
    };
    let silent = named(&|a| matches!(a, Answer::Silent { .. }));
    let contrary = named(&|a| matches!(a, Answer::Contrary { .. }));
    let refused = named(&|a| *a == Answer::Refused);
    if contrary.0 > 0.0 {
        return fake(contrary, CONTRARY, "the pictures go the wrong way at steps of {}");
    }
    if silent.0 > 0.0 {
        return fake(silent, SILENT, "the device takes steps of {} and the pictures do not answer");
    }
    if refused.0 > 0.0 {
        return fake(refused, REFUSED, "the device offers {} and takes no value");
    }
    let reason = match answers.first() {
        None => "the device offers no exposure, gain, brightness or focus that could be moved".to_owned(),
        Some((name, Answer::Unclear)) => format!("the scene moves too much to see an answer to {name}"),
        Some((name, _)) => {
            format!("too few pictures, or too dark or bright ones, to see an answer to {name}")
        }
    };
    Finding::nothing(CHECK, reason)
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
