//! Gaze: living eyes are never still inside their sockets, printed ones are.
//!
//! Fixations are broken by saccades two to four times a second and drift between them (Rayner, "Eye movements in
//! reading and information processing", 1998). Measured: spread and steps of the irises in units of the eye's width,
//! head motion removed by the eye corners, over two seconds.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use std::collections::VecDeque;

/// Seconds of gaze that are judged together.
pub const WINDOW: f64 = 1.2;
const MAX_SAMPLES: usize = 120;
/// Names of the features, in order.
pub const FEATURES: [&str; 6] = [
    "ln-spread-along",
    "ln-spread-across",
    "ln-step",
    "ln-vergence-spread",
    "ln-lid-spread",
    "ln-interocular-px",
];

#[derive(Clone, Copy, Debug)]
struct Sample {
    pts: u64,
    /// Both eyes' mean, along and across.
    gaze: [f64; 2],
    /// Difference of the two eyes, along.
    vergence: f64,
    /// Mean openness of both eyes.
    lids: f64,
    scale: f64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Gaze {
    samples: VecDeque<Sample>,
}

impl Gaze {
    fn features(&self) -> Vec<f64> {
        let n = self.samples.len().max(1) as f64;
        let spread = |get: fn(&Sample) -> f64| {
            let mean = self.samples.iter().map(get).sum::<f64>() / n;
            (self.samples.iter().map(|s| (get(s) - mean).powi(2)).sum::<f64>() / n).sqrt()
        };
        let steps = self.samples.iter().zip(self.samples.iter().skip(1));
        let step = steps.map(|(a, b)| (b.gaze[0] - a.gaze[0]).hypot(b.gaze[1] - a.gaze[1])).sum::<f64>() / n;
        vec![
            ln(spread(|s| s.gaze[0])),
            ln(spread(|s| s.gaze[1])),
            ln(step),
            ln(spread(|s| s.vergence)),
            ln(spread(|s| s.lids)),
            self.samples.iter().map(|s| ln(s.scale)).sum::<f64>() / n,
        ]
    }
}

impl FaceSignal for Gaze {
    fn name(&self) -> &'static str {
        "gaze"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.samples.back().is_some_and(|s| seen.pts <= s.pts || seconds(s.pts, seen.pts) > 1.0) {
            self.interrupt();
        }
        let [right, left] = seen.mesh.gaze()?;
        let [lid_r, lid_l] = seen.mesh.eye_openness();
        // Along the line from outer to inner corner the two eyes' axes are mirrored.
        let sample = Sample {
            pts: seen.pts,
            gaze: [f64::from(right[0] - left[0]) / 2.0, f64::from(right[1] - left[1]) / 2.0],
            vergence: f64::from(right[0] + left[0]),
            lids: f64::from(lid_r + lid_l) / 2.0,
            scale: f64::from(seen.mesh.interocular()),
        };
        if !sample.gaze.iter().all(|v| v.is_finite()) || !sample.vergence.is_finite() {
            return None;
        }
        self.samples.push_back(sample);
        trim(&mut self.samples, MAX_SAMPLES, |s| seconds(s.pts, seen.pts) > WINDOW);
        let cover = seconds(self.samples.front()?.pts, seen.pts) / WINDOW;
        if self.samples.len() < 8 || cover < 0.8 || seen.pose.yaw.abs() > 0.7 {
            return None;
        }
        let features = self.features();
        let llr = calibration.logistic("gaze").and_then(|c| c.llr(&features));
        let percent = 100.0 * features[0].exp();
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("eyes do not move in their sockets ({percent:.1} % of the eye's width)")
        } else {
            format!("eyes move in their sockets ({percent:.1} % of the eye's width)")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.samples.clear();
    }
}
