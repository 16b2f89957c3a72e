//! Solidity: a head that turns shows the parallax of a solid; a picture of one does not, however it is held or warped.
//!
//! Points of a solid that is seen from afar, followed over several frames, fill a matrix of rank 3, those of a plane one
//! of rank 2 (Tomasi & Kanade, "Shape and motion from image streams under orthography: a factorization method", IJCV
//! 1992). A plane that turns is squeezed and shows no parallax; a still that is warped in the picture moves its nose
//! against its cheeks, but not by as much as their depths ask for. Only landmarks that bone carries are taken, so
//! that speech and blinks stay out.
//!
//! The mesh network draws what it sees towards the faces that it knows, flat ones too: its depths say "face" before a photo
//! as well, and a part of that goes into the positions. So everything is measured on positions in the picture, depths
//! serve as a claim that they have to bear out, and a plane shows by being squeezed by more than the claimed turn. A
//! recording of a head that turned, shown on a screen, has the parallax of that head; so has what a network draws that
//! has learned how heads turn.

use super::signal::{FaceObservation, FaceSignal, Held};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, ln, seconds, trim};
use crate::analysis::face::mesh::FaceMesh;
use crate::analysis::face::models::MeshKind;
use nalgebra::{DMatrix, Matrix2, Matrix3, SMatrix, SVector};
use std::collections::VecDeque;

/// Seconds that are judged together.
pub const WINDOW: f64 = 2.5;
/// Seconds between two judgements; between them the last one stands.
const EVERY: f64 = 0.25;
/// Seconds between two shapes that are kept: a head turns slowly, and every shape costs.
const STEP: f64 = 0.19;
const MAX_SHAPES: usize = 16;
const MIN_SHAPES: usize = 8;
const MIN_COVER: f64 = 0.6;
/// Least turn about axes in the picture's plane that the mesh claims, radians, or squeeze of the picture (a plane that
/// is turned by 13 degrees), root mean square: without either there is nothing to judge.
const MIN_TURN: f64 = 0.02;
const MIN_SQUEEZE: f64 = 0.025;
/// Landmarks on bone: forehead, bridge of the nose, eye corners, temples, ears' borders, cheekbones.
const RIGID: [usize; N] = [
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 109, 338, 108, 337, 67, 297, 69, 299, 104, 333, 33, 263, 133, 362,
    127, 356, 34, 264, 139, 368, 234, 454, 93, 323, 116, 345, 117, 346, 123, 352, 50, 280, 227, 447, 122,
    351, 196, 419,
];
const N: usize = 48;
/// Names of the features, in order.
pub const FEATURES: [&str; 8] = [
    "ln-third-over-second",
    "ln-third-over-rest",
    "parallax-slope",
    "parallax-agreement",
    "depth-share",
    "ln-squeeze",
    "ln-turn",
    "ln-interocular-px",
];

type Points = SMatrix<f64, N, 3>;
type Flat = SMatrix<f64, N, 2>;

/// The rigid landmarks of one frame about their centre, pixels.
#[derive(Clone, Debug)]
struct Shape {
    pts: u64,
    scale: f64,
    points: Points,
}

impl Shape {
    fn of(pts: u64, mesh: &FaceMesh) -> Option<Self> {
        let mut points = Points::zeros();
        for (row, index) in RIGID.into_iter().enumerate() {
            let point = mesh.points.get(index)?;
            for (column, v) in point.iter().enumerate() {
                // Beyond this no picture has pixels; also refuses what is not a number.
                points[(row, column)] = Some(f64::from(*v)).filter(|v| v.abs() < 1e6)?;
            }
        }
        let centre = points.row_mean();
        points.row_iter_mut().for_each(|mut row| row -= centre);
        let scale = f64::from(mesh.interocular());
        scale.is_finite().then_some(Self { pts, scale, points })
    }

    fn flat(&self) -> Flat {
        self.points.fixed_columns::<2>(0).into_owned()
    }
}

/// What one frame differs by from the reference.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    /// Picture motion a unit of depth: as it is, and as the claimed rotation makes it.
    seen: [f64; 2],
    claimed: [f64; 2],
    /// Deviation of the affine map from a similarity: stretch along an axis and along the diagonal.
    squeeze: [f64; 2],
}

/// The reference shape, with what is used of it for every frame.
#[derive(Debug)]
struct Reference {
    points: Points,
    flat: Flat,
    inverse: Matrix2<f64>,
    /// Depth that an affine map of the picture cannot imitate, and its square.
    relief: SVector<f64, N>,
    energy: f64,
}

impl Reference {
    /// `None` for points on a line or without depth.
    fn of(shape: &Shape) -> Option<Self> {
        let (points, flat) = (shape.points, shape.flat());
        let inverse = (flat.transpose() * flat).try_inverse()?;
        let depth = points.column(2).into_owned();
        let relief = depth - flat * (inverse * (flat.transpose() * depth));
        let energy = relief.norm_squared();
        let size = flat.norm_squared();
        (energy > 1e-6 * size && energy.is_finite()).then_some(Self { points, flat, inverse, relief, energy })
    }

    /// The change, and the motion that no affine map makes.
    fn compare(&self, shape: &Shape) -> Option<(Change, Flat)> {
        let flat = shape.flat();
        // The affine map is read row by row: where x and y of the reference go.
        let map = self.inverse * (self.flat.transpose() * flat);
        let bent = flat - self.flat * map;
        let seen = (self.relief.transpose() * bent) / self.energy;
        let (p, q) = ((map[(0, 0)] + map[(1, 1)]) / 2.0, (map[(0, 1)] - map[(1, 0)]) / 2.0);
        let turned = map * Matrix2::new(p, -q, q, p) / (p * p + q * q).max(1e-12);
        let (scale, rotation) = rotation(&self.points, &shape.points)?;
        let change = Change {
            seen: [seen[0], seen[1]],
            claimed: [scale * rotation[(0, 2)], scale * rotation[(1, 2)]],
            squeeze: [turned[(0, 0)] - turned[(1, 1)], turned[(0, 1)] + turned[(1, 0)]],
        };
        Some((change, bent))
    }
}

/// Scale and rotation that take one set of points to another (Umeyama, "Least-squares estimation of transformation
/// parameters between two point patterns", PAMI 1991).
fn rotation(from: &Points, to: &Points) -> Option<(f64, Matrix3<f64>)> {
    let svd = (to.transpose() * from).try_svd(true, true, 1e-12, 100)?;
    let (u, v) = (svd.u?, svd.v_t?);
    let mut signs = Matrix3::identity();
    signs[(2, 2)] = (u * v).determinant().signum();
    let scale =
        (signs * Matrix3::from_diagonal(&svd.singular_values)).trace() / from.norm_squared().max(1e-12);
    Some((scale, u * signs * v))
}

/// Singular values of the stacked positions: second, third, and the root of the others' energy.
fn ranks(shapes: &VecDeque<Shape>) -> Option<[f64; 3]> {
    // The small product of the matrix with itself has the squares as its eigenvalues.
    let rows = 2 * shapes.len();
    let columns: Vec<_> = shapes.iter().flat_map(|s| [0, 1].map(|c| s.points.column(c))).collect();
    let gram = DMatrix::from_fn(rows, rows, |i, j| match (columns.get(i), columns.get(j)) {
        (Some(a), Some(b)) => a.dot(b),
        _ => 0.0,
    });
    let mut squares: Vec<f64> = gram.symmetric_eigenvalues().iter().map(|v| v.max(0.0)).collect();
    squares.sort_by(|a, b| b.total_cmp(a));
    let [_, second, third, rest @ ..] = &squares[..] else { return None };
    (*second > 0.0).then_some([second.sqrt(), third.sqrt(), rest.iter().sum::<f64>().sqrt()])
}

/// What a window shows.
#[derive(Clone, Copy, Debug)]
struct Measured {
    ranks: [f64; 3],
    slope: f64,
    agreement: f64,
    depth_share: f64,
    squeeze: f64,
    turn: f64,
    scale: f64,
}

impl Measured {
    fn of(shapes: &VecDeque<Shape>) -> Option<Self> {
        let reference = Reference::of(shapes.get(shapes.len() / 2)?)?;
        let n = shapes.len() as f64;
        let mut changes = Vec::with_capacity(shapes.len());
        let mut bends = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let (change, bent) = reference.compare(shape)?;
            changes.push(change);
            bends.push(bent);
        }
        let centre = |get: fn(&Change) -> [f64; 2]| {
            let sum = changes.iter().map(get).fold([0.0; 2], |s, v| [s[0] + v[0], s[1] + v[1]]);
            changes.iter().map(get).map(|v| [v[0] - sum[0] / n, v[1] - sum[1] / n]).collect::<Vec<_>>()
        };
        let dot = |a: &[[f64; 2]], b: &[[f64; 2]]| {
            a.iter().zip(b).map(|(a, b)| a[0] * b[0] + a[1] * b[1]).sum::<f64>()
        };
        let (seen, claimed) = (centre(|c| c.seen), centre(|c| c.claimed));
        let squeeze = centre(|c| c.squeeze);
        let (ss, cc, sc) = (dot(&seen, &seen), dot(&claimed, &claimed), dot(&seen, &claimed));
        let mean = bends.iter().sum::<Flat>() / n;
        let bend: f64 = bends.iter().map(|b| (b - mean).norm_squared()).sum();
        Some(Self {
            ranks: ranks(shapes)?,
            // What the turn is hardly claimed for says little: the slope is drawn to 0 below the floor.
            slope: (sc / (cc + n * (MIN_TURN / 4.0).powi(2))).clamp(-3.0, 3.0),
            agreement: sc / (ss * cc).sqrt().max(1e-12),
            depth_share: ss * reference.energy / bend.max(1e-9),
            squeeze: (dot(&squeeze, &squeeze) / n).sqrt(),
            turn: (cc / n).sqrt(),
            scale: shapes.iter().map(|s| ln(s.scale)).sum::<f64>() / n,
        })
    }

    fn features(&self) -> Vec<f64> {
        let [second, third, rest] = self.ranks;
        vec![
            ln(third / second),
            ln(third / rest.max(1e-6 * second)),
            self.slope,
            self.agreement,
            self.depth_share,
            ln(self.squeeze),
            ln(self.turn),
            self.scale,
        ]
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Solidity {
    shapes: VecDeque<Shape>,
    last: Option<u64>,
    held: Held,
}

impl Solidity {
    fn judge(&self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        let measured = Measured::of(&self.shapes)?;
        if measured.turn < MIN_TURN && measured.squeeze < MIN_SQUEEZE {
            return None;
        }
        let features = measured.features();
        if features.iter().any(|f| !f.is_finite()) {
            return None;
        }
        // Fitted on the finer mesh; the other draws flat faces towards its own idea of a face.
        let fitted = calibration.logistic("solidity").filter(|_| seen.kind == MeshKind::V2);
        let llr = fitted.and_then(|c| c.llr(&features));
        let percent = 100.0 * measured.depth_share;
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the head turns without a solid's parallax ({percent:.0} % of its inner motion is depth)")
        } else {
            format!("the head turns as a solid does ({percent:.0} % of its inner motion is depth)")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }
}

impl FaceSignal for Solidity {
    fn name(&self) -> &'static str {
        "solidity"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.last.is_some_and(|l| seen.pts <= l || seconds(l, seen.pts) > 1.0) {
            self.interrupt();
        }
        self.last = Some(seen.pts);
        if self.shapes.back().is_none_or(|s| seconds(s.pts, seen.pts) >= STEP) {
            self.shapes.push_back(Shape::of(seen.pts, seen.mesh)?);
        }
        trim(&mut self.shapes, MAX_SHAPES, |s| seconds(s.pts, seen.pts) > WINDOW);
        let cover = seconds(self.shapes.front()?.pts, seen.pts) / WINDOW;
        if self.shapes.len() < MIN_SHAPES || cover < MIN_COVER {
            return None;
        }
        if self.held.is_due(seen.pts, EVERY) {
            let reading = self.judge(seen, calibration);
            self.held.keep(seen.pts, reading);
        }
        self.held.reading()
    }

    fn interrupt(&mut self) {
        self.shapes.clear();
        self.last = None;
        self.held = Held::default();
    }
}

#[cfg(test)]
#[path = "solidity_tests.rs"]
mod tests;
