//! A fingerprint of every frame of the last two minutes: small enough to be taken on the streaming thread,
//! rich enough to find frozen, duplicated and looped pictures.

use crate::analysis::pixels::frame::FrameView;

/// Cells across and down.
const COLUMNS: usize = 12;
const ROWS: usize = 8;
/// Samples a cell, each way.
const SAMPLES: usize = 4;
/// Numbers in a fingerprint.
pub const CELLS: usize = COLUMNS * ROWS;

/// Mean luma of 12 x 8 cells of the frame, in eighths of a grey level of 8-bit luma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u16; CELLS]);

/// A frame's PTS, ns, and its fingerprint.
pub type Print = (u64, Fingerprint);

impl Fingerprint {
    /// Reads 1,536 luma samples on a fixed grid, whatever the frame's size.
    pub fn of(frame: &FrameView<'_>) -> Self {
        let plane = frame.plane(0);
        let (first, step) = frame.luma_step();
        let (w, h) = (frame.width(), frame.height());
        let mut cells = [0u16; CELLS];
        for gy in 0..ROWS * SAMPLES {
            let y = (2 * gy + 1) * h / (2 * ROWS * SAMPLES);
            let Some(row) = plane.data.get(y * plane.stride..) else { continue };
            for gx in 0..COLUMNS * SAMPLES {
                let x = (2 * gx + 1) * w / (2 * COLUMNS * SAMPLES);
                let v = row.get(first + x * step).copied().unwrap_or_default();
                cells[(gy / SAMPLES) * COLUMNS + gx / SAMPLES] += u16::from(v);
            }
        }
        // 16 samples a cell: the sum is 16 times the mean.
        Self(cells.map(|s| s / 2))
    }

    /// Mean absolute difference of the cells, grey levels.
    pub fn distance(&self, other: &Self) -> f32 {
        let sum: u32 = self.0.iter().zip(&other.0).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum as f32 / (8 * CELLS) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};

    fn print(v: u16) -> Fingerprint {
        Fingerprint([v; CELLS])
    }

    #[test]
    fn formats_agree_and_differences_are_in_grey_levels() {
        let data = vec![100u8; 3 * 64 * 48];
        let of = |format, stride: usize, data: &[u8]| {
            let plane = Plane { data, stride };
            Fingerprint::of(&FrameView::new(format, 64, 48, Colour::default(), &[plane]).unwrap())
        };
        let grey = of(PixelFormat::Gray8, 64, &data);
        assert_eq!(grey, of(PixelFormat::Rgb, 192, &data));
        assert_eq!(grey, print(800));
        let brighter = of(PixelFormat::Gray8, 64, &vec![103u8; 64 * 48]);
        assert!((grey.distance(&brighter) - 3.0).abs() < 1e-6);
    }
}
