//! Advection: whether the skin's fine texture is carried by the face, or swims through it.
//!
//! Pores, moles and stubble go where the landmarks go. A face that a network paints anew in every frame has texture
//! that sticks to the frame or to the network's own grid ("texture sticking": Karras et al., "Alias-free generative
//! adversarial networks", NeurIPS 2021), slides, or flickers. Blocks of skin are predicted from a moment ago by the
//! mesh's local affine motion; a Gauss-Newton step on their pixels (Lucas & Kanade, "An iterative image registration
//! technique", IJCAI 1981) says by how much the texture went elsewhere, and what is left then is flicker. The same
//! measures along the side of the face, which a swap leaves alone, stand for noise, compression and the mesh's jitter.

use super::{FaceObservation, FaceSignal, Family, Reading, ln, seconds};
use crate::analysis::calibration::Calibration;
use crate::analysis::geometry::Point;
use crate::analysis::mesh::{EYE_REGION, LIPS, SURFACE, distance};
use crate::analysis::patch::{Patch, SIDE};
use nalgebra::{Matrix3, Matrix3x2, RowVector2, Vector3};
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Seconds over which pairs of frames are pooled.
pub const WINDOW: f64 = 2.0;
/// Wanted time between the two frames of a pair, and the least and the most, seconds.
const LAG: f64 = 0.2;
const LEAST_LAG: f64 = 0.1;
const MOST_LAG: f64 = 0.4;
/// Most faces kept (0.4 s at 60 a second, with some to spare), and most pairs (2 s of them).
const MAX_HISTORY: usize = 32;
const MAX_PAIRS: usize = 128;
/// Least number of pairs, and least share of the window, that say something.
const MIN_PAIRS: usize = 8;
const MIN_COVER: f64 = 0.6;
/// Root-mean-square motion of the face in the frame below which nothing can stick to it, patch pixels.
const MIN_MOTION: f64 = 0.4;
/// Least numbers of blocks of a pair: of the inner face and of its side.
const MIN_BLOCKS: [f64; 2] = [8.0, 5.0];
/// Half a block, and the pixels of one.
const HALF: isize = 4;
const PIXELS: usize = ((2 * HALF + 1) * (2 * HALF + 1)) as usize;
/// Patch border in which the high-pass lacks neighbours.
const EDGE: f32 = 4.0;
/// Landmarks that far from a block have a say in its motion, patch pixels.
const REACH: f32 = 10.0;
/// Steps of the alignment, and how far from its start it may go, patch pixels.
const STEPS: usize = 4;
const MAX_STEP: f32 = 2.5;
/// Texture is taken to start elsewhere than where the mesh says if its squared difference is that much smaller there.
const CLEARLY: f32 = 0.8;
/// Squared displacement that the slip's divisor never falls below, so that a face at rest slips by nothing.
const AT_REST: f64 = 0.01;
/// Names of the features, in order.
pub const FEATURES: [&str; 11] = [
    "ln-swim",
    "ln-swim-inner-over-border",
    "ln-drift",
    "slip-frame",
    "slip-crop",
    "ln-stick",
    "ln-flicker-inner",
    "ln-flicker-inner-over-border",
    "ln-texture-inner-over-border",
    "ln-motion",
    "ln-interocular-px",
];

/// Landmarks with a block of skin about them: cheeks, nose and forehead.
const INNER: [usize; 18] =
    [50, 101, 205, 187, 117, 36, 280, 330, 425, 411, 346, 266, 5, 197, 9, 151, 69, 299];
/// The same beside the ears and along the jaw.
const BORDER: [usize; 16] = [34, 227, 137, 177, 215, 138, 135, 169, 264, 447, 366, 401, 435, 367, 364, 394];
/// Landmarks that carry skin: lids and lips move without it.
static SUPPORT: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..SURFACE).filter(|i| !EYE_REGION.contains(i) && !LIPS.contains(i)).collect());

/// What blocks of a region say, summed.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    blocks: f64,
    pixels: f64,
    /// Squared difference where the mesh, the still frame and the still crop say that the texture was, and at best.
    mesh: f64,
    still: [f64; 2],
    best: f64,
    /// Squared pixels.
    energy: f64,
    /// Displacement against the mesh, squared and weighted by the texture's information; what noise adds to it; the
    /// weight.
    swim: f64,
    noise: f64,
    weight: f64,
    /// The displacement's part along the way from the mesh's place to the still frame's and the still crop's, and the
    /// square of that way.
    along: [f64; 2],
    way: [f64; 2],
    /// Information matrix (xx, xy, yy), and its product with the displacement.
    information: [f64; 3],
    pull: [f64; 2],
}

impl Sums {
    fn add(&mut self, o: &Self) {
        let pairs = [
            (&mut self.blocks, o.blocks),
            (&mut self.pixels, o.pixels),
            (&mut self.mesh, o.mesh),
            (&mut self.best, o.best),
            (&mut self.energy, o.energy),
            (&mut self.swim, o.swim),
            (&mut self.noise, o.noise),
            (&mut self.weight, o.weight),
        ];
        pairs.into_iter().for_each(|(a, b)| *a += b);
        let lists: [(&mut [f64], &[f64]); 5] = [
            (&mut self.still, &o.still),
            (&mut self.along, &o.along),
            (&mut self.way, &o.way),
            (&mut self.information, &o.information),
            (&mut self.pull, &o.pull),
        ];
        lists.into_iter().flat_map(|(a, b)| a.iter_mut().zip(b)).for_each(|(a, b)| *a += b);
    }

    /// Root-mean-square displacement against the mesh without the part of noise, patch pixels.
    fn rms_swim(&self) -> f64 {
        ((self.swim - self.noise).max(0.0) / self.weight.max(1e-12)).sqrt()
    }

    /// Mean displacement against the mesh, patch pixels.
    fn mean_swim(&self) -> [f64; 2] {
        let [xx, xy, yy] = self.information;
        let (xx, yy) = (xx + 0.01 * self.weight + 1e-12, yy + 0.01 * self.weight + 1e-12);
        let [x, y] = self.pull;
        let determinant = xx * yy - xy * xy;
        [(yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant]
    }

    /// Share of the way to the still frame's or crop's place that the texture lies off the mesh's place.
    fn slip(&self, slot: usize) -> f64 {
        (self.along[slot] / (self.way[slot] + AT_REST * self.weight).max(1e-12)).clamp(-2.0, 2.0)
    }
}

/// What one pair of frames says.
#[derive(Clone, Copy, Debug)]
struct Pair {
    pts: u64,
    inner: Sums,
    border: Sums,
    /// Mean squared motion of the inner face in the frame, squared patch pixels.
    moved: f64,
    /// Squared mean displacement of the inner texture against that of the border's.
    drift: f64,
    interocular: f64,
    /// Frame pixels in a patch pixel.
    pixel: f64,
}

/// A face as it was: its picture, and where in it the landmarks lay.
#[derive(Debug)]
struct Moment {
    pts: u64,
    patch: Patch,
    spots: Vec<Point>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Advection {
    history: VecDeque<Moment>,
    pairs: VecDeque<Pair>,
}

impl Advection {
    fn then(&self, pts: u64) -> Option<&Moment> {
        let lag = |m: &Moment| seconds(m.pts, pts);
        let off = |m: &Moment| (lag(m) - LAG).abs();
        let best = self.history.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        (LEAST_LAG..=MOST_LAG).contains(&lag(best)).then_some(best)
    }

    fn compare(&self, seen: &FaceObservation<'_>, spots: &[Point]) -> Option<Pair> {
        let then = self.then(seen.pts)?;
        let still = |p: Point| then.patch.position(seen.patch.to_frame(p[0], p[1]));
        let mut moved = 0.0;
        let mut region = |anchors: &[usize], inner: bool| {
            let mut sums = Sums::default();
            for anchor in anchors {
                let Some(warp) = spots.get(*anchor).and_then(|s| Local::fit(*s, spots, &then.spots)) else {
                    continue;
                };
                let centre = warp.centre.map(|c| c as f32);
                let frame = still(centre);
                let offset = |p: Point| [p[0] - warp.origin[0], p[1] - warp.origin[1]];
                let offsets = [offset(frame), offset(centre)];
                let Some(block) = block(seen.patch.pixels(), then.patch.pixels(), &warp, offsets) else {
                    continue;
                };
                sums.add(&block);
                if inner {
                    moved += f64::from(offsets[0][0].powi(2) + offsets[0][1].powi(2));
                }
            }
            sums
        };
        let (inner, border) = (region(&INNER, true), region(&BORDER, false));
        if inner.blocks < MIN_BLOCKS[0] || border.blocks < MIN_BLOCKS[1] {
            return None;
        }
        let (a, b) = (inner.mean_swim(), border.mean_swim());
        let pair = Pair {
            pts: seen.pts,
            inner,
            border,
            moved: moved / inner.blocks,
            drift: (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2),
            interocular: f64::from(seen.mesh.interocular()),
            pixel: f64::from(distance(seen.patch.to_frame(0.0, 0.0), seen.patch.to_frame(1.0, 0.0))),
        };
        [pair.moved, pair.drift, pair.interocular, pair.pixel, pair.inner.swim, pair.border.swim]
            .iter()
            .all(|v| v.is_finite() && *v < 1e9)
            .then_some(pair)
    }

    /// The features, and the swim in frame pixels; `None` while the face rests.
    fn judge(&self) -> Option<(Vec<f64>, f64)> {
        let n = self.pairs.len().max(1) as f64;
        let mean = |get: fn(&Pair) -> f64| self.pairs.iter().map(get).sum::<f64>() / n;
        let moved = mean(|p| p.moved).sqrt();
        if moved < MIN_MOTION {
            return None;
        }
        let (mut inner, mut border) = (Sums::default(), Sums::default());
        for pair in &self.pairs {
            inner.add(&pair.inner);
            border.add(&pair.border);
        }
        // A hundredth of a pixel is less than any alignment can tell.
        let swim = |s: &Sums| ln(s.rms_swim().max(0.01));
        let half_ln = |a: f64, b: f64| 0.5 * (ln(a * 1e4) - ln(b * 1e4));
        let [frame, crop] = inner.still;
        let features = vec![
            swim(&inner),
            swim(&inner) - swim(&border),
            0.5 * ln(mean(|p| p.drift).max(1e-4)),
            inner.slip(0),
            inner.slip(1),
            2.0 * half_ln(inner.mesh, frame.min(crop)),
            half_ln(inner.best / 2.0, inner.energy),
            half_ln(inner.best / inner.pixels, border.best / border.pixels),
            half_ln(inner.energy / inner.pixels, border.energy / border.pixels),
            ln(moved),
            ln(mean(|p| p.interocular)),
        ];
        Some((features, inner.rms_swim() * mean(|p| p.pixel)))
    }
}

/// Where the mesh says that the pixels about a place were: an affine map, from the landmarks around it.
#[derive(Clone, Copy, Debug)]
struct Local {
    centre: [isize; 2],
    /// Where the centre was.
    origin: Point,
    linear: [f32; 4],
}

impl Local {
    /// Least squares over the landmarks near `place`, the nearer the heavier.
    fn fit(place: Point, now: &[Point], then: &[Point]) -> Option<Self> {
        let inside = EDGE + HALF as f32..=(SIDE - 1) as f32 - EDGE - HALF as f32;
        let rounded = place.map(f32::round);
        if !rounded.iter().all(|c| inside.contains(c)) {
            return None;
        }
        let mut normal = Matrix3::<f32>::zeros();
        let mut right = Matrix3x2::<f32>::zeros();
        for i in SUPPORT.iter() {
            let (Some(a), Some(b)) = (now.get(*i), then.get(*i)) else { continue };
            let (x, y) = (a[0] - rounded[0], a[1] - rounded[1]);
            let near = 1.0 - (x * x + y * y) / (REACH * REACH);
            if near > 0.0 {
                let row = Vector3::new(1.0, x, y) * (near * near);
                normal += row * Vector3::new(1.0, x, y).transpose();
                right += row * RowVector2::new(b[0] - a[0], b[1] - a[1]);
            }
        }
        // Where the landmarks do not tell, the skin is not strained.
        let ridge = 0.5 * normal[(0, 0)];
        normal[(1, 1)] += ridge;
        normal[(2, 2)] += ridge;
        let s = normal.cholesky()?.solve(&right);
        let local = Self {
            centre: rounded.map(|c| c as isize),
            origin: [rounded[0] + s[(0, 0)], rounded[1] + s[(0, 1)]],
            linear: [1.0 + s[(1, 0)], s[(2, 0)], s[(1, 1)], 1.0 + s[(2, 1)]],
        };
        let sound = local.origin.iter().all(|v| v.is_finite()) && local.linear.iter().all(|v| v.abs() < 2.0);
        sound.then_some(local)
    }

    fn apply(&self, x: f32, y: f32, shift: Point) -> Point {
        let [a, b, c, d] = self.linear;
        [self.origin[0] + a * x + b * y + shift[0], self.origin[1] + c * x + d * y + shift[1]]
    }
}

/// A block's pixels, from the top left.
fn offsets() -> impl Iterator<Item = (isize, isize)> {
    (-HALF..=HALF).flat_map(|y| (-HALF..=HALF).map(move |x| (x, y)))
}

/// The differences between the older picture at the warped and shifted places and the block; their squared sum.
/// `None` if any lies outside.
fn differ(
    then: &[f32],
    warp: &Local,
    shift: Point,
    now: &[f32; PIXELS],
    out: &mut [f32; PIXELS],
) -> Option<f32> {
    let (h, inside) = (HALF as f32, EDGE..=(SIDE - 1) as f32 - EDGE);
    for (x, y) in [(-h, -h), (h, -h), (-h, h), (h, h)] {
        if !warp.apply(x, y, shift).iter().all(|c| inside.contains(c)) {
            return None;
        }
    }
    let mut sum = 0.0;
    for (((x, y), now), out) in offsets().zip(now).zip(out) {
        let [u, v] = warp.apply(x as f32, y as f32, shift);
        let (u0, v0) = (u as usize, v as usize);
        let (du, dv) = (u - u0 as f32, v - v0 as f32);
        let i = v0 * SIDE + u0;
        let &[a, b] = then.get(i..i + 2)? else { return None };
        let &[c, d] = then.get(i + SIDE..i + SIDE + 2)? else { return None };
        let (top, bottom) = (a + (b - a) * du, c + (d - c) * du);
        *out = top + (bottom - top) * dv - now;
        sum += *out * *out;
    }
    Some(sum)
}

/// Measures one block. `still`: from where the mesh says that it was to where it would have been if it did not move in
/// the frame, and in the crop.
fn block(now: &[f32], then: &[f32], warp: &Local, still: [Point; 2]) -> Option<Sums> {
    let mut pixels = [0.0; PIXELS];
    let mut slopes = [[0.0; 2]; PIXELS];
    let (mut xx, mut xy, mut yy, mut energy) = (0.0, 0.0, 0.0, 0.0);
    for (((x, y), pixel), slope) in offsets().zip(&mut pixels).zip(&mut slopes) {
        let i = ((warp.centre[1] + y) * SIDE as isize + warp.centre[0] + x) as usize;
        let at = |i: usize| now.get(i).copied();
        *pixel = at(i)?;
        let (gx, gy) =
            ((at(i + 1)? - at(i.checked_sub(1)?)?) / 2.0, (at(i + SIDE)? - at(i.checked_sub(SIDE)?)?) / 2.0);
        *slope = [gx, gy];
        xx += gx * gx;
        xy += gx * gy;
        yy += gy * gy;
        energy += *pixel * *pixel;
    }
    let weight = (xx + yy) / 2.0;
    if weight.is_nan() || weight < 1e-7 * PIXELS as f32 {
        return None;
    }
    let mut differences = [0.0; PIXELS];
    let mut at = |shift| differ(then, warp, shift, &pixels, &mut differences);
    let mesh = at([0.0; 2])?;
    let found = [at(still[0]), at(still[1])];
    // A start that is clearly better than the mesh's spares the alignment a way that is too long for it.
    let (mut start, mut least) = ([0.0; 2], mesh * CLEARLY);
    for (offset, sum) in still.into_iter().zip(found) {
        if let Some(sum) = sum.filter(|s| *s < least) {
            (start, least) = (offset, sum);
        }
    }
    let damping = 0.02 * weight;
    let (dxx, dyy) = (xx + damping, yy + damping);
    let determinant = dxx * dyy - xy * xy;
    let (mut shift, mut step) = (start, start);
    let mut best = f32::INFINITY;
    for _ in 0..=STEPS {
        let Some(sum) = differ(then, warp, step, &pixels, &mut differences).filter(|s| *s < best) else {
            break;
        };
        (best, shift) = (sum, step);
        let (bx, by) =
            slopes.iter().zip(&differences).fold((0.0, 0.0), |(x, y), (g, e)| (x + g[0] * e, y + g[1] * e));
        step[0] -= (dyy * bx - xy * by) / determinant;
        step[1] -= (dxx * by - xy * bx) / determinant;
        for (s, from) in step.iter_mut().zip(start) {
            *s = s.clamp(from - MAX_STEP, from + MAX_STEP);
        }
    }
    let pull = [xx * shift[0] + xy * shift[1], xy * shift[0] + yy * shift[1]];
    let along = still.map(|s| f64::from(pull[0] * s[0] + pull[1] * s[1]));
    let way = still.map(|[x, y]| f64::from(xx * x * x + 2.0 * xy * x * y + yy * y * y));
    Some(Sums {
        blocks: 1.0,
        pixels: PIXELS as f64,
        mesh: f64::from(mesh),
        // What would have come from outside is no better than the mesh.
        still: found.map(|s| f64::from(s.unwrap_or(mesh))),
        best: f64::from(best),
        energy: f64::from(energy),
        swim: f64::from(pull[0] * shift[0] + pull[1] * shift[1]),
        noise: 2.0 * f64::from(best) / (PIXELS - 2) as f64,
        weight: f64::from(weight),
        along,
        way,
        information: [xx, xy, yy].map(f64::from),
        pull: pull.map(f64::from),
    })
}

impl FaceSignal for Advection {
    fn name(&self) -> &'static str {
        "advection"
    }

    fn family(&self) -> Family {
        Family::Forgery
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.history.back().is_some_and(|m| seen.pts <= m.pts || seconds(m.pts, seen.pts) > MOST_LAG) {
            self.interrupt();
        }
        let landmarks = seen.mesh.points.iter().take(SURFACE);
        let spots: Vec<Point> = landmarks.map(|p| seen.patch.position([p[0], p[1]])).collect();
        if let Some(pair) = self.compare(seen, &spots) {
            self.pairs.push_back(pair);
        }
        self.history.push_back(Moment { pts: seen.pts, patch: seen.patch.clone(), spots });
        let (pts, stale) = (seen.pts, |p: u64, limit: f64| seconds(p, seen.pts) > limit);
        while self.history.len() > MAX_HISTORY || self.history.front().is_some_and(|m| stale(m.pts, MOST_LAG))
        {
            self.history.pop_front();
        }
        while self.pairs.len() > MAX_PAIRS || self.pairs.front().is_some_and(|p| stale(p.pts, WINDOW)) {
            self.pairs.pop_front();
        }
        let cover = seconds(self.pairs.front()?.pts, pts) / WINDOW;
        if self.pairs.len() < MIN_PAIRS || cover < MIN_COVER {
            return None;
        }
        let (features, swim) = self.judge()?;
        let llr = calibration.logistic("advection").and_then(|c| c.llr(&features));
        let reason = if llr.is_some_and(|l| l > 0.0) {
            format!("the skin's texture slides over the face by {swim:.1} px")
        } else {
            format!("the skin's texture moves {swim:.1} px against the face")
        };
        Some(Reading::of_window(llr, WINDOW, seen.quality, reason, features))
    }

    fn interrupt(&mut self) {
        self.history.clear();
        self.pairs.clear();
    }
}

#[cfg(test)]
#[path = "advection_tests.rs"]
mod tests;
