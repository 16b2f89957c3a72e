//! How a forged part is joined to the picture around it.

use super::tile::{Tile, blur, scale};
use serde::{Deserialize, Serialize};

/// See the variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blend {
    /// Laid over as it is, its edge softened.
    Alpha,
    /// The same with mean and spread of its colours made those of what it covers (Reinhard et al., "Color transfer
    /// between images", IEEE CG&A 2001).
    #[default]
    Colour,
    /// Coarse structure over a wide edge, fine structure over a narrow one (Burt and Adelson, "A multiresolution
    /// spline with application to image mosaics", ACM TOG 1983).
    MultiBand,
    /// Only its differences between neighbours are kept (Perez et al., "Poisson image editing", SIGGRAPH 2003).
    Poisson,
}

/// A mask's edge made soft, inwards: outside stays 0. `feather` is in pixels.
pub fn feather(mask: &[f32], width: usize, feather: f32) -> Vec<f32> {
    let soft = blur(mask, width, feather);
    soft.into_iter().zip(mask).map(|(s, m)| ((s - 0.5) * 2.0).clamp(0.0, 1.0) * m).collect()
}

/// Joins `forged` to `target` where `mask` (with hard edges) is 1; `strength` leaves some of the original.
pub fn blend(target: &mut Tile, mut forged: Tile, mask: &[f32], how: Blend, edge: f32, strength: f32) {
    let soft = feather(mask, target.w, edge);
    match how {
        Blend::Alpha => {}
        Blend::Colour => transfer(target, &mut forged, &soft),
        Blend::MultiBand => {
            transfer(target, &mut forged, &soft);
            multi_band(target, &mut forged, &soft);
            // What was joined band by band has its own edge.
            let wide = blur(&soft, target.w, 2.0 * edge.max(1.0));
            let wide: Vec<f32> = wide.iter().map(|v| (v * 4.0).min(1.0)).collect();
            return target.mix(&forged, &wide, strength);
        }
        Blend::Poisson => poisson(target, &mut forged, mask),
    }
    target.mix(&forged, &soft, strength);
}

fn transfer(target: &Tile, forged: &mut Tile, mask: &[f32]) {
    for plane in 0..3 {
        let ((mean, sd), (want, spread)) = (forged.moments(plane, mask), target.moments(plane, mask));
        let gain = (spread / sd).clamp(0.5, 2.0);
        if let Some(values) = forged.planes.get_mut(plane) {
            values.iter_mut().for_each(|v| *v = (*v - mean) * gain + want);
        }
    }
}

const BANDS: usize = 4;

fn multi_band(target: &Tile, forged: &mut Tile, mask: &[f32]) {
    for (a, b) in target.planes.iter().zip(&mut forged.planes) {
        let mut out = vec![0.0; a.len()];
        let (mut low_a, mut low_b, mut m) = (a.clone(), b.clone(), mask.to_vec());
        for band in 0..BANDS {
            let sigma = 1.5 * (1 << band) as f32;
            let last = band + 1 == BANDS;
            let (next_a, next_b) = (blur(&low_a, target.w, sigma), blur(&low_b, target.w, sigma));
            for (i, o) in out.iter_mut().enumerate() {
                let at = |v: &[f32]| v.get(i).copied().unwrap_or(0.0);
                let (da, db) = if last {
                    (at(&low_a), at(&low_b))
                } else {
                    (at(&low_a) - at(&next_a), at(&low_b) - at(&next_b))
                };
                *o += da + (db - da) * at(&m);
            }
            (low_a, low_b) = (next_a, next_b);
            m = blur(&m, target.w, sigma);
        }
        *b = out;
    }
}

/// Sweeps a level; the next coarser one has begun the work.
const SWEEPS: usize = 12;
const COARSEST: usize = 12;

/// What the forged part must be raised by so that it fits at its edge, and nowhere else changes its gradients: the
/// membrane over the edge's differences (Laplace's equation), from coarse to fine.
fn poisson(target: &Tile, forged: &mut Tile, mask: &[f32]) {
    for (t, f) in target.planes.iter().zip(&mut forged.planes) {
        let edge: Vec<f32> = t.iter().zip(f.iter()).map(|(t, f)| t - f).collect();
        let raised = membrane(&edge, mask, target.w, target.h);
        f.iter_mut().zip(raised).for_each(|(f, d)| *f += d);
    }
}

/// Keeps `edge` where `mask` is 0 and is as smooth as can be where it is 1.
fn membrane(edge: &[f32], mask: &[f32], w: usize, h: usize) -> Vec<f32> {
    let mut field: Vec<f32> = edge.to_vec();
    if w.min(h) > COARSEST {
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let coarse_mask: Vec<f32> = shrink(mask, w, h, f32::max);
        // Only what is known may speak on the coarse level.
        let known: Vec<f32> = mask.iter().map(|m| 1.0 - m).collect();
        let weighted: Vec<f32> = edge.iter().zip(&known).map(|(e, k)| e * k).collect();
        let (sums, weights) = (shrink(&weighted, w, h, |a, b| a + b), shrink(&known, w, h, |a, b| a + b));
        let mean: Vec<f32> =
            sums.iter().zip(&weights).map(|(s, k)| if *k > 0.0 { s / k } else { 0.0 }).collect();
        let coarse = scale(&membrane(&mean, &coarse_mask, cw, ch), (cw, ch), (w, h));
        for ((f, c), m) in field.iter_mut().zip(coarse).zip(mask) {
            if *m > 0.5 {
                *f = c;
            }
        }
    } else {
        // Unknown at the coarsest: the mean of what is known.
        let (sum, n) = edge
            .iter()
            .zip(mask)
            .filter(|(_, m)| **m <= 0.5)
            .fold((0.0, 0.0), |(s, n), (e, _)| (s + e, n + 1.0));
        let mean = if n > 0.0 { sum / n } else { 0.0 };
        field.iter_mut().zip(mask).filter(|(_, m)| **m > 0.5).for_each(|(f, _)| *f = mean);
    }
    for _ in 0..SWEEPS {
        for y in 0..h {
            for x in 0..w {
                let i = y * w + x;
                if mask.get(i).is_none_or(|m| *m <= 0.5) {
                    continue;
                }
                let at = |j: usize| field.get(j).copied().unwrap_or(0.0);
                let left = at(if x > 0 { i - 1 } else { i });
                let right = at(if x + 1 < w { i + 1 } else { i });
                let up = at(if y > 0 { i - w } else { i });
                let down = at(if y + 1 < h { i + w } else { i });
                let mean = (left + right + up + down) / 4.0;
                if let Some(f) = field.get_mut(i) {
                    *f += 1.6 * (mean - *f);
                }
            }
        }
    }
    field
}

/// Every second pixel of every second row, four joined to one.
fn shrink(plane: &[f32], w: usize, h: usize, join: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let at = |x: usize, y: usize| plane.get(y.min(h - 1) * w + x.min(w - 1)).copied().unwrap_or(0.0);
    let rows = (0..h.div_ceil(2)).map(|y| 2 * y);
    rows.flat_map(|y| (0..w.div_ceil(2)).map(move |x| (2 * x, y)))
        .map(|(x, y)| join(join(at(x, y), at(x + 1, y)), join(at(x, y + 1), at(x + 1, y + 1))))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const W: usize = 60;
    const H: usize = 50;

    fn tile(value: impl Fn(usize, usize) -> f32) -> Tile {
        let plane: Vec<f32> = (0..W * H).map(|i| value(i % W, i / W)).collect();
        Tile { x: 0, y: 0, w: W, h: H, planes: [plane.clone(), plane.clone(), plane] }
    }

    fn disc() -> Vec<f32> {
        let inside = |x: f32, y: f32| (x - 30.0).hypot(y - 25.0) < 16.0;
        (0..W * H).map(|i| if inside((i % W) as f32, (i / W) as f32) { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn a_gradient_under_another_light_fits_seamlessly() {
        let scene = |x: usize, y: usize| 60.0 + x as f32 + 0.5 * y as f32;
        let mut target = tile(scene);
        // The same content, 40 brighter: seamless cloning must not see the difference.
        blend(&mut target, tile(|x, y| scene(x, y) + 40.0), &disc(), Blend::Poisson, 1.0, 1.0);
        let worst = target.planes[0]
            .iter()
            .zip(&tile(scene).planes[0])
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1.5, "{worst}");
        let mut target = tile(scene);
        blend(&mut target, tile(|x, y| scene(x, y) + 40.0), &disc(), Blend::Alpha, 1.0, 1.0);
        assert!((target.planes[0][25 * W + 30] - scene(30, 25) - 40.0).abs() < 0.1);
    }

    #[test]
    fn outside_of_the_mask_little_changes_and_inside_it_is_the_forgery() {
        for how in [Blend::Alpha, Blend::Colour, Blend::MultiBand, Blend::Poisson] {
            let mut target = tile(|x, _| if x % 2 == 0 { 90.0 } else { 110.0 });
            blend(&mut target, tile(|_, y| if y % 2 == 0 { 60.0 } else { 140.0 }), &disc(), how, 1.5, 1.0);
            let p = &target.planes[0];
            assert!((p[2 * W + 2] - 90.0).abs() < 0.5 && (p[2 * W + 3] - 110.0).abs() < 0.5, "{how:?}");
            assert!((p[25 * W + 30] - p[26 * W + 30]).abs() > 10.0, "{how:?}: not there");
            assert!((p[25 * W + 30] - p[25 * W + 31]).abs() < 2.0, "{how:?}: the old one shines through");
        }
    }

    #[test]
    fn colours_are_made_alike() {
        let mut target = tile(|x, y| 100.0 + ((x * 7 + y * 3) % 11) as f32);
        let (mean, _) = target.moments(0, &disc());
        blend(
            &mut target,
            tile(|x, y| 20.0 + ((x * 3 + y * 5) % 17) as f32),
            &disc(),
            Blend::Colour,
            2.0,
            1.0,
        );
        assert!((target.moments(0, &disc()).0 - mean).abs() < 1.0);
    }
}
