//! Tests of `advection.rs`: faces whose texture's motion is known to a fraction of a pixel.

use super::*;
use crate::analysis::face::align::Roi;
use crate::analysis::face::mesh::{FaceMesh, Pose};
use crate::analysis::face::models::MeshKind;
use crate::analysis::face::patch::SIDE;
use crate::analysis::face::quality::Quality;
use proptest::prelude::*;

/// Frame pixels in a patch pixel, and the middle of the frame.
const SCALE: f32 = 1.2375;
const MIDDLE: f32 = 200.0;
/// The inner face, which is the one that is forged, reaches that far from its middle, patch pixels.
const MASK: f32 = 22.0;
/// Where the face of the strange pictures is.
const ROI: Roi = Roi { cx: MIDDLE, cy: MIDDLE, size: 150.0, angle: 0.02 };
const SECOND: u64 = 1_000_000_000;
/// Noise of the camera, of a picture whose texture has about ten times as much.
const CAMERA: f32 = 0.003;

/// How a face moves and what is forged of it.
#[derive(Clone, Copy, Debug, Default)]
struct World {
    /// Sway in the frame and of the nose against the ears, patch pixels.
    sway: f32,
    turn: f32,
    /// Of the inner texture against the mesh, patch pixels a second.
    swim: f32,
    /// Noise of the inner texture alone.
    flicker: f32,
    sticks: Sticks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sticks {
    #[default]
    Mesh,
    Frame,
    Crop,
}

const ALIVE: World = World { sway: 6.0, turn: 3.0, swim: 0.0, flicker: 0.0, sticks: Sticks::Mesh };

/// Fine texture without end or period, of root mean square 0.035.
fn texture(x: f32, y: f32) -> f32 {
    (0..10)
        .map(|k| {
            let (angle, length) = (k as f32 * 2.4, 6.0 + 0.83 * k as f32);
            let w = std::f32::consts::TAU / length;
            0.0157 * (w * (x * angle.cos() + y * angle.sin()) + 1.7 * k as f32).sin()
        })
        .sum()
}

/// Noise of root mean square 1 that depends on the pixel and the frame alone.
fn noise(pixel: usize, frame: u64) -> f32 {
    let mut h =
        (pixel as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ frame.wrapping_mul(0xd1b5_4a32_d192_ed03);
    h = (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 32;
    ((h >> 40) as f32 / (1 << 24) as f32 - 0.5) * 12f32.sqrt()
}

impl World {
    fn place(self, t: f32) -> Point {
        [self.sway * (3.0 * t).sin(), 0.4 * self.sway * (2.2 * t).cos()]
    }

    /// How far the middle of the face is ahead of its side.
    fn ahead(self, t: f32, x: Point) -> f32 {
        self.turn * (2.6 * t).cos() * (1.0 - (x[0] * x[0] + x[1] * x[1]) / 1600.0)
    }

    fn to_frame(self, t: f32, x: Point) -> Point {
        let place = self.place(t);
        [MIDDLE + SCALE * (x[0] + self.ahead(t, x) + place[0]), MIDDLE + SCALE * (x[1] + place[1])]
    }

    fn to_face(self, t: f32, p: Point) -> Point {
        let place = self.place(t);
        let there = [(p[0] - MIDDLE) / SCALE - place[0], (p[1] - MIDDLE) / SCALE - place[1]];
        (0..6).fold(there, |x, _| [there[0] - self.ahead(t, x), there[1]])
    }

    /// What is seen at the frame of that number and time. The crop follows the face a little late.
    fn show(self, frame: u64, t: f32) -> (Patch, FaceMesh) {
        let late = self.place(t - 0.05);
        let roi =
            Roi { cx: MIDDLE + SCALE * late[0], cy: MIDDLE + SCALE * late[1], size: 150.0, angle: 0.02 };
        let frame_of = Patch::from_pixels(&[0.0; SIDE * SIDE], roi);
        let luma: Vec<f32> = (0..SIDE * SIDE)
            .map(|i| {
                let (u, v) = ((i % SIDE) as f32, (i / SIDE) as f32);
                let p = frame_of.to_frame(u, v);
                let mut x = self.to_face(t, p);
                let mut own = 0.0;
                if x[0].hypot(x[1]) < MASK {
                    own = self.flicker * noise(i, frame + 9999);
                    x = match self.sticks {
                        Sticks::Mesh => [x[0] - self.swim * t, x[1]],
                        Sticks::Frame => p.map(|c| (c - MIDDLE) / SCALE),
                        Sticks::Crop => [u, v],
                    };
                }
                0.5 + texture(x[0], x[1]) + own + CAMERA * noise(i, frame)
            })
            .collect();
        let points = (0..SURFACE).map(|i| {
            let spiral = |k: usize, n: usize, radius: f32| {
                let (a, r) = (k as f32 * 2.399_963, ((k as f32 + 0.5) / n as f32).sqrt());
                [radius * r * a.cos(), radius * r * a.sin()]
            };
            let x = if let Some(k) = INNER.iter().position(|a| *a == i) {
                spiral(k, INNER.len(), MASK - 7.0)
            } else if let Some(k) = BORDER.iter().position(|a| *a == i) {
                let a = k as f32 / BORDER.len() as f32 * std::f32::consts::TAU;
                [(MASK + 5.0) * a.cos(), (MASK + 5.0) * a.sin()]
            } else {
                spiral(i, SURFACE, 34.0)
            };
            let [x, y] = self.to_frame(t, x);
            [x, y, 0.0]
        });
        let mesh = FaceMesh { points: points.collect(), presence: 1.0 };
        (Patch::from_pixels(&luma, roi), mesh)
    }
}

fn see(signal: &mut Advection, pts: u64, patch: &Patch, mesh: &FaceMesh) -> Option<Reading> {
    let seen = FaceObservation {
        pts,
        mesh,
        kind: MeshKind::V2,
        pose: Pose::default(),
        quality: Quality::default(),
        blendshapes: None,
        patch,
        skin: [[0.5; 3]; 3],
    };
    signal.observe(&seen, &Calibration::built_in().unwrap())
}

/// What is said at the end of three seconds, or of fewer frames, with a gap before that one.
fn watch(world: World, fps: u64, frames: u64, gap_before: u64) -> Option<Vec<f64>> {
    let mut signal = Advection::default();
    let mut last = None;
    for i in 0..frames.min(3 * fps) {
        let (patch, mesh) = world.show(i, i as f32 / fps as f32);
        let gap = if i >= gap_before { SECOND } else { 0 };
        last = see(&mut signal, gap + i * SECOND / fps, &patch, &mesh);
    }
    last.map(|r| r.features)
}

fn of(world: World) -> impl Fn(&str) -> f64 {
    let features = watch(world, 15, 99, 999).unwrap();
    move |name| features[FEATURES.iter().position(|f| *f == name).unwrap()]
}

#[test]
fn texture_that_the_mesh_carries_neither_swims_nor_sticks() {
    let f = of(ALIVE);
    assert!(f("ln-swim").exp() < 0.1, "{}", f("ln-swim").exp());
    assert!(f("ln-drift").exp() < 0.1, "{}", f("ln-drift").exp());
    assert!(
        f("slip-frame").abs() < 0.1 && f("slip-crop").abs() < 0.1,
        "{} {}",
        f("slip-frame"),
        f("slip-crop")
    );
    assert!(f("ln-stick") < -1.5, "{}", f("ln-stick"));
    assert!(f("ln-flicker-inner-over-border").abs() < 0.2, "{}", f("ln-flicker-inner-over-border"));
}

#[test]
fn a_swim_is_measured_to_a_tenth() {
    for wanted in [0.3, 0.6, 1.2] {
        // The pairs are 0.2 s apart.
        let f = of(World { swim: wanted / 0.2, ..ALIVE });
        for feature in ["ln-swim", "ln-drift"] {
            let found = f(feature).exp();
            assert!((found / f64::from(wanted) - 1.0).abs() < 0.1, "{feature}: {found} for {wanted}");
        }
        assert!(f("ln-swim-inner-over-border") > 1.0, "{}", f("ln-swim-inner-over-border"));
    }
}

#[test]
fn texture_that_sticks_to_the_frame_or_to_the_crop_is_told() {
    let frame = of(World { sticks: Sticks::Frame, ..ALIVE });
    assert!((frame("slip-frame") - 1.0).abs() < 0.15, "{}", frame("slip-frame"));
    let crop = of(World { sticks: Sticks::Crop, ..ALIVE });
    assert!((crop("slip-crop") - 1.0).abs() < 0.15, "{}", crop("slip-crop"));
    for f in [frame, crop] {
        assert!(f("ln-stick") > 1.0, "{}", f("ln-stick"));
    }
}

#[test]
fn flicker_of_the_inner_face_is_measured_to_a_quarter() {
    for flicker in [0.01f32, 0.02] {
        let f = of(World { flicker, ..ALIVE });
        // Both pictures of a pair have it, the older one less, where it is read between its pixels.
        let noise = f64::from(flicker.hypot(CAMERA));
        let wanted = noise / noise.hypot(0.035);
        let found = f("ln-flicker-inner").exp();
        assert!((found / wanted - 1.0).abs() < 0.25, "{found} for {wanted}");
        assert!(f("ln-flicker-inner-over-border") > 0.5, "{}", f("ln-flicker-inner-over-border"));
        assert!(f("ln-swim").exp() < 0.2, "flicker is no swim: {}", f("ln-swim").exp());
    }
}

#[test]
fn it_is_silent_where_it_cannot_judge() {
    assert!(watch(ALIVE, 15, 99, 999).is_some() && watch(ALIVE, 6, 99, 999).is_some());
    assert!(watch(ALIVE, 15, 10, 999).is_none(), "too short");
    assert!(watch(ALIVE, 15, 99, 35).is_none(), "a gap of a second");
    for fps in [2, 3] {
        assert!(watch(ALIVE, fps, 99, 999).is_none(), "{fps} frames a second");
    }
    assert!(watch(World { sway: 0.2, turn: 0.1, ..ALIVE }, 15, 99, 999).is_none(), "a head at rest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn anything_seen_gives_finite_readings_and_bounded_memory(
        steps in prop::collection::vec((0u8..12, 0u64..100), 20..70),
        strange in prop::sample::select(vec![f32::NAN, f32::INFINITY, -1e30, 1e30, 0.0, 4096.0]),
    ) {
        let still: Vec<_> = (0..6).map(|i| ALIVE.show(i, i as f32 / 15.0)).collect();
        let mut signal = Advection::default();
        let mut pts = SECOND;
        for (i, (kind, by)) in steps.into_iter().enumerate() {
            // Back and forth through six frames: a face that moves.
            let (patch, mesh) = &still[[0, 1, 2, 3, 4, 5, 4, 3, 2, 1][i % 10]];
            let (mut patch, mut mesh) = (patch.clone(), mesh.clone());
            pts += SECOND / 15;
            match kind {
                0 => pts = pts.saturating_sub(by * SECOND / 50),
                1 => pts += by * 1_000_000,
                2 => mesh.points.iter_mut().step_by(1 + by as usize).for_each(|p| p[0] = strange),
                3 if by < 10 => mesh.points.clear(),
                3 if by < 20 => patch = Patch::default(),
                3 if by < 30 => patch = Patch::from_pixels(&[strange; SIDE * SIDE], Roi::default()),
                3 if by < 40 => patch = Patch::from_pixels(&[strange; SIDE * SIDE], ROI),
                3 => mesh.points.truncate(5 * by as usize),
                _ => {}
            }
            if let Some(reading) = see(&mut signal, pts, &patch, &mesh) {
                prop_assert!(reading.features.iter().all(|f| f.is_finite()), "{:?}", reading.features);
                prop_assert_eq!(reading.features.len(), FEATURES.len());
                prop_assert!(reading.rate.is_finite() && !reading.reason.contains('\n'));
            }
            prop_assert!(signal.history.len() <= MAX_HISTORY && signal.pairs.len() <= MAX_PAIRS);
        }
    }
}
