//! What pictures went through before: a codec's grid of blocks where there should be none, and interpolation.
//!
//! Block codecs leave steps at every eighth pixel from the corner (Fan and de Queiroz, "Identification of bitmap
//! compression history", IEEE TIP 2003). A picture that is scaled or cropped afterwards keeps them at another distance
//! or from another corner, whatever codec it passes next. Interpolated pixels are smoother than measured ones, with the
//! period of the scaling (Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", CRV 2005;
//! Mahdian and Saic, "Blind authentication using periodic properties of interpolation", IEEE TIFS 2008). Both are lines
//! in the spectra of [`profile`](super::profile), and count only when the halves of the picture agree.

use super::profile::{Profiles, SPECTRUM, spectrum, without};
use super::{Coding, Origin};
use crate::analysis::frame::FrameView;
use crate::analysis::provenance::{Class, Finding};

/// Frames that a finding needs.
const MIN_FRAMES: u32 = 4;
/// One profile's line counts up to this (its expectation is 1), so that no single one decides.
const LINE_CAP: f64 = 12.0;
/// The four profiles' sum that is a line. Without one the sum is Gamma(4) distributed: at 24, about 1 in 10 million for
/// each of some thousand frequencies.
const LINE: f64 = 24.0;
/// Lowest frequency that is looked at: long periods are the picture's own.
const LOWEST: f64 = 0.055;
/// Above: interpolation. Below: a grid of blocks that was enlarged.
const INTERPOLATION: f64 = 0.18;
/// Standard errors by which a phase of the grid must stand out in both halves.
const PHASE: f64 = 4.0;
/// A grid from another corner: the picture was coded, then cropped or moved. No honest camera does both.
const CROPPED_WEIGHT: f64 = -1.0;
const CROPPED_INJECTION: f64 = 1.5;
/// A grid of another size: coded, then scaled.
const SCALED_WEIGHT: f64 = -1.0;
const SCALED_INJECTION: f64 = 1.2;
/// The usual grid in pictures that are said to be uncompressed: some drivers decode before they hand out.
const CODED_WEIGHT: f64 = -0.7;
const CODED_INJECTION: f64 = 0.8;
/// Enlarged pictures: cheap cameras interpolate too.
const ENLARGED_WEIGHT: f64 = -0.7;
const ENLARGED_INJECTION: f64 = 0.8;

/// What has been measured so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Strongest line that is no multiple of 1/16: cycles a pixel, and the four profiles' sum.
    pub line: (f64, f64),
    /// The sums at 1/8 and 3/8, which only a grid of 8 has (the larger counts), and at 1/4 and 1/2.
    pub eighths: f64,
    pub quarter: f64,
    pub half: f64,
    /// The grid's offset from the corner, across and down, and by how many standard errors it stands out in the worse half.
    pub phase: [(usize, f64); 2],
}

/// See the module. About 100 KB; below a millisecond a frame.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    profiles: Profiles,
}

impl Grid {
    /// Adds a frame; a new size starts afresh.
    pub fn observe(&mut self, frame: &FrameView<'_>) {
        self.profiles.add(frame);
    }

    /// The numbers behind the findings (some milliseconds); `None` after too few frames or in too small ones.
    pub fn measured(&self) -> Option<Measured> {
        if self.profiles.frames() < MIN_FRAMES {
            return None;
        }
        let deviations = self.profiles.deviations();
        let spectra = deviations.each_ref().map(|d| spectrum(d));
        // The own grid out of the way, other lines show.
        let others = deviations.each_ref().map(|d| spectrum(&without(d, 16)));
        let add = |spectra: &[Vec<f64>; 4], i: usize| {
            spectra.iter().map(|s| s.get(i).map_or(0.0, |p| p.min(LINE_CAP))).sum::<f64>()
        };
        let index = |f: f64| (f * SPECTRUM as f64).round() as usize;
        let (w, h) = self.profiles.size();
        // A line is as wide as the shorter profile makes it (Blackman window: three natural resolutions to each
        // side) and as what is in the picture makes it, where the grid shows here more and there less.
        let width = 4.0 / w.min(h) as f64;
        let near = |f: f64| {
            let reach = index(0.5 / w.max(h) as f64).max(1);
            (index(f) - reach..=(index(f) + reach).min(SPECTRUM / 2)).map(|i| add(&spectra, i)).fold(0.0, f64::max)
        };
        let own = |f: f64| (16.0 * f - (16.0 * f).round()).abs() / 16.0 < width;
        // Where all are at their caps, the plain sum tells where the middle of the line is.
        let rank = |i: usize| {
            let plain: f64 = others.iter().filter_map(|s| s.get(i)).sum();
            (add(&others, i), plain)
        };
        let at = |i: usize| i as f64 / SPECTRUM as f64;
        let line = (index(LOWEST)..=SPECTRUM / 2)
            .filter(|i| !own(at(*i)))
            .map(|i| (at(i), rank(i)))
            .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(a.1.1.total_cmp(&b.1.1)))
            .map_or((0.0, 0.0), |(f, (s, _))| (f, s));
        let [upper, lower, left, right] = &deviations;
        Some(Measured {
            line,
            eighths: near(0.125).max(near(0.375)),
            quarter: near(0.25),
            half: near(0.5),
            phase: [phase(upper, lower), phase(left, right)],
        })
    }

    /// Findings `compression-grid` and `upscaling`.
    pub fn findings(&self, origin: &Origin) -> Vec<Finding> {
        let nothing = |reason: &str| -> Vec<Finding> {
            ["compression-grid", "upscaling"].map(|c| Finding::nothing(c, reason)).into()
        };
        if origin.altered {
            return nothing("the pictures are altered on the way here");
        }
        match self.measured() {
            None => nothing("too few pictures, or too small ones"),
            Some(m) => vec![compression(&m, origin), upscaling(&m, origin)],
        }
    }
}

fn compression(m: &Measured, origin: &Origin) -> Finding {
    const CHECK: &str = "compression-grid";
    let [(x, zx), (y, zy)] = m.phase;
    let (grid, (f, strength)) = (m.eighths >= LINE, m.line);
    // Half a block off is the smaller transform of newer codecs.
    let off = |at: usize, z: f64| !at.is_multiple_of(4) && z >= PHASE;
    if grid && (off(x, zx) || off(y, zy)) {
        let reason = format!("blocks begin {x} pixels across and {y} down: coded, then cropped");
        return Finding::of(CHECK, Class::Physical, CROPPED_WEIGHT, reason).injected(CROPPED_INJECTION);
    }
    if strength >= LINE && f < INTERPOLATION {
        let reason = format!("a grid of {:.2} pixels ({strength:.0}): coded, then scaled", 1.0 / f);
        return Finding::of(CHECK, Class::Physical, SCALED_WEIGHT, reason).injected(SCALED_INJECTION);
    }
    if grid && origin.coding == Coding::Raw {
        let reason = format!("blocks of 8 pixels ({:.0}) in pictures said to be uncompressed", m.eighths);
        return Finding::of(CHECK, Class::Physical, CODED_WEIGHT, reason).injected(CODED_INJECTION);
    }
    Finding::nothing(CHECK, format!("no foreign grid (8: {:.0}, else: {strength:.0})", m.eighths))
}

fn upscaling(m: &Measured, origin: &Origin) -> Finding {
    const CHECK: &str = "upscaling";
    let (f, strength) = m.line;
    let twice = m.half.max(m.quarter);
    let found = if strength >= LINE && f >= INTERPOLATION {
        Some((f, strength))
    } else if origin.coding == Coding::Raw && twice >= LINE && m.eighths < LINE {
        Some((if m.quarter >= LINE { 0.25 } else { 0.5 }, twice))
    } else {
        None
    };
    match found {
        None => Finding::nothing(CHECK, format!("no period of interpolation ({:.0})", strength.max(twice))),
        Some((f, strength)) => {
            let reason = format!("interpolated with a period of {:.2} pixels ({strength:.0})", 1.0 / f);
            Finding::of(CHECK, Class::Physical, ENLARGED_WEIGHT, reason).injected(ENLARGED_INJECTION)
        }
    }
}

/// The offset (0..8) of an 8-pixel grid in the deviations of two halves: where both are rougher than elsewhere, and by how
/// many standard errors, in the half where it shows less. Offsets that are no multiple of 4 go first if they stand out.
fn phase(a: &[f64], b: &[f64]) -> (usize, f64) {
    let strength = |d: &[f64], offset: usize| {
        // A step between pixels 7 and 8 makes both rough; the first deviation is that of pixel 1.
        let on = |i: usize| (i + 1) % 8 == offset || (i + 2) % 8 == offset;
        let aligned = |i: usize| (i + 1).is_multiple_of(4) || (i + 2).is_multiple_of(4);
        let mean = |hit: &dyn Fn(usize) -> bool| {
            let (sum, n) = d
                .iter()
                .enumerate()
                .filter(|(i, _)| hit(*i))
                .fold((0.0, 0.0), |(s, n), (_, v)| (s + v, n + 1.0));
            (sum / f64::max(n, 1.0), f64::max(n, 1.0))
        };
        let (here, n) = mean(&on);
        // The present codec's own steps are no yardstick for another grid.
        let foreign = !offset.is_multiple_of(4);
        let (rest, _) = mean(&|i| !on(i) && !(foreign && aligned(i)));
        let variance = d.iter().map(|v| v * v).sum::<f64>() / d.len().max(1) as f64;
        (here - rest) / (variance / n).sqrt().max(1e-9)
    };
    let all = [0, 1, 2, 3, 4, 5, 6, 7].map(|o| (o, strength(a, o).min(strength(b, o))));
    let best = |foreign: bool| {
        let among = all.iter().copied().filter(|(o, _)| foreign != o.is_multiple_of(4));
        among.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    };
    // Beside a strong grid its neighbours are rough as well: a foreign one must not be next to the own one alone.
    let (own, foreign) = (best(false), best(true));
    if foreign.1 >= PHASE && (foreign.1 > 0.8 * own.1 || own.1 < PHASE) { foreign } else { own }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
