//! Tests of `crop.rs`: that a network sees the right pixels.

use super::*;
use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};
use proptest::prelude::*;

const W: usize = 200;
const H: usize = 150;

/// Gray, every pixel unlike its neighbours.
fn picture() -> Vec<u8> {
    (0..W * H).map(|i| ((i % W) * 7 + (i / W) * 13) as u8).collect()
}

fn view(data: &[u8]) -> FrameView<'_> {
    FrameView::new(PixelFormat::Gray8, W, H, Colour::default(), &[Plane { data, stride: W }]).unwrap()
}

fn face(x: f32, y: f32, w: f32, h: f32, roll: f32) -> FaceBox {
    FaceBox { bounds: [x, y, w, h], roll }
}

fn cut(data: &[u8], face: &FaceBox, spec: CropSpec, input: (usize, usize)) -> Option<(Placed, Vec<u8>)> {
    let mut cropper = Cropper::default();
    let placed = cropper.cut(&view(data), face, &spec, input, &mut RegionReader::default()).unwrap()?;
    Some((placed, cropper.picture().chunks_exact(3).map(|p| p[0]).collect()))
}

const fn boxed(scale: f32, shape: Shape, outside: Outside) -> CropSpec {
    CropSpec::Box { scale, shape, outside, filter: Filter::Area }
}

proptest! {
    #[test]
    fn points_go_to_the_picture_and_back(
        x in 0f32..200.0, y in 0f32..150.0, w in 4f32..300.0, angle in -3f32..3.0, u in -1f32..2.0, v in -1f32..2.0
    ) {
        let placed = Placed { centre: [x, y], size: [w, w * 0.8], angle };
        let [back, down] = placed.to_picture(placed.to_frame(u, v));
        prop_assert!((back - u).abs() < 1e-3 && (down - v).abs() < 1e-3);
        prop_assert!((0.0..=1.0).contains(&placed.inside((W, H))));
    }

    #[test]
    fn native_is_the_frame_itself_with_its_border_repeated(
        x in 0f32..190.0, y in 0f32..140.0, w in 4f32..60.0, h in 4f32..80.0, iw in 16usize..90, ih in 16usize..90
    ) {
        prop_assume!(x + w / 2.0 <= W as f32 && y + h / 2.0 <= H as f32);
        let data = picture();
        let face = face(x, y, w, h, 0.4);
        let (_, got) = cut(&data, &face, CropSpec::Native { max_face: 60.0 }, (iw, ih)).unwrap();
        let corner = |c: f32, side: usize| (c - side as f32 / 2.0 + 0.5).floor() as isize;
        let (left, top) = (corner(x + w / 2.0, iw), corner(y + h / 2.0, ih));
        for (i, v) in got.iter().enumerate() {
            let fx = (left + (i % iw) as isize).clamp(0, W as isize - 1) as usize;
            let fy = (top + (i / iw) as isize).clamp(0, H as isize - 1) as usize;
            prop_assert_eq!(*v, data[fy * W + fx], "pixel {}", i);
        }
    }

    #[test]
    fn nothing_is_out_of_bounds_whatever_the_face(
        bounds in [-1e4f32..1e4, -1e4f32..1e4, 0f32..1e4, 0f32..1e4], roll in -4f32..4.0, scale in 0.3f32..8.0, kind in 0..5
    ) {
        let data = picture();
        let spec = match kind {
            0 => boxed(scale, Shape::Square, Outside::Repeat),
            1 => boxed(scale, Shape::Face, Outside::Shift),
            2 => CropSpec::Box { scale, shape: Shape::Face, outside: Outside::Repeat, filter: Filter::Linear },
            3 => CropSpec::Aligned { scale },
            _ => CropSpec::Native { max_face: 32.0 + 100.0 * scale },
        };
        let face = FaceBox { bounds, roll };
        if let Some((placed, got)) = cut(&data, &face, spec, (32, 32)) {
            prop_assert_eq!(got.len(), 32 * 32);
            prop_assert!(placed.size.iter().chain(&placed.centre).all(|v| v.is_finite()));
        }
    }
}

#[test]
fn numbers_that_are_none_have_no_place() {
    let data = picture();
    for bounds in
        [[f32::NAN, 0.0, 50.0, 50.0], [0.0, 0.0, f32::INFINITY, 50.0], [0.0; 4], [900.0, 20.0, 50.0, 50.0]]
    {
        let face = FaceBox { bounds, roll: 0.0 };
        assert!(
            cut(&data, &face, boxed(1.0, Shape::Square, Outside::Repeat), (32, 32)).is_none(),
            "{bounds:?}"
        );
    }
}

#[test]
fn a_large_face_is_shrunk_to_its_bound_and_a_small_one_never_enlarged() {
    let spec = CropSpec::Native { max_face: 32.0 };
    let placed = spec.place(&face(60.0, 40.0, 64.0, 80.0, 0.0), (48, 48), (W, H)).unwrap();
    assert_eq!(placed, Placed { centre: [92.0, 80.0], size: [96.0, 96.0], angle: 0.0 });
    let placed = spec.place(&face(60.0, 40.0, 16.0, 20.0, 0.0), (48, 48), (W, H)).unwrap();
    assert_eq!(placed.size, [48.0, 48.0]);
    // Stripes of one pixel, shrunk to the half, are gray: every pixel counts.
    let stripes: Vec<u8> = (0..W * H).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect();
    let (_, got) = cut(&stripes, &face(60.0, 40.0, 64.0, 64.0, 0.0), spec, (48, 48)).unwrap();
    assert!(got.iter().all(|v| v.abs_diff(100) <= 26), "{got:?}");
}

#[test]
fn a_box_is_the_face_times_its_scale() {
    let at = |scale, shape, outside, bounds: [f32; 4]| {
        let face = FaceBox { bounds, roll: 0.3 };
        boxed(scale, shape, outside).place(&face, (80, 80), (W, H)).unwrap()
    };
    let bounds = [80.0, 60.0, 20.0, 30.0];
    let p = at(2.0, Shape::Square, Outside::Repeat, bounds);
    assert_eq!((p.centre, p.size, p.angle), ([90.0, 75.0], [60.0, 60.0], 0.0));
    assert_eq!(at(2.0, Shape::Face, Outside::Repeat, bounds).size, [40.0, 60.0]);
    // Near the border: moved inside, and made smaller only if it must.
    let p = at(2.0, Shape::Face, Outside::Shift, [0.0, 130.0, 20.0, 20.0]);
    assert_eq!((p.centre, p.size), ([20.0, 130.0], [40.0, 40.0]));
    let p = at(4.0, Shape::Face, Outside::Shift, [80.0, 20.0, 50.0, 75.0]);
    assert_eq!((p.centre, p.size), ([105.0, 75.0], [100.0, 150.0]));
}

#[test]
fn a_box_shows_its_part_of_the_frame() {
    // Left half dark, right half bright.
    let halves: Vec<u8> = (0..W * H).map(|i| if i % W < W / 2 { 10 } else { 210 }).collect();
    for filter in [Filter::Area, Filter::Linear] {
        let spec = CropSpec::Box { scale: 1.0, shape: Shape::Square, outside: Outside::Repeat, filter };
        let (_, got) = cut(&halves, &face(60.0, 40.0, 80.0, 80.0, 0.0), spec, (20, 20)).unwrap();
        for (i, v) in got.iter().enumerate() {
            let want = if i % 20 < 10 { 10 } else { 210 };
            let near = (9..=10).contains(&(i % 20));
            assert!(near || *v == want, "{filter:?}, {i}: {v}");
        }
        // Beyond the frame the bright border goes on.
        let (_, got) = cut(&halves, &face(120.0, 40.0, 120.0, 80.0, 0.0), spec, (20, 20)).unwrap();
        assert!(got.iter().all(|v| *v == 210), "{filter:?}: {got:?}");
    }
}

#[test]
fn the_aligned_square_is_upright() {
    // Brightness grows with y. A head turned clockwise by a right angle has its top on the right.
    let data: Vec<u8> = (0..W * H).map(|i| (i / W) as u8).collect();
    let face = face(75.0, 50.0, 50.0, 50.0, std::f32::consts::FRAC_PI_2);
    let (placed, got) = cut(&data, &face, CropSpec::Aligned { scale: 1.2 }, (30, 30)).unwrap();
    assert!((placed.size[0] - 60.0).abs() < 1e-3);
    for (i, v) in got.iter().enumerate() {
        // Along a row of the picture the frame's y grows by two pixels a step, from 75 - 30.
        let want = 46.0 - 0.5 + 2.0 * (i % 30) as f32;
        assert!((f32::from(*v) - want).abs() <= 1.0, "{i}: {v} instead of {want}");
    }
}

#[test]
fn pixels_become_numbers_in_the_order_asked_for() {
    let rgb = [10, 20, 30, 40, 50, 60];
    let of = |order, channels| {
        let pixels = Pixels { order, channels, gain: [1.0, 2.0, 3.0], offset: [0.0, 0.5, 1.0] };
        let mut out = Vec::new();
        pixels.fill(&rgb, &mut out);
        out
    };
    assert_eq!(of(Order::Nhwc, Channels::Rgb), [10.0, 40.5, 91.0, 40.0, 100.5, 181.0]);
    assert_eq!(of(Order::Nchw, Channels::Rgb), [10.0, 40.0, 40.5, 100.5, 91.0, 181.0]);
    assert_eq!(of(Order::Nchw, Channels::Bgr), [30.0, 60.0, 40.5, 100.5, 31.0, 121.0]);
    let gray = of(Order::Nchw, Channels::Gray);
    assert!(gray.len() == 2 && (gray[0] - 18.15).abs() < 1e-3 && (gray[1] - 48.15).abs() < 1e-3, "{gray:?}");
}

#[test]
fn keys_are_checked() {
    let parse = |text: &str| toml::from_str::<CropSpec>(text);
    assert_eq!(parse("kind = 'box'\nscale = 2.7").unwrap(), boxed(2.7, Shape::Square, Outside::Repeat));
    assert_eq!(
        parse("kind = 'box'\nscale = 4\nshape = 'face'\noutside = 'shift'\nfilter = 'linear'").unwrap(),
        CropSpec::Box { scale: 4.0, shape: Shape::Face, outside: Outside::Shift, filter: Filter::Linear }
    );
    assert_eq!(parse("kind = 'native'\nmax-face = 200").unwrap(), CropSpec::Native { max_face: 200.0 });
    for bad in [
        "kind = 'box'",
        "kind = 'native'\nmax_face = 2",
        "kind = 'oval'",
        "kind = 'aligned'\nscale = 1\nsacle = 2",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(CropSpec::Aligned { scale: 1.0 }.fault((64, 32)).is_some());
    assert!(CropSpec::Native { max_face: f32::NAN }.fault((64, 64)).is_some());
    assert!(boxed(0.1, Shape::Face, Outside::Shift).fault((64, 64)).is_some());
    assert_eq!(boxed(2.7, Shape::Face, Outside::Shift).fault((64, 32)), None);
}

#[test]
fn what_lies_beyond_the_frame_is_counted() {
    let at = |x, y| Placed { centre: [x, y], size: [100.0, 50.0], angle: 0.0 }.inside((W, H));
    assert_eq!((at(100.0, 75.0), at(0.0, 75.0), at(0.0, 0.0), at(-90.0, 75.0)), (1.0, 0.5, 0.25, 0.0));
}
