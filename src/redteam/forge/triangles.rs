//! Piecewise affine warp: the picture goes along with points that are moved, triangle by triangle.

use super::tile::Tile;
use crate::recorded::Frame;

/// Which points make triangles: Delaunay's, over where the points lie in one picture.
#[derive(Clone, Debug, Default)]
pub struct Triangles(Vec<[usize; 3]>);

impl Triangles {
    pub fn over(points: &[[f32; 3]]) -> Self {
        let flat: Vec<delaunator::Point> =
            points.iter().map(|p| delaunator::Point { x: f64::from(p[0]), y: f64::from(p[1]) }).collect();
        let made = delaunator::triangulate(&flat).triangles;
        Self(made.chunks_exact(3).map(|t| [t[0], t[1], t[2]]).collect())
    }

    /// In the order in which they are to be painted: what lies behind first (nearer is smaller).
    fn far_first(&self, points: &[[f32; 3]]) -> Vec<[usize; 3]> {
        let depth = |t: &[usize; 3]| t.iter().map(|i| points.get(*i).map_or(0.0, |p| p[2])).sum::<f32>();
        let mut sorted = self.0.clone();
        sorted.sort_by(|a, b| depth(b).total_cmp(&depth(a)));
        sorted
    }
}

/// A picture as a source of colours at any place.
#[derive(Debug)]
pub struct Sampler<'a>([(&'a [u8], usize, usize); 3]);

impl<'a> Sampler<'a> {
    pub fn new(frame: &'a Frame) -> Self {
        Self(frame.planes().map(|(p, w, h)| (p, w as usize, h as usize)))
    }

    /// Luma and chroma at a place in pixels of luma, the centre of the first at (0.5, 0.5).
    #[inline]
    pub fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let [luma, u, v] = &self.0;
        [
            bilinear(luma, x - 0.5, y - 0.5),
            bilinear(u, x / 2.0 - 0.5, y / 2.0 - 0.5),
            bilinear(v, x / 2.0 - 0.5, y / 2.0 - 0.5),
        ]
    }
}

#[inline]
fn bilinear(&(pixels, w, h): &(&[u8], usize, usize), x: f32, y: f32) -> f32 {
    let x = x.clamp(0.0, w.saturating_sub(1) as f32);
    let y = y.clamp(0.0, h.saturating_sub(1) as f32);
    let (ix, iy) = (x as usize, y as usize);
    let (tx, ty) = (x - ix as f32, y - iy as f32);
    let (right, down) = (usize::from(ix + 1 < w), if iy + 1 < h { w } else { 0 });
    let start = iy * w + ix;
    let p = |i: usize| f32::from(pixels.get(i).copied().unwrap_or(0));
    let (a, b, c, d) = (p(start), p(start + right), p(start + down), p(start + down + right));
    let top = a + (b - a) * tx;
    top + (c + (d - c) * tx - top) * ty
}

/// Paints `source`, whose points lie at `from`, into `tile` so that they come to lie at `to` (picture coordinates).
/// Returns where something was painted. `deep` paints by depth, for faces that turn.
pub fn paint(
    tile: &mut Tile,
    source: &Sampler<'_>,
    from: &[[f32; 3]],
    to: &[[f32; 3]],
    triangles: &Triangles,
    deep: bool,
) -> Vec<f32> {
    let mut covered = vec![0.0; tile.w * tile.h];
    let order = if deep { triangles.far_first(to) } else { triangles.0.clone() };
    for t in order {
        let corner = |points: &[[f32; 3]], i: usize| points.get(i).map(|p| [p[0], p[1]]);
        let corners =
            |points: &[[f32; 3]]| Some([corner(points, t[0])?, corner(points, t[1])?, corner(points, t[2])?]);
        if let (Some(a), Some(b)) = (corners(from), corners(to)) {
            triangle(tile, source, a, b, &mut covered);
        }
    }
    covered
}

fn triangle(
    tile: &mut Tile,
    source: &Sampler<'_>,
    from: [[f32; 2]; 3],
    to: [[f32; 2]; 3],
    covered: &mut [f32],
) {
    let [a, b, c] = to.map(|p| [p[0] - tile.x as f32, p[1] - tile.y as f32]);
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
    if area.abs() < 1e-4 || !area.is_finite() {
        return;
    }
    let range = |v: [f32; 3], n: usize| {
        let low = v.iter().fold(f32::INFINITY, |m, v| m.min(*v)).floor().max(0.0) as usize;
        let high = v.iter().fold(0.0f32, |m, v| m.max(*v)).ceil() as usize;
        low..high.min(n)
    };
    let (rows, cells) = (range([a[1], b[1], c[1]], tile.h), range([a[0], b[0], c[0]], tile.w));
    // Neighbours share an edge: a little over it leaves no gap.
    let slack = -1e-4;
    let width = tile.w;
    for y in rows {
        for x in cells.clone() {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let wb = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) / area;
            let wc = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) / area;
            let wa = 1.0 - wb - wc;
            if wa < slack || wb < slack || wc < slack {
                continue;
            }
            let [f, g, h] = from;
            let colour = source.at(wa * f[0] + wb * g[0] + wc * h[0], wa * f[1] + wb * g[1] + wc * h[1]);
            let place = y * width + x;
            for (plane, value) in tile.planes.iter_mut().zip(colour) {
                if let Some(p) = plane.get_mut(place) {
                    *p = value;
                }
            }
            if let Some(p) = covered.get_mut(place) {
                *p = 1.0;
            }
        }
    }
}

/// 1 inside a polygon (picture coordinates), else 0, by the even-odd rule.
pub fn fill(tile: &Tile, polygon: &[[f32; 2]]) -> Vec<f32> {
    let mut mask = vec![0.0; tile.w * tile.h];
    for (row, line) in mask.chunks_exact_mut(tile.w.max(1)).enumerate() {
        let y = (tile.y + row) as f32 + 0.5;
        let mut cuts: Vec<f32> = polygon
            .iter()
            .zip(polygon.iter().cycle().skip(1))
            .filter(|(a, b)| (a[1] <= y) != (b[1] <= y))
            .map(|(a, b)| a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) - tile.x as f32)
            .collect();
        cuts.sort_by(f32::total_cmp);
        for span in cuts.chunks_exact(2) {
            let to = span[1].clamp(0.0, tile.w as f32).round() as usize;
            let from = (span[0].clamp(0.0, tile.w as f32).round() as usize).min(to);
            line.get_mut(from..to).unwrap_or_default().fill(1.0);
        }
    }
    mask
}

/// The outline of a set of points, pushed outwards by `grow` of its size. (Andrew's monotone chain.)
pub fn hull(points: &[[f32; 2]], grow: f32) -> Vec<[f32; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let half = |points: &mut dyn Iterator<Item = [f32; 2]>| {
        let mut out: Vec<[f32; 2]> = Vec::new();
        for p in points {
            while let [.., a, b] = out.as_slice()
                && (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) <= 0.0
            {
                out.pop();
            }
            out.push(p);
        }
        out.pop();
        out
    };
    let mut all = half(&mut sorted.iter().copied());
    all.extend(half(&mut sorted.iter().rev().copied()));
    let n = all.len().max(1) as f32;
    let centre = all.iter().fold([0.0, 0.0], |c, p| [c[0] + p[0] / n, c[1] + p[1] / n]);
    all.iter().map(|p| [0, 1].map(|i| centre[i] + (p[i] - centre[i]) * (1.0 + grow))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture() -> Frame {
        let luma = (0..48).flat_map(|y| (0..64).map(move |x| (2 * x + y) as u8));
        let data = luma.chain([100; 32 * 24]).chain([150; 32 * 24]).collect();
        Frame::new(0, None, 64, 48, data).unwrap()
    }

    fn grid() -> Vec<[f32; 3]> {
        let line = |n: usize, i: usize| (n * i) as f32;
        (0..4).flat_map(|y| (0..5).map(move |x| [line(16, x), line(16, y), 0.0])).collect()
    }

    #[test]
    fn points_that_stay_move_nothing() {
        let (frame, points) = (picture(), grid());
        let mut tile = Tile::whole(&frame);
        let before = tile.clone();
        tile.planes.iter_mut().flatten().for_each(|v| *v = 0.0);
        let covered =
            paint(&mut tile, &Sampler::new(&frame), &points, &points, &Triangles::over(&points), true);
        assert!(covered.iter().all(|c| *c == 1.0), "gaps between triangles");
        for (a, b) in tile.planes.iter().zip(&before.planes) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.01));
        }
    }

    #[test]
    fn points_that_move_take_the_picture_along() {
        let (frame, points) = (picture(), grid());
        let moved: Vec<[f32; 3]> = points.iter().map(|p| [p[0] + 3.0, p[1], 0.0]).collect();
        let mut tile = Tile::whole(&frame);
        paint(&mut tile, &Sampler::new(&frame), &points, &moved, &Triangles::over(&points), false);
        assert!((tile.planes[0][20 * 64 + 30] - (2.0 * 27.0 + 20.0)).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn a_hull_holds_its_points(points in proptest::collection::vec([4.0f32..60.0, 4.0f32..44.0], 3..40)) {
            let outline = hull(&points, 0.2);
            let mask = fill(&Tile::whole(&picture()), &outline);
            let spread = |i: usize| {
                points.iter().map(|p| p[i]).fold(0.0, f32::max) - points.iter().map(|p| p[i]).fold(99.0, f32::min)
            };
            prop_assume!(spread(0) > 20.0 && spread(1) > 20.0 && mask.iter().sum::<f32>() > 150.0);
            let n = points.len() as f32;
            let c = points.iter().fold([0.0; 2], |c, p| [c[0] + p[0] / n, c[1] + p[1] / n]);
            prop_assert_eq!(mask[c[1] as usize * 64 + c[0] as usize], 1.0);
        }
    }
}
