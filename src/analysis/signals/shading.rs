//! Shading: whether forehead and cheeks answer the turn of the head as skin under one light does.
//!
//! The brightness of matt skin is nearly linear in its normal, whatever the lights (Ramamoorthi & Hanrahan, "An
//! efficient representation for irradiance environment maps", SIGGRAPH 2001), and normals turn with the head; lights
//! that do not agree have long told composites (Johnson & Farid, "Exposing digital forgeries in complex lighting
//! environments", IEEE TIFS 2007). Here the log ratio of left to right cheek and of forehead to cheeks is fitted as a
//! linear function of yaw and pitch: skin colour and any light that brightens the whole face cancel in it. A face with
//! baked-in shading answers too little, or by halves.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use std::collections::VecDeque;

/// Seconds of colour and pose that are judged together.
pub const WINDOW: f64 = 5.0;
/// Least number of samples (6 a second) and most (60 a second), and least share of the window.
const MIN_SAMPLES: usize = 30;
const MAX_SAMPLES: usize = 300;
const MIN_COVER: f64 = 0.8;
/// The longest gap, seconds.
const MAX_GAP: f64 = 0.5;
/// Standard deviation of the head's turn below which its shading has nothing to answer, radians.
const MIN_TURN: f64 = 0.05;
/// The pose's own noise, radians: a turn that is not larger explains nothing.
const POSE_NOISE: f64 = 0.01;
/// Turned further, a cheek is out of sight.
const MAX_ANGLE: f32 = 0.8;
/// Linear light that is neither lost in the dark nor clipped.
const RANGE: std::ops::RangeInclusive<f32> = 0.003..=0.97;
/// Quality below which colour means nothing.
const MIN_QUALITY: f32 = 0.35;
/// Names of the features, in order.
pub const FEATURES: [&str; 11] = [
    "r2-cheeks",
    "r2-forehead",
    "ln-slope-cheeks",
    "ln-slope-forehead",
    "ln-instability-cheeks",
    "ln-instability-forehead",
    "ln-jitter",
    "ln-colour-spread",
    "ln-turn",
    "ln-light",
    "ln-interocular-px",
];

/// Log ratios of one frame.
#[derive(Clone, Copy, Debug)]
struct Sample {
    pts: u64,
    /// Yaw and pitch, radians.
    turn: [f64; 2],
    /// Left over right cheek: in red, green, blue and luma.
    cheeks: [f64; 4],
    /// Forehead over cheeks, luma.
    forehead: f64,
    /// Log luma of the whole face.
    light: f64,
    interocular: f64,
}

impl Sample {
    /// `None` where the colour or the pose cannot be used.
    fn of(seen: &FaceObservation<'_>) -> Option<Self> {
        let pose = [seen.pose.yaw, seen.pose.pitch];
        if !seen.skin.iter().flatten().all(|v| RANGE.contains(v)) || !pose.iter().all(|a| a.abs() < MAX_ANGLE)
        {
            return None;
        }
        let logs = |[r, g, b]: [f32; 3]| {
            let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            [r, g, b, luma].map(|v| f64::from(v).ln())
        };
        let [forehead, right, left] = seen.skin.map(logs);
        let mut cheeks = left;
        cheeks.iter_mut().zip(right).for_each(|(l, r)| *l -= r);
        let both = (left[3] + right[3]) / 2.0;
        Some(Self {
            pts: seen.pts,
            turn: pose.map(f64::from),
            cheeks,
            forehead: forehead[3] - both,
            light: (forehead[3] + 2.0 * both) / 3.0,
            interocular: f64::from(seen.mesh.interocular()),
        })
    }
}

/// A log ratio against yaw and pitch, as sums about their means.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    n: f64,
    xx: [f64; 3],
    xy: [f64; 2],
    yy: f64,
}

impl Moments {
    fn of(samples: &[Sample], get: impl Fn(&Sample) -> f64) -> Self {
        let n = samples.len().max(1) as f64;
        let mean = |get: &dyn Fn(&Sample) -> f64| samples.iter().map(get).sum::<f64>() / n;
        let (a, b, c) = (mean(&|s| s.turn[0]), mean(&|s| s.turn[1]), mean(&get));
        let mut m = Self { n, ..Self::default() };
        for s in samples {
            let (u, v, y) = (s.turn[0] - a, s.turn[1] - b, get(s) - c);
            m.xx = [m.xx[0] + u * u, m.xx[1] + u * v, m.xx[2] + v * v];
            m.xy = [m.xy[0] + u * y, m.xy[1] + v * y];
            m.yy += y * y;
        }
        m
    }

    /// Both, each about its own mean.
    fn and(&self, o: &Self) -> Self {
        let mut m = *self;
        m.n += o.n;
        m.xx.iter_mut().zip(o.xx).for_each(|(a, b)| *a += b);
        m.xy.iter_mut().zip(o.xy).for_each(|(a, b)| *a += b);
        m.yy += o.yy;
        m
    }

    /// Nats a radian of yaw and of pitch, and the squared residual.
    fn fit(&self) -> ([f64; 2], f64) {
        let noise = self.n * POSE_NOISE * POSE_NOISE;
        let [a, b, c] = [self.xx[0] + noise, self.xx[1], self.xx[2] + noise];
        let [p, q] = self.xy;
        let determinant = a * c - b * b;
        let slope = [(c * p - b * q) / determinant, (a * q - b * p) / determinant];
        let [s, t] = slope;
        let explained = 2.0 * (s * p + t * q) - (s * s * self.xx[0] + 2.0 * s * t * b + t * t * self.xx[2]);
        (slope, (self.yy - explained).max(0.0))
    }

    /// Share of the variance that the turn explains, corrected for the two numbers that it was given to do so.
    fn adjusted_r2(&self) -> f64 {
        let left = self.fit().1 / self.yy.max(1e-12);
        (1.0 - left * (self.n - 1.0) / (self.n - 3.0).max(1.0)).clamp(-1.0, 1.0)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Shading {
    samples: VecDeque<Sample>,
}

impl Shading {
    /// The features; `None` while the head rests.
    fn judge(&mut self) -> Option<Vec<f64>> {
        let all: &[Sample] = self.samples.make_contiguous();
        let n = all.len() as f64;
        let spread = |get: &dyn Fn(&Sample) -> f64| Moments::of(all, get).yy / n;
        let turn = (spread(&|s| s.turn[0]) + spread(&|s| s.turn[1])).sqrt();
        if turn < MIN_TURN {
            return None;
        }
        let (first, second) = all.split_at(all.len() / 2);
        // What separate answers in the two halves explain beyond one answer to both, as a share of the variance. The
        // levels of the halves may differ, as lights are switched on and off.
        let instability = |get: fn(&Sample) -> f64| {
            let (a, b) = (Moments::of(first, get), Moments::of(second, get));
            let both = a.and(&b);
            ln((both.fit().1 - a.fit().1 - b.fit().1).max(0.0) / both.yy.max(1e-12) + 1e-3)
        };
        let cheeks = [0, 1, 2, 3].map(|c| Moments::of(all, |s| s.cheeks[c]));
        let forehead = Moments::of(all, |s| s.forehead);
        let size = |s: [f64; 2]| s[0].hypot(s[1]);
        let slopes = cheeks.map(|m| m.fit().0);
        let mean = [0, 1].map(|axis| (slopes[0][axis] + slopes[1][axis] + slopes[2][axis]) / 3.0);
        let apart =
            slopes.iter().take(3).map(|s| size([s[0] - mean[0], s[1] - mean[1]]).powi(2)).sum::<f64>();
        // Third differences: a turn of the head is too smooth for them. White noise of one has 20.
        let jitter: f64 = all
            .windows(4)
            .map(|w| (w[3].cheeks[3] - w[0].cheeks[3] + 3.0 * (w[1].cheeks[3] - w[2].cheeks[3])).powi(2))
            .sum();
        Some(vec![
            cheeks[3].adjusted_r2(),
            forehead.adjusted_r2(),
            ln(slopes[3][0].abs() + 0.01),
            ln(forehead.fit().0[1].abs() + 0.01),
            instability(|s| s.cheeks[3]),
            instability(|s| s.forehead),
            ln((jitter / 20.0 / (n - 3.0).max(1.0)).sqrt()),
            ln(((apart / 3.0).sqrt() + 0.01) / (size(mean) + 0.05)),
            ln(turn),
            ln(spread(&|s| s.light).sqrt()),
            ln(all.iter().map(|s| s.interocular).sum::<f64>() / n),
        ])
    }
}

impl FaceSignal for Shading {
    fn name(&self) -> &'static str {
        "shading"
    }

    fn family(&self) -> Family {
        Family::Forgery
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.samples.back().is_some_and(|s| seen.pts <= s.pts || seconds(s.pts, seen.pts) > MAX_GAP) {
            self.interrupt();
        }
        if seen.quality.overall() < MIN_QUALITY {
            return None;
        }
        self.samples.push_back(Sample::of(seen)?);
        trim(&mut self.samples, MAX_SAMPLES, |s| seconds(s.pts, seen.pts) > WINDOW);
        let cover = seconds(self.samples.front()?.pts, seen.pts) / WINDOW;
        if self.samples.len() < MIN_SAMPLES || cover < MIN_COVER {
            return None;
        }
        let features = self.judge()?;
        let llr = calibration.logistic("shading").and_then(|c| c.llr(&features));
        let percent = 100.0 * features.first().copied().unwrap_or_default().max(0.0);
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the light on the cheeks does not follow the turn of the head ({percent:.0} % explained)")
        } else {
            format!("the turn of the head explains {percent:.0} % of the change of light on the cheeks")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.samples.clear();
    }
}

#[cfg(test)]
#[path = "shading_tests.rs"]
mod tests;
