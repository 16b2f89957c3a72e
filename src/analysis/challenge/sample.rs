//! What a challenge looks at in one picture of one face, and how the face was before it was asked.

use super::trace::median;
use crate::analysis::face::chain::Face;
use crate::analysis::face::mesh::Pose;
use crate::analysis::face::patch::Patch;
use std::collections::VecDeque;

/// Cells of [`Sample::detail`].
pub const CELLS: usize = 64;

/// One face in one picture. Nothing of it leaves the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub track_id: u32,
    /// ns.
    pub pts: u64,
    pub pose: Pose,
    /// Mean eye aspect ratio.
    pub openness: f32,
    /// Mean iris position in its socket, eye widths, to the picture's right and down. `None` without irises.
    pub gaze: Option<[f32; 2]>,
    /// Probability that the mesh sits on a face.
    pub presence: f32,
    /// The worst of size, focus and exposure, 0..1: whether it can be judged however the head is turned.
    pub clarity: f32,
    /// Mean linear RGB of forehead, right cheek and left cheek.
    pub skin: [[f32; 3]; 3],
    /// How much fine detail each cell of the face has, 8 x 8, row by row.
    pub detail: [f32; CELLS],
}

impl Sample {
    /// Of a face at `pts`.
    pub fn of(face: &Face, pts: u64) -> Self {
        let [right, left] = face.mesh.eye_openness();
        // Along the line from outer to inner corner the two eyes' axes are mirrored.
        let gaze = face.mesh.gaze().map(|[r, l]| [(r[0] - l[0]) / 2.0, (r[1] - l[1]) / 2.0]);
        Self {
            track_id: face.track_id,
            pts,
            pose: face.pose,
            openness: (right + left) / 2.0,
            gaze: gaze.filter(|g| g.iter().all(|v| v.is_finite())),
            presence: face.mesh.presence,
            clarity: face.quality.size.min(face.quality.focus).min(face.quality.exposure),
            skin: face.skin,
            detail: face.patch.detail(),
        }
    }

    /// Whether all numbers are numbers: others are not judged.
    pub fn is_finite(&self) -> bool {
        let pose = [self.pose.yaw, self.pose.pitch, self.openness, self.presence, self.clarity];
        pose.iter().chain(self.skin.as_flattened()).chain(&self.detail).all(|v| v.is_finite())
    }
}

impl Patch {
    /// Root mean square of the fine detail in each of 8 x 8 cells; zeros for a patch without pixels.
    pub fn detail(&self) -> [f32; CELLS] {
        const SIDE: usize = crate::analysis::face::patch::SIDE;
        const CELL: usize = SIDE / 8;
        let mut sums = [0.0f32; CELLS];
        for (y, row) in self.pixels().chunks_exact(SIDE).enumerate() {
            for (x, v) in row.iter().enumerate() {
                if let Some(sum) = sums.get_mut(y / CELL * 8 + x / CELL) {
                    *sum += v * v;
                }
            }
        }
        sums.map(|s| (s / (CELL * CELL) as f32).sqrt())
    }
}

/// How much two pictures of a face differ in where their detail is: 0 (not at all) to 1 (in everything).
pub(crate) fn difference(a: &[f32; CELLS], b: &[f32; CELLS]) -> f64 {
    let (mut apart, mut all) = (0.0f64, 0.0f64);
    for (x, y) in a.iter().zip(b) {
        apart += f64::from((x - y).abs());
        all += f64::from(x + y);
    }
    if all > 0.0 { apart / all } else { 0.0 }
}

/// A face as it was before it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Median yaw and pitch, radians.
    pub yaw: f64,
    pub pitch: f64,
    /// Openness of the open eye.
    pub open_eye: f64,
    pub presence: f64,
    pub clarity: f64,
    pub detail: [f32; CELLS],
    pub irises: bool,
}

/// Fewest pictures for a baseline.
const FEWEST: usize = 5;

impl Baseline {
    /// `None` with fewer pictures than tell anything.
    pub fn of(samples: &VecDeque<Sample>) -> Option<Self> {
        if samples.len() < FEWEST {
            return None;
        }
        let of = |get: &dyn Fn(&Sample) -> f32| {
            let mut all: Vec<f64> = samples.iter().map(|s| f64::from(get(s))).collect();
            median(&mut all)
        };
        let mut open: Vec<f64> = samples.iter().map(|s| f64::from(s.openness)).collect();
        open.sort_by(f64::total_cmp);
        let mut detail = [0.0; CELLS];
        for (i, slot) in detail.iter_mut().enumerate() {
            *slot = of(&|s| s.detail.get(i).copied().unwrap_or_default()) as f32;
        }
        Some(Self {
            yaw: of(&|s| s.pose.yaw),
            pitch: of(&|s| s.pose.pitch),
            open_eye: open.get(open.len() * 8 / 10).copied().unwrap_or_default(),
            presence: of(&|s| s.presence),
            clarity: of(&|s| s.clarity),
            detail,
            irises: samples.iter().all(|s| s.gaze.is_some()),
        })
    }
}
