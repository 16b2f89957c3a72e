//! A block of skin: where its texture went between two pictures of the face, against where the mesh says it went.
//!
//! A few steps of inverse compositional Gauss-Newton (see [`crate::analysis::face::patch`]) on a block's two numbers, from the mesh's
//! place or, where the texture clearly lies there, from that of a face that does not move.

use crate::analysis::face::mesh::{EYE_REGION, LIPS, SURFACE};
use crate::analysis::face::patch::SIDE;
use crate::analysis::pixels::geometry::Point;
use nalgebra::{Matrix3, Matrix3x2, RowVector2, Vector3};
use std::sync::LazyLock;

/// Half a block, and the pixels of one.
const HALF: isize = 4;
const PIXELS: usize = ((2 * HALF + 1) * (2 * HALF + 1)) as usize;
/// Patch border in which the high-pass lacks neighbours.
const EDGE: f32 = 4.0;
/// Landmarks that far from a block have a say in its motion, patch pixels.
const REACH: f32 = 10.0;
/// Steps of the alignment, how far from its start it may go, and a step too short to take, patch pixels.
const STEPS: usize = 4;
const MAX_STEP: f32 = 2.5;
const ARRIVED: f32 = 0.01;
/// Texture is taken to start elsewhere than where the mesh says if its squared difference is that much smaller there.
const CLEARLY: f32 = 0.8;
/// Squared displacement that the slip's divisor never falls below, so that a face at rest slips by nothing.
const AT_REST: f64 = 0.01;
/// What the mesh's own error adds to a displacement, squared patch pixels: a block is not surer than that.
const MESH_NOISE: f64 = 0.1;
/// Texture of which less than half is found again has gone (hair, background, a shadow) and not moved.
const LOST: f64 = 0.5;
/// Landmarks that carry skin: lids and lips move without it.
static SUPPORT: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..SURFACE).filter(|i| !EYE_REGION.contains(i) && !LIPS.contains(i)).collect());

/// What blocks of a region say, summed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub blocks: f64,
    pub pixels: f64,
    /// Squared difference where the mesh, the still frame and the still crop say that the texture was, and at best.
    pub mesh: f64,
    pub still: [f64; 2],
    pub best: f64,
    /// Sum of the squares of the pixels themselves.
    pub energy: f64,
    /// Of the blocks that are found again: the displacement against the mesh, squared and weighted; what noise adds to
    /// it; the weight.
    pub swim: f64,
    pub noise: f64,
    pub weight: f64,
    /// The displacement's part along the way from the mesh's place to the still frame's and the still crop's, and the
    /// square of that way.
    pub along: [f64; 2],
    pub way: [f64; 2],
    /// Information matrix (xx, xy, yy), and its product with the displacement.
    pub information: [f64; 3],
    pub pull: [f64; 2],
}

impl Sums {
    pub fn add(&mut self, o: &Self) {
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
    pub fn rms_swim(&self) -> f64 {
        ((self.swim - self.noise).max(0.0) / self.weight.max(1e-12)).sqrt()
    }

    /// Mean displacement against the mesh, patch pixels.
    pub fn mean_swim(&self) -> [f64; 2] {
        let [xx, xy, yy] = self.information;
        let (xx, yy) = (xx + 0.01 * self.weight + 1e-12, yy + 0.01 * self.weight + 1e-12);
        let [x, y] = self.pull;
        let determinant = xx * yy - xy * xy;
        [(yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant]
    }

    /// Share of the way to the still frame's or crop's place that the texture lies off the mesh's place.
    pub fn slip(&self, slot: usize) -> f64 {
        (self.along[slot] / (self.way[slot] + AT_REST * self.weight).max(1e-12)).clamp(-2.0, 2.0)
    }
}

/// Where the mesh says that the pixels about a place were: an affine map, from the landmarks around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub centre: [isize; 2],
    /// Where the centre was.
    pub origin: Point,
    pub linear: [f32; 4],
}

impl Local {
    /// Least squares over the landmarks near `place`, the nearer the heavier.
    pub fn fit(place: Point, now: &[Point], then: &[Point]) -> Option<Self> {
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
pub(super) fn block(now: &[f32], then: &[f32], warp: &Local, still: [Point; 2]) -> Option<Sums> {
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
    let elsewhere = [at(still[0]), at(still[1])];
    // A start that is clearly better than the mesh's spares the alignment a way that is too long for it.
    let (mut start, mut least) = ([0.0; 2], mesh * CLEARLY);
    for (offset, sum) in still.into_iter().zip(elsewhere) {
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
        let change = [(dyy * bx - xy * by) / determinant, (dxx * by - xy * bx) / determinant];
        if change.iter().all(|c| c.abs() < ARRIVED) {
            break;
        }
        for ((s, by), from) in step.iter_mut().zip(change).zip(start) {
            *s = (*s - by).clamp(from - MAX_STEP, from + MAX_STEP);
        }
    }
    if !(best + energy).is_finite() {
        return None;
    }
    let found = f64::from(best) < LOST * f64::from(energy);
    let noise = f64::from(best) / (PIXELS - 2) as f64;
    // The surer a block's place, the more it counts, up to what the mesh's own error leaves of it.
    let certainty = f64::from(u8::from(found)) / (1.0 + noise / f64::from(weight) / MESH_NOISE);
    let scale = certainty / f64::from(weight);
    let pull = [xx * shift[0] + xy * shift[1], xy * shift[0] + yy * shift[1]];
    Some(Sums {
        blocks: 1.0,
        pixels: PIXELS as f64,
        mesh: f64::from(mesh),
        // What would have come from outside is no better than the mesh.
        still: elsewhere.map(|s| f64::from(s.unwrap_or(mesh))),
        best: f64::from(best),
        energy: f64::from(energy),
        swim: scale * f64::from(pull[0] * shift[0] + pull[1] * shift[1]),
        noise: scale * 2.0 * noise,
        weight: certainty,
        along: still.map(|[x, y]| scale * f64::from(pull[0] * x + pull[1] * y)),
        way: still.map(|[x, y]| scale * f64::from(xx * x * x + 2.0 * xy * x * y + yy * y * y)),
        information: [xx, xy, yy].map(|v| scale * f64::from(v)),
        pull: pull.map(|v| scale * f64::from(v)),
    })
}
