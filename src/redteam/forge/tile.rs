//! A part of a picture with all three planes in full resolution, as floats: what is forged is forged here.

use crate::recorded::Frame;

/// Luma and chroma of a rectangle; `x`, `y`, `w`, `h` are even.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    pub x: usize,
    pub y: usize,
    pub w: usize,
    pub h: usize,
    pub planes: [Vec<f32>; 3],
}

impl Tile {
    /// The rectangle around `[x, y, w, h]`, grown by `margin` of its size and cut at the picture's edge; `None`
    /// if nothing of it is in the picture.
    pub fn around(frame: &Frame, rect: [f32; 4], margin: f32) -> Option<Self> {
        let (w, h) = (frame.width() as usize & !1, frame.height() as usize & !1);
        let [x, y, rw, rh] = rect;
        let (mx, my) = (rw * margin, rh * margin);
        let low = |v: f32, n: usize| (v.max(0.0) as usize).min(n) & !1;
        let high = |v: f32, n: usize| (v.max(0.0).ceil() as usize).next_multiple_of(2).min(n);
        let (x0, x1) = (low(x - mx, w), high(x + rw + mx, w));
        let (y0, y1) = (low(y - my, h), high(y + rh + my, h));
        (x1 >= x0 + 4 && y1 >= y0 + 4).then(|| Self::cut(frame, x0, y0, x1 - x0, y1 - y0))
    }

    /// The whole picture.
    pub fn whole(frame: &Frame) -> Self {
        Self::cut(frame, 0, 0, frame.width() as usize & !1, frame.height() as usize & !1)
    }

    fn cut(frame: &Frame, x: usize, y: usize, w: usize, h: usize) -> Self {
        let mut planes = [(); 3].map(|()| Vec::with_capacity(w * h));
        for (index, ((pixels, stride, _), out)) in frame.planes().into_iter().zip(&mut planes).enumerate() {
            let shift = usize::from(index > 0);
            for row in y..y + h {
                let start = (row >> shift) * stride as usize;
                let line = pixels.get(start + (x >> shift)..).unwrap_or_default();
                out.extend((0..w).map(|i| f32::from(line.get(i >> shift).copied().unwrap_or(128))));
            }
        }
        Self { x, y, w, h, planes }
    }

    /// Puts it back to where it came from; chroma is the mean of four.
    pub fn paste(&self, frame: &mut Frame) {
        let width = frame.width() as usize;
        let half = width.div_ceil(2);
        for (index, (target, plane)) in frame.planes_mut().into_iter().zip(&self.planes).enumerate() {
            if index == 0 {
                for (row, line) in plane.chunks_exact(self.w.max(1)).enumerate() {
                    let start = (self.y + row) * width + self.x;
                    let Some(out) = target.get_mut(start..start + self.w) else { continue };
                    out.iter_mut().zip(line).for_each(|(o, v)| *o = byte(*v));
                }
                continue;
            }
            for row in 0..self.h / 2 {
                let start = (self.y / 2 + row) * half + self.x / 2;
                let Some(out) = target.get_mut(start..start + self.w / 2) else { continue };
                let at = |dx: usize, dy: usize, i: usize| {
                    plane.get((2 * row + dy) * self.w + 2 * i + dx).copied().unwrap_or(128.0)
                };
                for (i, o) in out.iter_mut().enumerate() {
                    *o = byte((at(0, 0, i) + at(1, 0, i) + at(0, 1, i) + at(1, 1, i)) / 4.0);
                }
            }
        }
    }

    /// Mean and standard deviation of a plane under a mask of weights.
    pub fn moments(&self, plane: usize, mask: &[f32]) -> (f32, f32) {
        let Some(values) = self.planes.get(plane) else { return (0.0, 1.0) };
        let (mut n, mut sum, mut square) = (1e-6f64, 0.0f64, 0.0f64);
        for (v, m) in values.iter().zip(mask) {
            let (v, m) = (f64::from(*v), f64::from(*m));
            (n, sum, square) = (n + m, sum + m * v, square + m * v * v);
        }
        let mean = sum / n;
        (mean as f32, (square / n - mean * mean).max(1e-3).sqrt() as f32)
    }

    /// Blurs every plane by a gaussian of `sigma` pixels, nearly.
    pub fn blurred(&self, sigma: f32) -> Self {
        let planes = [0, 1, 2].map(|i| blur(self.planes.get(i).map_or(&[], Vec::as_slice), self.w, sigma));
        Self { planes, ..*self }
    }

    /// `other` where `mask` is 1, this where it is 0.
    pub fn mix(&mut self, other: &Self, mask: &[f32], strength: f32) {
        for (a, b) in self.planes.iter_mut().zip(&other.planes) {
            for ((a, b), m) in a.iter_mut().zip(b).zip(mask) {
                *a += (b - *a) * m * strength;
            }
        }
    }
}

pub fn byte(v: f32) -> u8 {
    (v + 0.5) as u8
}

/// Three running means, which come near a gaussian (Wells, "Efficient synthesis of Gaussian filters by cascaded
/// uniform filters", IEEE PAMI 1986). Borders go on.
pub fn blur(plane: &[f32], width: usize, sigma: f32) -> Vec<f32> {
    let width = width.max(1);
    if sigma < 0.3 {
        return plane.to_vec();
    }
    let radius = (((12.0 * sigma * sigma / 3.0 + 1.0).sqrt() - 1.0) / 2.0).round().max(1.0) as usize;
    let height = plane.len() / width;
    let (mut a, mut b) = (plane.to_vec(), vec![0.0; plane.len()]);
    for _ in 0..3 {
        for (from, to) in a.chunks_exact(width).zip(b.chunks_exact_mut(width)) {
            running(from, to, radius);
        }
        columns(&b, &mut a, width, height, radius);
    }
    a
}

fn running(from: &[f32], to: &mut [f32], radius: usize) {
    let n = from.len();
    let last = n.saturating_sub(1);
    let at = |i: isize| from.get(i.clamp(0, last as isize) as usize).copied().unwrap_or(0.0);
    let r = radius as isize;
    let mut sum: f32 = (-r..=r).map(at).sum();
    let scale = 1.0 / (2 * radius + 1) as f32;
    for (i, out) in to.iter_mut().enumerate() {
        *out = sum * scale;
        sum += at(i as isize + r + 1) - at(i as isize - r);
    }
}

/// The same down the columns, a row at a time.
fn columns(from: &[f32], to: &mut [f32], width: usize, height: usize, radius: usize) {
    let last = height.saturating_sub(1) as isize;
    let row = |i: isize| {
        let start = i.clamp(0, last.max(0)) as usize * width;
        from.get(start..start + width).unwrap_or_default()
    };
    let r = radius as isize;
    let mut sum = vec![0.0f32; width];
    for i in -r..=r {
        sum.iter_mut().zip(row(i)).for_each(|(s, v)| *s += v);
    }
    let scale = 1.0 / (2 * radius + 1) as f32;
    for (i, out) in to.chunks_exact_mut(width).enumerate() {
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o = s * scale);
        let (enter, leave) = (row(i as isize + r + 1), row(i as isize - r));
        for ((s, e), l) in sum.iter_mut().zip(enter).zip(leave) {
            *s += e - l;
        }
    }
}

/// Scales a plane; every pixel of the target takes the mean of what it covers, or what lies between.
pub fn scale(plane: &[f32], (w, h): (usize, usize), (to_w, to_h): (usize, usize)) -> Vec<f32> {
    let axis = |n: usize, to: usize| -> Vec<(usize, usize, f32)> {
        let ratio = n as f32 / to.max(1) as f32;
        (0..to)
            .map(|i| {
                let c = ((i as f32 + 0.5) * ratio - 0.5).clamp(0.0, n.saturating_sub(1) as f32);
                let low = c as usize;
                (low, (low + 1).min(n.saturating_sub(1)), c - low as f32)
            })
            .collect()
    };
    // Shrinking by much would skip pixels.
    let shrink = (w as f32 / to_w.max(1) as f32).max(h as f32 / to_h.max(1) as f32);
    let soft = if shrink > 1.2 { blur(plane, w, 0.4 * shrink) } else { plane.to_vec() };
    let (xs, ys) = (axis(w, to_w), axis(h, to_h));
    let mut out = Vec::with_capacity(to_w * to_h);
    for (y0, y1, ty) in ys {
        let row = |y: usize| soft.get(y * w..(y + 1) * w).unwrap_or_default();
        let (a, b) = (row(y0), row(y1));
        out.extend(xs.iter().map(|&(x0, x1, tx)| {
            let p = |r: &[f32], x: usize| r.get(x).copied().unwrap_or(0.0);
            let top = p(a, x0) + (p(a, x1) - p(a, x0)) * tx;
            let bottom = p(b, x0) + (p(b, x1) - p(b, x0)) * tx;
            top + (bottom - top) * ty
        }));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn picture(w: u32, h: u32) -> Frame {
        let data = (0..(w * h * 3 / 2) as usize).map(|i| (i * 37 % 251) as u8).collect();
        Frame::new(0, None, w, h, data).unwrap()
    }

    #[test]
    fn what_is_cut_goes_back_unchanged() {
        let frame = picture(64, 48);
        for tile in [Tile::whole(&frame), Tile::around(&frame, [11.0, 9.0, 20.0, 17.0], 0.2).unwrap()] {
            let mut again = frame.clone();
            tile.paste(&mut again);
            assert!(again == frame);
        }
        assert!(Tile::around(&frame, [200.0, 0.0, 10.0, 10.0], 0.1).is_none());
    }

    #[test]
    fn blur_keeps_the_mean_and_scale_the_level() {
        let plane: Vec<f32> = (0..40 * 30).map(|i| if i % 40 > 20 { 200.0 } else { 20.0 }).collect();
        let soft = blur(&plane, 40, 3.0);
        assert!((soft[15 * 40] - 20.0).abs() < 0.1 && (soft[15 * 40 + 39] - 200.0).abs() < 0.1);
        assert!(soft.windows(2).take(39).all(|w| w[1] >= w[0] - 1e-3), "an edge stays one");
        assert!(scale(&vec![7.0; 1200], (40, 30), (13, 9)).iter().all(|v| (v - 7.0).abs() < 1e-3));
    }
}
