//! Which part of a face a network's heat map blames: coarse names that a person understands, from the mesh.

use crate::analysis::face::mesh::{EYE_REGION, FaceMesh, LIPS, OVAL};
use crate::analysis::networks::crop::Placed;
use crate::analysis::pixels::geometry::Point;

/// A part of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Forehead,
    Eyes,
    Nose,
    Mouth,
    Cheeks,
    Chin,
    /// The outline of the face.
    Border,
    /// Hair, neck and what is behind.
    Surroundings,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 8] = [
        Self::Forehead,
        Self::Eyes,
        Self::Nose,
        Self::Mouth,
        Self::Cheeks,
        Self::Chin,
        Self::Border,
        Self::Surroundings,
    ];
    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forehead => "forehead",
            Self::Eyes => "eyes",
            Self::Nose => "nose",
            Self::Mouth => "mouth",
            Self::Cheeks => "cheeks",
            Self::Chin => "chin",
            Self::Border => "border of the face",
            Self::Surroundings => "surroundings of the face",
        }
    }

    /// Landmarks that lie in it; the nearest one of all says what a place belongs to.
    const fn landmarks(self) -> &'static [usize] {
        match self {
            Self::Forehead => &[151, 108, 337, 69, 299, 104, 333, 9],
            Self::Eyes => &EYE_REGION,
            Self::Nose => &[1, 2, 4, 5, 6, 195, 197, 98, 327, 48, 278],
            Self::Mouth => &LIPS,
            Self::Cheeks => &[117, 118, 101, 36, 205, 187, 123, 50, 346, 347, 330, 266, 425, 411, 352, 280],
            Self::Chin => &[199, 175, 200, 208, 428, 171, 396],
            Self::Border => &OVAL,
            Self::Surroundings => &[],
        }
    }
}

/// How far outside the outline a place still belongs to it, in widths of the face.
const BORDER: f32 = 0.12;

/// Where the parts of one face are in the frame.
#[derive(Clone, Debug)]
pub struct Parts {
    outline: [Point; OVAL.len()],
    landmarks: Vec<(Part, Point)>,
    /// How far off the outline the border ends, pixels.
    border: f32,
}

impl Parts {
    pub fn of(mesh: &FaceMesh) -> Self {
        let all = Part::ALL.into_iter().flat_map(|part| part.landmarks().iter().map(move |i| (part, *i)));
        Self {
            outline: OVAL.map(|i| mesh.at(i)),
            landmarks: all.map(|(part, i)| (part, mesh.at(i))).collect(),
            border: BORDER * mesh.bounds()[2],
        }
    }

    /// The part that a point of the frame belongs to.
    pub fn at(&self, p: Point) -> Part {
        let off = |q: Point| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
        if !inside(&self.outline, p) {
            let near = self.outline.into_iter().any(|q| off(q) <= self.border * self.border);
            return if near { Part::Border } else { Part::Surroundings };
        }
        let nearest = self.landmarks.iter().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
        nearest.map_or(Part::Surroundings, |(part, _)| *part)
    }
}

/// Even-odd rule.
fn inside(polygon: &[Point], p: Point) -> bool {
    let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let crossed = edges.filter(|(a, b)| {
        (a[1] <= p[1]) != (b[1] <= p[1]) && a[0] + (p[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) > p[0]
    });
    crossed.count() % 2 == 1
}

/// Sums of heat by part, of one map or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PartHeat([(f64, u32); Part::ALL.len()]);

impl PartHeat {
    /// Of a map of `columns` a row that lies over `placed`.
    pub fn of(heat: &[f32], columns: usize, placed: &Placed, mesh: &FaceMesh) -> Self {
        let mut sums = Self::default();
        let (parts, columns) = (Parts::of(mesh), columns.max(1));
        let rows = heat.len() / columns;
        for (row, line) in heat.chunks_exact(columns).enumerate() {
            // It tells where, no more: a cell that is no number is left out.
            for (column, value) in line.iter().enumerate().filter(|(_, v)| v.is_finite()) {
                let at = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
                let part = parts.at(placed.to_frame(at(column, columns), at(row, rows)));
                if let Some(sum) = sums.0.get_mut(part as usize) {
                    *sum = (sum.0 + f64::from(*value), sum.1 + 1);
                }
            }
        }
        sums
    }

    /// Adds another map's.
    pub fn add(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = (a.0 + b.0, a.1 + b.1);
        }
    }

    /// The part with the highest mean; `None` if no part stands out.
    pub fn hottest(&self) -> Option<Part> {
        let means = || {
            let all = Part::ALL.into_iter().zip(self.0);
            all.filter(|(_, (_, n))| *n > 0).map(|(part, (sum, n))| (sum / f64::from(n), part))
        };
        let (top, part) = means().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let least = means().map(|m| m.0).fold(f64::INFINITY, f64::min);
        (top - least > 1e-6).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::face::mesh::{SURFACE, distance};

    /// A round face of radius 50 at (100, 100); the landmarks of each part lie where it is.
    fn mesh() -> FaceMesh {
        let mut points = vec![[100.0, 90.0, 0.0]; SURFACE];
        for (i, at) in OVAL.into_iter().enumerate() {
            let a = i as f32 / OVAL.len() as f32 * std::f32::consts::TAU;
            points[at] = [100.0 + 50.0 * a.sin(), 100.0 - 50.0 * a.cos(), 0.0];
        }
        let mut put = |part: Part, p: Point| {
            for i in part.landmarks() {
                points[*i] = [p[0], p[1], 0.0];
            }
        };
        put(Part::Forehead, [100.0, 65.0]);
        put(Part::Eyes, [100.0, 85.0]);
        put(Part::Nose, [100.0, 100.0]);
        put(Part::Mouth, [100.0, 120.0]);
        put(Part::Chin, [100.0, 138.0]);
        put(Part::Cheeks, [125.0, 105.0]);
        FaceMesh { points, presence: 1.0 }
    }

    #[test]
    fn places_have_the_names_of_their_parts() {
        let parts = Parts::of(&mesh());
        for (p, part) in [
            ([100.0, 66.0], Part::Forehead),
            ([101.0, 86.0], Part::Eyes),
            ([100.0, 121.0], Part::Mouth),
            ([100.0, 137.0], Part::Chin),
            ([124.0, 106.0], Part::Cheeks),
            ([148.0, 100.0], Part::Border),
            ([158.0, 100.0], Part::Border),
            ([180.0, 100.0], Part::Surroundings),
        ] {
            assert_eq!(parts.at(p), part, "{p:?}");
        }
    }

    #[test]
    fn the_hottest_part_is_where_the_heat_is() {
        let placed = Placed { centre: [100.0, 100.0], size: [160.0; 2], angle: 0.0 };
        let (rows, columns) = (16, 16);
        let map = |hot: Point| -> Vec<f32> {
            let cells = (0..rows * columns).map(|i| {
                let at = |i: usize| (i as f32 + 0.5) / 16.0;
                placed.to_frame(at(i % columns), at(i / columns))
            });
            cells.map(|p| if distance(p, hot) < 8.0 { 1.0 } else { -1.0 }).collect()
        };
        let m = mesh();
        for (hot, part) in
            [([100.0, 120.0], Part::Mouth), ([100.0, 85.0], Part::Eyes), ([100.0, 64.0], Part::Forehead)]
        {
            let mut sums = PartHeat::of(&map(hot), columns, &placed, &m);
            assert_eq!(sums.hottest(), Some(part));
            let other = sums;
            sums.add(&other);
            assert_eq!(sums.hottest(), Some(part));
        }
        assert_eq!(PartHeat::of(&[0.5; 256], columns, &placed, &m).hottest(), None, "nothing stands out");
        assert_eq!(PartHeat::default().hottest(), None);
    }
}
