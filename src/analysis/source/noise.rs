//! Sensor noise: what changes between two frames where nothing moves.
//!
//! A live sensor leaves photon and read noise everywhere (Healey and Kondepudy, "Radiometric CCD camera calibration
//! and noise estimation", IEEE PAMI 1994), which demosaicking makes neighbours share. Decoded video leaves nothing in
//! the blocks that its codec skipped, graphics leave nothing at all, and noise that a program adds is white. Noise is
//! measured on flat blocks of a fixed grid as half the variance of their difference in time, a low quantile of it at
//! each brightness, so that motion does not count as noise (cf. Liu et al., "Automatic estimation and removal of noise
//! from a single image", IEEE PAMI 2008, for noise level functions). One sensor has one noise: a face whose noise is not
//! that of its surroundings came from elsewhere (Mahdian and Saic, "Using noise inconsistencies for blind image
//! forensics", Image and Vision Computing 2009).

use super::blocks::{AREA, Block, Blocks, SIDE};
use super::origin::{Coding, Origin};
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::pixels::rect::NormRect;
use crate::analysis::source::provenance::{Class, Finding};

/// Frames farther apart are not compared, ns.
pub const MAX_PAIR_NS: u64 = 250_000_000;
/// Brightnesses are told apart in this many steps.
const LEVELS: usize = 16;
/// Blocks kept of each brightness, and the fewest that say something.
const KEPT: usize = 256;
const ENOUGH: usize = 16;
/// Mean luma outside is clipped, or nearly.
const DARK: f32 = 24.0;
const BRIGHT: f32 = 228.0;
/// Mean change of a block that is still the same picture, grey levels: flicker and exposure, not motion.
const STILL: f32 = 3.0;
/// Variance in a flat block beyond that of its noise.
const FLAT: f32 = 16.0;
/// The quantile of the variances at one brightness that counts as the noise.
const QUANTILE: f64 = 0.3;
/// Share of blocks that must have changed for two frames to be two pictures.
const CHANGED: f64 = 0.02;
/// Flat blocks that a finding needs.
const MIN_BLOCKS: u64 = 400;
/// Variance that rounding to whole levels gives.
const ROUNDING: f32 = 1.0 / 12.0;

/// Half the difference's variance in a block, and its products with the right and the lower neighbour.
#[derive(Clone, Copy, Debug, Default)]
struct Residual {
    variance: f32,
    across: f32,
    down: f32,
}

/// Residuals by brightness; the oldest go first.
#[derive(Clone, Debug, Default)]
struct Area {
    levels: [Vec<Residual>; LEVELS],
    next: [usize; LEVELS],
}

impl Area {
    fn add(&mut self, level: usize, residual: Residual) {
        let (Some(kept), Some(next)) = (self.levels.get_mut(level), self.next.get_mut(level)) else { return };
        match kept.get_mut(*next % KEPT) {
            Some(slot) => *slot = residual,
            None => kept.push(residual),
        }
        *next = (*next + 1) % KEPT;
    }

    /// The quietest residuals of each brightness that has enough, without rounding: level, their quantile's variance,
    /// and the residuals up to it.
    fn quiet(&self) -> impl Iterator<Item = (usize, f32, Vec<Residual>)> + '_ {
        self.levels.iter().enumerate().filter(|(_, kept)| kept.len() >= ENOUGH).map(|(level, kept)| {
            let mut sorted = kept.clone();
            sorted.sort_by(|a, b| a.variance.total_cmp(&b.variance));
            let last = (sorted.len() as f64 * QUANTILE) as usize;
            let variance = sorted.get(last).map_or(0.0, |r| r.variance);
            sorted.truncate(last + 1);
            (level, (variance - ROUNDING).max(0.0), sorted)
        })
    }
}

/// What has been measured so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Flat, still blocks that were looked at.
    pub blocks: u64,
    /// Brightnesses (of 16) with enough of them.
    pub levels: usize,
    /// Median over those of the noise's standard deviation, 8-bit levels.
    pub deviation: f64,
    /// Largest of their variances over the smallest, natural logarithm.
    pub spread: f64,
    /// Correlation of neighbours' noise, horizontally and vertically.
    pub correlation: (f64, f64),
    /// Share of blocks that did not change in any pixel.
    pub zero: f64,
    /// Natural logarithm of the face's noise variance over its surroundings' at the same brightness.
    pub face: Option<f64>,
}

/// See the module. About 140 KB at most.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    now: Blocks,
    before: Blocks,
    last: Option<u64>,
    background: Area,
    face: Area,
    blocks: u64,
    zero: u64,
    repeated: u64,
}

impl Noise {
    /// Takes a frame; see [`SourceForensics::observe_frame`](super::SourceForensics::observe_frame).
    pub fn observe(&mut self, frame: &FrameView<'_>, pts: u64, face: Option<NormRect>) {
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.read(frame);
        let paired = self.last.is_some_and(|l| pts.checked_sub(l).is_some_and(|d| d <= MAX_PAIR_NS));
        self.last = Some(pts);
        if !paired || self.now.size() != self.before.size() {
            return;
        }
        let all = self.now.blocks.len();
        let changed = self.now.blocks.iter().zip(&self.before.blocks).filter(|(a, b)| a != b).count();
        if (changed as f64) < CHANGED * all as f64 {
            self.repeated += 1;
            return;
        }
        let (w, h) = self.now.size();
        let rect = face.map(|r| pixels(r, w, h));
        for (((x, y), a), b) in self.now.places.iter().zip(&self.now.blocks).zip(&self.before.blocks) {
            let Some((level, residual)) = compare(a, b) else { continue };
            self.blocks += 1;
            self.zero += u64::from(a == b);
            let inside = |r: &[f64; 4]| {
                let (x, y) = (*x as f64 + SIDE as f64 / 2.0, *y as f64 + SIDE as f64 / 2.0);
                (r[0]..r[2]).contains(&x) && (r[1]..r[3]).contains(&y)
            };
            match &rect {
                Some(r) if inside(r) => self.face.add(level, residual),
                _ => self.background.add(level, residual),
            }
        }
    }

    /// The numbers behind the findings; `None` while there is too little that is flat and still.
    pub fn measured(&self) -> Option<Measured> {
        if self.blocks < MIN_BLOCKS {
            return None;
        }
        let around: Vec<_> = self.background.quiet().collect();
        let mut variances: Vec<f64> = around.iter().map(|l| f64::from(l.1)).collect();
        variances.sort_by(f64::total_cmp);
        let (first, last) = (*variances.first()?, *variances.last()?);
        let sum = |f: &dyn Fn(&Residual) -> f32| {
            around.iter().flat_map(|l| &l.2).map(|r| f64::from(f(r))).sum::<f64>()
        };
        let total = sum(&|r| r.variance).max(1e-9);
        // The mean that was taken off pulls the products down by one part in so many.
        let bias = 1.0 / AREA as f64;
        let correlation = (sum(&|r| r.across) / total + bias, sum(&|r| r.down) / total + bias);
        let ratios: Vec<f64> = self
            .face
            .quiet()
            .filter_map(|(level, v, _)| {
                let beside = around.iter().find(|l| l.0 == level)?;
                Some((f64::from(v + ROUNDING) / f64::from(beside.1 + ROUNDING)).ln())
            })
            .collect();
        let face = (ratios.len() >= 2).then(|| ratios.iter().sum::<f64>() / ratios.len() as f64);
        Some(Measured {
            blocks: self.blocks,
            levels: around.len(),
            deviation: variances.get(variances.len() / 2)?.sqrt(),
            spread: ((last + 0.05) / (first + 0.05)).ln(),
            correlation,
            zero: self.zero as f64 / self.blocks as f64,
            face,
        })
    }

    /// Findings `sensor-noise` and `noise-consistency`.
    pub fn findings(&self, origin: &Origin) -> Vec<Finding> {
        let Some(m) = self.measured() else {
            let reason =
                format!("only {} flat blocks held still, {} frames repeated", self.blocks, self.repeated);
            return ["sensor-noise", "noise-consistency"].map(|c| Finding::nothing(c, reason.clone())).into();
        };
        vec![sensor(&m, origin), consistency(&m, origin)]
    }
}

/// Nats for blocks that do not change at all in a stream that should never have been coded: none up to the first share
/// (cameras that average over time come to it), all from the second on.
const ZERO_FROM: f64 = 0.25;
const ZERO_TO: f64 = 0.7;
const ZERO_INJECTION: f64 = 2.0;
const ZERO_WEIGHT: f64 = -1.5;
/// Noise is white when neighbours share less than this, and it is strong enough not to be rounding. Monochrome
/// sensors, and those that add pixels up, are nearly white by nature: little weight.
const WHITE: f64 = 0.05;
const WHITE_DEVIATION: f64 = 0.8;
const WHITE_INJECTION: f64 = 0.6;
const WHITE_WEIGHT: f64 = -0.4;
/// Less noise than this is none, if some blocks did not change at all: a camera that averages over time comes to as little,
/// but the last bit still moves everywhere. The strongest such cameras may not even do that.
const NONE_DEVIATION: f64 = 0.1;
const NONE_ZERO: f64 = 0.05;
const NONE_INJECTION: f64 = 0.6;
const NONE_WEIGHT: f64 = -0.5;
/// Noise like a sensor's: at this many brightnesses, this strong. A recording that was decoded at a high rate keeps it.
const LIVE_LEVELS: usize = 3;
const LIVE_DEVIATION: f64 = 0.4;
const LIVE_ZERO: f64 = 0.05;
const LIVE_WEIGHT: f64 = 0.6;
const LIVE_INJECTION: f64 = -0.2;

fn sensor(m: &Measured, origin: &Origin) -> Finding {
    const CHECK: &str = "sensor-noise";
    let about = format!(
        "noise of {:.2} levels, correlation {:.2}/{:.2}, {:.0} % of the flat blocks without any",
        m.deviation,
        m.correlation.0,
        m.correlation.1,
        100.0 * m.zero
    );
    if origin.coding != Coding::Raw || origin.altered {
        return Finding::nothing(CHECK, format!("{about}; what is the codec's cannot be told"));
    }
    let zero = ((m.zero - ZERO_FROM) / (ZERO_TO - ZERO_FROM)).clamp(0.0, 1.0);
    let (across, down) = m.correlation;
    let none = m.deviation < NONE_DEVIATION && m.zero > NONE_ZERO;
    if zero > 0.0 || none {
        let least = |nats: f64| if none { nats } else { 0.0 };
        let weight = (zero * ZERO_WEIGHT).min(least(NONE_WEIGHT));
        return Finding::of(CHECK, Class::Physical, weight, about)
            .injected((zero * ZERO_INJECTION).max(least(NONE_INJECTION)));
    }
    if m.deviation >= WHITE_DEVIATION && across.abs().max(down.abs()) < WHITE {
        return Finding::of(CHECK, Class::Physical, WHITE_WEIGHT, about).injected(WHITE_INJECTION);
    }
    if m.levels >= LIVE_LEVELS && m.deviation >= LIVE_DEVIATION && m.zero < LIVE_ZERO {
        return Finding::of(CHECK, Class::Physical, LIVE_WEIGHT, about).injected(LIVE_INJECTION);
    }
    Finding::nothing(CHECK, about)
}

/// The face's noise variance over its surroundings', natural logarithm: nothing down to the first, all from the second
/// on. Only a face that is too quiet counts: a live one moves, and is never quite still.
const QUIET_FROM: f64 = -1.0;
const QUIET_TO: f64 = -2.0;
const QUIET_INJECTION: f64 = 0.8;
/// The surroundings must have noise for the face to lack it.
const QUIET_DEVIATION: f64 = 0.7;

fn consistency(m: &Measured, origin: &Origin) -> Finding {
    const CHECK: &str = "noise-consistency";
    let Some(ratio) = m.face else { return Finding::nothing(CHECK, "no face that holds still enough") };
    let about = format!("the face has {:.2} times its surroundings' noise", ratio.exp());
    let quiet = ((ratio - QUIET_FROM) / (QUIET_TO - QUIET_FROM)).clamp(0.0, 1.0);
    // Codecs that lean on earlier pictures spend their bits where things move.
    let spoilt = matches!(origin.coding, Coding::Inter | Coding::Unknown) || origin.altered;
    if quiet == 0.0 || spoilt || m.deviation < QUIET_DEVIATION {
        return Finding::nothing(CHECK, about);
    }
    Finding::of(CHECK, Class::Virtual, 0.0, about).injected(quiet * QUIET_INJECTION)
}

fn pixels(r: NormRect, w: usize, h: usize) -> [f64; 4] {
    let (w, h) = (w as f64, h as f64);
    [r.x * w, r.y * h, (r.x + r.w) * w, (r.y + r.h) * h]
}

/// Brightness and residual of a flat block that held still.
fn compare(a: &Block, b: &Block) -> Option<(usize, Residual)> {
    let mut d = [0.0f32; AREA];
    let (mut sum, mut square, mut change) = (0u32, 0u32, 0i32);
    for ((slot, a), b) in d.iter_mut().zip(a).zip(b) {
        let step = i32::from(*a) - i32::from(*b);
        *slot = step as f32;
        change += step;
        sum += u32::from(*a);
        square += u32::from(*a) * u32::from(*a);
    }
    let n = AREA as f32;
    let (mean, change) = (sum as f32 / n, change as f32 / n);
    if !(DARK..BRIGHT).contains(&mean) || change.abs() > STILL {
        return None;
    }
    d.iter_mut().for_each(|d| *d -= change);
    let variance = d.iter().map(|d| d * d).sum::<f32>() / (2.0 * (n - 1.0));
    let texture = square as f32 / n - mean * mean;
    if texture > FLAT + 3.0 * variance {
        return None;
    }
    let pairs = (SIDE * (SIDE - 1)) as f32;
    let (mut across, mut down) = (0.0, 0.0);
    for line in d.chunks_exact(SIDE) {
        across += line.windows(2).map(|w| w[0] * w[1]).sum::<f32>();
    }
    for (upper, lower) in d.iter().zip(d.iter().skip(SIDE)) {
        down += upper * lower;
    }
    let level = (mean as usize * LEVELS / 256).min(LEVELS - 1);
    Some((level, Residual { variance, across: across / (2.0 * pairs), down: down / (2.0 * pairs) }))
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
