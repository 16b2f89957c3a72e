//! Tests of `shading.rs`: matt heads under lights that are known.

use super::*;
use crate::analysis::face::mesh::{FaceMesh, Pose};
use crate::analysis::face::models::MeshKind;
use crate::analysis::face::patch::Patch;
use crate::analysis::face::quality::Quality;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const GOOD: Quality =
    Quality { size: 1.0, focus: 1.0, exposure: 1.0, pose: 1.0, visibility: 1.0, compression: 1.0 };

/// A matt head. Angles in radians; lights about the head's axis, from the camera towards the head's left.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// Of the yaw and the pitch, at their largest.
    turn: [f32; 2],
    light: f32,
    /// Share of the turn that the shading follows: 1 alive, 0 baked in.
    follows: fn(f32) -> f32,
    /// Of the colours, relative, every frame on its own.
    noise: f32,
    /// The light's strength over time.
    strength: fn(f32) -> f32,
}

const ALIVE: Head =
    Head { turn: [0.25, 0.08], light: 0.5, follows: |_| 1.0, noise: 0.004, strength: |_| 1.0 };
const AMBIENT: f32 = 0.4;

/// White noise of root mean square 1.
fn white(seed: u64) -> f32 {
    let h = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let h = (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (((h ^ (h >> 32)) >> 40) as f32 / (1 << 24) as f32 - 0.5) * 12f32.sqrt()
}

impl Head {
    fn pose(self, t: f32) -> Pose {
        Pose { yaw: self.turn[0] * (1.9 * t).sin(), pitch: self.turn[1] * (2.7 * t).cos(), roll: 0.0 }
    }

    /// Light on forehead, right and left cheek of the head turned by that yaw and pitch.
    fn shade(self, yaw: f32, pitch: f32) -> [f32; 3] {
        [(0.0, -0.5), (-0.7, 0.1), (0.7, 0.1)].map(|(across, down)| {
            let (azimuth, height): (f32, f32) = (across + yaw, down + pitch);
            let lit = (azimuth - self.light).cos() * height.cos() * 0.9 - 0.4359 * height.sin();
            AMBIENT + lit.max(0.0)
        })
    }

    fn skin(self, frame: u64, t: f32) -> [[f32; 3]; 3] {
        let pose = self.pose(t);
        let share = (self.follows)(t);
        let light = self.shade(share * pose.yaw, share * pose.pitch);
        let mut spot = 0;
        light.map(|light| {
            [0.5f32, 0.35, 0.28].map(|albedo| {
                spot += 1;
                let noise = 1.0 + self.noise * white(frame * 9 + spot);
                0.5 * (self.strength)(t) * albedo * light * noise
            })
        })
    }

    /// Slope of the log ratio of left to right cheek by yaw, from the law itself: of the straight line through it over
    /// one sway of the head.
    fn slope(self) -> f64 {
        let (mut xx, mut xy) = (0.0, 0.0);
        for i in 0..360u16 {
            let yaw = self.turn[0] * f32::from(i).to_radians().sin();
            let [_, right, left] = self.shade(yaw, 0.0);
            xx += f64::from(yaw * yaw);
            xy += f64::from(yaw) * f64::from(left / right).ln();
        }
        xy / xx
    }
}

fn see(signal: &mut Shading, pts: u64, pose: Pose, skin: [[f32; 3]; 3], quality: Quality) -> Option<Reading> {
    let mesh = FaceMesh { points: vec![[0.0; 3]; 468], presence: 1.0 };
    let seen = FaceObservation {
        pts,
        mesh: &mesh,
        kind: MeshKind::V2,
        pose,
        quality,
        blendshapes: None,
        patch: &Patch::default(),
        skin,
    };
    signal.observe(&seen, &Calibration::built_in().unwrap())
}

/// What is said at the end of seven seconds with a gap before the frame at that time.
fn watch(head: Head, fps: u64, gap_at: f32) -> Option<Vec<f64>> {
    let mut signal = Shading::default();
    let mut last = None;
    for i in 0..7 * fps {
        let t = i as f32 / fps as f32;
        let gap = if t >= gap_at { SECOND } else { 0 };
        last = see(&mut signal, gap + i * SECOND / fps, head.pose(t), head.skin(i, t), GOOD);
    }
    last.map(|r| r.features)
}

fn of(head: Head) -> impl Fn(&str) -> f64 {
    let features = watch(head, 12, 99.0).unwrap();
    move |name| features[FEATURES.iter().position(|f| *f == name).unwrap()]
}

#[test]
fn the_answer_to_a_turn_is_measured_to_a_tenth() {
    for light in [-0.6, -0.3, 0.0, 0.3, 0.6] {
        let head = Head { light, ..ALIVE };
        let f = of(head);
        let (found, wanted) = (f("ln-slope-cheeks").exp() - 0.01, head.slope().abs());
        assert!((found / wanted - 1.0).abs() < 0.1, "light at {light}: {found} for {wanted}");
        assert!(f("r2-cheeks") > 0.9 && f("r2-forehead") > 0.7, "{} {}", f("r2-cheeks"), f("r2-forehead"));
        assert!(f("ln-instability-cheeks") < -3.0, "{}", f("ln-instability-cheeks"));
        assert!(f("ln-colour-spread") < -2.0, "{}", f("ln-colour-spread"));
        // Noise of two cheeks in three colours, of which luma takes 0.28, 0.66 and 0.05 here.
        let jitter = f("ln-jitter").exp();
        assert!((0.0035..0.0048).contains(&jitter), "{jitter} for 0.0041");
    }
}

#[test]
fn baked_shading_does_not_answer() {
    let f = of(Head { follows: |_| 0.0, ..ALIVE });
    assert!(f("r2-cheeks") < 0.2 && f("r2-forehead") < 0.2, "{} {}", f("r2-cheeks"), f("r2-forehead"));
    assert!(f("ln-slope-cheeks").exp() < 0.1 * ALIVE.slope().abs(), "{}", f("ln-slope-cheeks").exp());
}

#[test]
fn shading_that_answers_by_halves_is_told() {
    let whole = of(ALIVE);
    let half = of(Head { follows: |t| if t < 4.5 { 1.0 } else { -0.2 }, ..ALIVE });
    assert!(half("r2-cheeks") < whole("r2-cheeks") - 0.15, "{} {}", half("r2-cheeks"), whole("r2-cheeks"));
    let (calm, torn) = (whole("ln-instability-cheeks"), half("ln-instability-cheeks"));
    assert!(torn > calm + 2.0, "{torn} {calm}");
}

#[test]
fn a_screen_that_lights_up_changes_nothing() {
    let (calm, lit) = (of(ALIVE), of(Head { strength: |t| 1.0 + 0.5 * (5.0 * t).sin(), ..ALIVE }));
    for name in ["r2-cheeks", "r2-forehead", "ln-slope-cheeks", "ln-jitter", "ln-colour-spread"] {
        assert!((calm(name) - lit(name)).abs() < 0.02, "{name}: {} {}", calm(name), lit(name));
    }
    assert!(lit("ln-light") > calm("ln-light") + 1.0);
}

#[test]
fn it_is_silent_where_it_cannot_judge() {
    assert!(watch(ALIVE, 8, 99.0).is_some());
    assert!(watch(ALIVE, 12, 4.0).is_none(), "a gap of a second");
    for fps in [1, 2, 3, 5] {
        assert!(watch(ALIVE, fps, 99.0).is_none(), "{fps} frames a second");
    }
    assert!(watch(Head { turn: [0.03, 0.02], ..ALIVE }, 12, 99.0).is_none(), "a head at rest");
    assert!(watch(Head { strength: |_| 0.001, ..ALIVE }, 12, 99.0).is_none(), "in the dark");
}

proptest! {
    #[test]
    fn anything_seen_gives_finite_readings_and_bounded_memory(
        steps in prop::collection::vec((0u8..10, 0u64..100, -700i16..700, 4u16..900), 100..450),
        strange in prop::sample::select(vec![f32::NAN, f32::INFINITY, -1e30, 1e30, 0.0, -1.0]),
        ns in prop::sample::select(vec![1_000u64, 10_000_000, 80_000_000]),
    ) {
        let mut signal = Shading::default();
        let mut pts = SECOND;
        for (kind, by, angle, light) in steps {
            let (angle, light) = (f32::from(angle) / 1e3, f32::from(light) / 1e3);
            let mut pose = Pose { yaw: angle, pitch: -0.5 * angle, roll: 0.0 };
            let mut skin = [[light, 0.3, light * 0.5 + 0.003], [0.4, light, 0.1], [light; 3]];
            pts += ns;
            match (kind, by) {
                (0, 0..5) => pts = pts.saturating_sub(by * SECOND),
                (1, 0..5) => pts += by * SECOND / 5,
                (2, _) => skin[(by % 3) as usize][(by % 2) as usize] = strange,
                (3, _) => pose.yaw = strange,
                _ => {}
            }
            if let Some(reading) = see(&mut signal, pts, pose, skin, GOOD) {
                prop_assert!(reading.features.iter().all(|f| f.is_finite()), "{:?}", reading.features);
                prop_assert_eq!(reading.features.len(), FEATURES.len());
            }
            prop_assert!(signal.samples.len() <= MAX_SAMPLES);
        }
    }
}
