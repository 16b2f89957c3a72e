//! Planarity: the picture of the face itself, registered to itself as it was before under a homography.
//!
//! Where the thing before the camera is flat and still, everything goes away but noise; a live face leaves mouth, lids,
//! and, when the head turns, nose and cheeks. The residual of the parts that move (eyes, mouth) is set against the
//! rest of the same face, so that noise, blur and compression, which they share, cancel. In the spirit of Kollreider,
//! Fronthaler & Bigun, "Non-intrusive liveness detection by face images", IVC 2009, and of Anjos, Chakka & Marcel,
//! "Motion-based counter-measures to photo attacks in face recognition", IET Biometrics 2014.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use crate::analysis::face::mesh::{EYE_REGION, FaceMesh, LIPS, SURFACE};
use crate::analysis::face::models::MeshKind;
use crate::analysis::face::patch::{Patch, Registration, SIDE};
use crate::analysis::pixels::geometry::{Model, Point, fit};
use std::collections::VecDeque;

/// Seconds over which residuals are averaged.
pub const WINDOW: f64 = 0.8;
/// Short and long lag, seconds.
const LAGS: [f64; 2] = [0.2, 0.6];
const LAG_TOLERANCE: f64 = 0.55;
const MAX_HISTORY: usize = 40;
const MIN_COVER: f64 = 0.6;
/// Names of the features, in order.
pub const FEATURES: [&str; 10] = [
    "ln-excess-long",
    "ln-excess-short",
    "ln-excess-long-max",
    "ln-excess-short-max",
    "ln-peak-long",
    "ln-rest-long",
    "ln-growth-moving",
    "ln-growth-rest",
    "ln-motion",
    "ln-interocular-px",
];

/// Squared residuals of one pair of frames, by lag.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    pts: u64,
    /// Of eyes and mouth, and what the rest of the face would have there.
    moving: [f64; 2],
    expected: [f64; 2],
    /// Of the rest, over its squared gradient (a squared displacement, patch pixels).
    rest: [f64; 2],
    /// The largest excess of a block, long lag.
    peak: f64,
    motion: f64,
    scale: f64,
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
pub struct Planarity {
    history: VecDeque<Moment>,
    pairs: VecDeque<Pair>,
}

impl Planarity {
    fn nearest(&self, pts: u64, lag: f64) -> Option<&Moment> {
        let off = |m: &Moment| (seconds(m.pts, pts) - lag).abs();
        let best = self.history.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        (off(best) <= LAG_TOLERANCE * lag).then_some(best)
    }

    fn compare(&self, seen: &FaceObservation<'_>, spots: &[Point]) -> Option<Pair> {
        let mask = moving_parts(seen.patch, seen.mesh);
        let mut pair = Pair { pts: seen.pts, scale: f64::from(seen.mesh.interocular()), ..Pair::default() };
        for (slot, lag) in LAGS.into_iter().enumerate() {
            let then = self.nearest(seen.pts, lag)?;
            let guess = fit(Model::Homography, spots, &then.spots);
            let r = seen.patch.register(&then.patch, guess.as_ref())?;
            let noise = Noise::of(&r, &mask)?;
            let (moving, expected) = noise.excess(&r, |i| mask.get(i).copied().unwrap_or_default());
            pair.moving[slot] = moving;
            pair.expected[slot] = expected;
            pair.rest[slot] = noise.level;
            pair.motion = f64::from(r.motion);
            pair.peak = noise.peak(&r);
        }
        Some(pair)
    }

    fn features(&self) -> Vec<f64> {
        let n = self.pairs.len().max(1) as f64;
        let sum = |get: &dyn Fn(&Pair) -> f64| self.pairs.iter().map(get).sum::<f64>();
        let mean = |get: &dyn Fn(&Pair) -> f64| sum(&|p| ln(get(p))) / n;
        let max = |get: &dyn Fn(&Pair) -> f64| ln(self.pairs.iter().map(get).fold(0.0, f64::max));
        let excess = |lag: usize| move |p: &Pair| p.moving[lag] / p.expected[lag].max(1e-9);
        let pooled = |lag: usize| ln(sum(&|p| p.moving[lag]) / sum(&|p| p.expected[lag]).max(1e-9));
        vec![
            pooled(1),
            pooled(0),
            max(&excess(1)),
            max(&excess(0)),
            mean(&|p| p.peak),
            mean(&|p| p.rest[1]),
            mean(&|p| p.moving[1] / p.moving[0].max(1e-9)),
            mean(&|p| p.rest[1] / p.rest[0].max(1e-9)),
            mean(&|p| p.motion),
            mean(&|p| p.scale),
        ]
    }
}

/// How the residual of the parts of a face that do not move by themselves depends on the picture's gradient: what
/// noise adds everywhere, and what imperfect registration and compression add at edges.
#[derive(Clone, Copy, Debug)]
struct Noise {
    base: f64,
    slope: f64,
    /// Mean squared residual over mean squared gradient.
    level: f64,
}

impl Noise {
    /// Least squares over the pixels outside `mask`.
    fn of(r: &Registration, mask: &[bool]) -> Option<Self> {
        let (mut n, mut sg, mut se, mut sgg, mut sge) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((e, g), _) in
            r.squared.iter().zip(&r.gradients).zip(mask).filter(|((_, g), m)| **g > 0.0 && !**m)
        {
            let (e, g) = (f64::from(*e), f64::from(*g));
            n += 1.0;
            sg += g;
            se += e;
            sgg += g * g;
            sge += g * e;
        }
        let determinant = n * sgg - sg * sg;
        if n < 200.0 || sg <= 0.0 || determinant <= 0.0 {
            return None;
        }
        let slope = ((n * sge - sg * se) / determinant).max(0.0);
        let base = ((se - slope * sg) / n).max(1e-3 * se / n).max(1e-9);
        Some(Self { base, slope, level: se / sg })
    }

    /// Sums over the chosen pixels: squared residual, and what is expected there.
    fn excess(&self, r: &Registration, chosen: impl Fn(usize) -> bool) -> (f64, f64) {
        let all = r.squared.iter().zip(&r.gradients).enumerate();
        all.filter(|(i, (_, g))| **g > 0.0 && chosen(*i)).fold((0.0, 0.0), |(a, b), (_, (e, g))| {
            (a + f64::from(*e), b + self.base + self.slope * f64::from(*g))
        })
    }

    /// The largest ratio of found to expected among blocks of 8 x 8 pixels.
    fn peak(&self, r: &Registration) -> f64 {
        const BLOCK: usize = 8;
        const ACROSS: usize = SIDE / BLOCK;
        let mut blocks = [(0.0f64, 0.0f64); ACROSS * ACROSS];
        for (i, (e, g)) in r.squared.iter().zip(&r.gradients).enumerate().filter(|(_, (_, g))| **g > 0.0) {
            if let Some(b) = blocks.get_mut(i / SIDE / BLOCK * ACROSS + i % SIDE / BLOCK) {
                b.0 += f64::from(*e);
                b.1 += self.base + self.slope * f64::from(*g);
            }
        }
        blocks.into_iter().filter(|b| b.1 > 0.0).map(|b| b.0 / b.1).fold(0.0, f64::max)
    }
}

/// Which patch pixels lie near lids, brows and lips.
fn moving_parts(patch: &Patch, mesh: &FaceMesh) -> Vec<bool> {
    let mut mask = vec![false; SIDE * SIDE];
    for index in EYE_REGION.into_iter().chain(LIPS) {
        let beyond = SIDE as f32 + 9.0;
        let [u, v] = patch.position(mesh.at(index)).map(|c| c.clamp(-9.0, beyond).round() as isize);
        for y in v - 2..=v + 2 {
            for x in u - 2..=u + 2 {
                if (0..SIDE as isize).contains(&x)
                    && let Some(slot) = mask.get_mut((y * SIDE as isize + x) as usize)
                {
                    *slot = true;
                }
            }
        }
    }
    mask
}

impl FaceSignal for Planarity {
    fn name(&self) -> &'static str {
        "planarity"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.history.back().is_some_and(|m| seen.pts <= m.pts || seconds(m.pts, seen.pts) > 1.0) {
            self.interrupt();
        }
        let landmarks = seen.mesh.points.iter().take(SURFACE).step_by(4);
        let spots: Vec<Point> = landmarks.map(|p| seen.patch.position([p[0], p[1]])).collect();
        if let Some(pair) = self.compare(seen, &spots) {
            self.pairs.push_back(pair);
        }
        self.history.push_back(Moment { pts: seen.pts, patch: seen.patch.clone(), spots });
        let oldest = LAGS[1] * (1.0 + LAG_TOLERANCE);
        trim(&mut self.history, MAX_HISTORY, |m| seconds(m.pts, seen.pts) > oldest);
        while self.pairs.front().is_some_and(|p| seconds(p.pts, seen.pts) > WINDOW) {
            self.pairs.pop_front();
        }
        let cover = seconds(self.pairs.front()?.pts, seen.pts) / WINDOW;
        if self.pairs.len() < 3 || cover < MIN_COVER {
            return None;
        }
        let features = self.features();
        let key = match seen.kind {
            MeshKind::V1 => "planarity-v1",
            MeshKind::V2 => "planarity-v2",
        };
        let llr = calibration.logistic(key).and_then(|c| c.llr(&features));
        let ratio = features[0].exp().sqrt();
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the whole face moves as one flat picture (eyes and mouth {ratio:.1} times the rest)")
        } else {
            format!("eyes and mouth move {ratio:.1} times as much as the rest of the face")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.history.clear();
        self.pairs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::face::align::Roi;
    use crate::analysis::face::mesh::Pose;
    use crate::analysis::face::patch::picture;
    use crate::analysis::face::quality::Quality;

    /// A mesh whose lids and lips lie about the bump of [`picture`], the rest all over the face.
    fn mesh(patch: &Patch) -> FaceMesh {
        let half = SIDE as f32 / 2.0;
        let mut points: Vec<[f32; 3]> = Vec::new();
        for i in 0..SURFACE {
            let a = i as f32 * 2.399_963;
            let r = ((i as f32 + 0.5) / SURFACE as f32).sqrt();
            let moving = EYE_REGION.contains(&i) || LIPS.contains(&i);
            let (cx, cy, size) = if moving { (5.0, 14.0, 6.0) } else { (0.0, 0.0, half - 8.0) };
            let [x, y] = patch.to_frame(half + cx + size * r * a.cos(), half + cy + size * r * a.sin());
            points.push([x, y, 0.0]);
        }
        FaceMesh { points, presence: 1.0 }
    }

    /// The features after `frames` frames at 12.5 a second, if there are any.
    fn run(frames: u64, gap_at: u64, shape: impl Fn(f32) -> (f32, f32)) -> Option<Vec<f64>> {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Planarity::default();
        let mut last = None;
        for i in 0..frames {
            let (shift, own) = shape(i as f32 * 0.08);
            let roi = Roi { cx: 100.0, cy: 100.0, size: 150.0, angle: 0.0 };
            let patch = Patch::from_pixels(&picture(0.0, shift, own), roi);
            let mesh = mesh(&patch);
            let gap = if i >= gap_at { 2_000_000_000 } else { 0 };
            last = signal.observe(
                &FaceObservation {
                    pts: i * 80_000_000 + gap,
                    mesh: &mesh,
                    kind: MeshKind::V2,
                    pose: Pose::default(),
                    quality: Quality::default(),
                    blendshapes: None,
                    patch: &patch,
                    skin: [[0.5; 3]; 3],
                },
                &calibration,
            );
        }
        last.map(|r| r.features)
    }

    #[test]
    fn parts_that_move_by_themselves_stand_out_of_a_face_that_moves_as_a_whole() {
        let sway = |t: f32| 1.5 * (2.0 * t).sin();
        let photo = run(40, 99, |t| (sway(t), 0.0)).unwrap();
        let alive = run(40, 99, |t| (sway(t), 3.0 * (5.0 * t).sin())).unwrap();
        for feature in ["ln-excess-long", "ln-excess-short"] {
            let at = FEATURES.iter().position(|f| *f == feature).unwrap();
            assert!(alive[at] > photo[at] + 1.0, "{feature}: {} {}", alive[at], photo[at]);
        }
    }

    #[test]
    fn it_speaks_only_of_an_unbroken_window() {
        let sway = |t: f32| ((2.0 * t).sin(), 0.0);
        assert!(run(5, 99, sway).is_none(), "nothing to compare with yet");
        assert!(run(30, 99, sway).is_some());
        assert!(run(30, 26, sway).is_none(), "a gap of two seconds");
    }
}
