//! Tests of `vestibulo.rs`: a head and eyes of which all is known.

use super::*;
use crate::analysis::face::mesh::{FaceMesh, IRISES, LEFT_EYE, Pose, RIGHT_EYE};
use crate::analysis::face::models::MeshKind;
use crate::analysis::face::patch::Patch;
use crate::analysis::face::quality::Quality;
use proptest::prelude::*;

const GOOD: Quality =
    Quality { size: 1.0, focus: 1.0, exposure: 1.0, pose: 1.0, visibility: 1.0, compression: 1.0 };

/// Noise that is the same every time, -1..1.
fn hash(seed: f64) -> f64 {
    let v = (seed * 12.9898).sin() * 43758.5453;
    2.0 * (v - v.floor()) - 1.0
}

/// A head at a moment: its rotation and that of right and left eye in it (right and down), radians; the lids' opening.
#[derive(Clone, Copy)]
struct Moment {
    head: [f64; 2],
    eyes: [[f64; 2]; 2],
    open: f64,
}

/// The mesh of it, 1 px a mm: eyes 30 wide, irises 10.5 before their centres and 3 before the line of the corners.
/// `noise` in pixels on every number.
fn mesh(m: Moment, t: f64, noise: f64) -> FaceMesh {
    let mut points = vec![[0.0; 3]; 478];
    let mut set = |index: usize, p: [f64; 3]| {
        let ([yaw, pitch], [x, y, z]) = (m.head, p);
        let (x, z) = (x * yaw.cos() - z * yaw.sin(), z * yaw.cos() + x * yaw.sin());
        let (y, z) = (y * pitch.cos() - z * pitch.sin(), z * pitch.cos() + y * pitch.sin());
        let n = |axis: f64| noise * hash(t * 7.3 + index as f64 * 3.1 + axis);
        points[index] = [300.0 + x + n(0.1), 200.0 + y + n(0.2), z + n(0.3)].map(|v| v as f32);
    };
    set(234, [-70.0, 0.0, 40.0]);
    set(454, [70.0, 0.0, 40.0]);
    set(10, [0.0, -90.0, 0.0]);
    set(152, [0.0, 90.0, 0.0]);
    for (eye, side, turn, iris) in
        [(RIGHT_EYE, -1.0, m.eyes[0], IRISES[0]), (LEFT_EYE, 1.0, m.eyes[1], IRISES[1])]
    {
        let centre = side * 32.0;
        set(eye[0], [centre + side * 15.0, 0.0, -20.0]);
        set(eye[1], [centre - side * 15.0, 0.0, -20.0]);
        for (upper, lower, x) in [(eye[2], eye[4], -5.0), (eye[3], eye[5], 5.0)] {
            set(upper, [centre + x, -5.0 * m.open, -22.0]);
            set(lower, [centre + x, 5.0 * m.open, -22.0]);
        }
        let forward = turn[0].cos() * turn[1].cos();
        set(iris, [centre + 10.5 * turn[0].sin(), 10.5 * turn[1].sin(), -12.5 - 10.5 * forward]);
    }
    FaceMesh { points, presence: 1.0 }
}

fn observe(signal: &mut Vestibulo, pts: u64, mesh: &FaceMesh, pose: Pose) -> Option<Reading> {
    observe_with(signal, pts, mesh, pose, &Calibration::built_in().unwrap())
}

fn observe_with(
    signal: &mut Vestibulo,
    pts: u64,
    mesh: &FaceMesh,
    pose: Pose,
    calibration: &Calibration,
) -> Option<Reading> {
    let seen = FaceObservation {
        pts,
        mesh,
        kind: MeshKind::V2,
        pose,
        quality: GOOD,
        blendshapes: None,
        patch: &Patch::default(),
        skin: [[0.5; 3]; 3],
    };
    signal.observe(&seen, calibration)
}

/// What is said over eight seconds of `scene`, frame by frame.
fn watch(fps: f64, noise: f64, scene: impl Fn(f64) -> Moment) -> Vec<Option<Reading>> {
    let mut signal = Vestibulo::default();
    let frames = (8.0 * fps) as u64;
    let times = (0..frames).map(|i| i as f64 / fps);
    times
        .map(|t| {
            let mesh = mesh(scene(t), t, noise);
            observe(&mut signal, (t * 1e9) as u64, &mesh, mesh.pose())
        })
        .collect()
}

/// Mean features of all that was said.
fn mean(readings: &[Option<Reading>]) -> Vec<f64> {
    let said: Vec<_> = readings.iter().flatten().collect();
    assert!(said.len() > 20, "{} readings", said.len());
    let sum = |i: usize| said.iter().map(|r| r.features[i]).sum::<f64>();
    (0..FEATURES.len()).map(|i| sum(i) / said.len() as f64).collect()
}

fn feature(features: &[f64], name: &str) -> f64 {
    features[FEATURES.iter().position(|f| *f == name).unwrap()]
}

/// A head of a talker: turns of about 6 and nods of about 4 degrees.
fn turning(t: f64) -> [f64; 2] {
    [0.1 * (3.1 * t).sin() + 0.04 * (7.0 * t).sin(), 0.07 * (4.3 * t + 1.0).sin()]
}

/// Eyes that take back that share of the head's turn and jump to something else every 0.7 s, by up to 8 degrees.
fn looking(gain: f64, t: f64) -> Moment {
    let head = turning(t);
    let target = [0.14 * hash((t / 0.7).floor()), 0.05 * hash((t / 0.7).floor() + 0.5)];
    let eye = [0, 1].map(|axis| target[axis] - gain * head[axis]);
    Moment { head, eyes: [eye, eye], open: 1.0 }
}

#[test]
fn the_gain_is_found_within_an_eighth() {
    for gain in [0.0, 0.5, 1.0] {
        for fps in [10.0, 12.5, 25.0] {
            let features = mean(&watch(fps, 0.25, |t| looking(gain, t)));
            for (axis, name) in ["gain-yaw", "gain-pitch"].into_iter().enumerate() {
                let off = features[axis] - gain;
                assert!(off.abs() < 0.125, "{name} at {fps} a second: {} for {gain}", features[axis]);
            }
            let correlation = feature(&features, "correlation");
            assert!(if gain == 0.0 { correlation.abs() < 0.2 } else { correlation > 0.6 }, "{correlation}");
        }
    }
}

#[test]
fn noise_of_the_head_does_not_pass_for_fixed_eyes() {
    // Noise of the pose alone: without its removal the slope, and with it the gain, would be too small by a quarter.
    let small = |t: f64| {
        let head = turning(t).map(|v| 0.35 * v);
        Moment { head, eyes: [head.map(|v| -v); 2], open: 1.0 }
    };
    let readings: Vec<_> = {
        let mut signal = Vestibulo::default();
        let frames = (0..200).map(|i| f64::from(i) * 0.04);
        frames
            .map(|t| {
                let mesh = mesh(small(t), t, 0.0);
                let mut pose = mesh.pose();
                pose.yaw += 0.017 * hash(t) as f32;
                pose.pitch += 0.017 * hash(t + 0.5) as f32;
                observe(&mut signal, (t * 1e9) as u64, &mesh, pose)
            })
            .collect()
    };
    let features = mean(&readings);
    assert!((features[0] - 1.0).abs() < 0.15, "{features:?}");
}

#[test]
fn eyes_that_go_their_own_ways_are_not_conjugate() {
    let together = mean(&watch(12.5, 0.2, |t| looking(1.0, t)));
    let apart = mean(&watch(12.5, 0.2, |t| {
        let mut m = looking(1.0, t);
        m.eyes[0] = [0.1 * (5.0 * t).sin(), 0.0];
        m.eyes[1] = [0.1 * (3.7 * t + 2.0).sin(), 0.0];
        m
    }));
    for (name, least) in [("conjugacy", 0.6), ("ln-vergence-step", -1.0), ("ln-vergence-spread", -1.0)] {
        let by = feature(&together, name) - feature(&apart, name);
        assert!(if least > 0.0 { by > least } else { by < least }, "{name}: {by}");
    }
    let squint = mean(&watch(12.5, 0.2, |t| {
        let mut m = looking(1.0, t);
        m.eyes[0][0] += 0.1;
        m.eyes[1][0] -= 0.1;
        m
    }));
    // Two eyes turned in by 0.1 rad each: 10.5 mm of 30 mm each.
    let vergence = feature(&squint, "vergence") - feature(&together, "vergence");
    assert!((vergence - 2.0 * RADIUS * 0.1).abs() < 0.01, "{vergence}");
}

#[test]
fn lids_on_their_way_do_not_count() {
    let blinking = |t: f64| {
        let mut m = looking(1.0, t);
        if t % 1.5 < 0.25 {
            m.open = 0.3;
            m.eyes = m.eyes.map(|e| [e[0] + 0.4, e[1] + 0.5]);
        }
        m
    };
    let features = mean(&watch(12.5, 0.2, blinking));
    assert!((features[0] - 1.0).abs() < 0.15, "{features:?}");
}

#[test]
fn it_is_silent_where_it_cannot_judge() {
    let said = |readings: Vec<Option<Reading>>| readings.iter().flatten().count();
    let at = |fps: f64| said(watch(fps, 0.2, |t| looking(1.0, t)));
    assert!(at(10.0) > 30);
    assert_eq!((at(2.0), at(3.0), at(5.0)), (0, 0, 0), "too slow to tell noise from motion");
    let still = watch(12.5, 0.2, |t| Moment { head: [0.0; 2], ..looking(0.0, t) });
    assert_eq!(said(still), 0, "a head that does not turn");
    let shaky = watch(12.5, 4.0, |t| Moment { head: turning(t).map(|v| 0.2 * v), ..looking(0.0, t) });
    assert_eq!(said(shaky), 0, "more noise than turn");
    let mut signal = Vestibulo::default();
    for i in 0..60u64 {
        let t = i as f64 * 0.08;
        let mut mesh = mesh(looking(1.0, t), t, 0.2);
        mesh.points.truncate(468);
        assert!(observe(&mut signal, i * 80_000_000, &mesh, mesh.pose()).is_none(), "no irises");
    }
}

#[test]
fn a_gap_starts_afresh() {
    let mut signal = Vestibulo::default();
    let mut said = [0; 2];
    for i in 0..66u64 {
        let t = i as f64 * 0.08 + if i < 50 { 0.0 } else { 3.0 };
        let mesh = mesh(looking(1.0, t), t, 0.2);
        let reading = observe(&mut signal, (t * 1e9) as u64, &mesh, mesh.pose());
        said[usize::from(i >= 50)] += usize::from(reading.is_some());
    }
    assert!(said[0] > 10 && said[1] == 0, "{said:?}");
}

#[test]
fn it_counts_as_its_calibration_says() {
    // An LLR of half less the gain about the vertical axis.
    let fitted = |signal: &str| {
        let list = |v: f64| format!("{:?}", vec![v; FEATURES.len()]);
        let mut weights = vec![0.0; FEATURES.len()];
        weights[0] = -1.0;
        Calibration::parse(&format!(
            "schema = 1\nversion = 'x'\n[signal.{signal}]\nkind = 'logistic'\nfeatures = {FEATURES:?}\nmean = {}\n\
             scale = {}\nweights = {weights:?}\nbias = 0.5\nllr-min = -4.0\nllr-max = 4.0\n",
            list(0.0),
            list(1.0),
        ))
        .unwrap()
    };
    let last = |gain: f64, calibration: &Calibration| {
        let mut signal = Vestibulo::default();
        let times = (0..70u64).map(|i| i as f64 * 0.08);
        let readings = times.map(|t| {
            let mesh = mesh(looking(gain, t), t, 0.2);
            observe_with(&mut signal, (t * 1e9) as u64, &mesh, mesh.pose(), calibration)
        });
        readings.flatten().last().unwrap()
    };
    let own = fitted("eye-stabilisation");
    let (alive, stiff) = (last(1.0, &own), last(0.0, &own));
    assert!(alive.llr < -0.3 && stiff.llr > 0.3, "{} {}", alive.llr, stiff.llr);
    assert!((alive.rate * WINDOW - alive.llr).abs() < 1e-12 && alive.quality > 0.9 && alive.quality <= 1.0);
    assert!(alive.reason.starts_with("the eyes answer the head's turns (gain"), "{}", alive.reason);
    assert!(stiff.reason.starts_with("the eyes do not answer the head's turns"), "{}", stiff.reason);
    let silent = last(0.0, &fitted("another"));
    assert_eq!((silent.rate, silent.llr, silent.quality), (0.0, 0.0, 0.0));
    assert_eq!(silent.features.len(), FEATURES.len());
}

/// Numbers as a broken network might give them.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-1000i16..1000).prop_map(|v| f32::from(v) / 1e3),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::MAX),
        1 => (-1_000_000i32..1_000_000).prop_map(|v| v as f32),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_observations_give_finite_readings_and_bounded_memory(
        steps in prop::collection::vec((0u64..200_000_000, 0..40usize, 0usize..478, number(), number()), 60..220),
        back in 0usize..1000,
        most in 1e-3f64..3.0,
    ) {
        let mut signal = Vestibulo::default();
        let mut pts = 5_000_000_000u64;
        for (i, (dt, sane, index, a, b)) in steps.into_iter().enumerate() {
            pts = if i == back { pts / 2 } else { pts + dt };
            let t = pts as f64 * 1e-9;
            let mut mesh = mesh(looking(0.5, t * most), t, most);
            let mut pose = mesh.pose();
            if sane == 0 {
                mesh.points[index] = [a, b, a];
                mesh.points[IRISES[0]][0] += b;
                pose.yaw += a;
            }
            if let Some(r) = observe(&mut signal, pts, &mesh, pose) {
                prop_assert_eq!(r.features.len(), FEATURES.len());
                prop_assert!(r.features.iter().chain([&r.rate, &r.llr, &r.quality]).all(|v| v.is_finite()), "{r:?}");
                prop_assert!((0.0..=1.0).contains(&r.quality));
                prop_assert!(r.features[2].abs() <= 1.0 + 1e-9 && r.features[4].abs() <= 1.0 + 1e-9);
            }
            prop_assert!(signal.samples.len() <= MAX_SAMPLES);
        }
    }
}
