//! The simulated camera's image processor: mosaic to I420.

use super::pixels::colour_at;
use super::scene::Linear;
use crate::redteam::error::{Result, within};

/// What the image processor does.
#[derive(Clone, Debug, PartialEq)]
pub struct Isp {
    /// Smoothing where there are no edges, 0 (none) to 1.
    pub denoise: f64,
    /// Smoothing over time where nothing seems to move, share of the picture before that stays, 0 (none) to below 1.
    pub temporal: f64,
    /// Unsharp masking, share of the detail that is added.
    pub sharpen: f64,
    /// Display gamma.
    pub gamma: f64,
    /// Exposure control: share of the error that a frame corrects; 0 is a fixed exposure.
    pub exposure: f64,
}

impl Default for Isp {
    fn default() -> Self {
        Self { denoise: 0.5, temporal: 0.0, sharpen: 0.4, gamma: 2.2, exposure: 0.1 }
    }
}

impl Isp {
    pub(super) fn check(&self) -> Result<()> {
        within("denoise", self.denoise, 0.0, 1.0, "0 to 1")?;
        within("temporal", self.temporal, 0.0, 0.98, "0 to 0.98")?;
        within("sharpen", self.sharpen, 0.0, 3.0, "0 to 3")?;
        within("gamma", self.gamma, 1.0, 3.0, "1 to 3")?;
        within("exposure", self.exposure, 0.0, 1.0, "0 to 1")
    }
}

/// Exposure and white balance over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Exposure {
    state: Option<([f32; 3], f64)>,
}

impl Exposure {
    /// The grey world's gains of red, green and blue, and the exposure, after this frame's correction.
    pub fn step(&mut self, scene: &Linear, isp: &Isp) -> ([f32; 3], f64) {
        let mut mean = [0.0f32; 3];
        let some = scene.pixels.iter().step_by(61);
        let n = some.len().max(1) as f32;
        for p in some {
            mean.iter_mut().zip(p).for_each(|(m, v)| *m += v / n);
        }
        let wanted = mean.map(|m| (mean[1] / m.max(1e-3)).clamp(0.5, 2.0));
        let (gains, exposure) = self.state.get_or_insert((wanted, 1.0));
        let k = isp.exposure;
        gains.iter_mut().zip(wanted).for_each(|(g, w)| *g += k as f32 * (w - *g));
        *exposure += k * ((0.35 / f64::from(mean[1].max(0.05))).clamp(0.7, 1.4) - *exposure);
        (*gains, *exposure)
    }
}

pub(super) type Plane = Vec<f32>;

fn at(p: &[f32], w: usize, h: usize, x: isize, y: isize) -> f32 {
    // Mirrored at the borders, which keeps the mosaic's phase.
    let mirror = |v: isize, n: usize| {
        let n = n as isize;
        let v = if v < 0 { -v } else { v };
        (if v >= n { 2 * (n - 1) - v } else { v }).clamp(0, n - 1) as usize
    };
    p.get(mirror(y, h) * w + mirror(x, w)).copied().unwrap_or(0.0)
}

/// Bilinear demosaicking of an RGGB mosaic.
fn demosaic(raw: &[f32], w: usize, h: usize, gains: [f32; 3]) -> [Plane; 3] {
    let mut out = [vec![0.0; w * h], vec![0.0; w * h], vec![0.0; w * h]];
    for y in 0..h {
        for x in 0..w {
            let (px, py) = (x as isize, y as isize);
            let p = |dx, dy| at(raw, w, h, px + dx, py + dy);
            let cross = (p(-1, 0) + p(1, 0) + p(0, -1) + p(0, 1)) / 4.0;
            let corners = (p(-1, -1) + p(1, -1) + p(-1, 1) + p(1, 1)) / 4.0;
            let (across, down) = ((p(-1, 0) + p(1, 0)) / 2.0, (p(0, -1) + p(0, 1)) / 2.0);
            let here = p(0, 0);
            let rgb = match (colour_at(x, y), y & 1) {
                (0, _) => [here, cross, corners],
                (2, _) => [corners, cross, here],
                (_, 0) => [across, here, down],
                _ => [down, here, across],
            };
            for ((plane, v), g) in out.iter_mut().zip(rgb).zip(gains) {
                if let Some(slot) = plane.get_mut(y * w + x) {
                    *slot = v * g;
                }
            }
        }
    }
    out
}

/// Smooths (with strength above 0) or sharpens (below) by the mean of the eight neighbours that are close in value.
fn filter(p: &[f32], w: usize, h: usize, strength: f32, close: f32) -> Plane {
    let mut out = p.to_vec();
    for y in 1..h - 1 {
        for x in 1..w - 1 {
            let i = y * w + x;
            let here = p[i];
            let (mut sum, mut n) = (0.0, 0.0);
            for j in [i - w - 1, i - w, i - w + 1, i - 1, i + 1, i + w - 1, i + w, i + w + 1] {
                let k = if (p[j] - here).abs() < close { 1.0 } else { 0.0 };
                sum += k * p[j];
                n += k;
            }
            if n > 0.0 {
                out[i] = here + strength * (sum / n - here);
            }
        }
    }
    out
}

fn half(p: &[f32], w: usize, h: usize) -> Plane {
    let mean = |i: usize| {
        let j = 2 * (i / (w / 2)) * w + 2 * (i % (w / 2));
        (p[j] + p[j + 1] + p[j + w] + p[j + w + 1]) / 4.0
    };
    (0..w / 2 * (h / 2)).map(mean).collect()
}

/// Mosaic (shares of white; grey without a colour filter) to packed I420, BT.601, video range. `light` makes the
/// smoothers' idea of an edge larger in the dark, as cameras do; `before` is the last picture's luma.
pub(super) fn process(
    raw: &[f32],
    (w, h): (usize, usize),
    isp: &Isp,
    gains: Option<[f32; 3]>,
    light: f64,
    before: &mut Plane,
) -> Vec<u8> {
    let encode = |v: f32| v.clamp(0.0, 1.0).powf(1.0 / isp.gamma as f32);
    let rgb = gains.map_or_else(|| [0; 3].map(|_| raw.to_vec()), |gains| demosaic(raw, w, h, gains));
    let rgb = rgb.map(|p| p.into_iter().map(encode).collect::<Plane>());
    let [r, g, b] = &rgb;
    let mix = |k: [f32; 3]| -> Plane {
        r.iter().zip(g).zip(b).map(|((r, g), b)| k[0] * r + k[1] * g + k[2] * b).collect()
    };
    let mut luma = mix([0.299, 0.587, 0.114]);
    let close = 0.03 + 0.02 / light.max(0.01).sqrt();
    if isp.temporal > 0.0 {
        for (now, before) in luma.iter_mut().zip(before.iter()) {
            if (*now - before).abs() < close as f32 {
                *now += isp.temporal as f32 * (before - *now);
            }
        }
        before.clone_from(&luma);
    }
    if isp.denoise > 0.0 {
        luma = filter(&luma, w, h, isp.denoise as f32, close as f32);
    }
    if isp.sharpen > 0.0 {
        luma = filter(&luma, w, h, -isp.sharpen as f32, f32::INFINITY);
    }
    let u = half(&mix([-0.168_736, -0.331_264, 0.5]), w, h);
    let v = half(&mix([0.5, -0.418_688, -0.081_312]), w, h);
    let quantise =
        |scale: f32, offset: f32| move |v: f32| (v * scale + offset).round().clamp(0.0, 255.0) as u8;
    let mut out: Vec<u8> = luma.into_iter().map(quantise(219.0, 16.0)).collect();
    out.extend(u.into_iter().chain(v).map(quantise(224.0, 128.0)));
    out
}
