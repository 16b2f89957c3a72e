use super::*;
use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};

const RAW: Origin = Origin { claim: Class::Physical, coding: Coding::Raw, altered: false };

fn hash(mut x: u64) -> f64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 40) as f64 / f64::from(1 << 24)
}

/// A picture with soft shapes and a grain, `w` x `h`.
fn picture(n: u64, w: usize, h: usize) -> Vec<f64> {
    (0..w * h)
        .map(|i| {
            let (x, y) = ((i % w) as f64, (i / w) as f64);
            let shape = 40.0 * (x * 0.021 + n as f64 * 0.1).sin() + 30.0 * (y * 0.033 + x * 0.011).cos();
            let grain = hash(n * 10_000_019 + i as u64) + hash(n * 77_777_777 + 13 * i as u64);
            120.0 + shape + 6.0 * (grain - 1.0)
        })
        .collect()
}

/// Every block of 8 x 8, from an offset on, pulled towards its mean by a share, as a coarse codec does.
fn coded(p: &mut [f64], w: usize, h: usize, (ox, oy): (usize, usize), pull: f64) {
    let blocks = |o: usize, side: usize| {
        let mut cuts: Vec<usize> = (0..side).filter(|i| (i + 8 - o).is_multiple_of(8)).collect();
        cuts.insert(0, 0);
        cuts.push(side);
        cuts
    };
    for ys in blocks(oy, h).windows(2) {
        for xs in blocks(ox, w).windows(2) {
            let n = ((ys[1] - ys[0]) * (xs[1] - xs[0])).max(1) as f64;
            let cells = || (ys[0]..ys[1]).flat_map(|y| (xs[0]..xs[1]).map(move |x| y * w + x));
            let mean = cells().map(|i| p[i]).sum::<f64>() / n;
            for i in cells() {
                p[i] += pull * (mean - p[i]);
            }
        }
    }
}

fn scaled(p: &[f64], (w, h): (usize, usize), (tw, th): (usize, usize)) -> Vec<f64> {
    let at = |x: usize, y: usize| p[y.min(h - 1) * w + x.min(w - 1)];
    (0..tw * th)
        .map(|i| {
            let place = |i: usize, from: usize, to: usize| {
                ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, from as f64)
            };
            let (x, y) = (place(i % tw, w, tw), place(i / tw, h, th));
            let (ix, iy) = (x as usize, y as usize);
            let (fx, fy) = (x.fract(), y.fract());
            (at(ix, iy) * (1.0 - fx) + at(ix + 1, iy) * fx) * (1.0 - fy)
                + (at(ix, iy + 1) * (1.0 - fx) + at(ix + 1, iy + 1) * fx) * fy
        })
        .collect()
}

fn measure(size: (usize, usize), make: impl Fn(u64) -> Vec<f64>) -> Grid {
    let mut grid = Grid::default();
    for n in 0..8 {
        let data: Vec<u8> = make(n).iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
        let plane = Plane { data: &data, stride: size.0 };
        grid.observe(
            &FrameView::new(PixelFormat::Gray8, size.0, size.1, Colour::default(), &[plane]).unwrap(),
        );
    }
    grid
}

fn nats(grid: &Grid) -> (f64, f64) {
    let found = grid.findings(&RAW);
    (found[0].injection, found[1].injection)
}

const SIZE: (usize, usize) = (320, 240);

#[test]
fn a_plain_picture_has_no_history() {
    let plain = measure(SIZE, |n| picture(n, SIZE.0, SIZE.1));
    assert_eq!(nats(&plain), (0.0, 0.0), "{:?}", plain.measured());
    // One with stripes in its upper half has none either.
    let striped = measure(SIZE, |n| {
        let mut p = picture(n, SIZE.0, SIZE.1);
        for (i, v) in p.iter_mut().enumerate().take(SIZE.0 * SIZE.1 / 2) {
            *v += 40.0 * ((i % SIZE.0) as f64 * 1.9).sin();
        }
        p
    });
    assert_eq!(nats(&striped), (0.0, 0.0), "{:?}", striped.measured());
}

#[test]
fn a_grid_is_found_where_it_is() {
    let grid = |offset| {
        measure(SIZE, move |n| {
            let mut p = picture(n, SIZE.0, SIZE.1);
            coded(&mut p, SIZE.0, SIZE.1, offset, 0.65);
            p
        })
    };
    let own = grid((0, 0));
    assert_eq!(nats(&own), (CODED_INJECTION, 0.0), "{:?}", own.measured());
    let camera = own.findings(&Origin { coding: Coding::Intra, ..RAW });
    assert!(camera.iter().all(|f| f.injection == 0.0), "{camera:?}");
    let cropped = grid((3, 5));
    assert_eq!(cropped.measured().unwrap().phase.map(|p| p.0), [3, 5], "{:?}", cropped.measured());
    assert_eq!(cropped.findings(&Origin { coding: Coding::Inter, ..RAW })[0].injection, CROPPED_INJECTION);
    let again = measure(SIZE, |n| {
        let mut p = picture(n, SIZE.0, SIZE.1);
        coded(&mut p, SIZE.0, SIZE.1, (2, 6), 0.65);
        coded(&mut p, SIZE.0, SIZE.1, (0, 0), 0.3);
        p
    });
    assert_eq!(again.measured().unwrap().phase.map(|p| p.0), [2, 6], "{:?}", again.measured());
    assert!(cropped.findings(&Origin { altered: true, ..RAW }).iter().all(|f| f.injection == 0.0));
}

#[test]
fn interpolation_is_found_with_its_period() {
    for (from, period) in [((213, 160), 2.99), ((186, 140), 2.4), ((256, 192), 5.0)] {
        let found = measure(SIZE, |n| scaled(&picture(n, from.0, from.1), from, SIZE));
        let m = found.measured().unwrap();
        assert_eq!(nats(&found), (0.0, ENLARGED_INJECTION), "{from:?} {m:?}");
        let reason = found.findings(&RAW).remove(1).reason;
        let told: f64 = reason.split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert!((told - period).abs() < 0.05, "{reason}");
    }
}

#[test]
fn a_scaled_grid_is_found() {
    let from = (240, 180);
    let found = measure(SIZE, |n| {
        let mut p = picture(n, from.0, from.1);
        coded(&mut p, from.0, from.1, (0, 0), 0.65);
        scaled(&p, from, SIZE)
    });
    let (grid, up) = nats(&found);
    assert!(grid + up > 0.7, "{:?}", found.measured());
}

#[test]
fn small_and_few_say_nothing() {
    let small = measure((48, 48), |n| picture(n, 48, 48));
    assert!(small.measured().is_none());
    assert!(Grid::default().measured().is_none());
}
