//! Advection: whether the skin's fine texture is carried by the face, or swims through it.
//!
//! Pores, moles and stubble go where the landmarks go. A face that a network paints anew in every frame has texture
//! that sticks to the frame or to the network's own grid ("texture sticking": Karras et al., "Alias-free generative
//! adversarial networks", NeurIPS 2021), slides, or flickers. Blocks of skin are predicted from a moment ago by the
//! mesh's local affine motion; a Gauss-Newton step on their pixels (Lucas & Kanade, "An iterative image registration
//! technique", IJCAI 1981) says by how much the texture went elsewhere, and what is left then is flicker. The same
//! measures along the side of the face, which a swap leaves alone, stand for noise, compression and the mesh's jitter.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use crate::analysis::face::mesh::{SURFACE, distance};
use crate::analysis::face::patch::Patch;
use crate::analysis::pixels::geometry::Point;
use crate::analysis::signals::texture::{Local, Sums, block};
use std::collections::VecDeque;

/// Seconds over which pairs of frames are pooled.
pub const WINDOW: f64 = 2.0;
/// Wanted time between the two frames of a pair, and the least and the most, seconds.
const LAG: f64 = 0.2;
const LEAST_LAG: f64 = 0.1;
const MOST_LAG: f64 = 0.4;
/// Most faces kept (0.4 s at 60 a second, with some to spare), and most pairs (2 s of them).
const MAX_HISTORY: usize = 32;
const MAX_PAIRS: usize = 128;
/// Least number of pairs, and least share of the window, that say something.
const MIN_PAIRS: usize = 8;
const MIN_COVER: f64 = 0.6;
/// Root-mean-square motion of the face in the frame below which nothing can stick to it, patch pixels.
const MIN_MOTION: f64 = 0.4;
/// Least numbers of blocks of a pair: of the inner face and of its side.
const MIN_BLOCKS: [f64; 2] = [8.0, 5.0];
/// Names of the features, in order.
pub const FEATURES: [&str; 11] = [
    "ln-swim",
    "ln-swim-inner-over-border",
    "ln-drift",
    "slip-frame",
    "slip-crop",
    "ln-stick",
    "ln-flicker-inner",
    "ln-flicker-inner-over-border",
    "ln-texture-inner-over-border",
    "ln-motion",
    "ln-interocular-px",
];

/// Landmarks with a block of skin about them: cheeks, nose and forehead.
const INNER: [usize; 18] =
    [50, 101, 205, 187, 117, 36, 280, 330, 425, 411, 346, 266, 5, 197, 9, 151, 69, 299];
/// The same beside the ears and along the jaw.
const BORDER: [usize; 16] = [34, 227, 137, 177, 215, 138, 135, 169, 264, 447, 366, 401, 435, 367, 364, 394];

/// What one pair of frames says.
#[derive(Clone, Copy, Debug)]
struct Pair {
    pts: u64,
    inner: Sums,
    border: Sums,
    /// Mean squared motion of the inner face in the frame, squared patch pixels.
    moved: f64,
    /// Squared mean displacement of the inner texture against that of the border's.
    drift: f64,
    interocular: f64,
    /// Frame pixels in a patch pixel.
    pixel: f64,
}

/// A face as it was: its picture, and where in it the landmarks lay.
#[derive(Debug)]
struct Moment {
    pts: u64,
    patch: Patch,
    spots: Vec<Point>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Advection {
    history: VecDeque<Moment>,
    pairs: VecDeque<Pair>,
}

impl Advection {
    fn then(&self, pts: u64) -> Option<&Moment> {
        let lag = |m: &Moment| seconds(m.pts, pts);
        let off = |m: &Moment| (lag(m) - LAG).abs();
        let best = self.history.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        (LEAST_LAG..=MOST_LAG).contains(&lag(best)).then_some(best)
    }

    fn compare(&self, seen: &FaceObservation<'_>, spots: &[Point]) -> Option<Pair> {
        let then = self.then(seen.pts)?;
        let still = |p: Point| then.patch.position(seen.patch.to_frame(p[0], p[1]));
        let mut moved = 0.0;
        let mut region = |anchors: &[usize], inner: bool| {
            let mut sums = Sums::default();
            for anchor in anchors {
                let Some(warp) = spots.get(*anchor).and_then(|s| Local::fit(*s, spots, &then.spots)) else {
                    continue;
                };
                let centre = warp.centre.map(|c| c as f32);
                let frame = still(centre);
                let offset = |p: Point| [p[0] - warp.origin[0], p[1] - warp.origin[1]];
                let offsets = [offset(frame), offset(centre)];
                let Some(block) = block(seen.patch.pixels(), then.patch.pixels(), &warp, offsets) else {
                    continue;
                };
                sums.add(&block);
                if inner {
                    moved += f64::from(offsets[0][0].powi(2) + offsets[0][1].powi(2));
                }
            }
            sums
        };
        let (inner, border) = (region(&INNER, true), region(&BORDER, false));
        if inner.blocks < MIN_BLOCKS[0] || border.blocks < MIN_BLOCKS[1] {
            return None;
        }
        let (a, b) = (inner.mean_swim(), border.mean_swim());
        let pair = Pair {
            pts: seen.pts,
            inner,
            border,
            moved: moved / inner.blocks,
            drift: (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2),
            interocular: f64::from(seen.mesh.interocular()),
            pixel: f64::from(distance(seen.patch.to_frame(0.0, 0.0), seen.patch.to_frame(1.0, 0.0))),
        };
        [pair.moved, pair.drift, pair.interocular, pair.pixel, pair.inner.swim, pair.border.swim]
            .iter()
            .all(|v| v.is_finite() && *v < 1e9)
            .then_some(pair)
    }

    /// The features, the swim in frame pixels and the logarithm of the flicker; `None` while the face rests.
    fn judge(&self) -> Option<(Vec<f64>, f64, f64)> {
        let n = self.pairs.len().max(1) as f64;
        let mean = |get: fn(&Pair) -> f64| self.pairs.iter().map(get).sum::<f64>() / n;
        let moved = mean(|p| p.moved).sqrt();
        if moved < MIN_MOTION {
            return None;
        }
        let (mut inner, mut border) = (Sums::default(), Sums::default());
        for pair in &self.pairs {
            inner.add(&pair.inner);
            border.add(&pair.border);
        }
        // A hundredth of a pixel is less than any alignment can tell.
        let swim = |s: &Sums| ln(s.rms_swim().max(0.01));
        let half_ln = |a: f64, b: f64| 0.5 * (ln(a * 1e4) - ln(b * 1e4));
        let [frame, crop] = inner.still;
        let flicker = half_ln(inner.best / 2.0, inner.energy);
        let features = vec![
            swim(&inner),
            swim(&inner) - swim(&border),
            0.5 * ln(mean(|p| p.drift).max(1e-4)),
            inner.slip(0),
            inner.slip(1),
            2.0 * half_ln(inner.mesh, frame.min(crop)),
            flicker,
            half_ln(inner.best / inner.pixels, border.best / border.pixels),
            half_ln(inner.energy / inner.pixels, border.energy / border.pixels),
            ln(moved),
            ln(mean(|p| p.interocular)),
        ];
        Some((features, inner.rms_swim() * mean(|p| p.pixel), flicker))
    }
}

impl FaceSignal for Advection {
    fn name(&self) -> &'static str {
        "advection"
    }

    fn family(&self) -> Family {
        Family::Forgery
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.history.back().is_some_and(|m| seen.pts <= m.pts || seconds(m.pts, seen.pts) > MOST_LAG) {
            self.interrupt();
        }
        let landmarks = seen.mesh.points.iter().take(SURFACE);
        let spots: Vec<Point> = landmarks.map(|p| seen.patch.position([p[0], p[1]])).collect();
        if let Some(pair) = self.compare(seen, &spots) {
            self.pairs.push_back(pair);
        }
        self.history.push_back(Moment { pts: seen.pts, patch: seen.patch.clone(), spots });
        trim(&mut self.history, MAX_HISTORY, |m| seconds(m.pts, seen.pts) > MOST_LAG);
        trim(&mut self.pairs, MAX_PAIRS, |p| seconds(p.pts, seen.pts) > WINDOW);
        let cover = seconds(self.pairs.front()?.pts, seen.pts) / WINDOW;
        if self.pairs.len() < MIN_PAIRS || cover < MIN_COVER {
            return None;
        }
        let (features, swim, flicker) = self.judge()?;
        let llr = calibration.logistic("advection").and_then(|c| c.llr(&features));
        let reason = if llr.is_some_and(|l| l > 0.0) {
            let flicker = 100.0 * flicker.exp();
            format!(
                "the skin's texture does not go with the face as skin does ({swim:.1} px off, {flicker:.0} % flicker)"
            )
        } else {
            format!("the skin's texture goes with the face, {swim:.1} px off")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.history.clear();
        self.pairs.clear();
    }
}

#[cfg(test)]
#[path = "advection_tests.rs"]
mod tests;
