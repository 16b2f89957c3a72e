//! A borrowed, validated view of one raw video frame.

use thiserror::Error;

/// Raw formats that the analysis reads without converting the whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    I420,
    Yv12,
    Nv12,
    Nv21,
    Yuy2,
    Uyvy,
    Rgb,
    Bgr,
    Rgba,
    Bgra,
    Argb,
    Abgr,
    Gray8,
}

/// How the samples of a frame are laid out, and what the analysis must know to read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Three planes, chroma halved both ways; `true` when V comes before U.
    Planar420 { v_first: bool },
    /// Luma plane and an interleaved chroma plane, halved both ways.
    Biplanar420 { v_first: bool },
    /// Two pixels in four bytes; `true` when luma comes first.
    Packed422 { luma_first: bool },
    /// One plane of `bytes` a pixel, with the offsets of red, green and blue.
    Packed { bytes: usize, rgb: [usize; 3] },
    /// One luma plane.
    Gray,
}

impl PixelFormat {
    pub(crate) const fn layout(self) -> Layout {
        match self {
            Self::I420 => Layout::Planar420 { v_first: false },
            Self::Yv12 => Layout::Planar420 { v_first: true },
            Self::Nv12 => Layout::Biplanar420 { v_first: false },
            Self::Nv21 => Layout::Biplanar420 { v_first: true },
            Self::Yuy2 => Layout::Packed422 { luma_first: true },
            Self::Uyvy => Layout::Packed422 { luma_first: false },
            Self::Rgb => Layout::Packed { bytes: 3, rgb: [0, 1, 2] },
            Self::Bgr => Layout::Packed { bytes: 3, rgb: [2, 1, 0] },
            Self::Rgba => Layout::Packed { bytes: 4, rgb: [0, 1, 2] },
            Self::Bgra => Layout::Packed { bytes: 4, rgb: [2, 1, 0] },
            Self::Argb => Layout::Packed { bytes: 4, rgb: [1, 2, 3] },
            Self::Abgr => Layout::Packed { bytes: 4, rgb: [3, 2, 1] },
            Self::Gray8 => Layout::Gray,
        }
    }

    /// Number of planes in memory.
    pub const fn planes(self) -> usize {
        match self.layout() {
            Layout::Planar420 { .. } => 3,
            Layout::Biplanar420 { .. } => 2,
            _ => 1,
        }
    }

    /// Bytes that a row of `plane` needs at `width`, and the number of its rows at `height`.
    pub const fn plane_size(self, plane: usize, width: usize, height: usize) -> (usize, usize) {
        let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
        match (self.layout(), plane) {
            (Layout::Planar420 { .. } | Layout::Biplanar420 { .. } | Layout::Gray, 0) => (width, height),
            (Layout::Planar420 { .. }, _) => (half_w, half_h),
            (Layout::Biplanar420 { .. }, _) => (2 * half_w, half_h),
            (Layout::Packed422 { .. }, _) => (4 * half_w, height),
            (Layout::Packed { bytes, .. }, _) => (bytes * width, height),
            (Layout::Gray, _) => (0, 0),
        }
    }
}

/// YUV to RGB matrix coefficients of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matrix {
    #[default]
    Bt601,
    Bt709,
    Bt2020,
}

/// Colorimetry of the stream, as far as reading it needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colour {
    pub matrix: Matrix,
    /// Luma 0..255 instead of 16..235.
    pub full_range: bool,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    #[error("frame of {width}x{height} pixels is outside 16x16 .. 8192x8192")]
    Size { width: usize, height: usize },
    #[error("{found} planes given, {wanted} wanted")]
    Planes { found: usize, wanted: usize },
    #[error("plane {plane}: stride {stride} is below the {wanted} bytes of a row")]
    Stride { plane: usize, stride: usize, wanted: usize },
    #[error("plane {plane}: {found} bytes, {wanted} wanted")]
    Short { plane: usize, found: usize, wanted: usize },
}

/// Smallest and largest side of a frame that the analysis takes, pixels.
pub const MIN_SIDE: usize = 16;
/// See [`MIN_SIDE`].
pub const MAX_SIDE: usize = 8192;

/// One plane: its bytes from the first visible pixel on, and the distance between rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    pub data: &'a [u8],
    pub stride: usize,
}

/// A raw frame whose planes are known to be as large as format, size and strides say.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    format: PixelFormat,
    width: usize,
    height: usize,
    colour: Colour,
    planes: [Plane<'a>; 3],
}

impl<'a> FrameView<'a> {
    /// Checks sizes and strides; the last row of a plane need not be padded to the stride.
    pub fn new(
        format: PixelFormat,
        width: usize,
        height: usize,
        colour: Colour,
        planes: &[Plane<'a>],
    ) -> Result<Self, FrameError> {
        if !(MIN_SIDE..=MAX_SIDE).contains(&width) || !(MIN_SIDE..=MAX_SIDE).contains(&height) {
            return Err(FrameError::Size { width, height });
        }
        let wanted = format.planes();
        if planes.len() != wanted {
            return Err(FrameError::Planes { found: planes.len(), wanted });
        }
        let mut kept = [Plane::default(); 3];
        for (index, (plane, slot)) in planes.iter().zip(&mut kept).enumerate() {
            let (row, rows) = format.plane_size(index, width, height);
            if plane.stride < row {
                return Err(FrameError::Stride { plane: index, stride: plane.stride, wanted: row });
            }
            let need = plane.stride.saturating_mul(rows - 1).saturating_add(row);
            if plane.data.len() < need {
                return Err(FrameError::Short { plane: index, found: plane.data.len(), wanted: need });
            }
            *slot = *plane;
        }
        Ok(Self { format, width, height, colour, planes: kept })
    }

    pub const fn format(&self) -> PixelFormat {
        self.format
    }
    pub const fn width(&self) -> usize {
        self.width
    }
    pub const fn height(&self) -> usize {
        self.height
    }
    pub const fn colour(&self) -> Colour {
        self.colour
    }
    pub(crate) const fn plane(&self, index: usize) -> Plane<'a> {
        self.planes[index]
    }

    /// Where luma (green for RGB formats) lies in plane 0: offset of the first sample, bytes to the next.
    pub(crate) const fn luma_step(&self) -> (usize, usize) {
        match self.format.layout() {
            Layout::Planar420 { .. } | Layout::Biplanar420 { .. } | Layout::Gray => (0, 1),
            Layout::Packed422 { luma_first } => (if luma_first { 0 } else { 1 }, 2),
            Layout::Packed { bytes, rgb } => (rgb[1], bytes),
        }
    }
}

/// A rectangle in whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelRect {
    pub x: usize,
    pub y: usize,
    pub w: usize,
    pub h: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_row_may_lack_its_padding() {
        let data = vec![0u8; 32 * 15 + 20];
        let plane = Plane { data: &data, stride: 32 };
        assert!(FrameView::new(PixelFormat::Gray8, 20, 16, Colour::default(), &[plane]).is_ok());
        let plane = Plane { data: &data[1..], stride: 32 };
        assert!(matches!(
            FrameView::new(PixelFormat::Gray8, 20, 16, Colour::default(), &[plane]),
            Err(FrameError::Short { wanted: 500, .. })
        ));
    }

    #[test]
    fn refuses_what_is_not_a_frame() {
        let data = vec![0u8; 64 * 64];
        let plane = Plane { data: &data, stride: 15 };
        let new = |w, h, planes: &[Plane<'_>]| {
            FrameView::new(PixelFormat::I420, w, h, Colour::default(), planes).map(|_| ())
        };
        assert_eq!(new(8, 16, &[plane]), Err(FrameError::Size { width: 8, height: 16 }));
        assert_eq!(new(16, 16, &[plane]), Err(FrameError::Planes { found: 1, wanted: 3 }));
        assert_eq!(new(16, 16, &[plane; 3]), Err(FrameError::Stride { plane: 0, stride: 15, wanted: 16 }));
    }
}
