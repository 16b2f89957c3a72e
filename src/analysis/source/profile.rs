//! How rough a picture is at each column and at each row: the mean absolute second and third differences of its luma.
//!
//! The second ones are blind to an enlargement by two whose old pixels are among the new, the third ones to one whose
//! new pixels lie evenly between the old: each is symmetric where the other is not. Together they are symmetric about
//! the middle between a pixel and the next, and stand for the step there.
//! Block codecs make some columns rougher than others at a fixed distance, and interpolation makes some smoother. Both
//! show as lines in the spectrum of these profiles. Each half of the picture has its own, because what is in the picture
//! makes lines too, but not the same ones everywhere.

use crate::analysis::pixels::frame::FrameView;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Rows (columns) of each half that a frame adds to the profile of columns (rows). In pairs of an even and an odd one:
/// the colour filter of a sensor has the opposite phase in each, and cancels.
const LINES: usize = 48;
/// Differences above are the picture's own edges.
const EDGE: u32 = 12;
/// Lengths of profiles, pixels. What goes beyond is not looked at.
const SHORTEST: usize = 64;
const LONGEST: usize = 4096;
/// Points of the spectrum from 0 to 1 cycles a pixel.
pub(super) const SPECTRUM: usize = 8192;
/// Reach of the moving mean that is taken off, pixels each way, and of the median that the spectrum is divided by,
/// natural resolutions each way.
const REACH: usize = 16;
const FLOOR: usize = 14;

/// Sums of one profile.
#[derive(Clone, Debug, Default)]
struct Sums(Vec<u32>);

/// The four profiles: of columns in the upper and the lower half, of rows in the left and the right half.
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles {
    size: (usize, usize),
    sums: [Sums; 4],
    frames: u32,
}

/// Most frames that are summed: 48 lines x 36 levels each stay far below what a sum holds.
const MAX_FRAMES: u32 = 100_000;

impl Profiles {
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Adds a frame; a new size starts afresh.
    pub fn add(&mut self, frame: &FrameView<'_>) {
        let (w, h) = (frame.width(), frame.height());
        if self.size != (w, h) {
            *self = Self { size: (w, h), ..Self::default() };
            let sums = |n: usize| Sums(vec![0; n.min(LONGEST)]);
            self.sums = [sums(w), sums(w), sums(h), sums(h)];
        }
        if w.min(h) < SHORTEST || self.frames >= MAX_FRAMES {
            return;
        }
        let plane = frame.plane(0);
        let (first, step) = frame.luma_step();
        let row = |y: usize| plane.data.get(y * plane.stride + first..).unwrap_or_default();
        let rough = |a: u8, b: u8, c: u8, d: u8| {
            let (left, right) = (bend(a, b, c), bend(b, c, d));
            [left, right, right - left].iter().map(|v| v.unsigned_abs().min(EDGE)).sum::<u32>()
        };
        let [upper, lower, left, right] = &mut self.sums;
        for (half, sums) in [upper, lower].into_iter().enumerate() {
            for y in lines(h, half, self.frames) {
                let line = row(y);
                let from = |n: usize| line.get(n * step..).unwrap_or_default().iter().step_by(step);
                let fours = from(0).zip(from(1)).zip(from(2).zip(from(3)));
                for (sum, ((a, b), (c, d))) in sums.0.iter_mut().take(w - 2).skip(1).zip(fours) {
                    *sum += rough(*a, *b, *c, *d);
                }
            }
        }
        let columns: [Vec<usize>; 2] = [0, 1].map(|half| lines(w, half, self.frames).collect());
        for y in 1..(h - 2).min(LONGEST) {
            let (a, b, c, d) = (row(y - 1), row(y), row(y + 1), row(y + 2));
            for (columns, sums) in columns.iter().zip([&mut *left, &mut *right]) {
                let at = |line: &[u8], x: usize| line.get(x * step).copied().unwrap_or_default();
                let sum: u32 =
                    columns.iter().map(|x| rough(at(a, *x), at(b, *x), at(c, *x), at(d, *x))).sum();
                if let Some(slot) = sums.0.get_mut(y) {
                    *slot += sum;
                }
            }
        }
        self.frames += 1;
    }

    /// The profiles as deviations from their neighbourhood in its own units, outliers bounded: upper, lower, left, right.
    /// The first is that of pixel 1.
    pub fn deviations(&self) -> [Vec<f64>; 4] {
        self.sums
            .each_ref()
            .map(|sums| deviations(sums.0.get(1..sums.0.len().max(3) - 2).unwrap_or_default()))
    }
}

/// Second difference.
fn bend(a: u8, b: u8, c: u8) -> i32 {
    i32::from(a) - 2 * i32::from(b) + i32::from(c)
}

/// What is left of deviations when all that repeats after `period` is taken off.
pub(super) fn without(deviations: &[f64], period: usize) -> Vec<f64> {
    let mean = |phase: usize| {
        let same = deviations.iter().skip(phase).step_by(period);
        same.clone().sum::<f64>() / same.count().max(1) as f64
    };
    let means: Vec<f64> = (0..period).map(mean).collect();
    deviations.iter().zip(means.iter().cycle()).map(|(v, m)| v - m).collect()
}

/// Pairs of lines of one half, other ones at each frame.
fn lines(side: usize, half: usize, frame: u32) -> impl Iterator<Item = usize> {
    let pairs = side / 4;
    let begin = if half == 0 { 0 } else { (side / 2) & !1 };
    let count = (LINES / 2).min(pairs);
    (0..count).flat_map(move |i| {
        let pair = (i * pairs / count.max(1) + frame as usize) % pairs.max(1);
        [begin + 2 * pair, begin + 2 * pair + 1]
    })
}

fn deviations(sums: &[u32]) -> Vec<f64> {
    let mean = |i: usize| {
        let window = sums.get(i.saturating_sub(REACH)..(i + REACH + 1).min(sums.len())).unwrap_or_default();
        window.iter().map(|v| f64::from(*v)).sum::<f64>() / window.len().max(1) as f64
    };
    let off = |(i, v): (usize, &u32)| (f64::from(*v) + 1.0) / (mean(i) + 1.0) - 1.0;
    let mut out: Vec<f64> = sums.iter().enumerate().map(off).collect();
    let mut sizes: Vec<f64> = out.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let bound = 3.0 * sizes.get(sizes.len() / 2).copied().unwrap_or(0.0).max(1e-6);
    out.iter_mut().for_each(|v| *v = v.clamp(-bound, bound) / bound);
    out
}

/// Power from 0 to 0.5 cycles a pixel ([`SPECTRUM`] / 2 + 1 points), over what its neighbourhood makes expect: 1 on
/// average, exponentially distributed, when there is no line.
pub(super) fn spectrum(deviations: &[f64]) -> Vec<f64> {
    let n = deviations.len();
    let mut wave = vec![Complex::new(0.0, 0.0); SPECTRUM];
    for (i, (slot, v)) in wave.iter_mut().zip(deviations).enumerate() {
        // Blackman: its side lobes stay below the floor beside a strong line.
        let turn = std::f64::consts::TAU * (i as f64 + 0.5) / n as f64;
        slot.re = v * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos());
    }
    FftPlanner::new().plan_fft_forward(SPECTRUM).process(&mut wave);
    let power: Vec<f64> = wave.iter().take(SPECTRUM / 2 + 1).map(Complex::norm_sqr).collect();
    // One point in each natural resolution is enough for a median.
    let resolution = (SPECTRUM / n.max(1)).max(1);
    let median = |i: usize| {
        let from = i.saturating_sub(FLOOR * resolution);
        let window = power.get(from..(i + FLOOR * resolution + 1).min(power.len())).unwrap_or_default();
        let mut window: Vec<f64> = window.iter().step_by(resolution).copied().collect();
        window.sort_by(f64::total_cmp);
        window.get(window.len() / 2).copied().unwrap_or(1.0)
    };
    let expected = |i: usize| median(i / resolution * resolution) / std::f64::consts::LN_2;
    let medians: Vec<f64> = (0..=power.len() / resolution).map(|k| expected(k * resolution)).collect();
    power
        .iter()
        .enumerate()
        .map(|(i, p)| p / medians.get(i / resolution).copied().unwrap_or(1.0).max(1e-12))
        .collect()
}
