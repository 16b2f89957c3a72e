//! The last step of every condition, genuine or not: the noise of a sensor, fresh in every frame.

use super::error::Result;
use super::random::{Use, rng};
use super::source::{FrameSource, Scene};
use crate::recorded::{Frame, StreamInfo};
use rand_distr::{Distribution, StandardNormal};

/// Adds sensor noise. The noise of a frame depends on the seed and the frame's number only.
pub(crate) struct Camera<'a> {
    scene: Box<dyn Scene + 'a>,
    sigma: f64,
    seed: u64,
    index: u64,
}

impl<'a> Camera<'a> {
    /// `sigma`: standard deviation at middle grey, in 8-bit steps.
    pub fn new(scene: Box<dyn Scene + 'a>, sigma: f64, seed: u64) -> Self {
        Self { scene, sigma, seed, index: 0 }
    }
}

impl FrameSource for Camera<'_> {
    fn info(&self) -> &StreamInfo {
        self.scene.info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(mut frame) = self.scene.next_frame()? else { return Ok(None) };
        expose(&mut frame, self.sigma, self.seed, self.index);
        self.index += 1;
        Ok(Some(frame))
    }
}

impl Scene for Camera<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.scene.onset_pts()
    }
}

/// Photon noise grows with the root of the light, read noise is always there; at middle grey each gives
/// half the variance. Chroma comes out of the camera smoothed and gets less.
pub(crate) fn expose(frame: &mut Frame, sigma: f64, seed: u64, index: u64) {
    if sigma <= 0.0 {
        return;
    }
    let mut rng = rng(seed, Use::Noise, index);
    let deviation: Vec<f32> =
        (0..=255u8).map(|y| (sigma * (0.5 + 0.5 * f64::from(y) / 128.0).sqrt()) as f32).collect();
    let [y, u, v] = frame.planes_mut();
    for pixel in y.iter_mut() {
        let normal: f32 = StandardNormal.sample(&mut rng);
        let sd = deviation.get(usize::from(*pixel)).copied().unwrap_or(0.0);
        *pixel = (f32::from(*pixel) + normal * sd + 0.5) as u8;
    }
    let chroma = (sigma * 0.5) as f32;
    for pixel in u.iter_mut().chain(v) {
        let normal: f32 = StandardNormal.sample(&mut rng);
        *pixel = (f32::from(*pixel) + normal * chroma + 0.5) as u8;
    }
}
