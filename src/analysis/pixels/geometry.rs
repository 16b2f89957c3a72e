//! Plane geometry by least squares: similarity, affine and homography between two sets of matched points.
//!
//! A flat picture moving in front of a camera moves by a homography (Hartley & Zisserman, "Multiple View
//! Geometry", 2nd ed., section 2.4); what a homography leaves over is motion that a flat thing cannot make.

use nalgebra::{Cholesky, Const, SMatrix, SVector};

/// A point, any unit.
pub type Point = [f32; 2];

/// Which family of plane maps to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Rotation, uniform scale, translation (4 parameters).
    Similarity,
    /// Any linear map and translation (6).
    Affine,
    /// Any projective map of the plane (8).
    Homography,
}

/// A plane map as a 3x3 matrix, row by row, acting on coordinates relative to `origin` and divided by `unit`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaneMap {
    h: [f64; 9],
    from: ([f64; 2], f64),
    to: ([f64; 2], f64),
}

impl PlaneMap {
    /// The 3x3 matrix, row by row, that acts on plain coordinates; scaled to a last element of 1 where it has one.
    pub fn matrix(&self) -> [f64; 9] {
        let into = |(o, s): ([f64; 2], f64)| {
            SMatrix::<f64, 3, 3>::new(1.0 / s, 0.0, -o[0] / s, 0.0, 1.0 / s, -o[1] / s, 0.0, 0.0, 1.0)
        };
        let ((o, s), h) = (self.to, SMatrix::<f64, 3, 3>::from_row_slice(&self.h));
        let out = SMatrix::<f64, 3, 3>::new(s, 0.0, o[0], 0.0, s, o[1], 0.0, 0.0, 1.0);
        let m = out * h * into(self.from);
        let scale = if m[(2, 2)].abs() > 1e-9 { m[(2, 2)] } else { 1.0 };
        let mut rows = [0.0; 9];
        for (i, slot) in rows.iter_mut().enumerate() {
            *slot = m[(i / 3, i % 3)] / scale;
        }
        rows
    }

    /// Where `p` goes; `None` for points at infinity.
    pub fn apply(&self, p: Point) -> Option<Point> {
        let x = (f64::from(p[0]) - self.from.0[0]) / self.from.1;
        let y = (f64::from(p[1]) - self.from.0[1]) / self.from.1;
        let h = &self.h;
        let w = h[6] * x + h[7] * y + h[8];
        if w.abs() < 1e-9 {
            return None;
        }
        let u = (h[0] * x + h[1] * y + h[2]) / w;
        let v = (h[3] * x + h[4] * y + h[5]) / w;
        Some([(u * self.to.1 + self.to.0[0]) as f32, (v * self.to.1 + self.to.0[1]) as f32])
    }
}

/// Least-squares map of that family taking `from` to `to`; `None` with fewer points than the family needs,
/// with degenerate points (all on one line) or with numbers that are not finite.
///
/// The homography minimises the algebraic error in normalised coordinates (Hartley 1997), which for the small
/// motions between video frames differs from the geometric error by far less than the landmarks' own noise.
pub fn fit(model: Model, from: &[Point], to: &[Point]) -> Option<PlaneMap> {
    let n = from.len().min(to.len());
    if n < 4 {
        return None;
    }
    let (from, to) = (&from[..n], &to[..n]);
    let (fo, to_norm) = (normaliser(from)?, normaliser(to)?);
    let pairs = from.iter().zip(to).map(|(a, b)| (norm(*a, fo), norm(*b, to_norm)));
    let h = match model {
        Model::Similarity => {
            let mut ata = SMatrix::<f64, 4, 4>::zeros();
            let mut atb = SVector::<f64, 4>::zeros();
            for ((x, y), (u, v)) in pairs {
                accumulate(&mut ata, &mut atb, [x, -y, 1.0, 0.0], u);
                accumulate(&mut ata, &mut atb, [y, x, 0.0, 1.0], v);
            }
            let s = solver(ata)?.solve(&atb);
            [s[0], -s[1], s[2], s[1], s[0], s[3], 0.0, 0.0, 1.0]
        }
        Model::Affine => {
            let mut ata = SMatrix::<f64, 3, 3>::zeros();
            let (mut bu, mut bv) = (SVector::<f64, 3>::zeros(), SVector::<f64, 3>::zeros());
            for ((x, y), (u, v)) in pairs {
                let row = SVector::from([x, y, 1.0]);
                ata += row * row.transpose();
                bu += row * u;
                bv += row * v;
            }
            let c = solver(ata)?;
            let (a, b) = (c.solve(&bu), c.solve(&bv));
            [a[0], a[1], a[2], b[0], b[1], b[2], 0.0, 0.0, 1.0]
        }
        Model::Homography => {
            let mut ata = SMatrix::<f64, 8, 8>::zeros();
            let mut atb = SVector::<f64, 8>::zeros();
            for ((x, y), (u, v)) in pairs {
                accumulate(&mut ata, &mut atb, [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], u);
                accumulate(&mut ata, &mut atb, [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y], v);
            }
            let s = solver(ata)?.solve(&atb);
            [s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], 1.0]
        }
    };
    h.iter().all(|v| v.is_finite()).then_some(PlaneMap { h, from: fo, to: to_norm })
}

/// Squared distance between where the map takes `from` and `to`, for each pair.
pub fn residuals<'a>(
    map: &'a PlaneMap,
    from: &'a [Point],
    to: &'a [Point],
) -> impl Iterator<Item = f32> + 'a {
    from.iter()
        .zip(to)
        .map(|(a, b)| map.apply(*a).map_or(f32::INFINITY, |p| (p[0] - b[0]).powi(2) + (p[1] - b[1]).powi(2)))
}

/// Factorises the normal equations; `None` when the points do not determine the map.
fn solver<const N: usize>(ata: SMatrix<f64, N, N>) -> Option<Cholesky<f64, Const<N>>> {
    let scale = ata.diagonal().max();
    let factor = ata.cholesky()?;
    // In normalised coordinates a healthy pivot is of the order of the largest diagonal element.
    let pivot = factor.l_dirty().diagonal().min();
    (pivot * pivot > 1e-9 * scale).then_some(factor)
}

fn accumulate<const N: usize>(
    ata: &mut SMatrix<f64, N, N>,
    atb: &mut SVector<f64, N>,
    row: [f64; N],
    b: f64,
) {
    let row = SVector::from(row);
    *ata += row * row.transpose();
    *atb += row * b;
}

fn norm(p: Point, (o, s): ([f64; 2], f64)) -> (f64, f64) {
    ((f64::from(p[0]) - o[0]) / s, (f64::from(p[1]) - o[1]) / s)
}

/// Centroid and root-mean-square distance from it.
fn normaliser(points: &[Point]) -> Option<([f64; 2], f64)> {
    let n = points.len() as f64;
    let (sx, sy) = points.iter().fold((0.0, 0.0), |s, p| (s.0 + f64::from(p[0]), s.1 + f64::from(p[1])));
    let c = [sx / n, sy / n];
    let spread = points.iter().map(|p| (f64::from(p[0]) - c[0]).powi(2) + (f64::from(p[1]) - c[1]).powi(2));
    let s = (spread.sum::<f64>() / n).sqrt();
    (s.is_finite() && s > 1e-9).then_some((c, s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid() -> Vec<Point> {
        (0..25).map(|i| [100.0 + 10.0 * (i % 5) as f32, 200.0 + 12.0 * (i / 5) as f32]).collect()
    }

    proptest! {
        #[test]
        fn a_planar_motion_leaves_nothing_over(
            a in -0.3f32..0.3, s in 0.7f32..1.4, tx in -50f32..50.0, ty in -50f32..50.0,
            px in -5e-4f32..5e-4, py in -5e-4f32..5e-4,
        ) {
            let from = grid();
            let to: Vec<Point> = from.iter().map(|p| {
                let w = 1.0 + px * (p[0] - 120.0) + py * (p[1] - 220.0);
                [(s * (a.cos() * p[0] - a.sin() * p[1]) + tx) / w, (s * (a.sin() * p[0] + a.cos() * p[1]) + ty) / w]
            }).collect();
            let map = fit(Model::Homography, &from, &to).unwrap();
            let worst = residuals(&map, &from, &to).fold(0.0f32, f32::max).sqrt();
            prop_assert!(worst < 0.02, "{worst}");
            let m = map.matrix();
            let p = from[7].map(f64::from);
            let w = m[6] * p[0] + m[7] * p[1] + m[8];
            let q = map.apply(from[7]).unwrap();
            prop_assert!(((m[0] * p[0] + m[1] * p[1] + m[2]) / w - f64::from(q[0])).abs() < 1e-2);
        }
    }

    #[test]
    fn richer_families_fit_better() {
        let from = grid();
        let to: Vec<Point> =
            from.iter().map(|p| [p[0] + 0.002 * p[0] * p[1], 1.1 * p[1] + 0.2 * p[0]]).collect();
        let rms = |m| {
            let map = fit(m, &from, &to).unwrap();
            residuals(&map, &from, &to).sum::<f32>()
        };
        let (s, a, h) = (rms(Model::Similarity), rms(Model::Affine), rms(Model::Homography));
        assert!(s > a && a > h, "{s} {a} {h}");
    }

    #[test]
    fn degenerate_points_have_no_map() {
        assert!(fit(Model::Homography, &[[1.0, 1.0]; 9], &[[2.0, 1.0]; 9]).is_none());
        let line: Vec<Point> = (0..9).map(|i| [i as f32, 2.0 * i as f32]).collect();
        assert!(fit(Model::Affine, &line, &line).is_none());
        assert!(fit(Model::Affine, &[[f32::NAN, 0.0]; 9], &grid()).is_none());
        assert!(fit(Model::Affine, &[], &[]).is_none());
    }
}
