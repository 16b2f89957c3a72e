//! The simulated sensor's pixels: what noise light turns into.

use super::scene::Linear;
use crate::redteam::error::{Result, within};
use crate::redteam::random::{Use, rng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A sensor's figures, in electrons unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Electrons at white, in full light.
    pub well: f64,
    /// Noise of reading, standard deviation.
    pub read: f64,
    /// Dark current a frame.
    pub dark: f64,
    /// Uneven sensitivity of pixels, standard deviation, share (PRNU).
    pub uneven: f64,
    /// Uneven offset of columns, standard deviation.
    pub columns: f64,
    /// Colour filter; a monochrome sensor has none.
    pub bayer: bool,
    /// Bits of the converter.
    pub bits: u32,
}

impl Default for Pixels {
    /// A small webcam sensor.
    fn default() -> Self {
        Self { well: 6000.0, read: 4.0, dark: 2.0, uneven: 0.008, columns: 0.5, bayer: true, bits: 10 }
    }
}

impl Pixels {
    pub(super) fn check(&self) -> Result<()> {
        within("well", self.well, 100.0, 1e6, "100 to 1000000 electrons")?;
        within("read", self.read, 0.0, 1e3, "0 to 1000 electrons")?;
        within("dark", self.dark, 0.0, 1e4, "0 to 10000 electrons")?;
        within("uneven", self.uneven, 0.0, 0.2, "0 to 0.2")?;
        within("columns", self.columns, 0.0, 1e3, "0 to 1000 electrons")?;
        within("bits", f64::from(self.bits), 8.0, 16.0, "8 to 16")
    }
}

/// What stays the same from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl Fixed {
    pub fn new(pixels: &Pixels, width: u32, height: u32, seed: u64) -> Self {
        let mut rng = rng(seed, Use::Pattern, 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
        let gain = (0..width * height).map(|_| 1.0 + pixels.uneven as f32 * normal()).collect();
        let offset = (0..width).map(|_| pixels.columns as f32 * normal()).collect();
        Self { gain, offset }
    }
}

/// Which of red, green and blue a pixel of an RGGB mosaic sees.
pub(super) const fn colour_at(x: usize, y: usize) -> usize {
    (x & 1) + (y & 1)
}

/// The mosaic of one exposure, as shares of white (may be a little below 0). `light`: how many of the well's electrons
/// white makes; the converter's gain makes up for it, as a camera's does. `exposure` makes the picture brighter.
pub(super) fn expose(
    scene: &Linear,
    pixels: &Pixels,
    fixed: &Fixed,
    (light, exposure): (f64, f64),
    noise: &mut ChaCha8Rng,
) -> Vec<f32> {
    let white = (pixels.well * light.min(1.0)) as f32;
    let step = white / ((1u32 << pixels.bits) - 1) as f32;
    let (dark, read) = (pixels.dark as f32, pixels.read as f32);
    let w = scene.width;
    let mosaic = scene.pixels.iter().enumerate().map(|(i, rgb)| {
        let (x, y) = (i % w, i / w);
        let seen =
            if pixels.bayer { rgb[colour_at(x, y)] } else { 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] };
        let electrons = seen * exposure as f32 * white * fixed.gain.get(i).copied().unwrap_or(1.0);
        let normal: f32 = StandardNormal.sample(noise);
        let deviation = (electrons.max(0.0) + dark + read * read).sqrt();
        let read_out = electrons + deviation * normal + fixed.offset.get(x).copied().unwrap_or(0.0);
        let code = (read_out / step).round().min(white / step);
        code * step / white
    });
    mosaic.collect()
}
