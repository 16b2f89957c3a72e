//! Blends one colour through a coverage mask into a frame of any 8-bit format.
//!
//! A format is described by where its components are, so that planar, semi-planar, packed, RGB and grey
//! frames go through the same two loops, and only the colour is converted, never the frame.

use super::colour::{Coding, Rgb};

/// Where one component of a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Component {
    pub plane: usize,
    /// Bytes from one line to the next, from one sample to the next, and to the first.
    pub stride: usize,
    pub pixel_stride: usize,
    pub offset: usize,
    /// Subsampling, as powers of two.
    pub w_sub: u32,
    pub h_sub: u32,
}

/// A frame's geometry.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub width: u32,
    pub height: u32,
    pub coding: Coding,
    /// Colour components in the coding's order, then alpha if there is one.
    pub components: Vec<Component>,
    pub has_alpha: bool,
}

/// A box in pixels; may reach outside the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

/// How much of each pixel of a [`Rect`] is covered.
#[derive(Clone, Copy, Debug)]
pub enum Cover<'a> {
    /// All of it.
    Solid,
    /// 0..=255 a pixel, `Rect::w` a line.
    Mask(&'a [u8]),
}

/// A frame's writable planes.
#[derive(Debug)]
pub struct Canvas<'a> {
    pub layout: &'a Layout,
    pub planes: [&'a mut [u8]; 4],
}

/// Pixels `from..to` of one axis of the rectangle that fall on sample `i` and inside the frame, relative to
/// the rectangle's start, and how many pixels of the frame the sample stands for.
fn block(i: i64, sub: u32, start: i64, length: i64, size: i64) -> (i64, i64, i64) {
    let (first, last) = (i << sub, ((i + 1) << sub).min(size));
    ((first.max(start)) - start, last.min(start + length) - start, last - first)
}

fn mix(old: u8, new: u8, alpha: u32) -> u8 {
    // 255 * 255 + 127 fits; the result is between the two.
    ((u32::from(old) * (255 - alpha) + u32::from(new) * alpha + 127) / 255) as u8
}

impl Canvas<'_> {
    /// Blends `colour` into `rect` with `opacity` (0..=255), clipped to the frame.
    pub fn blend(&mut self, rect: Rect, cover: Cover<'_>, colour: Rgb, opacity: u8) {
        let samples = self.layout.coding.samples(colour);
        let layout = self.layout;
        let colours = layout.components.len() - usize::from(layout.has_alpha);
        for (index, component) in layout.components.iter().enumerate() {
            // Whatever is drawn makes the frame opaque to the same degree.
            let value = if index < colours { samples.get(index).copied().unwrap_or(128) } else { 255 };
            if let Some(plane) = self.planes.get_mut(component.plane) {
                blend_component(plane, layout, component, rect, cover, value, opacity);
            }
        }
    }
}

/// One line of a component that has a sample for every pixel.
fn blend_line<'a>(samples: impl Iterator<Item = &'a mut u8>, mask: Option<&[u8]>, value: u8, opacity: u32) {
    match mask {
        None if opacity == 255 => samples.for_each(|s| *s = value),
        None => samples.for_each(|s| *s = mix(*s, value, opacity)),
        Some(mask) => {
            for (s, m) in samples.zip(mask) {
                *s = mix(*s, value, u32::from(*m) * opacity / 255);
            }
        }
    }
}

fn blend_component(
    plane: &mut [u8],
    layout: &Layout,
    c: &Component,
    rect: Rect,
    cover: Cover<'_>,
    value: u8,
    opacity: u8,
) {
    let (x, y, w, h) = (i64::from(rect.x), i64::from(rect.y), i64::from(rect.w), i64::from(rect.h));
    let (width, height) = (i64::from(layout.width), i64::from(layout.height));
    let (x0, x1) = (x.max(0), (x + w).min(width));
    let (y0, y1) = (y.max(0), (y + h).min(height));
    if x1 <= x0 || y1 <= y0 || c.pixel_stride == 0 {
        return;
    }
    let opacity = u32::from(opacity);
    if c.w_sub == 0 && c.h_sub == 0 {
        let count = (x1 - x0) as usize;
        for line in y0..y1 {
            let start = line as usize * c.stride + c.offset + x0 as usize * c.pixel_stride;
            // Checked rather than trusted: the strides come from metadata that others wrote.
            let Some(samples) = plane.get_mut(start..) else { return };
            let mask = match cover {
                Cover::Solid => None,
                Cover::Mask(mask) => Some(mask.get(((line - y) * w + x0 - x) as usize..).unwrap_or(&[])),
            };
            // The branch on a stride of 1 lets the compiler vectorise planar formats.
            if c.pixel_stride == 1 {
                blend_line(samples.iter_mut().take(count), mask, value, opacity);
            } else {
                blend_line(samples.iter_mut().step_by(c.pixel_stride).take(count), mask, value, opacity);
            }
        }
        return;
    }
    let (columns, lines) = ((x0 >> c.w_sub)..=((x1 - 1) >> c.w_sub), (y0 >> c.h_sub)..=((y1 - 1) >> c.h_sub));
    for line in lines {
        let (top, bottom, tall) = block(line, c.h_sub, y, h, height);
        let start = line as usize * c.stride + c.offset + *columns.start() as usize * c.pixel_stride;
        let Some(samples) = plane.get_mut(start..) else { return };
        for (column, sample) in columns.clone().zip(samples.iter_mut().step_by(c.pixel_stride)) {
            let (left, right, wide) = block(column, c.w_sub, x, w, width);
            let covered: u32 = match cover {
                Cover::Solid => 255 * ((bottom - top) * (right - left)) as u32,
                Cover::Mask(mask) => (top..bottom)
                    .filter_map(|row| mask.get((row * w + left) as usize..(row * w + right) as usize))
                    .flatten()
                    .map(|m| u32::from(*m))
                    .sum(),
            };
            let alpha = covered * opacity / (255 * (wide * tall).max(1) as u32);
            *sample = mix(*sample, value, alpha);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn i420(width: u32, height: u32) -> Layout {
        let half = |v: u32| v.div_ceil(2) as usize;
        let c = |plane, stride, sub| Component {
            plane,
            stride,
            pixel_stride: 1,
            offset: 0,
            w_sub: sub,
            h_sub: sub,
        };
        Layout {
            width,
            height,
            coding: Coding::Yuv { kr: 0.299, kb: 0.114, full_range: false },
            components: vec![c(0, width as usize, 0), c(1, half(width), 1), c(2, half(width), 1)],
            has_alpha: false,
        }
    }

    fn draw(layout: &Layout, rect: Rect, cover: Cover<'_>, opacity: u8) -> [Vec<u8>; 3] {
        let chroma = (layout.width.div_ceil(2) * layout.height.div_ceil(2)) as usize;
        let mut planes =
            [vec![16; (layout.width * layout.height) as usize], vec![128; chroma], vec![128; chroma]];
        let [y, u, v] = &mut planes;
        let mut canvas = Canvas { layout, planes: [y, u, v, &mut []] };
        canvas.blend(rect, cover, [255, 0, 0], opacity);
        planes
    }

    #[test]
    fn half_a_chroma_sample_is_half_blended() {
        let layout = i420(4, 2);
        let [y, _, v] = draw(&layout, Rect { x: 1, y: 0, w: 1, h: 2 }, Cover::Solid, 255);
        assert_eq!(y, [16, 81, 16, 16, 16, 81, 16, 16]);
        assert_eq!(v, [184, 128]); // half way from 128 to 240
    }

    #[test]
    fn the_odd_last_column_counts_fully() {
        let layout = i420(3, 1);
        let [_, _, v] = draw(&layout, Rect { x: 2, y: 0, w: 1, h: 1 }, Cover::Solid, 255);
        assert_eq!(v, [128, 240]);
    }

    #[test]
    fn a_mask_weighs_its_pixels() {
        let layout = i420(2, 2);
        let rect = Rect { x: 0, y: 0, w: 2, h: 2 };
        let [y, _, v] = draw(&layout, rect, Cover::Mask(&[255, 0, 0, 255]), 255);
        assert_eq!(y, [81, 16, 16, 81]);
        assert_eq!(v, [184]);
    }

    proptest! {
        #[test]
        fn any_box_stays_inside_and_changes_only_its_pixels(
            x in -50i32..50, y in -50i32..50, w in -5i32..60, h in -5i32..60, width in 1u32..24, height in 1u32..24,
        ) {
            let layout = i420(width, height);
            let [luma, ..] = draw(&layout, Rect { x, y, w, h }, Cover::Solid, 255);
            for (i, value) in luma.iter().enumerate() {
                let (px, py) = (i as i32 % width as i32, i as i32 / width as i32);
                let inside = px >= x && px < x + w && py >= y && py < y + h;
                prop_assert_eq!(*value == 81, inside);
            }
        }

        #[test]
        fn extreme_boxes_and_short_masks_do_not_panic(
            x in any::<i32>(), y in any::<i32>(), w in any::<i32>(), h in any::<i32>(), opacity in any::<u8>(),
        ) {
            let layout = i420(5, 3);
            draw(&layout, Rect { x, y, w, h }, Cover::Mask(&[7; 4]), opacity);
            draw(&layout, Rect { x, y, w, h }, Cover::Solid, opacity);
        }
    }
}
