//! From a still to the print that fills the camera's view: scaled, set on its page, softened.

use super::error::Result;
use crate::recorded::{Error as RecordedError, Frame};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

/// What surrounds a still that does not fill the page. All of it lies in the plane of the print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// The still's border goes on, blurred, as a studio backdrop would.
    #[default]
    Backdrop,
    /// White paper.
    Paper,
}

/// Sets `still` in the middle of a page of `width` x `height`, its height `fill` times the page's, and
/// softens it by a gaussian of `soften` pixels.
pub(crate) fn make(
    still: &Frame,
    width: u32,
    height: u32,
    fill: f64,
    page: Page,
    soften: f64,
) -> Result<Frame> {
    let scaled_h = f64::from(height) * fill;
    let scaled_w = scaled_h * f64::from(still.width()) / f64::from(still.height().max(1));
    let even = |v: f64| ((v / 2.0).round().clamp(1.0, 8192.0) as u32) * 2;
    let (sw, sh) = (even(scaled_w), even(scaled_h));
    let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
    let mut data = Vec::with_capacity((width * height + 2 * cw * ch) as usize);
    let sizes = [(width, height, sw, sh), (cw, ch, sw / 2, sh / 2), (cw, ch, sw / 2, sh / 2)];
    for (index, ((pixels, w, h), (pw, ph, iw, ih))) in still.planes().into_iter().zip(sizes).enumerate() {
        let scaled = resize(pixels, w, h, iw, ih)?;
        let white = if index == 0 { 215 } else { 128 };
        let plane = set(&scaled, [iw, ih, pw, ph].map(|v| v as usize), page, white);
        let sigma = if index == 0 { soften } else { soften / 2.0 };
        data.extend(blur(plane, pw as usize, sigma));
    }
    Ok(Frame::new(still.pts_ns, still.duration_ns, width, height, data)?)
}

fn resize(pixels: &[u8], w: u32, h: u32, to_w: u32, to_h: u32) -> Result<Vec<u8>> {
    if (w, h) == (to_w, to_h) {
        return Ok(pixels.to_vec());
    }
    let failed = |e: String| RecordedError::Convert(e);
    let source = ImageRef::new(w, h, pixels, PixelType::U8).map_err(|e| failed(e.to_string()))?;
    let mut target = Image::new(to_w, to_h, PixelType::U8);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(&source, &mut target, &options).map_err(|e| failed(e.to_string()))?;
    Ok(target.into_vec())
}

/// Centres a plane on a page, cutting or filling up.
fn set(scaled: &[u8], [iw, ih, pw, ph]: [usize; 4], page: Page, white: u8) -> Vec<u8> {
    let shift = |page: usize, image: usize| (page as isize - image as isize).div_euclid(2);
    let (dx, dy) = (shift(pw, iw), shift(ph, ih));
    let pick = |x: isize, y: isize| scaled.get(hold(y, ih) * iw + hold(x, iw)).copied().unwrap_or(white);
    let inside = |x: isize, y: isize| x >= 0 && y >= 0 && x < iw as isize && y < ih as isize;
    let cells = || (0..ph as isize).flat_map(move |y| (0..pw as isize).map(move |x| (x - dx, y - dy)));
    if page == Page::Paper {
        return cells().map(|(x, y)| if inside(x, y) { pick(x, y) } else { white }).collect();
    }
    if iw >= pw && ih >= ph {
        // Nothing of the backdrop is in sight.
        return cells().map(|(x, y)| pick(x, y)).collect();
    }
    let wide = blur(cells().map(|(x, y)| pick(x, y)).collect(), pw, ph as f64 / 14.0);
    // From sharp to blurred over a few pixels, so that the backdrop has no seam.
    let soft = (ph as f64 / 20.0).max(1.0);
    cells()
        .zip(wide)
        .map(|((x, y), far)| {
            let outside = (-x).max(x - iw as isize + 1).max(-y).max(y - ih as isize + 1).max(0) as f64;
            let t = (outside / soft).min(1.0);
            (f64::from(pick(x, y)) * (1.0 - t) + f64::from(far) * t + 0.5) as u8
        })
        .collect()
}

fn hold(i: isize, n: usize) -> usize {
    i.clamp(0, n.max(1) as isize - 1) as usize
}

/// Separable gaussian, borders replicated.
fn blur(plane: Vec<u8>, width: usize, sigma: f64) -> Vec<u8> {
    if sigma < 0.05 || width == 0 {
        return plane;
    }
    let radius = (3.0 * sigma).ceil() as usize;
    let kernel: Vec<f32> = (0..=2 * radius)
        .map(|i| (-(i as f64 - radius as f64).powi(2) / (2.0 * sigma * sigma)).exp() as f32)
        .collect();
    let total: f32 = kernel.iter().sum();
    let height = plane.len() / width;
    let pass = |from: &[f32], n: usize, step: usize, start: usize, out: &mut [f32]| {
        for i in 0..n {
            let tap = |k: usize| (i + k).saturating_sub(radius).min(n - 1) * step + start;
            let sum: f32 =
                kernel.iter().enumerate().map(|(k, w)| w * from.get(tap(k)).copied().unwrap_or(0.0)).sum();
            if let Some(o) = out.get_mut(i * step + start) {
                *o = sum / total;
            }
        }
    };
    let from: Vec<f32> = plane.iter().map(|p| f32::from(*p)).collect();
    let mut rows = vec![0.0; from.len()];
    (0..height).for_each(|y| pass(&from, width, 1, y * width, &mut rows));
    let mut out = vec![0.0; from.len()];
    (0..width).for_each(|x| pass(&rows, height, width, x, &mut out));
    out.into_iter().map(|v| (v + 0.5) as u8).collect()
}
