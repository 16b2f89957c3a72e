//! Expression: a live face changes it all the time, a photo wears one.
//!
//! Measured on the 52 blendshape coefficients (the ARKit set; Grishchenko et al., "Blendshapes GHUM", 2023), which
//! the network reads from landmarks freed of head position: their spread over two seconds.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use crate::analysis::face::models::BLENDSHAPES;
use std::collections::VecDeque;

/// Seconds that are judged together.
pub const WINDOW: f64 = 2.0;
const MAX_SAMPLES: usize = 120;
/// Names of the features, in order.
pub const FEATURES: [&str; 5] =
    ["ln-mouth-spread", "ln-eye-spread", "ln-brow-spread", "ln-step", "ln-interocular-px"];

/// Coefficients of brows (and cheeks), eyes, jaw and mouth (nose included), by their place in the ARKit order.
const BROWS: std::ops::Range<usize> = 1..9;
const EYES: std::ops::Range<usize> = 9..23;
const MOUTH: std::ops::Range<usize> = 23..52;

/// See the module.
#[derive(Debug, Default)]
pub struct Expression {
    samples: VecDeque<(u64, f64, [f32; BLENDSHAPES])>,
}

impl Expression {
    fn features(&self) -> Vec<f64> {
        let n = self.samples.len().max(1) as f64;
        let spread = |range: std::ops::Range<usize>| {
            let k = range.len() as f64;
            let variance = |i: usize| {
                let at =
                    |s: &(u64, f64, [f32; BLENDSHAPES])| f64::from(s.2.get(i).copied().unwrap_or_default());
                let mean = self.samples.iter().map(at).sum::<f64>() / n;
                self.samples.iter().map(|s| (at(s) - mean).powi(2)).sum::<f64>() / n
            };
            (range.map(variance).sum::<f64>() / k).sqrt()
        };
        let steps =
            self.samples.iter().zip(self.samples.iter().skip(1)).map(|(a, b)| {
                a.2.iter().zip(&b.2).map(|(x, y)| f64::from((x - y).powi(2))).sum::<f64>().sqrt()
            });
        vec![
            ln(spread(MOUTH)),
            ln(spread(EYES)),
            ln(spread(BROWS)),
            ln(steps.sum::<f64>() / n),
            self.samples.iter().map(|s| ln(s.1)).sum::<f64>() / n,
        ]
    }
}

impl FaceSignal for Expression {
    fn name(&self) -> &'static str {
        "expression"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.samples.back().is_some_and(|s| seen.pts <= s.0 || seconds(s.0, seen.pts) > 1.0) {
            self.interrupt();
        }
        let now = seen.blendshapes?;
        self.samples.push_back((seen.pts, f64::from(seen.mesh.interocular()), *now));
        trim(&mut self.samples, MAX_SAMPLES, |s| seconds(s.0, seen.pts) > WINDOW);
        let cover = seconds(self.samples.front()?.0, seen.pts) / WINDOW;
        if self.samples.len() < 8 || cover < 0.8 {
            return None;
        }
        let features = self.features();
        let llr = calibration.logistic("expression").and_then(|c| c.llr(&features));
        let percent = 100.0 * features[0].exp();
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the face hardly moves a muscle ({percent:.1} % mouth activity)")
        } else {
            format!("the face moves its muscles ({percent:.1} % mouth activity)")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.samples.clear();
    }
}
