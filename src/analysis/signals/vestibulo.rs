//! Eye stabilisation: who turns the head while looking at something turns the eyes back, both eyes together.
//!
//! The vestibulo-ocular reflex does it within hundredths of a second (Leigh & Zee, "The Neurology of Eye Movements"),
//! also on the way to a new thing to look at, once the saccade has landed (Barnes, "Vestibulo-ocular function during
//! co-ordinated head and eye movements to acquire visual targets", Journal of Physiology 1979). In a picture that is
//! made to nod, or turned by hand, the eyes are fixed in the head or wander by themselves. Gaze as a clue to computed
//! faces: Demir & Ciftci, "Where do deep fakes look?", ETRA 2021.
//!
//! Measured: the share of a turn that the eyes take back, from changes over a few tenths of a second, so that slow
//! wandering does not count. Neither do changes across a saccade, nor irises under lids on their way, which the network
//! drags along. Noise in the head's rotation makes a slope too small (Fuller, "Measurement Error Models", 1987): it is
//! estimated and taken out, and where it is most of the motion nothing is said. Who looks about without fixing anything
//! has a low gain too; it is the whole of the features that is judged, not the gain.

use super::signal::{FaceObservation, FaceSignal, Held};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use std::collections::VecDeque;

/// Seconds that are judged together.
pub const WINDOW: f64 = 3.0;
/// Seconds between two judgements; between them the last one stands.
const EVERY: f64 = 0.25;
/// Samples nearer to each other than this add nothing, seconds. It bounds the samples of a window.
const STEP: f64 = 0.025;
const MAX_SAMPLES: usize = 128;
const MIN_COVER: f64 = 0.6;
/// The times over which changes are compared, seconds.
const LAGS: [f64; 2] = [0.15, 0.5];
/// Three samples further apart tell nothing of the noise, two of the saccade between them, seconds.
const NEIGHBOURS: f64 = 0.3;
/// Fewest pairs of samples, and fewest samples between two others from which noise is estimated.
const MIN_PAIRS: usize = 30;
const MIN_TRIPLES: usize = 8;
/// Least root-mean-square change of head rotation, noise removed, radians.
const MIN_TURN: f64 = 0.02;
/// Least share of the measured change that is not noise.
const MIN_SHARE: f64 = 0.5;
/// Head turned further than this hides an eye's corner, radians.
const MAX_POSE: f32 = 0.6;
/// Opening of the lids, relative to the open eye, below which irises are not believed.
const OPEN: f64 = 0.8;
/// Distance of the iris from the eye's centre of rotation, in units of the eye's width (about 10.5 of 30 mm).
const RADIUS: f64 = 0.35;
/// How far the iris lies before the line between the eye's corners, in the same unit: by so much of a turn an eye that
/// is fixed in the head seems to move with it.
const RELIEF: f64 = 0.1;
/// A step of the irises that is so far from all that lies between fixed and fully stabilised eyes is a saccade.
const JUMP: f64 = 0.02;
/// Bounds of a gain: what lies outside is a glance, not an answer to the head.
const GAINS: [f64; 2] = [-1.0, 2.0];
/// Names of the features, in order.
pub const FEATURES: [&str; 11] = [
    "gain-yaw",
    "gain-pitch",
    "correlation",
    "ln-residual",
    "conjugacy",
    "ln-vergence-step",
    "vergence",
    "ln-vergence-spread",
    "ln-eye-motion",
    "ln-head-motion",
    "ln-interocular-px",
];

#[derive(Clone, Copy, Debug)]
struct Sample {
    pts: u64,
    /// Yaw and pitch, radians.
    head: [f64; 2],
    /// Right and left iris, along and across, in eye widths; rightwards and down in the picture for both eyes.
    eyes: [[f64; 2]; 2],
    lids: f64,
    scale: f64,
}

impl Sample {
    fn of(seen: &FaceObservation<'_>) -> Option<Self> {
        let [right, left] = seen.mesh.gaze()?;
        let lids = seen.mesh.eye_openness();
        let sample = Self {
            pts: seen.pts,
            head: [seen.pose.yaw, seen.pose.pitch].map(f64::from),
            // Along the line from outer to inner corner the two eyes' axes are mirrored.
            eyes: [right.map(f64::from), left.map(|v| -f64::from(v))],
            lids: f64::from(lids[0] + lids[1]) / 2.0,
            scale: f64::from(seen.mesh.interocular()),
        };
        let turned = seen.pose.yaw.abs().max(seen.pose.pitch.abs()) > MAX_POSE;
        // An iris a whole eye's width away from its eye is none; this also refuses what is not a number.
        let irises = sample.eyes.iter().flatten().all(|v| v.abs() < 1.0);
        let numbers = sample.head.iter().all(|v| v.is_finite()) && sample.lids.is_finite();
        (irises && numbers && sample.scale.is_finite() && !turned).then_some(sample)
    }

    /// Where both eyes look.
    fn gaze(&self) -> [f64; 2] {
        [0, 1].map(|c| (self.eyes[0][c] + self.eyes[1][c]) / 2.0)
    }

    /// How far they turn towards each other.
    fn vergence(&self) -> f64 {
        self.eyes[0][0] - self.eyes[1][0]
    }
}

/// Changes between two samples.
#[derive(Clone, Copy, Debug)]
struct Pair {
    head: [f64; 2],
    gaze: [f64; 2],
    weight: f64,
}

impl Pair {
    fn residual(&self, slope: [f64; 2]) -> f64 {
        (self.gaze[0] - slope[0] * self.head[0]).hypot(self.gaze[1] - slope[1] * self.head[1])
    }
}

/// Variance of the noise of head rotation, and deviation of that of the irises.
#[derive(Clone, Copy, Debug)]
struct Noise {
    head: [f64; 2],
    gaze: [f64; 2],
}

impl Noise {
    /// From what samples differ from their neighbours' mean, by the median, which a jerk or a saccade does not move. A
    /// head's own acceleration also goes into it; the estimate errs towards silence.
    fn of(samples: &[Sample]) -> Option<Self> {
        let mut squares: [Vec<f64>; 4] = Default::default();
        for three in samples.windows(3) {
            let [a, b, c] = three else { continue };
            let span = seconds(a.pts, c.pts);
            if span > NEIGHBOURS {
                continue;
            }
            let w = seconds(a.pts, b.pts) / span.max(1e-9);
            let gain = 1.0 + w * w + (1.0 - w) * (1.0 - w);
            let off = |a: f64, b: f64, c: f64| (b - a * (1.0 - w) - c * w).powi(2) / gain;
            let gaze = [a.gaze(), b.gaze(), c.gaze()];
            for axis in 0..2 {
                squares[axis].push(off(a.head[axis], b.head[axis], c.head[axis]));
                squares[2 + axis].push(off(gaze[0][axis], gaze[1][axis], gaze[2][axis]));
            }
        }
        if squares[0].len() < MIN_TRIPLES {
            return None;
        }
        // The median of a squared normal number is 0.455 of its variance.
        let [yaw, pitch, along, across] = squares.map(|mut s| quantile(&mut s, 0.5) / 0.455);
        Some(Self { head: [yaw, pitch], gaze: [along.sqrt(), across.sqrt()] })
    }

    /// Whether the eyes jumped between two neighbours.
    fn jumped(&self, a: &Sample, b: &Sample) -> bool {
        let (from, to) = (a.gaze(), b.gaze());
        seconds(a.pts, b.pts) > NEIGHBOURS
            || (0..2).any(|axis| {
                let turn = b.head[axis] - a.head[axis];
                let (fixed, steady) = (RELIEF * turn, (RELIEF - RADIUS) * turn);
                let step = to[axis] - from[axis];
                let off = (fixed.min(steady) - step).max(step - fixed.max(steady));
                off > JUMP.max(4.0 * self.gaze[axis])
            })
    }
}

/// How the eyes answer the head.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// Share of a turn that the eyes take back: yaw, pitch, both.
    gain: [f64; 2],
    overall: f64,
    /// Of the eyes' turn in the head with the head's turn back, -1..1.
    correlation: f64,
    residual: f64,
    /// Root-mean-square change of head rotation, noise removed, and its share of the measured one.
    turn: f64,
    share: f64,
}

impl Answer {
    /// Iterated least squares with Huber's weights, the head's noise taken out of the normal equations.
    fn of(pairs: &mut [Pair], noise: &Noise) -> Option<Self> {
        let mut slope = [0.0; 2];
        let mut answer = None;
        for _ in 0..4 {
            let (mut n, mut xx, mut xy) = (0.0, [0.0; 2], [0.0; 2]);
            for p in pairs.iter() {
                n += p.weight;
                for axis in 0..2 {
                    xx[axis] += p.weight * p.head[axis].powi(2);
                    xy[axis] += p.weight * p.head[axis] * p.gaze[axis];
                }
            }
            // A difference has twice the noise of a sample.
            let clean = [0, 1].map(|a| (xx[a] - 2.0 * noise.head[a] * n).max(0.0));
            let (all, measured) = (clean[0] + clean[1], xx[0] + xx[1]);
            let (turn, share) = ((all / n).sqrt(), all / measured);
            if !(turn >= MIN_TURN && share >= MIN_SHARE) {
                return None;
            }
            let pooled = (xy[0] + xy[1]) / all;
            // An axis about which the head hardly turned borrows from the other.
            let prior = MIN_TURN.powi(2) * n;
            slope = [0, 1].map(|a| (xy[a] + prior * pooled) / (clean[a] + prior));
            let mut off: Vec<f64> = pairs.iter().map(|p| p.residual(slope)).collect();
            let limit = 2.4 * quantile(&mut off, 0.5) + 2e-4;
            pairs.iter_mut().for_each(|p| p.weight = (limit / p.residual(slope).max(1e-9)).min(1.0));
            answer = Some((turn, share, pooled));
        }
        let (turn, share, pooled) = answer?;
        let (mut n, mut rr, mut hh, mut ee, mut he) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for p in pairs.iter() {
            n += p.weight;
            rr += p.weight * p.residual(slope).powi(2);
            for axis in 0..2 {
                let eye = p.gaze[axis] - RELIEF * p.head[axis];
                hh += p.weight * p.head[axis].powi(2);
                ee += p.weight * eye * eye;
                he -= p.weight * p.head[axis] * eye;
            }
        }
        let gain = |slope: f64| ((RELIEF - slope) / RADIUS).clamp(GAINS[0], GAINS[1]);
        Some(Self {
            gain: slope.map(gain),
            overall: gain(pooled),
            correlation: he / (hh * ee).sqrt().max(1e-12),
            residual: (rr / n).sqrt(),
            turn,
            share,
        })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Vestibulo {
    samples: VecDeque<Sample>,
    held: Held,
}

impl Vestibulo {
    fn judge(&self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        let mut lids: Vec<f64> = self.samples.iter().map(|s| s.lids).collect();
        let open = OPEN * quantile(&mut lids, 0.9);
        let samples: Vec<Sample> = self.samples.iter().filter(|s| s.lids >= open).copied().collect();
        let noise = Noise::of(&samples)?;
        let mut fixations = 0usize;
        let mut fixation = vec![0usize];
        for two in samples.windows(2) {
            fixations += usize::from(matches!(two, [a, b] if noise.jumped(a, b)));
            fixation.push(fixations);
        }
        let mut pairs = Vec::new();
        let mut both = Together::default();
        for (i, (b, at)) in samples.iter().zip(&fixation).enumerate() {
            for (a, before) in samples.iter().zip(&fixation).take(i).rev() {
                let lag = seconds(a.pts, b.pts);
                if lag > LAGS[1] {
                    break;
                }
                if lag < LAGS[0] {
                    continue;
                }
                both.add(a, b);
                if at == before {
                    let change = |from: [f64; 2], to: [f64; 2]| [to[0] - from[0], to[1] - from[1]];
                    let (head, gaze) = (change(a.head, b.head), change(a.gaze(), b.gaze()));
                    pairs.push(Pair { head, gaze, weight: 1.0 });
                }
            }
        }
        if pairs.len() < MIN_PAIRS {
            return None;
        }
        let answer = Answer::of(&mut pairs, &noise)?;
        let n = samples.len().max(1) as f64;
        let vergence = samples.iter().map(Sample::vergence).sum::<f64>() / n;
        let spread = samples.iter().map(|s| (s.vergence() - vergence).powi(2)).sum::<f64>() / n;
        let features = vec![
            answer.gain[0],
            answer.gain[1],
            answer.correlation,
            ln(answer.residual),
            both.conjugacy(),
            ln(both.apart()),
            vergence,
            ln(spread.sqrt()),
            ln(both.moved()),
            ln(answer.turn),
            samples.iter().map(|s| ln(s.scale)).sum::<f64>() / n,
        ];
        let llr = calibration.logistic("eye-stabilisation").and_then(|c| c.llr(&features));
        let gain = answer.overall;
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the eyes do not answer the head's turns as living eyes do (gain {gain:.1})")
        } else {
            format!("the eyes answer the head's turns (gain {gain:.1})")
        };
        let mut reading = Reading::of_window(llr, WINDOW, seen.quality, reason, features);
        reading.quality *= answer.share;
        Some(reading)
    }
}

/// Sums over changes of both eyes along their line.
#[derive(Clone, Copy, Debug, Default)]
struct Together {
    n: f64,
    right: f64,
    left: f64,
    product: f64,
    across: f64,
}

impl Together {
    fn add(&mut self, a: &Sample, b: &Sample) {
        let [right, left] = [0, 1].map(|eye| b.eyes[eye][0] - a.eyes[eye][0]);
        self.n += 1.0;
        self.right += right * right;
        self.left += left * left;
        self.product += right * left;
        self.across += (b.gaze()[1] - a.gaze()[1]).powi(2);
    }

    /// Correlation of both, about zero: -1..1.
    fn conjugacy(&self) -> f64 {
        self.product / (self.right * self.left).sqrt().max(1e-12)
    }

    /// Root mean square of what they differ by.
    fn apart(&self) -> f64 {
        ((self.right + self.left - 2.0 * self.product).max(0.0) / self.n.max(1.0)).sqrt()
    }

    /// Root mean square of what they move by together.
    fn moved(&self) -> f64 {
        let along = (self.right + self.left + 2.0 * self.product).max(0.0) / 4.0;
        ((along + self.across) / self.n.max(1.0)).sqrt()
    }
}

impl FaceSignal for Vestibulo {
    fn name(&self) -> &'static str {
        "eye-stabilisation"
    }

    fn family(&self) -> Family {
        Family::Forgery
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.samples.back().is_some_and(|s| seen.pts <= s.pts || seconds(s.pts, seen.pts) > 1.0) {
            self.interrupt();
        }
        let sample = Sample::of(seen)?;
        if self.samples.back().is_none_or(|s| seconds(s.pts, seen.pts) >= STEP) {
            self.samples.push_back(sample);
        }
        trim(&mut self.samples, MAX_SAMPLES, |s| seconds(s.pts, seen.pts) > WINDOW);
        if seconds(self.samples.front()?.pts, seen.pts) < MIN_COVER * WINDOW {
            return None;
        }
        if self.held.is_due(seen.pts, EVERY) {
            let reading = self.judge(seen, calibration);
            self.held.keep(seen.pts, reading);
        }
        self.held.reading()
    }

    fn interrupt(&mut self) {
        self.samples.clear();
        self.held = Held::default();
    }
}

/// The value below which that share of the values lies; 0 of none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(at, f64::total_cmp).1 }
}

#[cfg(test)]
#[path = "vestibulo_tests.rs"]
mod tests;
