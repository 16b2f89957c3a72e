//! Planarity: the picture of the face itself, registered to itself half a second ago under a homography.
//!
//! Where the thing before the camera is flat and still, everything goes away but noise; a live face leaves mouth, lids,
//! and, when the head turns, nose and cheeks. The residual of the parts that move (eyes, mouth) is set against the
//! rest of the same face, so that noise, blur and compression, which they share, cancel. In the spirit of Kollreider,
//! Fronthaler & Bigun, "Non-intrusive liveness detection by face images", IVC 2009, and of Anjos, Chakka & Marcel,
//! "Motion-based counter-measures to photo attacks in face recognition", IET Biometrics 2014.

use super::{FaceObservation, FaceSignal, Family, Reading, ln, seconds};
use crate::analysis::calibration::Calibration;
use crate::analysis::mesh::{EYE_REGION, FaceMesh, LIPS};
use crate::analysis::models::MeshKind;
use crate::analysis::patch::{Patch, Registration, SIDE};
use std::collections::VecDeque;

/// Seconds over which residuals are averaged.
pub const WINDOW: f64 = 1.5;
/// Short and long lag, seconds.
const LAGS: [f64; 2] = [0.2, 0.6];
const LAG_TOLERANCE: f64 = 0.55;
const MAX_HISTORY: usize = 40;
const MIN_COVER: f64 = 0.6;
/// Names of the features, in order.
pub const FEATURES: [&str; 9] = [
    "ln-moving-long",
    "ln-rest-long",
    "ln-contrast-long",
    "ln-contrast-long-max",
    "ln-moving-short",
    "ln-contrast-short-max",
    "ln-peak-long",
    "ln-motion",
    "ln-interocular-px",
];

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    pts: u64,
    /// Residual over gradient (a displacement, in patch pixels) of eyes and mouth, and of the rest, by lag.
    moving: [f64; 2],
    rest: [f64; 2],
    /// The largest residual of an eighth of the patch, long lag.
    peak: f64,
    motion: f64,
    scale: f64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Planarity {
    history: VecDeque<(u64, Patch)>,
    pairs: VecDeque<Pair>,
}

impl Planarity {
    fn nearest(&self, pts: u64, lag: f64) -> Option<&Patch> {
        let off = |p: u64| (seconds(p, pts) - lag).abs();
        let best = self.history.iter().min_by(|a, b| off(a.0).total_cmp(&off(b.0)))?;
        (off(best.0) <= LAG_TOLERANCE * lag).then_some(&best.1)
    }

    fn compare(&self, seen: &FaceObservation<'_>) -> Option<Pair> {
        let mask = moving_parts(seen.patch, seen.mesh);
        let mut pair = Pair { pts: seen.pts, scale: f64::from(seen.mesh.interocular()), ..Pair::default() };
        for (slot, lag) in LAGS.into_iter().enumerate() {
            let r = seen.patch.register(self.nearest(seen.pts, lag)?)?;
            let (moving, rest) = split(&r, &mask);
            pair.moving[slot] = moving;
            pair.rest[slot] = rest;
            pair.motion = f64::from(r.motion);
            pair.peak = peak(&r);
        }
        Some(pair)
    }

    fn features(&self) -> Vec<f64> {
        let n = self.pairs.len().max(1) as f64;
        let mean = |get: &dyn Fn(&Pair) -> f64| self.pairs.iter().map(|p| ln(get(p))).sum::<f64>() / n;
        let max = |get: &dyn Fn(&Pair) -> f64| ln(self.pairs.iter().map(get).fold(0.0, f64::max));
        let contrast = |lag: usize| move |p: &Pair| p.moving[lag] / p.rest[lag].max(1e-4);
        vec![
            mean(&|p| p.moving[1]),
            mean(&|p| p.rest[1]),
            mean(&contrast(1)),
            max(&contrast(1)),
            mean(&|p| p.moving[0]),
            max(&contrast(0)),
            mean(&|p| p.peak),
            mean(&|p| p.motion),
            mean(&|p| p.scale),
        ]
    }
}

/// Which patch pixels lie near lids, brows and lips.
fn moving_parts(patch: &Patch, mesh: &FaceMesh) -> Vec<bool> {
    let mut mask = vec![false; SIDE * SIDE];
    for index in EYE_REGION.into_iter().chain(LIPS) {
        let [u, v] = patch.position(mesh.at(index)).map(|c| c.round() as isize);
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

/// Residual displacement of the masked pixels and of the others.
fn split(r: &Registration, mask: &[bool]) -> (f64, f64) {
    let (mut moving, mut rest) = ((0.0, 0.0), (0.0, 0.0));
    for (e, m) in r.squared.iter().zip(mask).filter(|(e, _)| **e > 0.0) {
        let slot = if *m { &mut moving } else { &mut rest };
        slot.0 += f64::from(*e);
        slot.1 += 1.0;
    }
    let level = |(sum, n): (f64, f64)| (sum / f64::max(n, 1.0) / f64::from(r.gradient)).sqrt();
    (level(moving), level(rest))
}

/// The largest residual displacement among blocks of 9 x 9 pixels.
fn peak(r: &Registration) -> f64 {
    const BLOCK: usize = 9;
    let mut blocks = [0.0f64; (SIDE / BLOCK) * (SIDE / BLOCK)];
    for (i, e) in r.squared.iter().enumerate() {
        let (x, y) = (i % SIDE / BLOCK, i / SIDE / BLOCK);
        if let Some(b) = blocks.get_mut(y * (SIDE / BLOCK) + x) {
            *b += f64::from(*e);
        }
    }
    let most = blocks.into_iter().fold(0.0, f64::max) / (BLOCK * BLOCK) as f64;
    (most / f64::from(r.gradient)).sqrt()
}

impl FaceSignal for Planarity {
    fn name(&self) -> &'static str {
        "planarity"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.history.back().is_some_and(|(last, _)| seen.pts <= *last || seconds(*last, seen.pts) > 1.0) {
            self.interrupt();
        }
        if let Some(pair) = self.compare(seen) {
            self.pairs.push_back(pair);
        }
        self.history.push_back((seen.pts, seen.patch.clone()));
        while self.history.len() > MAX_HISTORY
            || self
                .history
                .front()
                .is_some_and(|(p, _)| seconds(*p, seen.pts) > LAGS[1] * (1.0 + LAG_TOLERANCE))
        {
            self.history.pop_front();
        }
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
        let ratio = features[2].exp();
        Some(Reading {
            rate: llr.unwrap_or_default() / WINDOW,
            impulse: 0.0,
            llr: llr.unwrap_or_default(),
            quality: if llr.is_some() { f64::from(seen.quality.overall()) } else { 0.0 },
            reason: if llr.is_some_and(|l| l > 0.0) {
                format!("the whole face moves as one flat picture (eyes and mouth {ratio:.1} times the rest)")
            } else {
                format!("eyes and mouth move {ratio:.1} times as much as the rest of the face")
            },
            features,
        })
    }

    fn interrupt(&mut self) {
        self.history.clear();
        self.pairs.clear();
    }
}
