//! How a hand moves a flat print before a camera.

use super::error::{Result, within};
use super::random::{Band, Use, rng};
use nalgebra::{Matrix3, Rotation3, Vector3};
use serde::{Deserialize, Serialize};

/// Size of the movements. Each is the excursion that is seldom passed (two standard deviations).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Motion {
    /// Slow sway of the arm (0.3-1.5 Hz), fraction of the frame width.
    pub sway: f64,
    /// Tremor of the hand (6-12 Hz), fraction of the frame width.
    pub tremor: f64,
    /// Nearer and farther, fraction of the size.
    pub scale: f64,
    /// Turning in the picture plane, degrees.
    pub rotation: f64,
    /// Tilting out of the picture plane, degrees.
    pub tilt: f64,
}

impl Default for Motion {
    fn default() -> Self {
        Self { sway: 0.02, tremor: 0.0012, scale: 0.03, rotation: 2.0, tilt: 4.0 }
    }
}

impl Motion {
    /// No movement at all.
    pub const STILL: Motion = Motion { sway: 0.0, tremor: 0.0, scale: 0.0, rotation: 0.0, tilt: 0.0 };

    pub(crate) fn check(&self) -> Result<()> {
        within("sway", self.sway, 0.0, 0.5, "0 to 0.5 of the frame width")?;
        within("tremor", self.tremor, 0.0, 0.1, "0 to 0.1 of the frame width")?;
        within("scale", self.scale, 0.0, 0.5, "0 to 0.5")?;
        within("rotation", self.rotation, 0.0, 45.0, "0 to 45 degrees")?;
        within("tilt", self.tilt, 0.0, 45.0, "0 to 45 degrees")
    }

    /// How much larger than the frame the print must be for its border to stay out of sight, mostly.
    pub(crate) fn margin(&self) -> f64 {
        // Half on each side, for half as much again as the usual excursion; the picture is less high than wide.
        let turn = 0.6 * self.rotation.to_radians() + 0.3 * self.tilt.to_radians();
        4.0 * (self.sway + self.tremor) + 1.5 * self.scale + turn
    }
}

/// The movement of one hand: for every instant the homography from the print to the picture.
#[derive(Clone, Debug)]
pub struct Hand {
    size: Motion,
    sway: [Band; 5],
    tremor: [Band; 4],
}

/// Focal length in frame widths: a webcam's field of view of about 60 degrees.
const FOCAL: f64 = 0.87;

impl Hand {
    pub fn new(size: Motion, seed: u64) -> Self {
        let mut rng = rng(seed, Use::Motion, 0);
        let sway = std::array::from_fn(|_| Band::new(&mut rng, 0.3, 1.5));
        let tremor = std::array::from_fn(|_| Band::new(&mut rng, 6.0, 12.0));
        Self { size, sway, tremor }
    }

    /// Out-of-plane tilt about the vertical and the horizontal axis, radians.
    pub(crate) fn tilt(&self, seconds: f64) -> (f64, f64) {
        let [.., a, b] = &self.sway;
        let tilt = self.size.tilt.to_radians() / 2.0;
        (tilt * a.at(seconds), tilt * 0.7 * b.at(seconds))
    }

    /// The homography at an instant, from print to picture, in pixels of a frame of the given size with
    /// the centre of the first pixel at (0.5, 0.5).
    pub fn homography(&self, seconds: f64, width: u32, height: u32) -> Matrix3<f64> {
        let [x, y, z, ..] = &self.sway;
        let [tx, ty, tz, tr] = &self.tremor;
        let m = &self.size;
        let mix = |slow: &Band, fast: &Band| (m.sway * slow.at(seconds) + m.tremor * fast.at(seconds)) / 2.0;
        // Tremor also turns the print and moves it in depth, in proportion to what it does sideways.
        let share = m.tremor * tz.at(seconds) / 2.0;
        let depth = -m.scale * z.at(seconds) / 2.0 - if m.scale > 0.0 { share * 0.5 } else { 0.0 };
        // The roll shares the arm with the sideways sway, but is not the same movement.
        let roll = m.rotation.to_radians() / 2.0
            * (0.8 * y.at(seconds * 0.93 + 11.0) + 0.6 * x.at(seconds * 0.81 + 29.0))
            + if m.rotation > 0.0 { m.tremor * tr.at(seconds) } else { 0.0 };
        let (yaw, pitch) = self.tilt(seconds);

        let w = f64::from(width);
        let camera = Matrix3::new(
            FOCAL * w,
            0.0,
            w / 2.0, //
            0.0,
            FOCAL * w,
            f64::from(height) / 2.0, //
            0.0,
            0.0,
            1.0,
        );
        // The print lies at distance FOCAL, where one unit is one frame width.
        let turn = Rotation3::from_euler_angles(pitch, yaw, roll).into_inner();
        let place = Vector3::new(mix(x, tx), mix(y, ty), FOCAL * (1.0 + depth));
        let mut plane = turn;
        plane.set_column(2, &place);
        let to_units = Matrix3::new(
            1.0 / w,
            0.0,
            -0.5, //
            0.0,
            1.0 / w,
            -0.5 * f64::from(height) / w, //
            0.0,
            0.0,
            1.0,
        );
        camera * plane * to_units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_hand_is_the_identity() {
        let h = Hand::new(Motion::STILL, 3).homography(1.7, 400, 300);
        let p = h * Vector3::new(100.5, 50.5, 1.0);
        assert!((p.x / p.z - 100.5).abs() < 1e-9 && (p.y / p.z - 50.5).abs() < 1e-9, "{p}");
    }
}
