//! Glyph masks of the built-in font, each drawn once for each size.

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _};
use std::collections::HashMap;

/// The font is monospaced: every glyph is this much of the size wide.
const ADVANCE: f32 = 0.602;
/// Glyphs kept; printable ASCII in a few sizes stays far below.
const MAX_CACHED: usize = 1024;

/// A glyph's coverage, to be put `left` and `top` pixels from the pen and the line's top.
#[derive(Debug, Default)]
pub struct Glyph {
    pub left: i32,
    pub top: i32,
    pub width: i32,
    pub height: i32,
    pub mask: Box<[u8]>,
}

/// The font and its cache.
#[derive(Debug)]
pub struct Font {
    font: Option<FontRef<'static>>,
    glyphs: HashMap<(char, u16), Glyph>,
}

/// Pixels that `count` characters of that size take.
pub fn width(count: usize, size: u16) -> i32 {
    (count as f32 * f32::from(size) * ADVANCE).ceil() as i32
}

/// How many characters of that size fit in `width` pixels.
pub fn fitting(width: i32, size: u16) -> usize {
    (width.max(0) as f32 / (f32::from(size.max(1)) * ADVANCE)) as usize
}

/// Where the character at `index` begins, in whole pixels: glyphs are cached for whole positions only.
pub fn pen(index: usize, size: u16) -> i32 {
    (index as f32 * f32::from(size) * ADVANCE).round() as i32
}

impl Default for Font {
    fn default() -> Self {
        // The bytes are built in; were they broken, boxes would be drawn without text.
        let font = FontRef::try_from_slice(epaint_default_fonts::HACK_REGULAR).ok();
        Self { font, glyphs: HashMap::new() }
    }
}

impl Font {
    /// The glyph of `c`, at most once computed; characters other than printable ASCII show as `?`.
    pub fn glyph(&mut self, c: char, size: u16) -> &Glyph {
        let c = if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        if self.glyphs.len() >= MAX_CACHED {
            self.glyphs.clear();
        }
        self.glyphs.entry((c, size)).or_insert_with(|| {
            self.font.as_ref().and_then(|font| rasterise(font, c, size)).unwrap_or_default()
        })
    }
}

fn rasterise(font: &FontRef<'static>, c: char, size: u16) -> Option<Glyph> {
    // `size` is the em: ab_glyph's scale is the height from ascent to descent.
    let height_per_em = font.height_unscaled() / font.units_per_em()?;
    let scale = PxScale::from(f32::from(size) * height_per_em);
    let ascent = font.as_scaled(scale).ascent().round();
    let outlined =
        font.outline_glyph(font.glyph_id(c).with_scale_and_position(scale, ab_glyph::point(0.0, ascent)))?;
    let bounds = outlined.px_bounds();
    let (width, height) = (bounds.width() as i32, bounds.height() as i32);
    let mut mask = vec![0; (width * height) as usize].into_boxed_slice();
    outlined.draw(|x, y, coverage| {
        if let Some(m) = mask.get_mut((y as i32 * width + x as i32) as usize) {
            *m = (coverage.clamp(0.0, 1.0) * 255.0) as u8;
        }
    });
    Some(Glyph { left: bounds.min.x as i32, top: bounds.min.y as i32, width, height, mask })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_character_has_ink_and_keeps_its_cell() {
        let mut font = Font::default();
        for size in [8, 14, 30, 60] {
            for c in ('!'..='~').chain(['é', '\n']) {
                let g = font.glyph(c, size);
                assert!(g.mask.iter().any(|m| *m > 40), "{c:?} at {size}");
                assert!(g.left >= -2 && g.left + g.width <= width(1, size) + 2, "{c:?} at {size}");
                assert!(g.top >= -1 && g.top + g.height <= i32::from(size) * 13 / 10, "{c:?} at {size}");
            }
        }
        assert!(font.glyph(' ', 14).mask.is_empty());
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut font = Font::default();
        for size in 1..200 {
            for c in 'a'..='z' {
                font.glyph(c, size);
            }
        }
        assert!(font.glyphs.len() <= MAX_CACHED);
    }
}
