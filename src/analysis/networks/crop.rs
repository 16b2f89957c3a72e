//! What a network is shown of a face: where in the frame its picture lies, how it is cut, and how pixels become numbers.

use crate::analysis::face::align::{self, Roi};
use crate::analysis::face::mesh::{FaceMesh, Pose};
use crate::analysis::pixels::frame::{FrameView, PixelRect};
use crate::analysis::pixels::region::{RegionError, RegionReader, RgbRegion};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::ArrayView4;
use serde::Deserialize;

/// How the picture lies about the face.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum CropSpec {
    /// An upright rectangle, resized to the input.
    Box {
        /// Times the face.
        scale: f32,
        #[serde(default)]
        shape: Shape,
        #[serde(default)]
        outside: Outside,
        #[serde(default)]
        filter: Filter,
    },
    /// A square with the eyes level.
    Aligned { scale: f32 },
    /// Pixel by pixel, so that texture survives; shrunk only where the face is wider than `max_face`.
    Native { max_face: f32 },
}

/// See [`CropSpec::Box`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A square of the face's longer side.
    #[default]
    Square,
    /// Wide as the face, high as the face.
    Face,
}

/// What becomes of a rectangle that reaches out of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// The frame's border is repeated.
    #[default]
    Repeat,
    /// It is made to fit and moved into the frame.
    Shift,
}

/// How pixels are resized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Every pixel counts.
    #[default]
    Area,
    /// The four neighbours count.
    Linear,
}

/// A face as far as a crop depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// `[x, y, w, h]` around the mesh, frame pixels.
    pub bounds: [f32; 4],
    /// Radians, clockwise on the screen.
    pub roll: f32,
}

impl FaceBox {
    /// The face of that mesh, whose pose is known already.
    pub fn of(mesh: &FaceMesh, pose: Pose) -> Self {
        Self { bounds: mesh.bounds(), roll: pose.roll }
    }
    /// Its width, frame pixels.
    pub fn px(&self) -> f64 {
        f64::from(self.bounds[2])
    }
}

/// Where a picture lies in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Placed {
    /// Frame pixels.
    pub centre: [f32; 2],
    pub size: [f32; 2],
    /// Radians, clockwise on the screen.
    pub angle: f32,
}

impl Placed {
    /// Picture coordinates (0..1 each way) to frame pixels.
    pub fn to_frame(&self, u: f32, v: f32) -> [f32; 2] {
        let (x, y) = ((u - 0.5) * self.size[0], (v - 0.5) * self.size[1]);
        let (sin, cos) = self.angle.sin_cos();
        [self.centre[0] + x * cos - y * sin, self.centre[1] + x * sin + y * cos]
    }

    /// The reverse of [`to_frame`](Self::to_frame).
    pub fn to_picture(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let (sin, cos) = self.angle.sin_cos();
        [(dx * cos + dy * sin) / self.size[0] + 0.5, (dy * cos - dx * sin) / self.size[1] + 0.5]
    }

    /// Share of the picture that lies within a frame of that width and height, 0..1; that of the upright rectangle of its size.
    pub fn inside(&self, (width, height): (usize, usize)) -> f32 {
        let share = |c: f32, s: f32, frame: usize| {
            ((c + s / 2.0).min(frame as f32) - (c - s / 2.0).max(0.0)).max(0.0) / s
        };
        (share(self.centre[0], self.size[0], width) * share(self.centre[1], self.size[1], height)).min(1.0)
    }

    /// Whether it is a place in a frame of that size at all.
    fn is_sane(&self, (width, height): (usize, usize)) -> bool {
        let (w, h) = (width as f32, height as f32);
        let [cx, cy] = self.centre;
        let fits = |s: f32| (4.0..=16.0 * w.max(h)).contains(&s);
        self.angle.is_finite()
            && self.size.into_iter().all(fits)
            && (0.0..=w).contains(&cx)
            && (0.0..=h).contains(&cy)
    }
}

impl CropSpec {
    /// The picture of `face` for an input of that width and height in a frame of that width and height; `None` if it is
    /// no place in the frame.
    pub fn place(&self, face: &FaceBox, input: (usize, usize), frame: (usize, usize)) -> Option<Placed> {
        let [x, y, w, h] = face.bounds;
        let mut centre = [x + w / 2.0, y + h / 2.0];
        let (mut size, mut angle) = ([0.0; 2], 0.0);
        match *self {
            Self::Box { scale, shape, outside, .. } => {
                size = match shape {
                    Shape::Square => [scale * w.max(h); 2],
                    Shape::Face => [scale * w, scale * h],
                };
                if outside == Outside::Shift {
                    let (fw, fh) = (frame.0 as f32, frame.1 as f32);
                    let fit = (fw / size[0]).min(fh / size[1]).min(1.0);
                    size = size.map(|s| s * fit);
                    let inside = |c: f32, s: f32, f: f32| c.min(f - s / 2.0).max(s / 2.0);
                    centre = [inside(centre[0], size[0], fw), inside(centre[1], size[1], fh)];
                }
            }
            Self::Aligned { scale } => {
                size = [scale * w.max(h); 2];
                angle = face.roll;
            }
            Self::Native { max_face } => {
                let shrink = (w / max_face).max(1.0);
                for ((s, c), side) in size.iter_mut().zip(&mut centre).zip([input.0 as f32, input.1 as f32]) {
                    *s = side * shrink;
                    if shrink == 1.0 {
                        // On whole pixels, so that they are copied and not mixed.
                        *c = (*c - side / 2.0 + 0.5).floor() + side / 2.0;
                    }
                }
            }
        }
        Some(Placed { centre, size, angle }).filter(|p| p.is_sane(frame))
    }

    const fn filter(&self) -> Filter {
        match self {
            Self::Box { filter, .. } => *filter,
            Self::Aligned { .. } | Self::Native { .. } => Filter::Area,
        }
    }

    /// What is wrong with the numbers for an input of that size, if anything is.
    pub fn fault(&self, input: (usize, usize)) -> Option<&'static str> {
        match self {
            Self::Box { scale, .. } | Self::Aligned { scale } if !(0.3..=8.0).contains(scale) => {
                Some("`scale` must be in 0.3..8")
            }
            Self::Aligned { .. } if input.0 != input.1 => Some("`kind` aligned needs a square input"),
            Self::Native { max_face } if !(32.0..=1024.0).contains(max_face) => {
                Some("`max-face` must be in 32..1024 pixels")
            }
            _ => None,
        }
    }
}

/// Order of the input's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Nchw,
    Nhwc,
}

/// The input's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    Rgb,
    Bgr,
    Gray,
}

impl Channels {
    /// How many there are.
    pub const fn count(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Gray => 1,
        }
    }
}

/// How a pixel becomes numbers: `value * gain + offset` for each of the input's channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pixels {
    pub order: Order,
    pub channels: Channels,
    pub gain: [f32; 3],
    pub offset: [f32; 3],
}

impl Pixels {
    fn fill(&self, rgb: &[u8], out: &mut Vec<f32>) {
        let channels = self.channels.count();
        let plane = rgb.len() / 3;
        out.clear();
        out.resize(plane * channels, 0.0);
        for (i, px) in rgb.chunks_exact(3).enumerate() {
            let [r, g, b] = [px[0], px[1], px[2]].map(f32::from);
            let values = match self.channels {
                Channels::Rgb => [r, g, b],
                Channels::Bgr => [b, g, r],
                Channels::Gray => [0.299 * r + 0.587 * g + 0.114 * b; 3],
            };
            for (c, v) in values.into_iter().take(channels).enumerate() {
                let at = match self.order {
                    Order::Nchw => c * plane + i,
                    Order::Nhwc => i * channels + c,
                };
                if let Some(slot) = out.get_mut(at) {
                    *slot = v * self.gain[c] + self.offset[c];
                }
            }
        }
    }
}

/// Below this longer side a picture is read from the frame as it is, whatever the input: four neighbours see no more.
const LINEAR_SIDE: usize = 1024;

/// Cuts pictures; keeps its memory between frames.
#[derive(Debug, Default)]
pub struct Cropper {
    region: RgbRegion,
    canvas: Vec<u8>,
    picture: Vec<u8>,
    tensor: Vec<f32>,
    resizer: Resizer,
}

impl Cropper {
    /// Makes the picture of `face`; `None` if there is no place for it in the frame. See [`Cropper::input`].
    pub fn cut(
        &mut self,
        frame: &FrameView<'_>,
        face: &FaceBox,
        spec: &CropSpec,
        input: (usize, usize),
        reader: &mut RegionReader,
    ) -> Result<Option<Placed>, RegionError> {
        let Some(placed) = spec.place(face, input, (frame.width(), frame.height())) else { return Ok(None) };
        self.picture.resize(input.0 * input.1 * 3, 0);
        let done = if let CropSpec::Aligned { .. } = spec {
            let roi =
                Roi { cx: placed.centre[0], cy: placed.centre[1], size: placed.size[0], angle: placed.angle };
            let side = input.0;
            let rect = roi.bounds(frame.width(), frame.height());
            reader.read(frame, rect, side + side / 4, &mut self.region)?;
            let pixels = self.picture.chunks_exact_mut(3);
            align::sample(&self.region, roi, side, pixels, |px, rgb| {
                for (to, from) in px.iter_mut().zip(rgb) {
                    *to = from.round() as u8;
                }
            });
            true
        } else {
            self.upright(frame, &placed, spec.filter(), input, reader)?
        };
        Ok(done.then_some(placed))
    }

    /// The last picture as a network's input of those sides.
    pub fn input(
        &mut self,
        pixels: &Pixels,
        (w, h): (usize, usize),
    ) -> Result<ArrayView4<'_, f32>, RegionError> {
        pixels.fill(&self.picture, &mut self.tensor);
        let c = pixels.channels.count();
        let shape = match pixels.order {
            Order::Nchw => (1, c, h, w),
            Order::Nhwc => (1, h, w, c),
        };
        ArrayView4::from_shape(shape, &self.tensor).map_err(RegionError::of)
    }

    /// The last picture: RGB, 3 bytes a pixel.
    pub fn picture(&self) -> &[u8] {
        &self.picture
    }

    /// Returns whether there was anything to show.
    fn upright(
        &mut self,
        frame: &FrameView<'_>,
        placed: &Placed,
        filter: Filter,
        (w, h): (usize, usize),
        reader: &mut RegionReader,
    ) -> Result<bool, RegionError> {
        let [left, top] = [0, 1].map(|i| f64::from(placed.centre[i]) - f64::from(placed.size[i]) / 2.0);
        let [across, down] = placed.size.map(f64::from);
        let clip = |v: f64, hi: usize| v.clamp(0.0, hi as f64) as usize;
        let (x, y) = (clip(left.floor(), frame.width()), clip(top.floor(), frame.height()));
        let right = clip((left + across).ceil(), frame.width());
        let bottom = clip((top + down).ceil(), frame.height());
        let rect = PixelRect { x, y, w: right.saturating_sub(x), h: bottom.saturating_sub(y) };
        if rect.w < 2 || rect.h < 2 {
            return Ok(false);
        }
        let most = match filter {
            Filter::Area => 2 * w.max(h),
            Filter::Linear => LINEAR_SIDE.max(w).max(h),
        };
        // What is within the frame may be a small part of the picture.
        let share = rect.w.max(rect.h) as f64 / across.max(down);
        reader.read(frame, rect, ((most as f64 * share).ceil() as usize).max(2), &mut self.region)?;
        let region = &self.region;
        let (sx, sy) = region.scale();
        let near = |v: f64| if (v - v.round()).abs() < 1e-3 { v.round() } else { v };
        let (x0, y0) = (near((left - region.rect.x as f64) * sx), near((top - region.rect.y as f64) * sy));
        let (x1, y1) = (near(x0 + across * sx), near(y0 + down * sy));
        let whole = (x0.floor(), y0.floor(), x1.ceil(), y1.ceil());
        let (cw, ch) = ((whole.2 - whole.0) as usize, (whole.3 - whole.1) as usize);
        if cw == 0 || ch == 0 || cw.max(ch) > 2 * most {
            return Ok(false);
        }
        let exact = (cw, ch) == (w, h) && whole == (x0, y0, x1, y1);
        let canvas = if exact { &mut self.picture } else { &mut self.canvas };
        canvas.resize(cw * ch * 3, 0);
        lay_out(region, (whole.0 as isize, whole.1 as isize), cw, canvas);
        if exact {
            return Ok(true);
        }
        let source =
            ImageRef::new(cw as u32, ch as u32, &self.canvas, PixelType::U8x3).map_err(RegionError::of)?;
        let mut picture = Image::from_slice_u8(w as u32, h as u32, &mut self.picture, PixelType::U8x3)
            .map_err(RegionError::of)?;
        let algorithm = match filter {
            Filter::Area => ResizeAlg::Convolution(FilterType::Bilinear),
            Filter::Linear => ResizeAlg::Interpolation(FilterType::Bilinear),
        };
        let options = ResizeOptions::new().resize_alg(algorithm).use_alpha(false);
        let options = options.crop(x0 - whole.0, y0 - whole.1, x1 - x0, y1 - y0);
        self.resizer.resize(&source, &mut picture, &options).map_err(RegionError::of)?;
        Ok(true)
    }
}

/// Copies the region into rows of `width` pixels, with its border repeated about it; `(x, y)` is the first row's first
/// pixel in the region.
fn lay_out(region: &RgbRegion, (x, y): (isize, isize), width: usize, out: &mut [u8]) {
    let (last_x, last_y) = (region.width as isize - 1, region.height as isize - 1);
    for (v, row) in out.chunks_exact_mut(width * 3).enumerate() {
        let from = (y + v as isize).clamp(0, last_y) as usize * region.width * 3;
        let Some(line) = region.data.get(from..from + region.width * 3) else { continue };
        for (u, px) in row.chunks_exact_mut(3).enumerate() {
            let at = (x + u as isize).clamp(0, last_x) as usize * 3;
            if let Some(rgb) = line.get(at..at + 3) {
                px.copy_from_slice(rgb);
            }
        }
    }
}

#[cfg(test)]
#[path = "crop_tests.rs"]
mod tests;
