//! Reads a rectangle of a frame as RGB, converting and scaling only that rectangle.
//!
//! Scaling (crate `fast_image_resize`) happens on the planes before colour conversion (crate `yuv`), so
//! that an 8K frame costs the detector one pass over its luma and no full-size RGB picture.

use crate::analysis::pixels::frame::{Colour, FrameView, Layout, Matrix, PixelRect, Plane};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use thiserror::Error;
use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvPackedImage, YuvPlanarImage, YuvRange, YuvStandardMatrix};

/// A kernel library refused its input; with a validated [`FrameView`] that is a defect, not a user's error.
#[derive(Debug, Error)]
#[error("cannot read a region of the frame: {0}")]
pub struct RegionError(String);

impl RegionError {
    pub(crate) fn of(e: impl std::fmt::Display) -> Self {
        Self(e.to_string())
    }
}

/// An RGB picture of a region of the frame: 3 bytes a pixel, rows without padding.
#[derive(Clone, Debug, Default)]
pub struct RgbRegion {
    pub data: Vec<u8>,
    pub width: usize,
    pub height: usize,
    /// The frame rectangle that it shows.
    pub rect: PixelRect,
}

impl RgbRegion {
    /// Region pixels a frame pixel, horizontally and vertically.
    pub fn scale(&self) -> (f64, f64) {
        (self.width as f64 / self.rect.w.max(1) as f64, self.height as f64 / self.rect.h.max(1) as f64)
    }
}

/// Reads regions; keeps its scratch memory between calls.
#[derive(Debug, Default)]
pub struct RegionReader {
    resizer: Resizer,
    scaled: [Vec<u8>; 3],
    rows: Vec<u8>,
}

impl RegionReader {
    /// Reads `rect`, grown to even borders where chroma needs it and clipped to the frame, into `out`. When its
    /// longer side exceeds `max_side` by more than half, it is scaled down (area-averaging) to `max_side`.
    pub fn read(
        &mut self,
        frame: &FrameView<'_>,
        rect: PixelRect,
        max_side: usize,
        out: &mut RgbRegion,
    ) -> Result<(), RegionError> {
        let rect = even_rect(rect, frame.width(), frame.height());
        let longest = rect.w.max(rect.h);
        let (w, h) = if longest * 2 > max_side * 3 {
            let s = max_side as f64 / longest as f64;
            (((rect.w as f64 * s).round() as usize).max(1), ((rect.h as f64 * s).round() as usize).max(1))
        } else {
            (rect.w, rect.h)
        };
        out.rect = rect;
        out.width = w;
        out.height = h;
        out.data.resize(w * h * 3, 0);
        if (w, h) == (rect.w, rect.h) {
            self.convert(frame, rect, &mut out.data)
        } else {
            self.scale(frame, rect, w, h, &mut out.data)
        }
    }

    /// Colour conversion at native resolution. The rectangle's rows are copied out first: the converters want every
    /// row as long as the stride, which the last row of a rectangle at the frame's bottom is not.
    fn convert(&mut self, frame: &FrameView<'_>, r: PixelRect, rgb: &mut [u8]) -> Result<(), RegionError> {
        let (w, h) = (r.w as u32, r.h as u32);
        let (range, matrix) = standard(frame.colour());
        let stride = w * 3;
        let half = half_rect(r);
        let [first, second, third] = &mut self.scaled;
        match frame.format().layout() {
            Layout::Planar420 { v_first } => {
                copy_rows(frame.plane(0), 1, r, first)?;
                copy_rows(frame.plane(1), 1, half, second)?;
                copy_rows(frame.plane(2), 1, half, third)?;
                let (u, v) = if v_first { (third, second) } else { (second, third) };
                let image = YuvPlanarImage {
                    y_plane: &first[..],
                    y_stride: w,
                    u_plane: &u[..],
                    u_stride: half.w as u32,
                    v_plane: &v[..],
                    v_stride: half.w as u32,
                    width: w,
                    height: h,
                };
                yuv::yuv420_to_rgb(&image, rgb, stride, range, matrix).map_err(RegionError::of)
            }
            Layout::Biplanar420 { v_first } => {
                copy_rows(frame.plane(0), 1, r, first)?;
                copy_rows(frame.plane(1), 2, half, second)?;
                let image = YuvBiPlanarImage {
                    y_plane: &first[..],
                    y_stride: w,
                    uv_plane: &second[..],
                    uv_stride: 2 * half.w as u32,
                    width: w,
                    height: h,
                };
                let mode = YuvConversionMode::Balanced;
                if v_first {
                    yuv::yuv_nv21_to_rgb(&image, rgb, stride, range, matrix, mode)
                } else {
                    yuv::yuv_nv12_to_rgb(&image, rgb, stride, range, matrix, mode)
                }
                .map_err(RegionError::of)
            }
            Layout::Packed422 { luma_first } => {
                let pairs = PixelRect { x: r.x / 2, w: r.w.div_ceil(2), ..r };
                copy_rows(frame.plane(0), 4, pairs, first)?;
                let image =
                    YuvPackedImage { yuy: &first[..], yuy_stride: 4 * pairs.w as u32, width: w, height: h };
                if luma_first {
                    yuv::yuyv422_to_rgb(&image, rgb, stride, range, matrix)
                } else {
                    yuv::uyvy422_to_rgb(&image, rgb, stride, range, matrix)
                }
                .map_err(RegionError::of)
            }
            Layout::Packed { bytes, rgb: order } => {
                copy_rows(frame.plane(0), bytes, r, first)?;
                swizzle(first, bytes, order, rgb);
                Ok(())
            }
            Layout::Gray => {
                copy_rows(frame.plane(0), 1, r, first)?;
                swizzle(first, 1, [0, 0, 0], rgb);
                Ok(())
            }
        }
    }

    /// Scales the planes to `w` x `h`, then converts.
    fn scale(
        &mut self,
        frame: &FrameView<'_>,
        r: PixelRect,
        w: usize,
        h: usize,
        rgb: &mut [u8],
    ) -> Result<(), RegionError> {
        let (range, matrix) = standard(frame.colour());
        let half = half_rect(r);
        let (size, stride) = ((w, h), w as u32);
        match frame.format().layout() {
            Layout::Planar420 { v_first } => {
                self.resize(frame.plane(0), PixelType::U8, r, size, 0)?;
                self.resize(frame.plane(1), PixelType::U8, half, size, 1)?;
                self.resize(frame.plane(2), PixelType::U8, half, size, 2)?;
                let [y, a, b] = &self.scaled;
                let (u, v) = if v_first { (b, a) } else { (a, b) };
                yuv444(y, u, v, w, h, rgb, (range, matrix))
            }
            Layout::Biplanar420 { v_first } => {
                self.resize(frame.plane(0), PixelType::U8, r, size, 0)?;
                self.resize(frame.plane(1), PixelType::U8x2, half, size, 1)?;
                let image = YuvBiPlanarImage {
                    y_plane: &self.scaled[0][..],
                    y_stride: stride,
                    uv_plane: &self.scaled[1][..],
                    uv_stride: stride * 2,
                    width: w as u32,
                    height: h as u32,
                };
                let mode = YuvConversionMode::Balanced;
                if v_first {
                    yuv::yuv_nv42_to_rgb(&image, rgb, stride * 3, range, matrix, mode)
                } else {
                    yuv::yuv_nv24_to_rgb(&image, rgb, stride * 3, range, matrix, mode)
                }
                .map_err(RegionError::of)
            }
            Layout::Packed422 { luma_first } => {
                // Two pixels as one of four channels: the pair's two lumas are averaged afterwards.
                let pairs = PixelRect { x: r.x / 2, w: r.w.div_ceil(2), ..r };
                self.resize(frame.plane(0), PixelType::U8x4, pairs, size, 0)?;
                let [packed, u, v] = &mut self.scaled;
                let [y0, cb, y1, cr] = if luma_first { [0, 1, 2, 3] } else { [1, 0, 3, 2] };
                u.resize(w * h, 0);
                v.resize(w * h, 0);
                self.rows.resize(w * h, 0);
                for (i, px) in packed.chunks_exact(4).enumerate() {
                    self.rows[i] = ((u16::from(px[y0]) + u16::from(px[y1])).div_ceil(2)) as u8;
                    u[i] = px[cb];
                    v[i] = px[cr];
                }
                yuv444(&self.rows, u, v, w, h, rgb, (range, matrix))
            }
            Layout::Packed { bytes, rgb: order } => {
                let kind = if bytes == 3 { PixelType::U8x3 } else { PixelType::U8x4 };
                self.resize(frame.plane(0), kind, r, size, 0)?;
                swizzle(&self.scaled[0], bytes, order, rgb);
                Ok(())
            }
            Layout::Gray => {
                self.resize(frame.plane(0), PixelType::U8, r, size, 0)?;
                swizzle(&self.scaled[0], 1, [0, 0, 0], rgb);
                Ok(())
            }
        }
    }

    fn resize(
        &mut self,
        plane: Plane<'_>,
        kind: PixelType,
        r: PixelRect,
        (w, h): (usize, usize),
        slot: usize,
    ) -> Result<(), RegionError> {
        let px = kind.size();
        let out = &mut self.scaled[slot];
        out.resize(w * h * px, 0);
        let mut dst = Image::from_slice_u8(w as u32, h as u32, out, kind).map_err(RegionError::of)?;
        let options =
            ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
        let strided = plane.stride.is_multiple_of(px) && plane.data.len() >= plane.stride * (r.y + r.h);
        if strided {
            // The padding of a row is seen as more pixels, and cropped away.
            let src = ImageRef::new((plane.stride / px) as u32, (r.y + r.h) as u32, plane.data, kind)
                .map_err(RegionError::of)?;
            let options = options.crop(r.x as f64, r.y as f64, r.w as f64, r.h as f64);
            self.resizer.resize(&src, &mut dst, &options).map_err(RegionError::of)
        } else {
            copy_rows(plane, px, r, &mut self.rows)?;
            let src = ImageRef::new(r.w as u32, r.h as u32, &self.rows, kind).map_err(RegionError::of)?;
            self.resizer.resize(&src, &mut dst, &options).map_err(RegionError::of)
        }
    }
}

/// The rectangle's bytes without padding, `px` bytes a pixel.
fn copy_rows(plane: Plane<'_>, px: usize, r: PixelRect, rows: &mut Vec<u8>) -> Result<(), RegionError> {
    rows.clear();
    for row in plane.data.chunks(plane.stride).skip(r.y).take(r.h) {
        let row = row.get(px * r.x..px * (r.x + r.w)).ok_or_else(|| RegionError::of("short row"))?;
        rows.extend_from_slice(row);
    }
    Ok(())
}

fn yuv444(
    y: &[u8],
    u: &[u8],
    v: &[u8],
    w: usize,
    h: usize,
    rgb: &mut [u8],
    (range, matrix): (YuvRange, YuvStandardMatrix),
) -> Result<(), RegionError> {
    let stride = w as u32;
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: stride,
        u_plane: u,
        u_stride: stride,
        v_plane: v,
        v_stride: stride,
        width: stride,
        height: h as u32,
    };
    yuv::yuv444_to_rgb(&image, rgb, stride * 3, range, matrix).map_err(RegionError::of)
}

fn swizzle(src: &[u8], bytes: usize, [r, g, b]: [usize; 3], dst: &mut [u8]) {
    for (s, d) in src.chunks_exact(bytes).zip(dst.chunks_exact_mut(3)) {
        d[0] = s[r];
        d[1] = s[g];
        d[2] = s[b];
    }
}

fn standard(colour: Colour) -> (YuvRange, YuvStandardMatrix) {
    let range = if colour.full_range { YuvRange::Full } else { YuvRange::Limited };
    let matrix = match colour.matrix {
        Matrix::Bt601 => YuvStandardMatrix::Bt601,
        Matrix::Bt709 => YuvStandardMatrix::Bt709,
        Matrix::Bt2020 => YuvStandardMatrix::Bt2020,
    };
    (range, matrix)
}

/// The same rectangle in a plane that is halved both ways.
fn half_rect(r: PixelRect) -> PixelRect {
    PixelRect { x: r.x / 2, y: r.y / 2, w: r.w.div_ceil(2), h: r.h.div_ceil(2) }
}

/// Clips to the frame and moves the top-left corner to even coordinates; never empty.
fn even_rect(r: PixelRect, width: usize, height: usize) -> PixelRect {
    let x = r.x.min(width - 2) & !1;
    let y = r.y.min(height - 2) & !1;
    let right = (r.x + r.w).clamp(x + 2, width);
    let bottom = (r.y + r.h).clamp(y + 2, height);
    PixelRect { x, y, w: right - x, h: bottom - y }
}

#[cfg(test)]
#[path = "region_tests.rs"]
mod tests;
