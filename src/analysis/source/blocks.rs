//! Small luma blocks on a grid over the frame: what is kept of a frame to compare it with the next.

use crate::analysis::pixels::frame::FrameView;

/// Side of a block, pixels.
pub(super) const SIDE: usize = 8;
/// Pixels of a block.
pub(super) const AREA: usize = SIDE * SIDE;
const COLUMNS: usize = 32;
const ROWS: usize = 18;

/// A block's luma (green in RGB formats), row by row.
pub(super) type Block = [u8; AREA];

/// At most 32 x 18 blocks, 37 KB. Read again and again without allocating.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    size: (usize, usize),
    /// Left upper corners.
    pub places: Vec<(usize, usize)>,
    pub blocks: Vec<Block>,
}

impl Blocks {
    pub fn read(&mut self, frame: &FrameView<'_>) {
        let size = (frame.width(), frame.height());
        if self.size != size {
            self.size = size;
            let spread = |i: usize, n: usize, side: usize| i * (side - SIDE) / (n - 1).max(1);
            let (columns, rows) = (COLUMNS.min(size.0 / SIDE), ROWS.min(size.1 / SIDE));
            let place = |i: usize| (spread(i % columns, columns, size.0), spread(i / columns, rows, size.1));
            self.places = (0..columns * rows).map(place).collect();
        }
        self.blocks.resize(self.places.len(), [0; AREA]);
        let plane = frame.plane(0);
        let (first, step) = frame.luma_step();
        for ((x, y), block) in self.places.iter().zip(&mut self.blocks) {
            for (row, line) in block.chunks_exact_mut(SIDE).enumerate() {
                let begin = (y + row) * plane.stride + first + x * step;
                let bytes = plane.data.get(begin..).unwrap_or_default();
                for (to, from) in line.iter_mut().zip(bytes.iter().step_by(step)) {
                    *to = *from;
                }
            }
        }
    }

    pub fn size(&self) -> (usize, usize) {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};

    #[test]
    fn corners_are_read_in_every_layout() {
        for (format, bytes, first) in [
            (PixelFormat::Gray8, 1, 0),
            (PixelFormat::Yuy2, 2, 0),
            (PixelFormat::Uyvy, 2, 1),
            (PixelFormat::Bgra, 4, 1),
        ] {
            let (w, h) = (50, 33);
            let stride = w * bytes + 5;
            let mut data = vec![0u8; stride * h];
            for y in 0..h {
                for x in 0..w {
                    data[y * stride + x * bytes + first] = (x + 3 * y) as u8;
                }
            }
            let plane = Plane { data: &data, stride };
            let frame = FrameView::new(format, w, h, Colour::default(), &[plane]).unwrap();
            let mut blocks = Blocks::default();
            blocks.read(&frame);
            assert_eq!(blocks.places.len(), 6 * 4);
            assert_eq!(blocks.places.last(), Some(&(w - SIDE, h - SIDE)));
            for ((x, y), block) in blocks.places.iter().zip(&blocks.blocks) {
                assert_eq!(
                    (block[0], block[63]),
                    ((x + 3 * y) as u8, (x + 7 + 3 * (y + 7)) as u8),
                    "{format:?}"
                );
            }
        }
    }
}
