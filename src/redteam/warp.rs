//! Bicubic warp of an I420 picture by a homography.

use crate::recorded::Frame;
use nalgebra::{Matrix3, Vector3};

/// Steps of the kernel table between two pixels; its error stays below one grey level.
const PHASES: usize = 256;

/// Catmull-Rom weights for every sub-pixel phase.
#[derive(Debug)]
pub(crate) struct Kernel(Vec<[f32; 4]>);

impl Kernel {
    pub fn new() -> Self {
        let weights = |phase: usize| {
            let t = phase as f32 / PHASES as f32;
            let (t2, t3) = (t * t, t * t * t);
            [
                -0.5 * t3 + t2 - 0.5 * t,
                1.5 * t3 - 2.5 * t2 + 1.0,
                -1.5 * t3 + 2.0 * t2 + 0.5 * t,
                0.5 * t3 - 0.5 * t2,
            ]
        };
        Self((0..=PHASES).map(weights).collect())
    }
}

/// The picture that a camera sees when `print` (of the same size) is moved by `to_picture`. Outside the
/// print its border goes on. `None` when the homography has no inverse.
pub(crate) fn warp(print: &Frame, to_picture: &Matrix3<f64>, kernel: &Kernel) -> Option<Frame> {
    warp_bent(print, to_picture, Bend::default(), kernel)
}

/// A sheet bent round a vertical axis, as in a hand: its sides come nearer together the farther out they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bend {
    /// Share of a half turn over the whole width; flat when 0.
    pub strength: f64,
    /// Width of the sheet, pixels.
    pub width: f64,
}

impl Bend {
    /// Where on the flat sheet lies what is seen at `x`; `step` is the size of a pixel in those of luma.
    fn unrolled(&self, x: f64, step: f64) -> f64 {
        let half = self.width / step / 2.0;
        let turn = self.strength * std::f64::consts::FRAC_PI_2;
        let reach = turn.sin();
        ((x - half) / half * reach).clamp(-1.0, 1.0).asin() / turn * half + half
    }
}

/// As [`warp`], of a sheet that is bent.
pub(crate) fn warp_bent(
    print: &Frame,
    to_picture: &Matrix3<f64>,
    bend: Bend,
    kernel: &Kernel,
) -> Option<Frame> {
    let back = to_picture.try_inverse()?;
    let mut out = print.clone();
    let planes = print.planes();
    for (target, (pixels, w, h)) in out.planes_mut().into_iter().zip(planes) {
        // A chroma pixel covers the luma pixels beside and below it: coordinates scale, centres do not move.
        let step = f64::from(print.width().div_ceil(w).max(1));
        let grow = Matrix3::new_nonuniform_scaling(&nalgebra::Vector2::new(step, step));
        let shrink = Matrix3::new_nonuniform_scaling(&nalgebra::Vector2::new(1.0 / step, 1.0 / step));
        plane(target, (pixels, w as usize, h as usize), &(shrink * back * grow), (bend, step), kernel);
    }
    Some(out)
}

fn plane(
    target: &mut [u8],
    (pixels, w, h): (&[u8], usize, usize),
    back: &Matrix3<f64>,
    (bend, size): (Bend, f64),
    kernel: &Kernel,
) {
    let step = back * Vector3::new(1.0, 0.0, 0.0);
    for (row, line) in target.chunks_exact_mut(w).enumerate() {
        let mut at = back * Vector3::new(0.5, row as f64 + 0.5, 1.0);
        for pixel in line {
            let z = if at.z.abs() < 1e-9 { 1e-9 } else { at.z };
            // Far outside, the border goes on anyway: the clamp keeps the conversion to integers safe.
            let across = at.x / z;
            let across = if bend.strength.abs() > 1e-6 { bend.unrolled(across, size) } else { across };
            let x = (across - 0.5).clamp(-4.0, w as f64 + 4.0);
            let y = (at.y / z - 0.5).clamp(-4.0, h as f64 + 4.0);
            *pixel = sample(pixels, w, h, x, y, kernel);
            at += step;
        }
    }
}

#[inline]
fn sample(pixels: &[u8], w: usize, h: usize, x: f64, y: f64, kernel: &Kernel) -> u8 {
    let (fx, fy) = (x.floor(), y.floor());
    let (Some(kx), Some(ky)) = (
        kernel.0.get(((x - fx) * PHASES as f64 + 0.5) as usize),
        kernel.0.get(((y - fy) * PHASES as f64 + 0.5) as usize),
    ) else {
        return 0;
    };
    let (ix, iy) = (fx as isize - 1, fy as isize - 1);
    let inside = ix >= 0 && iy >= 0 && ix + 4 <= w as isize && iy + 4 <= h as isize;
    let mut sum = 0.0;
    if inside {
        let first = iy as usize * w + ix as usize;
        for (rows, wy) in ky.iter().enumerate() {
            let start = first + rows * w;
            if let Some(four) = pixels.get(start..start + 4) {
                let line: f32 = four.iter().zip(kx).map(|(p, wx)| f32::from(*p) * wx).sum();
                sum += wy * line;
            }
        }
    } else {
        let clamp = |v: isize, n: usize| v.clamp(0, n as isize - 1) as usize;
        for (j, wy) in ky.iter().enumerate() {
            let start = clamp(iy + j as isize, h) * w;
            for (i, wx) in kx.iter().enumerate() {
                let p = pixels.get(start + clamp(ix + i as isize, w)).copied().unwrap_or(0);
                sum += wy * wx * f32::from(p);
            }
        }
    }
    (sum + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_changes_nothing() {
        let data = (0..64 * 48 * 3 / 2).map(|i| (i * 37 % 251) as u8).collect();
        let frame = Frame::new(0, None, 64, 48, data).unwrap();
        assert_eq!(warp(&frame, &Matrix3::identity(), &Kernel::new()).unwrap(), frame);
    }

    #[test]
    fn whole_pixels_shift_exactly() {
        let data: Vec<u8> = (0..64 * 48 * 3 / 2).map(|i| (i * 37 % 251) as u8).collect();
        let frame = Frame::new(0, None, 64, 48, data.clone()).unwrap();
        let shift = Matrix3::new_translation(&nalgebra::Vector2::new(2.0, 4.0));
        let moved = warp(&frame, &shift, &Kernel::new()).unwrap();
        assert_eq!(moved.data()[10 * 64 + 10], data[6 * 64 + 8]);
        let chroma = 64 * 48;
        assert_eq!(moved.data()[chroma + 10 * 32 + 10], data[chroma + 8 * 32 + 9]);
    }
}
