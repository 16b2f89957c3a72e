//! What pictures went through before: a codec's grid of blocks where there should be none, and interpolation.
//!
//! Block codecs leave steps at every eighth pixel from the corner (Fan and de Queiroz, "Identification of bitmap
//! compression history", IEEE TIP 2003). A picture that is scaled or cropped afterwards keeps them at another distance
//! or from another corner, whatever codec it passes next. Interpolated pixels are smoother than measured ones, with the
//! period of the scaling (Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", CRV 2005;
//! Mahdian and Saic, "Blind authentication using periodic properties of interpolation", IEEE TIFS 2008). Both are lines
//! in the spectra of [`profile`](super::profile), and count only when the halves of the picture agree.

use super::origin::{Coding, Origin};
use super::profile::{Profiles, SPECTRUM, spectrum, without};
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::source::provenance::{Class, Finding};

/// Frames that a finding needs.
const MIN_FRAMES: u32 = 4;
/// One profile's line counts up to this (its expectation is 1), so that no single one decides,
/// nor the two of one direction: blinds and shelves have lines too.
const LINE_CAP: f64 = 10.0;
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
    /// Strongest line that is neither the usual grid's nor a colour filter's: cycles a pixel, and the four profiles' sum.
    pub line: (f64, f64),
    /// The sums at 1/8 and 3/8, which only a grid of 8 has (the larger counts), and at 1/4.
    pub eighths: f64,
    pub quarter: f64,
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
        let add = |spectra: &[Vec<f64>; 4], i: usize| {
            spectra.iter().map(|s| s.get(i).map_or(0.0, |p| p.min(LINE_CAP))).sum::<f64>()
        };
        let index = |f: f64| (f * SPECTRUM as f64).round() as usize;
        let (w, h) = self.profiles.size();
        let spectra = deviations.each_ref().map(|d| spectrum(d));
        let near = |f: f64| {
            let reach = index(0.5 / w.max(h) as f64).max(1);
            (index(f) - reach..=index(f) + reach).map(|i| add(&spectra, i)).fold(0.0, f64::max)
        };
        let eighths = near(0.125).max(near(0.375));
        // The own grid out of the way, other lines show.
        let grid = eighths >= LINE;
        let others =
            if grid { deviations.each_ref().map(|d| spectrum(&without(d, 16))) } else { spectra.clone() };
        // A line is as wide as the shorter profile makes it (Blackman window: three natural resolutions to each side)
        // and as what is in the picture makes it, where the grid shows here more and there less.
        let width = 5.0 / w.min(h) as f64;
        // Multiples of 1/16 are a grid's; 1/4 is looked at by itself; 1/2 is what a colour filter leaves.
        let own = |f: f64| {
            let part = if grid { 16.0 } else { 4.0 };
            (grid || f > 0.2) && (part * f - (part * f).round()).abs() / part < width
        };
        // Where all are at their caps, the plain sum tells where the middle of the line is.
        let rank = |i: usize| (add(&others, i), others.iter().filter_map(|s| s.get(i)).sum::<f64>());
        let at = |i: usize| i as f64 / SPECTRUM as f64;
        let line = (index(LOWEST)..=SPECTRUM / 2)
            .filter(|i| !own(at(*i)))
            .map(|i| (at(i), rank(i)))
            .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(a.1.1.total_cmp(&b.1.1)))
            .map_or((0.0, 0.0), |(f, (s, _))| (f, s));
        let [upper, lower, left, right] = &deviations;
        Some(Measured {
            line,
            eighths,
            quarter: near(0.25),
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
        if origin.claim == Class::Network {
            return nothing("senders scale and crop what their cameras coded, honestly");
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
    // An enlargement by two has no line of its own: it is where a colour filter's is.
    let found = if strength >= LINE && f >= INTERPOLATION {
        Some((f, strength))
    } else if origin.coding == Coding::Raw && m.quarter >= LINE && m.eighths < LINE {
        Some((0.25, m.quarter))
    } else {
        None
    };
    match found {
        None => {
            Finding::nothing(CHECK, format!("no period of interpolation ({:.0})", strength.max(m.quarter)))
        }
        Some((f, strength)) => {
            let reason = format!("interpolated with a period of {:.2} pixels ({strength:.0})", 1.0 / f);
            Finding::of(CHECK, Class::Physical, ENLARGED_WEIGHT, reason).injected(ENLARGED_INJECTION)
        }
    }
}

/// The offset (0..8) of an 8-pixel grid in the deviations of two halves, and by how many standard errors it stands out in
/// the half where it shows less: the strongest step; or, besides the own grid at 0 (and 4, smaller transforms), one at 2 or
/// 6 that is stronger than its mirror image in the block. Odd offsets beside an own grid cannot be told from its slopes;
/// cropping 4:2:0 pictures by odd numbers is rare.
fn phase(a: &[f64], b: &[f64]) -> (usize, f64) {
    let half = |d: &[f64]| {
        // The step to the left of pixel 8 n + offset; the first deviation is that of pixel 1, the step between 1 and 2.
        let steps = |offset: usize| d.iter().skip((offset + 6) % 8).step_by(8);
        let n = (d.len() / 8).max(1) as f64;
        let means = [0, 1, 2, 3, 4, 5, 6, 7].map(|o| steps(o).sum::<f64>() / n);
        let error = (d.iter().map(|v| v * v).sum::<f64>() / d.len().max(1) as f64 / n).sqrt().max(1e-9);
        (means, error)
    };
    let halves = [half(a), half(b)];
    let worse = |z: &dyn Fn(&[f64; 8], f64) -> f64| {
        halves.iter().map(|(means, error)| z(means, *error)).fold(f64::INFINITY, f64::min)
    };
    let strongest =
        |all: &[(usize, f64)]| all.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
    let plain = [0, 1, 2, 3, 4, 5, 6, 7].map(|o: usize| {
        let rest = |m: &[f64; 8]| (m.iter().sum::<f64>() - m[o]) / 7.0;
        (o, worse(&|m, error| (m[o] - rest(m)) / error))
    });
    let mirrored =
        [2usize, 6].map(|o| (o, worse(&|m, error| (m[o] - m[8 - o]) / (error * std::f64::consts::SQRT_2))));
    let (own, besides) = (strongest(&plain), strongest(&mirrored));
    if own.0.is_multiple_of(4) && besides.1 >= PHASE { besides } else { own }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
