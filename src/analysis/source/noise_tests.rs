use super::*;
use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};

const SIZE: (usize, usize) = (320, 240);
const RAW: Origin = Origin { claim: Class::Physical, coding: Coding::Raw, altered: false };

/// Normal numbers enough for a test: twelve uniform ones less six.
struct Random(u64);

impl Random {
    fn normal(&mut self) -> f32 {
        let mut sum = -6.0;
        for _ in 0..12 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (self.0 >> 40) as f32 / (1 << 24) as f32;
        }
        sum
    }
}

/// Measures pairs of a still ramp of brightness; `noise` gives a frame's noise field from white noise.
fn measure(pairs: u64, noise: impl Fn(usize, usize, &[f32]) -> f32) -> Noise {
    let mut random = Random(7);
    let mut meter = Noise::default();
    for n in 0..2 * pairs {
        let white: Vec<f32> = (0..SIZE.0 * SIZE.1).map(|_| random.normal()).collect();
        let mut data = vec![0u8; SIZE.0 * SIZE.1];
        for (i, v) in data.iter_mut().enumerate() {
            let (x, y) = (i % SIZE.0, i / SIZE.0);
            *v = (40.0 + 160.0 * x as f32 / SIZE.0 as f32 + noise(x, y, &white)).round() as u8;
        }
        // One corner changes, so that no two frames are the same picture.
        for y in 0..24 {
            data[y * SIZE.0..y * SIZE.0 + 64].fill(if n % 2 == 0 { 50 } else { 52 });
        }
        let plane = Plane { data: &data, stride: SIZE.0 };
        let frame = FrameView::new(PixelFormat::Gray8, SIZE.0, SIZE.1, Colour::default(), &[plane]).unwrap();
        let pts = n / 2 * 400_000_000 + n % 2 * 33_000_000;
        meter.observe(&frame, pts, Some(NormRect { x: 0.4, y: 0.4, w: 0.4, h: 0.5 }));
    }
    meter
}

fn smooth(x: usize, y: usize, w: &[f32]) -> f32 {
    let (l, r) = (x.saturating_sub(1), (x + 1).min(SIZE.0 - 1));
    let (u, d) = (y.saturating_sub(1), (y + 1).min(SIZE.1 - 1));
    let at = |x: usize, y: usize| w[y * SIZE.0 + x];
    0.5 * at(x, y) + 0.25 * (at(l, y) + at(r, y)) + 0.25 * (at(x, u) + at(x, d))
}

#[test]
fn noise_is_measured_as_it_is() {
    let white = measure(4, |x, y, w| 2.0 * w[y * SIZE.0 + x]).measured().unwrap();
    assert!((white.deviation - 2.0).abs() < 0.2, "{white:?}");
    assert!(white.correlation.0.abs() < 0.03 && white.correlation.1.abs() < 0.03, "{white:?}");
    assert!(white.zero < 0.05 && white.levels >= 8 && white.spread < 0.5, "{white:?}");
    assert!(white.face.unwrap().abs() < 0.15, "{white:?}");
    let shared = measure(4, |x, y, w| 2.0 * smooth(x, y, w)).measured().unwrap();
    assert!(shared.correlation.0 > 0.3 && shared.correlation.1 > 0.3, "{shared:?}");
}

#[test]
fn findings_follow() {
    let of = |noise: Noise| noise.findings(&RAW);
    let live = of(measure(4, |x, y, w| 2.0 * smooth(x, y, w)));
    assert_eq!((live[0].injection, live[1].injection), (LIVE_INJECTION, 0.0), "{live:?}");
    let added = of(measure(4, |x, y, w| 2.0 * w[y * SIZE.0 + x]));
    assert_eq!(added[0].injection, WHITE_INJECTION, "{added:?}");
    let drawn = of(measure(4, |_, _, _| 0.0));
    assert_eq!(drawn[0].injection, ZERO_INJECTION, "{drawn:?}");
    let pasted = of(measure(4, |x, y, w| {
        let face = (128..256).contains(&x) && (96..216).contains(&y);
        if face { 0.3 * w[y * SIZE.0 + x] } else { 2.0 * smooth(x, y, w) }
    }));
    assert!(pasted[1].injection > 0.7, "{pasted:?}");
}

#[test]
fn silent_behind_a_codec_and_on_too_little() {
    let drawn = measure(4, |_, _, _| 0.0);
    for origin in
        [Origin { coding: Coding::Inter, ..RAW }, Origin { altered: true, ..RAW }, Origin::default()]
    {
        assert!(drawn.findings(&origin).iter().all(|f| f.injection == 0.0 && f.weight == 0.0));
    }
    assert!(measure(0, |_, _, _| 0.0).measured().is_none());
    // Everything moves.
    let moving = measure(4, |x, y, w| 60.0 * w[y * SIZE.0 / 4 + x / 4]);
    assert!(moving.findings(&RAW).iter().all(|f| f.injection == 0.0), "{:?}", moving.measured());
}
