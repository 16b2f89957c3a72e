//! Light on a print: slow drift of the whole, a gradient that turns, a dull reflection that runs over the
//! paper as it tilts.

use super::error::{Result, within};
use super::random::{Band, Use, rng};
use crate::recorded::{Frame, StreamInfo};
use serde::{Deserialize, Serialize};

/// Strength of the changes of light (two standard deviations), fractions of the brightness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Light {
    /// Slow drift of the whole picture: auto-exposure, clouds.
    pub drift: f64,
    /// Difference of brightness from one side of the picture to the other.
    pub gradient: f64,
    /// Broad reflection on the paper, at its brightest.
    pub gloss: f64,
}

impl Default for Light {
    fn default() -> Self {
        Self { drift: 0.02, gradient: 0.03, gloss: 0.03 }
    }
}

impl Light {
    /// Constant light.
    pub const NONE: Light = Light { drift: 0.0, gradient: 0.0, gloss: 0.0 };

    pub(crate) fn check(&self) -> Result<()> {
        within("drift", self.drift, 0.0, 0.5, "0 to 0.5")?;
        within("gradient", self.gradient, 0.0, 0.5, "0 to 0.5")?;
        within("gloss", self.gloss, 0.0, 0.5, "0 to 0.5")
    }
}

/// One room's light.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    size: Light,
    drift: Band,
    lean: [Band; 2],
    spot: (f64, f64),
}

impl Room {
    pub fn new(size: Light, seed: u64) -> Self {
        use rand::RngExt;
        let mut rng = rng(seed, Use::Light, 0);
        let drift = Band::new(&mut rng, 0.03, 0.35);
        let lean = std::array::from_fn(|_| Band::new(&mut rng, 0.1, 0.6));
        let spot = (0.15 + 0.7 * rng.random::<f64>(), 0.1 + 0.4 * rng.random::<f64>());
        Self { size, drift, lean, spot }
    }

    /// Lights a frame; `tilt` (radians) carries the reflection along.
    pub fn shine(&self, frame: &mut Frame, info: &StreamInfo, seconds: f64, tilt: (f64, f64)) {
        if self.size == Light::NONE {
            return;
        }
        let (w, h) = (frame.width() as usize, frame.height() as usize);
        let black = if info.full_range() { 0.0f32 } else { 16.0 };
        let gain = 1.0 + self.size.drift / 2.0 * self.drift.at(seconds);
        let lean = |b: &Band| self.size.gradient / 2.0 * b.at(seconds);
        let [lx, ly] = [lean(&self.lean[0]), lean(&self.lean[1])];
        // A mirror turns the ray by twice the tilt; at arm's length that is several frame widths a radian.
        let (cx, cy) = (self.spot.0 + 4.0 * tilt.0, self.spot.1 - 4.0 * tilt.1);
        let bell = |p: f64, c: f64| (-(p - c).powi(2) / (2.0 * 0.3f64.powi(2))).exp();
        let position = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
        let across: Vec<(f32, f32)> = (0..w)
            .map(|i| {
                let p = position(i, w);
                (((p - 0.5) * lx) as f32, (bell(p, cx) * self.size.gloss * 220.0) as f32)
            })
            .collect();
        let [y, u, v] = frame.planes_mut();
        for (row, line) in y.chunks_exact_mut(w).enumerate() {
            let p = position(row, h);
            let (base, bright) = ((gain + (p - 0.5) * ly) as f32, bell(p, cy) as f32);
            for (pixel, (slope, gloss)) in line.iter_mut().zip(&across) {
                let lit = (f32::from(*pixel) - black) * (base + slope) + gloss * bright + black;
                *pixel = (lit + 0.5) as u8;
            }
        }
        for pixel in u.iter_mut().chain(v) {
            *pixel = ((f32::from(*pixel) - 128.0) * gain as f32 + 128.5) as u8;
        }
    }
}
