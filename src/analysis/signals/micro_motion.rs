//! Facial micro-motion: what is left of the mesh's motion after the best planar fit.
//!
//! A photo or a screen moves by a homography; a live face also speaks, blinks, and turns in depth. Methods: planar
//! homography against face points, De Marsico et al., "Moving face spoofing detection via 3D projective
//! invariants", ICB 2012; non-rigid motion as liveness cue, Pan et al. and Kollreider et al., "Non-intrusive
//! liveness detection by face images", IVC 2009. Ours: residuals by face part and by time lag on a dense mesh, because
//! landmark jitter is the same at every lag, and motion is not.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds};
use crate::analysis::face::mesh::{EYE_REGION, FaceMesh, LIPS, SURFACE};
use crate::analysis::face::models::MeshKind;
use crate::analysis::pixels::geometry::{Model, Point, fit, residuals};
use std::collections::VecDeque;

/// Seconds over which residuals are averaged.
pub const WINDOW: f64 = 1.5;
/// Short and long lag between the two frames that are compared, seconds.
const LAGS: [f64; 2] = [0.2, 0.6];
/// How far from the wanted lag a frame may be, as a share of it.
const LAG_TOLERANCE: f64 = 0.55;
/// Most meshes kept (one second at 60 a second).
const MAX_HISTORY: usize = 64;
/// Least share of the window that must be covered.
const MIN_COVER: f64 = 0.6;

/// Root-mean-square residuals and displacement of one pair of frames, in interocular distances.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    pts: u64,
    all: [f64; 2],
    mouth: [f64; 2],
    eyes: [f64; 2],
    displacement: f64,
    scale: f64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct MicroMotion {
    history: VecDeque<(u64, Vec<Point>)>,
    spare: Vec<Vec<Point>>,
    pairs: VecDeque<Pair>,
}

/// Names of the features, in order.
pub const FEATURES: [&str; 9] = [
    "ln-all-long",
    "ln-mouth-long",
    "ln-eyes-long",
    "ln-all-short",
    "ln-mouth-short-max",
    "ln-eyes-short-max",
    "ln-displacement",
    "ln-interocular-px",
    "ln-planarity",
];

impl MicroMotion {
    fn nearest(&self, pts: u64, lag: f64) -> Option<&(u64, Vec<Point>)> {
        let off = |p: u64| (seconds(p, pts) - lag).abs();
        let best = self.history.iter().min_by(|a, b| off(a.0).total_cmp(&off(b.0)))?;
        (off(best.0) <= LAG_TOLERANCE * lag).then_some(best)
    }

    fn compare(&self, pts: u64, mesh: &FaceMesh) -> Option<Pair> {
        let now: Vec<Point> = mesh.points.iter().take(SURFACE).map(|p| [p[0], p[1]]).collect();
        let scale = f64::from(mesh.interocular());
        let mut pair = Pair { pts, scale, ..Pair::default() };
        for (slot, lag) in LAGS.into_iter().enumerate() {
            let (_, then) = self.nearest(pts, lag)?;
            let map = fit(Model::Homography, then, &now)?;
            let squared: Vec<f32> = residuals(&map, then, &now).collect();
            let rms = |group: &mut dyn Iterator<Item = usize>| {
                let (sum, n) = group
                    .filter_map(|i| squared.get(i))
                    .fold((0.0, 0.0), |(s, n), v| (s + f64::from(*v), n + 1.0));
                (sum / f64::max(n, 1.0)).sqrt() / scale
            };
            pair.all[slot] = rms(&mut (0..SURFACE));
            pair.mouth[slot] = rms(&mut LIPS.into_iter());
            pair.eyes[slot] = rms(&mut EYE_REGION.into_iter());
            let moved: f64 = then
                .iter()
                .zip(&now)
                .map(|(a, b)| f64::from((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)))
                .sum();
            // The long lag comes last, and its displacement stays.
            pair.displacement = (moved / now.len().max(1) as f64).sqrt() / scale;
        }
        let finite = pair.all.iter().chain(&pair.mouth).chain(&pair.eyes).all(|v| v.is_finite());
        finite.then_some(pair)
    }

    fn features(&self) -> Vec<f64> {
        let n = self.pairs.len().max(1) as f64;
        let mean = |get: fn(&Pair) -> f64| self.pairs.iter().map(|p| ln(get(p))).sum::<f64>() / n;
        let max = |get: fn(&Pair) -> f64| ln(self.pairs.iter().map(get).fold(0.0, f64::max));
        let (all, displacement) = (mean(|p| p.all[1]), mean(|p| p.displacement));
        vec![
            all,
            mean(|p| p.mouth[1]),
            mean(|p| p.eyes[1]),
            mean(|p| p.all[0]),
            max(|p| p.mouth[0]),
            max(|p| p.eyes[0]),
            displacement,
            mean(|p| p.scale),
            all - displacement,
        ]
    }

    fn remember(&mut self, pts: u64, mesh: &FaceMesh) {
        let mut points = self.spare.pop().unwrap_or_default();
        points.clear();
        points.extend(mesh.points.iter().take(SURFACE).map(|p| [p[0], p[1]]));
        self.history.push_back((pts, points));
        let oldest = LAGS[1] * (1.0 + LAG_TOLERANCE);
        while self.history.len() > MAX_HISTORY
            || self.history.front().is_some_and(|(p, _)| seconds(*p, pts) > oldest)
        {
            self.spare.extend(self.history.pop_front().map(|(_, v)| v));
        }
    }
}

impl FaceSignal for MicroMotion {
    fn name(&self) -> &'static str {
        "micro-motion"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.history.back().is_some_and(|(last, _)| seen.pts <= *last || seconds(*last, seen.pts) > 1.0) {
            self.interrupt();
        }
        if let Some(pair) = self.compare(seen.pts, seen.mesh) {
            self.pairs.push_back(pair);
        }
        self.remember(seen.pts, seen.mesh);
        while self.pairs.front().is_some_and(|p| seconds(p.pts, seen.pts) > WINDOW) {
            self.pairs.pop_front();
        }
        let cover = seconds(self.pairs.front()?.pts, seen.pts) / WINDOW;
        if self.pairs.len() < 3 || cover < MIN_COVER {
            return None;
        }
        let features = self.features();
        let key = match seen.kind {
            MeshKind::V1 => "micro-motion-v1",
            MeshKind::V2 => "micro-motion-v2",
        };
        let llr = calibration.logistic(key).and_then(|c| c.llr(&features));
        let percent = 100.0 * features[0].exp();
        let moved = 100.0 * features[6].exp();
        let reason = match llr {
            Some(l) if l > 0.0 => {
                format!("moves like a flat picture: {percent:.1} % non-planar of {moved:.0} % motion")
            }
            _ => format!("face moves of its own: {percent:.1} % non-planar of {moved:.0} % motion"),
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.spare.extend(self.history.drain(..).map(|(_, v)| v));
        self.pairs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::face::mesh::Pose;
    use crate::analysis::face::quality::Quality;

    /// A face of 468 points on a bulging ellipse, 100 px wide.
    fn mesh_at(points: impl Fn(f32, f32, f32) -> [f32; 3]) -> FaceMesh {
        let points = (0..SURFACE)
            .map(|i| {
                let a = i as f32 * 2.399_963;
                let r = ((i as f32 + 0.5) / SURFACE as f32).sqrt();
                let (x, y) = (50.0 * r * a.cos(), 65.0 * r * a.sin());
                points(x, y, -40.0 * (1.0 - r * r))
            })
            .collect();
        FaceMesh { points, presence: 1.0 }
    }

    fn run(shape: impl Fn(f32) -> FaceMesh) -> Vec<f64> {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = MicroMotion::default();
        let mut last = None;
        for i in 0..40u64 {
            let mesh = shape(i as f32 * 0.08);
            let seen = FaceObservation {
                pts: i * 80_000_000,
                mesh: &mesh,
                kind: MeshKind::V2,
                pose: Pose::default(),
                quality: Quality::default(),
                blendshapes: None,
                patch: &crate::analysis::face::patch::Patch::default(),
                skin: [[0.5; 3]; 3],
            };
            last = signal.observe(&seen, &calibration).or(last);
        }
        last.unwrap().features
    }

    #[test]
    fn a_turning_head_is_not_flat_and_a_turning_photo_is() {
        let yaw = |t: f32| 0.3 * (2.0 * t).sin();
        let photo = run(|t| {
            mesh_at(|x, y, _| {
                let w = 1.0 + x * yaw(t).sin() / 600.0;
                [(x * yaw(t).cos()) / w + 200.0, y / w + 200.0, 0.0]
            })
        });
        let head = run(|t| mesh_at(|x, y, z| [x * yaw(t).cos() + z * yaw(t).sin() + 200.0, y + 200.0, 0.0]));
        assert!(head[0] > photo[0] + 2.0, "{} {}", head[0], photo[0]);
        assert!(head[6] > -5.0 && photo[6] > -5.0, "both move: {} {}", head[6], photo[6]);
    }

    #[test]
    fn a_gap_starts_afresh() {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = MicroMotion::default();
        let mesh = mesh_at(|x, y, _| [x, y, 0.0]);
        let mut readings = 0;
        for pts in (0..30u64).map(|i| i * 80_000_000).chain((0..5).map(|i| 10_000_000_000 + i * 80_000_000)) {
            let seen = FaceObservation {
                pts,
                mesh: &mesh,
                kind: MeshKind::V1,
                pose: Pose::default(),
                quality: Quality::default(),
                blendshapes: None,
                patch: &crate::analysis::face::patch::Patch::default(),
                skin: [[0.5; 3]; 3],
            };
            let got = signal.observe(&seen, &calibration);
            readings += usize::from(got.is_some());
            assert!(pts < 10_000_000_000 || got.is_none());
        }
        assert!(readings > 5);
    }
}
