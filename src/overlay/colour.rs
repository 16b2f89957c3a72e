//! Colours: those of the states, and how RGB becomes the sample values of a frame.

use crate::analysis::judgement::verdict::State;

/// Red, green, blue; 0..=255, sRGB primaries.
pub type Rgb = [u8; 3];

pub const BLACK: Rgb = [12, 14, 18];
pub const WHITE: Rgb = [255, 255, 255];
pub const GREY: Rgb = [160, 166, 173];
pub const GREEN: Rgb = [0, 190, 128];
pub const AMBER: Rgb = [255, 176, 0];
pub const RED: Rgb = [226, 36, 44];

/// The state's colour. Green and red also differ in lightness, and a word always stands beside the colour,
/// for those who cannot distinguish them.
pub fn of_state(state: State) -> Rgb {
    match state {
        State::Unknown => GREY,
        State::Live => GREEN,
        State::Suspect => AMBER,
        State::Attack => RED,
    }
}

/// What can be read on a ground of that colour.
pub fn text_on(ground: Rgb) -> Rgb {
    if ground == RED { WHITE } else { BLACK }
}

/// How a frame codes colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coding {
    /// Components are red, green, blue.
    Rgb,
    /// Components are luma and, if there are three, blue and red difference.
    Yuv { kr: f64, kb: f64, full_range: bool },
}

impl Coding {
    /// The frame's first three components for a colour.
    pub fn samples(self, [r, g, b]: Rgb) -> [u8; 3] {
        let Self::Yuv { kr, kb, full_range } = self else { return [r, g, b] };
        let [r, g, b] = [r, g, b].map(|v| f64::from(v) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let cb = (b - y) / (2.0 * (1.0 - kb));
        let cr = (r - y) / (2.0 * (1.0 - kr));
        let (low, luma, chroma) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        // A float to integer cast saturates, which is the clamp that is wanted.
        [low + luma * y, 128.0 + chroma * cb, 128.0 + chroma * cr].map(|v| v.round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_both_matrices() {
        let bt601 = Coding::Yuv { kr: 0.299, kb: 0.114, full_range: false };
        let bt709 = Coding::Yuv { kr: 0.2126, kb: 0.0722, full_range: false };
        assert_eq!(bt601.samples([255, 255, 255]), [235, 128, 128]);
        assert_eq!(bt601.samples([255, 0, 0]), [81, 90, 240]);
        assert_eq!(bt709.samples([255, 0, 0]), [63, 102, 240]);
        let full = Coding::Yuv { kr: 0.299, kb: 0.114, full_range: true };
        assert_eq!(full.samples([0, 0, 0]), [0, 128, 128]);
        assert_eq!(Coding::Rgb.samples([1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn states_are_told_apart() {
        let mut seen: Vec<Rgb> = State::ALL.iter().map(|s| of_state(*s)).collect();
        seen.dedup();
        assert_eq!(seen.len(), State::ALL.len());
    }
}
