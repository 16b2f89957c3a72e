//! The face as a small high-pass luma picture, and its registration to an earlier one under a homography.
//!
//! Registration is inverse-compositional Gauss-Newton (Baker & Matthews, "Lucas-Kanade 20 years on", IJCV 2004) with
//! the 8 parameters of a homography: what it leaves over is finer than any landmark, because some thousand pixels
//! vote on 8 numbers.

use crate::analysis::face::align::{Aligner, Roi};
use crate::analysis::pixels::geometry::PlaneMap;
use nalgebra::{SMatrix, SVector};

/// Side of a patch, pixels.
pub const SIDE: usize = 80;
/// The part of the aligned crop that a patch shows: the face without most of the background.
const FROM: f32 = 0.17;
const TO: f32 = 0.83;
/// Border that is not compared: the high-pass and the warp need neighbours.
const BORDER: usize = 5;
/// Half width of the box that is subtracted, pixels.
const HIGH_PASS: usize = 5;
const ITERATIONS: usize = 12;

/// A face in `SIDE` x `SIDE` pixels, local mean removed: light that changes slowly over the face is not seen.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    pixels: Vec<f32>,
    roi: Roi,
}

/// What a registration says.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Squared difference of the pictures after registration, `SIDE` x `SIDE`; 0 where not compared.
    pub squared: Vec<f32>,
    /// Squared gradient of the reference, `SIDE` x `SIDE`; 0 where not compared.
    pub gradients: Vec<f32>,
    /// Mean squared gradient of the reference over the compared part.
    pub gradient: f32,
    /// Root-mean-square motion of the patch in the frame, in patch pixels.
    pub motion: f32,
}

impl Patch {
    /// Cuts the patch out of the aligner's last crop.
    pub fn cut(aligner: &Aligner) -> Self {
        let side = aligner.kind().input_side();
        let mut luma = vec![0.0; SIDE * SIDE];
        if let Some(crop) = aligner.crop().as_slice() {
            let step = (TO - FROM) * side as f32 / SIDE as f32;
            // Each patch pixel is the mean of the crop pixels that it covers, two or so each way.
            for (v, row) in luma.chunks_exact_mut(SIDE).enumerate() {
                let (y0, y1) = span(v, step, side);
                for (u, out) in row.iter_mut().enumerate() {
                    let (x0, x1) = span(u, step, side);
                    let (mut sum, mut n) = (0.0, 0.0);
                    for y in y0..y1 {
                        for px in crop
                            .get((y * side + x0) * 3..(y * side + x1) * 3)
                            .unwrap_or_default()
                            .chunks_exact(3)
                        {
                            sum += 0.299 * px[0] + 0.587 * px[1] + 0.114 * px[2];
                            n += 1.0;
                        }
                    }
                    *out = sum / f32::max(n, 1.0);
                }
            }
        }
        Self { pixels: high_pass(&luma), roi: aligner.roi() }
    }

    /// `SIDE` x `SIDE` numbers, or none for a patch that was not cut.
    pub(crate) fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    #[cfg(test)]
    pub(crate) fn from_pixels(luma: &[f32], roi: Roi) -> Self {
        Self { pixels: high_pass(luma), roi }
    }

    /// Frame position to patch pixels.
    pub fn position(&self, p: [f32; 2]) -> [f32; 2] {
        self.roi.to_crop(p).map(|v| (v - FROM) / (TO - FROM) * SIDE as f32 - 0.5)
    }

    /// Patch pixels to frame position.
    pub(crate) fn to_frame(&self, u: f32, v: f32) -> [f32; 2] {
        let at = |k: f32| FROM + (k + 0.5) / SIDE as f32 * (TO - FROM);
        self.roi.to_frame(at(u), at(v))
    }

    /// Registers `earlier` to this patch. `guess` takes pixels of this patch (as [`Patch::position`] gives them) to
    /// those of the earlier one; without it the face has not moved in its crop. `None` when there is nothing to hold
    /// on to.
    pub fn register(&self, earlier: &Self, guess: Option<&PlaneMap>) -> Option<Registration> {
        if self.pixels.len() != SIDE * SIDE || earlier.pixels.len() != SIDE * SIDE {
            return None;
        }
        // Coordinates from -1 to 1 keep the 8 parameters of like size.
        let unit = SIDE as f32 / 2.0;
        let normal = |k: usize| (k as f32 + 0.5) / unit - 1.0;
        let inside = BORDER..SIDE - BORDER;
        let mut steepest = Vec::with_capacity(SIDE * SIDE);
        let mut hessian = SMatrix::<f32, 8, 8>::zeros();
        let mut gradient = 0.0;
        let mut gradients = vec![0.0; SIDE * SIDE];
        for v in inside.clone() {
            for u in inside.clone() {
                let at = |du: isize, dv: isize| {
                    let i = (v as isize + dv) * SIDE as isize + u as isize + du;
                    self.pixels.get(i as usize).copied().unwrap_or_default()
                };
                let gx = (at(1, 0) - at(-1, 0)) / 2.0;
                let gy = (at(0, 1) - at(0, -1)) / 2.0;
                gradient += gx * gx + gy * gy;
                if let Some(slot) = gradients.get_mut(v * SIDE + u) {
                    *slot = gx * gx + gy * gy;
                }
                let (gx, gy) = (gx * unit, gy * unit);
                let (x, y) = (normal(u), normal(v));
                let d = -(gx * x + gy * y);
                let row = SVector::from([gx * x, gx * y, gx, gy * x, gy * y, gy, d * x, d * y]);
                hessian += row * row.transpose();
                steepest.push(row);
            }
        }
        let count = steepest.len() as f32;
        gradient /= count;
        if gradient < 1e-7 {
            return None;
        }
        // A little damping: parameters that the picture does not determine stay where they are.
        for i in 0..8 {
            hessian[(i, i)] *= 1.0 + 1e-3;
        }
        let solver = hessian.cholesky()?;
        let mut h = guess.map_or_else(SMatrix::<f32, 3, 3>::identity, |g| normalised(g, unit));
        for round in 0..ITERATIONS {
            let mut b = SVector::<f32, 8>::zeros();
            let mut rows = steepest.iter();
            for v in inside.clone() {
                for (u, row) in inside.clone().zip(&mut rows) {
                    let e = earlier.sample(&h, normal(u), normal(v))? - self.at(u, v);
                    // A robust vote: what does not move with the rest must not drag it along.
                    let weight = 1.0 / (1.0 + e * e / (4.0 * gradient));
                    b += row * (e * weight);
                }
            }
            let p = solver.solve(&b);
            let step =
                SMatrix::<f32, 3, 3>::new(1.0 + p[0], p[1], p[2], p[3], 1.0 + p[4], p[5], p[6], p[7], 1.0);
            h *= step.try_inverse()?;
            h /= h[(2, 2)];
            if !h.iter().all(|v| v.is_finite() && v.abs() < 4.0) {
                return None;
            }
            if round > 2 && p.norm() < 2e-4 {
                break;
            }
        }
        let mut squared = vec![0.0; SIDE * SIDE];
        let (mut moved, mut n) = (0.0, 0.0);
        for v in inside.clone() {
            for u in inside.clone() {
                let e = earlier.sample(&h, normal(u), normal(v))? - self.at(u, v);
                if let Some(slot) = squared.get_mut(v * SIDE + u) {
                    *slot = e * e;
                }
                if u % 8 == 0 && v % 8 == 0 {
                    let [eu, ev] = warp(&h, normal(u), normal(v))?;
                    let then = earlier.to_frame((eu + 1.0) * unit - 0.5, (ev + 1.0) * unit - 0.5);
                    let now = self.to_frame(u as f32, v as f32);
                    moved += (then[0] - now[0]).powi(2) + (then[1] - now[1]).powi(2);
                    n += 1.0;
                }
            }
        }
        let pixel = self.roi.size * (TO - FROM) / SIDE as f32;
        Some(Registration {
            squared,
            gradients,
            gradient,
            motion: (moved / f32::max(n, 1.0)).sqrt() / pixel.max(1e-3),
        })
    }

    fn at(&self, u: usize, v: usize) -> f32 {
        self.pixels.get(v * SIDE + u).copied().unwrap_or_default()
    }

    /// Bilinear sample at the warped place of normalised coordinates; the border is repeated outwards.
    fn sample(&self, h: &SMatrix<f32, 3, 3>, x: f32, y: f32) -> Option<f32> {
        let [x, y] = warp(h, x, y)?;
        let unit = SIDE as f32 / 2.0;
        let limit = (SIDE - 1) as f32 - 1e-3;
        let (u, v) = (((x + 1.0) * unit - 0.5).clamp(0.0, limit), ((y + 1.0) * unit - 0.5).clamp(0.0, limit));
        let (u0, v0) = (u as usize, v as usize);
        let (du, dv) = (u - u0 as f32, v - v0 as f32);
        let i = v0 * SIDE + u0;
        let &[a, b] = self.pixels.get(i..i + 2)? else { return None };
        let &[c, d] = self.pixels.get(i + SIDE..i + SIDE + 2)? else { return None };
        let (top, bottom) = (a + (b - a) * du, c + (d - c) * du);
        Some(top + (bottom - top) * dv)
    }
}

/// A map between patch pixels as one between coordinates from -1 to 1.
fn normalised(map: &PlaneMap, unit: f32) -> SMatrix<f32, 3, 3> {
    let m = SMatrix::<f32, 3, 3>::from_row_iterator(map.matrix().into_iter().map(|v| v as f32));
    let c = unit - 0.5;
    let pixels = SMatrix::<f32, 3, 3>::new(unit, 0.0, c, 0.0, unit, c, 0.0, 0.0, 1.0);
    let back =
        SMatrix::<f32, 3, 3>::new(1.0 / unit, 0.0, -c / unit, 0.0, 1.0 / unit, -c / unit, 0.0, 0.0, 1.0);
    let h = back * m * pixels;
    h / h[(2, 2)]
}

fn warp(h: &SMatrix<f32, 3, 3>, x: f32, y: f32) -> Option<[f32; 2]> {
    let w = h[(2, 0)] * x + h[(2, 1)] * y + h[(2, 2)];
    (w > 0.2).then(|| {
        [(h[(0, 0)] * x + h[(0, 1)] * y + h[(0, 2)]) / w, (h[(1, 0)] * x + h[(1, 1)] * y + h[(1, 2)]) / w]
    })
}

/// Crop pixels under patch pixel `k`.
fn span(k: usize, step: f32, side: usize) -> (usize, usize) {
    let from = (FROM * side as f32 + k as f32 * step).round() as usize;
    let to = (FROM * side as f32 + (k + 1) as f32 * step).round() as usize;
    (from, to.max(from + 1).min(side))
}

/// Subtracts the mean of a box of `2 * HIGH_PASS + 1` pixels (fewer at the border), by running sums.
fn high_pass(luma: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0f32; (SIDE + 1) * (SIDE + 1)];
    let at = |x: usize, y: usize| y * (SIDE + 1) + x;
    for y in 0..SIDE {
        let mut row = 0.0;
        for x in 0..SIDE {
            row += luma.get(y * SIDE + x).copied().unwrap_or_default();
            sums[at(x + 1, y + 1)] = sums[at(x + 1, y)] + row;
        }
    }
    let mut out = Vec::with_capacity(SIDE * SIDE);
    for y in 0..SIDE {
        let (y0, y1) = (y.saturating_sub(HIGH_PASS), (y + HIGH_PASS + 1).min(SIDE));
        for x in 0..SIDE {
            let (x0, x1) = (x.saturating_sub(HIGH_PASS), (x + HIGH_PASS + 1).min(SIDE));
            let sum = sums[at(x1, y1)] - sums[at(x0, y1)] - sums[at(x1, y0)] + sums[at(x0, y0)];
            let mean = sum / ((x1 - x0) * (y1 - y0)) as f32;
            out.push(luma.get(y * SIDE + x).copied().unwrap_or_default() - mean);
        }
    }
    out
}

/// A smooth textured picture, moved by a small homography, with a bump that moves by itself.
#[cfg(test)]
pub(crate) fn picture(tilt: f32, shift: f32, own: f32) -> Vec<f32> {
    (0..SIDE * SIDE)
        .map(|i| {
            let half = SIDE as f32 / 2.0;
            let (x, y) = ((i % SIDE) as f32 - half, (i / SIDE) as f32 - half);
            let w = 1.0 + tilt * x;
            let (x, y) = ((x + shift) / w, y / w);
            let wave = (0.5 * x).sin() + (0.43 * y + 1.0).cos() + (0.31 * (x + y)).sin();
            let bump = (-((x - 5.0).powi(2) + (y - 14.0 - own).powi(2)) / 14.0).exp();
            0.5 + 0.08 * wave + 0.3 * bump
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn energy(a: &[f32], b: &[f32]) -> (f32, f32) {
        let roi = Roi { cx: 100.0, cy: 100.0, size: 150.0, angle: 0.0 };
        let r = Patch::from_pixels(a, roi).register(&Patch::from_pixels(b, roi), None).unwrap();
        (r.squared.iter().sum::<f32>() / r.squared.len() as f32 / r.gradient, r.motion)
    }

    #[test]
    fn a_planar_motion_is_undone_and_another_is_not() {
        let still = picture(0.0, 0.0, 0.0);
        let (planar, moved) = energy(&still, &picture(0.0008, 1.7, 0.0));
        let (alive, _) = energy(&still, &picture(0.0008, 1.7, 3.0));
        assert!(planar < 0.01, "{planar}");
        assert!(alive > 5.0 * planar, "{alive} {planar}");
        assert!((1.2..2.4).contains(&moved), "{moved}");
    }

    #[test]
    fn a_guess_bridges_a_motion_that_is_too_large_to_climb() {
        use crate::analysis::pixels::geometry::{Model, fit};
        let roi = Roi { cx: 100.0, cy: 100.0, size: 150.0, angle: 0.0 };
        let (a, b) = (picture(0.0, 0.0, 0.0), picture(0.0, 9.0, 0.0));
        let (a, b) = (Patch::from_pixels(&a, roi), Patch::from_pixels(&b, roi));
        let corners = [[10.0, 10.0], [60.0, 10.0], [10.0, 60.0], [60.0, 60.0], [33.0, 20.0]];
        let shifted = corners.map(|c: [f32; 2]| [c[0] - 9.3, c[1] + 0.2]);
        let guess = fit(Model::Homography, &corners, &shifted).unwrap();
        let r = a.register(&b, Some(&guess)).unwrap();
        // The part that has left the patch is its repeated border, so look at the middle.
        let middle = r.squared[30 * SIDE + 20..30 * SIDE + 60].iter().sum::<f32>() / 40.0 / r.gradient;
        assert!(middle < 0.02, "{middle}");
    }

    #[test]
    fn a_flat_picture_gives_nothing_to_hold_on_to() {
        let roi = Roi { cx: 0.0, cy: 0.0, size: 100.0, angle: 0.0 };
        let flat = Patch::from_pixels(&vec![0.4; SIDE * SIDE], roi);
        assert!(flat.register(&flat, None).is_none());
        assert!(Patch::default().register(&flat, None).is_none());
    }
}
