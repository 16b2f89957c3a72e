//! A fingerprint of every frame of the last two minutes: small enough to be taken on the streaming thread,
//! rich enough to find frozen, duplicated and looped pictures.

use super::frame::FrameView;
use once_cell::sync::OnceCell;

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

/// How far back the log reaches, ns.
pub const HISTORY_NS: u64 = 120_000_000_000;
/// Most fingerprints kept (60 frames a second for two minutes: 1.5 MB).
const CAPACITY: usize = 7_200;

/// The fingerprints of the last [`HISTORY_NS`] with their PTS, oldest first. Its memory is taken once, at the
/// first frame; when it is full the oldest goes.
#[derive(Debug, Default)]
pub struct FingerprintLog {
    ring: OnceCell<Box<[(u64, Fingerprint)]>>,
    next: usize,
    len: usize,
}

impl FingerprintLog {
    /// Adds a frame. A PTS that does not grow empties the log first: the stream has jumped.
    pub fn push(&mut self, pts: u64, print: Fingerprint) {
        if self.get(0).is_some_and(|(last, _)| pts <= last) {
            self.clear();
        }
        self.ring.get_or_init(|| vec![(0, Fingerprint([0; CELLS])); CAPACITY].into_boxed_slice());
        if let Some(slot) = self.ring.get_mut().and_then(|r| r.get_mut(self.next)) {
            *slot = (pts, print);
            self.next = (self.next + 1) % CAPACITY;
            self.len = (self.len + 1).min(CAPACITY);
        }
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The frame `age` pushes before the newest (0).
    pub fn get(&self, age: usize) -> Option<(u64, Fingerprint)> {
        if age >= self.len {
            return None;
        }
        self.ring.get()?.get((self.next + CAPACITY - 1 - age) % CAPACITY).copied()
    }

    /// All that is newer than `after` and within the history, into `out` (kept sorted, oldest first).
    pub fn copy_newer(&self, after: Option<u64>, out: &mut Vec<(u64, Fingerprint)>) {
        let mut age = 0;
        let start = out.len();
        while let Some(entry) = self.get(age) {
            if after.is_some_and(|a| entry.0 <= a) {
                break;
            }
            out.push(entry);
            age += 1;
        }
        out[start..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::frame::{Colour, PixelFormat, Plane};

    fn print(v: u16) -> Fingerprint {
        Fingerprint([v; CELLS])
    }

    #[test]
    fn the_log_is_bounded_and_ordered() {
        let mut log = FingerprintLog::default();
        for i in 0..CAPACITY as u64 + 100 {
            log.push(i + 1, print(i as u16));
        }
        assert_eq!(log.len(), CAPACITY);
        assert_eq!(log.get(0).unwrap().0, CAPACITY as u64 + 100);
        let mut out = Vec::new();
        log.copy_newer(Some(CAPACITY as u64 + 90), &mut out);
        assert_eq!(out.iter().map(|e| e.0).collect::<Vec<_>>(), (7291..=7300).collect::<Vec<_>>());
        log.push(5, print(0));
        assert_eq!(log.len(), 1);
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
