//! Regions read from every format, against arithmetic by hand.

use super::*;
use crate::analysis::pixels::frame::PixelFormat;
use proptest::prelude::*;

/// A flat frame of one colour in any format, with padded strides.
fn flat(format: PixelFormat, w: usize, h: usize, pad: usize, full_range: bool) -> (Vec<Vec<u8>>, Vec<usize>) {
    // Mid grey with full range is 128 everywhere; with limited range luma 126 is about 128.
    let luma = if full_range { 128 } else { 126 };
    let mut planes = Vec::new();
    let mut strides = Vec::new();
    for p in 0..format.planes() {
        let (row, rows) = format.plane_size(p, w, h);
        let stride = row + pad;
        let mut data = vec![128u8; stride * rows - pad];
        let luma_plane = p == 0 && !matches!(format.layout(), Layout::Packed { .. } | Layout::Gray);
        if luma_plane {
            match format.layout() {
                Layout::Packed422 { luma_first } => {
                    data.iter_mut().skip(usize::from(!luma_first)).step_by(2).for_each(|v| *v = luma);
                }
                _ => data.fill(luma),
            }
        }
        planes.push(data);
        strides.push(stride);
    }
    (planes, strides)
}

const FORMATS: [PixelFormat; 13] = [
    PixelFormat::I420,
    PixelFormat::Yv12,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yuy2,
    PixelFormat::Uyvy,
    PixelFormat::Rgb,
    PixelFormat::Bgr,
    PixelFormat::Rgba,
    PixelFormat::Bgra,
    PixelFormat::Argb,
    PixelFormat::Abgr,
    PixelFormat::Gray8,
];

proptest! {
    #[test]
    fn any_region_of_any_frame_is_read(
        format in 0usize..13, w in 16usize..140, h in 16usize..140, pad in 0usize..9,
        x in 0usize..150, y in 0usize..150, rw in 0usize..200, rh in 0usize..200,
        max_side in 8usize..64, full in any::<bool>(),
    ) {
        let format = FORMATS[format];
        // YUY2 strides are whole pairs in every real allocator; odd ones would still have to be safe.
        let pad = if matches!(format.layout(), Layout::Packed422 { .. }) { pad * 4 } else { pad };
        let (data, strides) = flat(format, w, h, pad, full);
        let planes: Vec<_> =
            data.iter().zip(&strides).map(|(d, &stride)| Plane { data: d, stride }).collect();
        let colour = Colour { full_range: full, ..Colour::default() };
        let frame = FrameView::new(format, w, h, colour, &planes).unwrap();
        let mut out = RgbRegion::default();
        RegionReader::default().read(&frame, PixelRect { x, y, w: rw, h: rh }, max_side, &mut out).unwrap();
        prop_assert_eq!(out.data.len(), out.width * out.height * 3);
        prop_assert!(out.rect.x + out.rect.w <= w && out.rect.y + out.rect.h <= h);
        prop_assert!(out.data.iter().all(|&v| v.abs_diff(128) <= 2), "{:?} {:?}", format, &out.data[..3]);
    }
}

#[test]
fn red_is_red_in_every_colour_format() {
    for format in FORMATS.into_iter().filter(|f| *f != PixelFormat::Gray8) {
        let (mut data, strides) = flat(format, 32, 32, 0, true);
        // BT.601 full range: red is Y 76, Cb 85, Cr 255.
        match format.layout() {
            Layout::Planar420 { v_first } => {
                data[0].fill(76);
                data[if v_first { 2 } else { 1 }].fill(85);
                data[if v_first { 1 } else { 2 }].fill(255);
            }
            Layout::Biplanar420 { v_first } => {
                data[0].fill(76);
                let pair = if v_first { [255, 85] } else { [85, 255] };
                data[1].chunks_exact_mut(2).for_each(|c| c.copy_from_slice(&pair));
            }
            Layout::Packed422 { luma_first } => {
                let four = if luma_first { [76, 85, 76, 255] } else { [85, 76, 255, 76] };
                data[0].chunks_exact_mut(4).for_each(|c| c.copy_from_slice(&four));
            }
            Layout::Packed { bytes, rgb } => data[0].chunks_exact_mut(bytes).for_each(|c| {
                c.fill(0);
                c[rgb[0]] = 255;
            }),
            Layout::Gray => unreachable!(),
        }
        let planes: Vec<_> =
            data.iter().zip(&strides).map(|(d, &stride)| Plane { data: d, stride }).collect();
        let colour = Colour { full_range: true, ..Colour::default() };
        let frame = FrameView::new(format, 32, 32, colour, &planes).unwrap();
        for max_side in [32, 8] {
            let mut out = RgbRegion::default();
            let all = PixelRect { x: 0, y: 0, w: 32, h: 32 };
            RegionReader::default().read(&frame, all, max_side, &mut out).unwrap();
            let px = &out.data[..3];
            assert!(px[0] > 250 && px[1] < 6 && px[2] < 6, "{format:?} at {max_side}: {px:?}");
        }
    }
}
