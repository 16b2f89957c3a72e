//! Parts of a face as polygons of its mesh, and how a mesh is moved.

use super::tile::Tile;
use super::triangles::{fill, hull};
use crate::analysis::face::mesh::{EYE_REGION, FaceMesh, LIPS, OVAL, SURFACE};
use serde::{Deserialize, Serialize};

/// What of the face is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    #[default]
    Face,
    /// Brows to upper lip to chin, without forehead and cheeks' edge.
    Inner,
    Eyes,
    Mouth,
}

/// Nose, mouth and eyes with some of the cheeks.
const INNER: [usize; 18] =
    [70, 105, 107, 9, 336, 334, 300, 356, 361, 397, 378, 152, 149, 172, 132, 127, 54, 284];
/// Mouth with the chin and some of the cheeks: what talking moves.
const JAW: [usize; 14] = [2, 326, 423, 425, 411, 416, 394, 377, 148, 169, 192, 187, 205, 203];
/// Nose, for the sparse set of points.
const NOSE: [usize; 9] = [168, 6, 197, 195, 5, 4, 1, 98, 327];

pub fn flat(mesh: &FaceMesh, indices: &[usize]) -> Vec<[f32; 2]> {
    indices.iter().map(|i| mesh.at(*i)).collect()
}

impl Part {
    /// Where it lies, with hard edges.
    pub fn mask(self, tile: &Tile, mesh: &FaceMesh) -> Vec<f32> {
        match self {
            Self::Face => fill(tile, &hull(&flat(mesh, &OVAL), 0.0)),
            Self::Inner => fill(tile, &hull(&flat(mesh, &INNER), -0.08)),
            Self::Mouth => fill(tile, &hull(&flat(mesh, &JAW), -0.05)),
            Self::Eyes => {
                let (right, left): (Vec<usize>, Vec<usize>) = eyes();
                let mut mask = fill(tile, &hull(&flat(mesh, &right), 0.05));
                let other = fill(tile, &hull(&flat(mesh, &left), 0.05));
                mask.iter_mut().zip(other).for_each(|(m, o)| *m = m.max(o));
                mask
            }
        }
    }
}

/// Lids and brows of the right and of the left eye.
pub fn eyes() -> (Vec<usize>, Vec<usize>) {
    EYE_REGION.iter().partition(|i| **i < 248)
}

/// The points that a landmark detector of few points would give.
pub fn sparse() -> Vec<usize> {
    let mut all: Vec<usize> = OVAL
        .iter()
        .step_by(2)
        .chain(EYE_REGION.iter())
        .chain(LIPS.iter().step_by(2))
        .chain(&NOSE)
        .copied()
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The points of the surface.
pub fn surface(mesh: &FaceMesh) -> Vec<[f32; 3]> {
    mesh.points.iter().take(SURFACE).copied().collect()
}

/// The affine map (least squares) that brings `from` onto `to`, applied to `from`: a flat thing held there.
pub fn affine(from: &[[f32; 3]], to: &[[f32; 3]]) -> Vec<[f32; 3]> {
    use nalgebra::{Matrix3, Vector3};
    let mut normal = Matrix3::<f64>::zeros();
    let (mut bx, mut by) = (Vector3::<f64>::zeros(), Vector3::<f64>::zeros());
    for (f, t) in from.iter().zip(to) {
        let v = Vector3::new(f64::from(f[0]), f64::from(f[1]), 1.0);
        normal += v * v.transpose();
        bx += v * f64::from(t[0]);
        by += v * f64::from(t[1]);
    }
    let Some(inverse) = normal.try_inverse() else { return to.to_vec() };
    let (x, y) = (inverse * bx, inverse * by);
    from.iter()
        .map(|f| {
            let v = Vector3::new(f64::from(f[0]), f64::from(f[1]), 1.0);
            [x.dot(&v) as f32, y.dot(&v) as f32, f[2]]
        })
        .collect()
}

/// The outline of a face, grown: for masks around it.
pub(crate) fn outline(mesh: &FaceMesh, grow: f32) -> Vec<[f32; 2]> {
    hull(&flat(mesh, &OVAL), grow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affine_move_is_found() {
        let from: Vec<[f32; 3]> = (0..20).map(|i| [(i * 7 % 50) as f32, (i * 13 % 40) as f32, 0.0]).collect();
        let to: Vec<[f32; 3]> = from
            .iter()
            .map(|p| [1.2 * p[0] - 0.1 * p[1] + 4.0, 0.2 * p[0] + 0.9 * p[1] - 3.0, 0.0])
            .collect();
        for (a, b) in affine(&from, &to).iter().zip(&to) {
            assert!((a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-3);
        }
        assert!(sparse().iter().all(|i| *i < SURFACE) && sparse().len() > 80);
    }
}
