//! Tests of `solidity.rs`: a solid, a plane and a warped picture that turn in a known way.

use super::*;
use crate::analysis::face::mesh::{Pose, SURFACE};
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

/// A head at rest, 140 px wide: a bowl with a nose. Eye corners lie where they do in faces.
fn head() -> Vec<[f64; 3]> {
    let mut points: Vec<[f64; 3]> = (0..SURFACE)
        .map(|i| {
            let (a, r) = (i as f64 * 2.399_963, ((i as f64 + 0.5) / SURFACE as f64).sqrt());
            [70.0 * r * a.cos(), 90.0 * r * a.sin(), 0.0]
        })
        .collect();
    for (index, x) in [(33, -47.0), (133, -17.0), (362, 17.0), (263, 47.0)] {
        points[index] = [x, -25.0, 0.0];
    }
    for p in &mut points {
        let r2 = (p[0] / 70.0).powi(2) + (p[1] / 90.0).powi(2);
        let nose = 25.0 * (-(p[0] / 12.0).powi(2) - (p[1] / 25.0).powi(2)).exp();
        p[2] = -55.0 * (1.0 - r2) - nose;
    }
    points
}

/// A point turned by yaw and pitch about the head's centre.
fn turned([x, y, z]: [f64; 3], [yaw, pitch]: [f64; 2]) -> [f64; 3] {
    let (x, z) = (x * yaw.cos() - z * yaw.sin(), z * yaw.cos() + x * yaw.sin());
    [x, y * pitch.cos() - z * pitch.sin(), z * pitch.cos() + y * pitch.sin()]
}

/// How the thing before the camera moves at that time.
fn turning(t: f64) -> [f64; 2] {
    [0.25 * (2.5 * t).sin(), 0.1 * (3.7 * t + 1.0).sin()]
}

/// What the thing is: from a point of the head and a rotation to what the mesh says of it.
type Thing = fn([f64; 3], [f64; 2]) -> [f64; 3];

fn solid(p: [f64; 3], turn: [f64; 2]) -> [f64; 3] {
    turned(p, turn)
}

/// A photo turned from 30 degrees on, two of its widths from the camera; the mesh believes in a fifth of the turn.
fn photo(p: [f64; 3], turn: [f64; 2]) -> [f64; 3] {
    let at = turned([p[0], p[1], 0.0], [turn[0] + 0.5, turn[1]]);
    let nearer = 1.0 + at[2] / 560.0;
    [at[0] / nearer, at[1] / nearer, turned(p, turn.map(|v| 0.2 * v))[2]]
}

/// A still whose middle is pushed to and fro as if the head turned; the mesh believes it.
fn warped(p: [f64; 3], turn: [f64; 2]) -> [f64; 3] {
    let push = 40.0 * (-(p[0] / 20.0).powi(2) - ((p[1] - 20.0) / 30.0).powi(2)).exp();
    [p[0] + push * turn[0].sin(), p[1] + push * turn[1].sin(), turned(p, turn)[2]]
}

fn mesh(thing: Thing, t: f64, turn: [f64; 2], noise: f64) -> FaceMesh {
    let points = head().into_iter().enumerate().map(|(i, p)| {
        let [x, y, z] = thing(p, turn);
        let n = |axis: f64| noise * hash(t * 7.3 + i as f64 * 3.1 + axis);
        [300.0 + 20.0 * t + x + n(0.1), 200.0 + y + n(0.2), z + n(0.3)].map(|v| v as f32)
    });
    FaceMesh { points: points.collect(), presence: 1.0 }
}

fn observe(signal: &mut Solidity, pts: u64, mesh: &FaceMesh) -> Option<Reading> {
    observe_with(signal, pts, mesh, MeshKind::V2, &Calibration::built_in().unwrap())
}

fn observe_with(
    signal: &mut Solidity,
    pts: u64,
    mesh: &FaceMesh,
    kind: MeshKind,
    calibration: &Calibration,
) -> Option<Reading> {
    let seen = FaceObservation {
        pts,
        mesh,
        kind,
        pose: Pose::default(),
        quality: GOOD,
        blendshapes: None,
        patch: &Patch::default(),
        skin: [[0.5; 3]; 3],
    };
    signal.observe(&seen, calibration)
}

/// What is said over eight seconds.
fn watch(thing: Thing, fps: f64, noise: f64, turn: impl Fn(f64) -> [f64; 2]) -> Vec<Option<Reading>> {
    let mut signal = Solidity::default();
    let times = (0..(8.0 * fps) as u64).map(|i| i as f64 / fps);
    times.map(|t| observe(&mut signal, (t * 1e9) as u64, &mesh(thing, t, turn(t), noise))).collect()
}

/// Mean features of all that was said.
fn mean(readings: &[Option<Reading>]) -> Vec<f64> {
    let said: Vec<_> = readings.iter().flatten().collect();
    assert!(said.len() > 15, "{} readings", said.len());
    let sum = |i: usize| said.iter().map(|r| r.features[i]).sum::<f64>();
    (0..FEATURES.len()).map(|i| sum(i) / said.len() as f64).collect()
}

fn feature(features: &[f64], name: &str) -> f64 {
    features[FEATURES.iter().position(|f| *f == name).unwrap()]
}

#[test]
fn a_solid_bears_out_the_depths_that_the_mesh_claims() {
    for fps in [5.0, 8.0, 12.5, 25.0] {
        let features = mean(&watch(solid, fps, 0.5, turning));
        let get = |name: &str| feature(&features, name);
        assert!((get("parallax-slope") - 1.0).abs() < 0.05, "{fps}: {features:?}");
        assert!(get("parallax-agreement") > 0.98 && get("depth-share") > 0.8, "{fps}: {features:?}");
        assert!(get("ln-third-over-rest") > 2.0, "rank 3: {features:?}");
    }
}

#[test]
fn a_plane_is_squeezed_without_parallax() {
    let solid = mean(&watch(solid, 12.5, 0.5, turning));
    let photo = mean(&watch(photo, 12.5, 0.5, turning));
    assert!(feature(&photo, "parallax-slope").abs() < 0.5, "{photo:?}");
    assert!(feature(&solid, "depth-share") > feature(&photo, "depth-share") + 0.4, "{photo:?}");
    for name in ["ln-third-over-second", "ln-third-over-rest"] {
        assert!(feature(&solid, name) > feature(&photo, name) + 1.0, "{name}: {solid:?} {photo:?}");
    }
    assert!(feature(&photo, "ln-squeeze") > feature(&solid, "ln-squeeze"), "{solid:?} {photo:?}");
}

#[test]
fn a_warped_still_moves_where_its_depths_do_not_say() {
    let warped = mean(&watch(warped, 12.5, 0.5, turning));
    assert!(feature(&warped, "depth-share") < 0.7, "{warped:?}");
    assert!(feature(&warped, "parallax-slope") < 0.6, "{warped:?}");
}

#[test]
fn it_is_silent_where_it_cannot_judge() {
    let said = |readings: Vec<Option<Reading>>| readings.iter().flatten().count();
    assert_eq!(said(watch(solid, 12.5, 0.5, |_| [0.0; 2])), 0, "a head that does not turn");
    assert_eq!(said(watch(photo, 12.5, 0.5, |_| [0.0; 2])), 0, "a photo on a stand");
    assert_eq!(said(watch(solid, 2.0, 0.5, turning)), 0, "too few pictures");
    assert!(said(watch(solid, 5.0, 0.5, turning)) > 10);
    let mut signal = Solidity::default();
    let mut after = 0;
    for i in 0..68u64 {
        let t = i as f64 * 0.08 + if i < 50 { 0.0 } else { 2.0 };
        let reading = observe(&mut signal, (t * 1e9) as u64, &mesh(solid, t, turning(t), 0.5));
        after += usize::from(i >= 50 && reading.is_some());
    }
    assert_eq!(after, 0, "a gap of two seconds starts afresh");
}

#[test]
fn degenerate_faces_say_nothing() {
    let point: Thing = |_, _| [1.0, 2.0, 3.0];
    let line: Thing = |p, turn| [p[0] * turn[0].cos(), 0.0, 0.0];
    let flat: Thing = |p, turn| [p[0] * turn[0].cos(), p[1], 0.0];
    for thing in [point, line, flat] {
        assert!(watch(thing, 12.5, 0.0, turning).iter().all(Option::is_none));
    }
    let mut signal = Solidity::default();
    for i in 0..80u64 {
        assert!(observe(&mut signal, i * 80_000_000, &FaceMesh::default()).is_none());
    }
}

/// A calibration with one signal, whose LLR is the feature at `index` less `threshold`.
fn calibration(signal: &str, index: usize, threshold: f64) -> Calibration {
    let list = |v: f64| format!("{:?}", vec![v; FEATURES.len()]);
    let mut weights = vec![0.0; FEATURES.len()];
    weights[index] = -1.0;
    Calibration::parse(&format!(
        "schema = 1\nversion = 'x'\n[signal.{signal}]\nkind = 'logistic'\nfeatures = {FEATURES:?}\nmean = {}\n\
         scale = {}\nweights = {weights:?}\nbias = {threshold:?}\nllr-min = -4.0\nllr-max = 4.0\n",
        list(0.0),
        list(1.0),
    ))
    .unwrap()
}

#[test]
fn it_counts_as_its_calibration_says_and_for_its_mesh_alone() {
    let last = |thing: Thing, kind: MeshKind, signal: &str| {
        let (mut solidity, calibration) = (Solidity::default(), calibration(signal, 4, 0.7));
        let readings = (0..60u64).map(|i| {
            let t = i as f64 * 0.08;
            let mesh = mesh(thing, t, turning(t), 0.5);
            observe_with(&mut solidity, i * 80_000_000, &mesh, kind, &calibration)
        });
        readings.flatten().last().unwrap()
    };
    let alive = last(solid, MeshKind::V2, "solidity");
    assert!(alive.llr < -0.2 && alive.quality == 1.0 && (alive.rate * WINDOW - alive.llr).abs() < 1e-12);
    assert!(alive.reason.starts_with("the head turns as a solid does"), "{}", alive.reason);
    let flat = last(photo, MeshKind::V2, "solidity");
    assert!(flat.llr > 0.2, "{}", flat.llr);
    assert!(flat.reason.starts_with("the head turns without a solid's parallax"), "{}", flat.reason);
    for (kind, signal) in [(MeshKind::V1, "solidity"), (MeshKind::V2, "another")] {
        let silent = last(photo, kind, signal);
        assert_eq!((silent.rate, silent.llr, silent.quality), (0.0, 0.0, 0.0));
        assert_eq!(silent.features.len(), FEATURES.len());
    }
}

/// Numbers as a broken network might give them.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-1000i16..1000).prop_map(|v| f32::from(v) / 1e3),
        1 => Just(f32::NAN),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(f32::MAX),
        1 => (-1_000_000i32..1_000_000).prop_map(|v| v as f32),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_observations_give_finite_readings_and_bounded_memory(
        steps in prop::collection::vec((0u64..400_000_000, 0..30usize, 0..N, number(), number()), 20..90),
        back in 0usize..300,
        size in prop_oneof![Just(1.0f64), Just(0.0), 1e-6f64..1e4],
        noise in 0.0f64..30.0,
    ) {
        let mut signal = Solidity::default();
        let mut pts = 5_000_000_000u64;
        for (i, (dt, sane, row, a, b)) in steps.into_iter().enumerate() {
            pts = if i == back { pts / 2 } else { pts + dt };
            let t = pts as f64 * 1e-9;
            let mut mesh = mesh(solid, t, turning(t), noise);
            mesh.points.iter_mut().flatten().for_each(|v| *v *= size as f32);
            if sane == 0 {
                mesh.points[RIGID[row]] = [a, b, a];
            }
            if let Some(r) = observe(&mut signal, pts, &mesh) {
                prop_assert_eq!(r.features.len(), FEATURES.len());
                prop_assert!(r.features.iter().chain([&r.rate, &r.llr, &r.quality]).all(|v| v.is_finite()), "{r:?}");
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&r.features[4]), "{r:?}");
            }
            prop_assert!(signal.shapes.len() <= MAX_SHAPES);
        }
    }
}
