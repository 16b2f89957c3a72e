//! The face mesh in frame coordinates: named landmark groups and the measures taken from them.
//!
//! Indices follow MediaPipe's canonical face model (468 points, then 5 points an iris).

use crate::analysis::pixels::geometry::Point;

/// Number of points of the surface, irises apart.
pub const SURFACE: usize = 468;

/// Six landmarks an eye: outer corner, inner corner, two upper and two lower lid points that face each other.
pub const RIGHT_EYE: [usize; 6] = [33, 133, 160, 158, 144, 153];
/// See [`RIGHT_EYE`].
pub const LEFT_EYE: [usize; 6] = [263, 362, 387, 385, 373, 380];
/// First landmark of the right and of the left iris (centre, then four rim points).
pub const IRISES: [usize; 2] = [468, 473];

/// Lids and brows of both eyes.
pub const EYE_REGION: [usize; 52] = [
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 263, 249, 390, 373, 374,
    380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276,
    283, 282, 295, 285, 300, 293, 334, 296, 336,
];
/// Outer and inner lips.
pub const LIPS: [usize; 40] = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, 78, 95, 88,
    178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
];
/// Outline of the face, clockwise from the top.
pub const OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176,
    149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
/// Skin patches for colour traces, as polygons: forehead, right cheek, left cheek.
pub const SKIN_PATCHES: [&[usize]; 3] = [
    &[103, 67, 109, 10, 338, 297, 332, 333, 299, 337, 151, 108, 69, 104],
    &[117, 118, 101, 36, 205, 187, 123],
    &[346, 347, 330, 266, 425, 411, 352],
];

/// One fitted face.
#[derive(Clone, Debug, Default)]
pub struct FaceMesh {
    /// Frame pixels; the third number is depth in the same unit, nearer is smaller.
    pub points: Vec<[f32; 3]>,
    /// The network's probability that a face is there, 0..1.
    pub presence: f32,
}

/// Head rotation, radians; all zero looks into the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    pub yaw: f32,
    pub pitch: f32,
    pub roll: f32,
}

impl FaceMesh {
    /// A landmark's position, or the origin for a mesh that lacks it.
    pub fn at(&self, index: usize) -> Point {
        self.points.get(index).map_or([0.0; 2], |p| [p[0], p[1]])
    }

    fn at3(&self, index: usize) -> [f32; 3] {
        self.points.get(index).copied().unwrap_or_default()
    }

    /// Whether irises are part of the mesh.
    pub fn has_irises(&self) -> bool {
        self.points.len() >= IRISES[1] + 5
    }

    /// Distance between the eye centres in pixels, never below 1.
    pub fn interocular(&self) -> f32 {
        let centre = |eye: [usize; 6]| {
            let (a, b) = (self.at(eye[0]), self.at(eye[1]));
            [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
        };
        distance(centre(RIGHT_EYE), centre(LEFT_EYE)).max(1.0)
    }

    /// `[x, y, w, h]` around all surface points.
    pub fn bounds(&self) -> [f32; 4] {
        let mut lo = [f32::INFINITY; 2];
        let mut hi = [f32::NEG_INFINITY; 2];
        for p in self.points.iter().take(SURFACE) {
            for c in 0..2 {
                lo[c] = lo[c].min(p[c]);
                hi[c] = hi[c].max(p[c]);
            }
        }
        if lo[0] > hi[0] { [0.0; 4] } else { [lo[0], lo[1], hi[0] - lo[0], hi[1] - lo[1]] }
    }

    /// Head rotation from the depths at the ears (234, 454) and at forehead and chin (10, 152).
    pub fn pose(&self) -> Pose {
        let (right, left) = (self.at3(234), self.at3(454));
        let (top, chin) = (self.at3(10), self.at3(152));
        let (a, b) = (self.at(RIGHT_EYE[0]), self.at(LEFT_EYE[0]));
        let across = distance([right[0], right[1]], [left[0], left[1]]).max(1e-3);
        let down = distance([top[0], top[1]], [chin[0], chin[1]]).max(1e-3);
        Pose {
            yaw: (left[2] - right[2]).atan2(across),
            pitch: (chin[2] - top[2]).atan2(down),
            roll: (b[1] - a[1]).atan2(b[0] - a[0]),
        }
    }

    /// Eye aspect ratios, right and left: lid opening over eye width.
    ///
    /// Source: Soukupova & Cech, "Real-Time Eye Blink Detection using Facial Landmarks", CVWW 2016.
    pub fn eye_openness(&self) -> [f32; 2] {
        [RIGHT_EYE, LEFT_EYE].map(|e| {
            let lids = distance(self.at(e[2]), self.at(e[4])) + distance(self.at(e[3]), self.at(e[5]));
            lids / (2.0 * distance(self.at(e[0]), self.at(e[1])).max(1e-3))
        })
    }

    /// Iris centre of each eye in units of the eye's width, along and across the line between its corners,
    /// from the corners' midpoint: where the person looks, head motion removed. `None` without irises.
    pub fn gaze(&self) -> Option<[Point; 2]> {
        if !self.has_irises() {
            return None;
        }
        let eye = |e: [usize; 6], iris: usize| {
            let (a, b, c) = (self.at(e[0]), self.at(e[1]), self.at(iris));
            let axis = [b[0] - a[0], b[1] - a[1]];
            let width2 = (axis[0] * axis[0] + axis[1] * axis[1]).max(1e-6);
            let d = [c[0] - (a[0] + b[0]) / 2.0, c[1] - (a[1] + b[1]) / 2.0];
            [(d[0] * axis[0] + d[1] * axis[1]) / width2, (d[1] * axis[0] - d[0] * axis[1]) / width2]
        };
        Some([eye(RIGHT_EYE, IRISES[0]), eye(LEFT_EYE, IRISES[1])])
    }
}

pub(crate) fn distance(a: Point, b: Point) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_landmarks_without_repeats() {
        for group in [&EYE_REGION[..], &LIPS[..], &OVAL[..]] {
            let mut sorted = group.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), group.len());
            assert!(sorted.iter().all(|&i| i < SURFACE));
        }
    }

    #[test]
    fn gaze_ignores_where_the_head_is() {
        let mut mesh = FaceMesh { points: vec![[0.0; 3]; 478], presence: 1.0 };
        let set = |m: &mut FaceMesh, i: usize, p: Point| m.points[i] = [p[0], p[1], 0.0];
        let place = |m: &mut FaceMesh, angle: f32, ox: f32| {
            let turn = |x: f32, y: f32| {
                [ox + x * angle.cos() - y * angle.sin(), 50.0 + x * angle.sin() + y * angle.cos()]
            };
            set(m, 33, turn(0.0, 0.0));
            set(m, 133, turn(30.0, 0.0));
            set(m, 468, turn(18.0, 3.0));
            set(m, 263, turn(90.0, 0.0));
            set(m, 362, turn(60.0, 0.0));
            set(m, 473, turn(75.0, 0.0));
        };
        place(&mut mesh, 0.0, 10.0);
        let straight = mesh.gaze().unwrap();
        place(&mut mesh, 0.4, 70.0);
        let turned = mesh.gaze().unwrap();
        assert!((straight[0][0] - 0.1).abs() < 1e-5 && (straight[0][1] - 0.1).abs() < 1e-5);
        for (a, b) in straight.iter().flatten().zip(turned.iter().flatten()) {
            assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn an_empty_mesh_is_harmless() {
        let mesh = FaceMesh::default();
        assert_eq!(mesh.bounds(), [0.0; 4]);
        assert!(mesh.gaze().is_none());
        assert!(mesh.eye_openness().iter().all(|v| v.is_finite()));
        assert!(mesh.interocular() >= 1.0);
    }
}
