//! Views of GStreamer's frames for the analysis.

use crate::analysis::pixels::frame::{Colour, FrameError, FrameView, Matrix, PixelFormat, Plane};
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef, VideoInfo};
use gstreamer as gst;
use gstreamer_video as gst_video;

fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        VideoFormat::I420 => PixelFormat::I420,
        VideoFormat::Yv12 => PixelFormat::Yv12,
        VideoFormat::Nv12 => PixelFormat::Nv12,
        VideoFormat::Nv21 => PixelFormat::Nv21,
        VideoFormat::Yuy2 => PixelFormat::Yuy2,
        VideoFormat::Uyvy => PixelFormat::Uyvy,
        VideoFormat::Rgb => PixelFormat::Rgb,
        VideoFormat::Bgr => PixelFormat::Bgr,
        VideoFormat::Rgba | VideoFormat::Rgbx => PixelFormat::Rgba,
        VideoFormat::Bgra | VideoFormat::Bgrx => PixelFormat::Bgra,
        VideoFormat::Argb => PixelFormat::Argb,
        VideoFormat::Abgr => PixelFormat::Abgr,
        VideoFormat::Gray8 => PixelFormat::Gray8,
        _ => return None,
    })
}

fn colour(info: &VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    Colour {
        matrix: match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        },
        full_range: colorimetry.range() == VideoColorRange::Range0_255,
    }
}

/// Whether the frames are woven of two fields: such are not analysed.
pub fn is_interlaced(info: &VideoInfo) -> bool {
    info.is_interlaced()
}

/// The part of a frame that is meant to be seen, by its crop meta: x, y (even), width, height.
fn visible(buffer: &gst::BufferRef, info: &VideoInfo) -> (usize, usize, usize, usize) {
    let (w, h) = (info.width() as usize, info.height() as usize);
    let Some(crop) = buffer.meta::<gst_video::VideoCropMeta>() else { return (0, 0, w, h) };
    let (x, y, cw, ch) = crop.rect();
    // Chroma is shared by two pixels: the view starts at an even one.
    let (x, y) = ((x as usize).min(w) & !1, (y as usize).min(h) & !1);
    (x, y, (cw as usize).min(w - x), (ch as usize).min(h - y))
}

/// Calls `with` with the view of a mapped frame: its strides, offsets and crop meta honoured.
pub fn with_view<R>(
    frame: &VideoFrameRef<&gst::BufferRef>,
    with: impl FnOnce(&FrameView<'_>) -> R,
) -> Result<R, FrameError> {
    let info = frame.info();
    let format = pixel_format(info.format()).ok_or(FrameError::Planes { found: 0, wanted: 1 })?;
    let (x, y, width, height) = visible(frame.buffer(), info);
    let mut planes = [Plane::default(); 3];
    let count = format.planes();
    for (index, slot) in planes.iter_mut().enumerate().take(count) {
        let stride = frame.plane_stride().get(index).copied().unwrap_or_default();
        let stride = usize::try_from(stride).map_err(|_| FrameError::Stride {
            plane: index,
            stride: 0,
            wanted: width,
        })?;
        let data = frame.plane_data(index as u32).unwrap_or_default();
        let (skip, _) = format.plane_size(index, x, y);
        let rows = if index == 0 { y } else { y / 2 };
        *slot = Plane { data: data.get(rows * stride + skip..).unwrap_or_default(), stride };
    }
    // In GStreamer's planes the order of U and V is that of the format's components, as in ours.
    let view = FrameView::new(format, width, height, colour(info), planes.get(..count).unwrap_or_default())?;
    Ok(with(&view))
}
