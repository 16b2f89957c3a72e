//! The engine with made-up networks: what becomes of faces, epochs and alerts, whatever order things come in.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used)]

use gstdeepfake::analysis::bundle::{History, replay};
use gstdeepfake::analysis::engine::ignored::Ignored;
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::engine::sampler::Phase;
use gstdeepfake::analysis::engine::{Engine, EngineConfig, Outcome};
use gstdeepfake::analysis::evidence::Family;
use gstdeepfake::analysis::evidence::calibration::Calibration;
use gstdeepfake::analysis::face::chain::ChainError;
use gstdeepfake::analysis::face::models::{
    BLENDSHAPE_POINTS, BLENDSHAPES, DetectorOutput, DetectorRange, FaceModels, MeshKind, MeshOutput,
};
use gstdeepfake::analysis::judgement::decision::Decision;
use gstdeepfake::analysis::judgement::verdict::{AlertKind, Condition, State};
use gstdeepfake::analysis::networks::crop::{Channels, CropSpec, Order, Pixels};
use gstdeepfake::analysis::networks::models::{LANDMARKS, NetworkInput, NetworkModels, NetworkOutput};
use gstdeepfake::analysis::networks::spec::{NetworkSpec, ScoreSpec};
use gstdeepfake::analysis::pixels::fingerprint::Fingerprint;
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::analysis::source::provenance::Source;
use ndarray::ArrayView4;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[path = "engine/ignored.rs"]
mod ignored;
#[path = "engine/states.rs"]
mod states;

const W: usize = 320;
const H: usize = 240;

/// What the made-up networks see at the moment.
#[derive(Clone, Debug, Default)]
struct Scene {
    /// Centre x (0..1 of the width) of each face for the detector.
    faces: Vec<f32>,
    /// The mesh network's belief.
    present: bool,
    /// Opening of the mouth, in crop pixels.
    mouth: f32,
    /// The attack logit of the network that watches a face.
    score: f32,
    /// The mesh network fails.
    broken: bool,
}

/// What the made-up networks fail with.
#[derive(Debug, thiserror::Error)]
#[error("broken")]
struct Broken;

#[derive(Clone, Debug, Default)]
struct Fake(Arc<Mutex<Scene>>, Vec<Arc<NetworkSpec>>);

impl FaceModels for Fake {
    type Error = Broken;

    fn detect(
        &mut self,
        range: DetectorRange,
        _: ArrayView4<'_, f32>,
        out: &mut DetectorOutput,
    ) -> Result<(), Broken> {
        let side = range.input_side() as f32;
        out.regressors = vec![0.0; range.anchors() * 16];
        out.scores = vec![-20.0; range.anchors()];
        for (i, x) in self.0.lock().unwrap().faces.iter().enumerate() {
            // Anchor 0 sits in the first cell; everything is relative to it.
            let anchor = if range == DetectorRange::Short { 4.0 } else { 2.0 };
            out.scores[i * 2] = 6.0;
            let anchor_x = if i == 0 { anchor } else { anchor + 8.0 };
            let row = &mut out.regressors[i * 32..i * 32 + 16];
            row[0] = x * side - anchor_x;
            row[1] = 0.5 * side - anchor;
            row[2] = side / 2.2;
            row[3] = side / 2.2;
            let eyes = [row[0] - 6.0, row[1], row[0] + 6.0, row[1]];
            row[4..8].copy_from_slice(&eyes);
        }
        Ok(())
    }

    fn mesh(&mut self, kind: MeshKind, _: ArrayView4<'_, f32>, out: &mut MeshOutput) -> Result<(), Broken> {
        let scene = self.0.lock().unwrap().clone();
        if scene.broken {
            return Err(Broken);
        }
        let side = kind.input_side() as f32;
        out.presence = if scene.present { 6.0 } else { -6.0 };
        out.points.clear();
        for i in 0..kind.points() {
            let a = i as f32 * 2.399_963;
            let r = ((i as f32 + 0.5) / kind.points() as f32).sqrt() / 2.95;
            let (mut x, mut y) = (0.5 + r * a.cos(), 0.5 + r * a.sin());
            // Eye corners level, so that the crop stays upright.
            match i {
                33 => (x, y) = (0.36, 0.42),
                133 => (x, y) = (0.45, 0.42),
                362 => (x, y) = (0.55, 0.42),
                263 => (x, y) = (0.64, 0.42),
                13 | 14 | 17 | 84 | 314 => y += scene.mouth / side,
                _ => {}
            }
            out.points.extend([x * side, y * side, 0.0]);
        }
        Ok(())
    }

    fn blendshapes(
        &mut self,
        _: &[[f32; 2]; BLENDSHAPE_POINTS],
        out: &mut [f32; BLENDSHAPES],
    ) -> Result<(), Broken> {
        out.fill(0.1);
        Ok(())
    }
}

impl NetworkModels for Fake {
    fn networks(&self) -> &[Arc<NetworkSpec>] {
        &self.1
    }

    fn network(
        &mut self,
        index: usize,
        input: NetworkInput<'_>,
        out: &mut NetworkOutput,
    ) -> Result<(), Broken> {
        assert_eq!(input.picture.shape(), [1, 3, 32, 32]);
        if self.1[index].landmarks {
            // The face fills most of the picture, and its middle is the picture's.
            assert_eq!(input.landmarks.len(), LANDMARKS);
            let middle = input.landmarks.iter().fold([0.0, 0.0], |m, p| [m[0] + p[0], m[1] + p[1]]);
            assert!(middle.iter().all(|m| (m / LANDMARKS as f32 - 0.5).abs() < 0.1), "{middle:?}");
        } else {
            assert!(input.landmarks.is_empty(), "it does not ask for them");
        }
        out.values = vec![self.0.lock().unwrap().score];
        Ok(())
    }
}

/// Every frame of a loop is evidence of four nats a second; everything else is silent.
const CALIBRATION: &str = "schema = 1\nversion = 'test'\n[signal.freeze]\nkind = 'waiting'\nmean = 0.2\nslow-mean = 0.25\n\
    share = 0.5\nllr-max = 40.0\n[signal.micro-motion-v2]\nkind = 'logistic'\n\
    features = ['a','b','c','d','e','f','g','h','i']\nmean = [0,0,0,0,0,0,0,0,0]\nscale = [1,1,1,1,1,1,1,1,1]\n\
    weights = [0,-6,0,0,0,0,0,0,0]\nbias = -18.0\nllr-min = -6.0\nllr-max = 6.0\n";

struct Rig {
    engine: Engine<Fake>,
    scene: Fake,
    pts: u64,
    noise: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(Vec::new())
    }

    fn with(networks: Vec<Arc<NetworkSpec>>) -> Self {
        Self::without(networks, "")
    }

    fn without(networks: Vec<Arc<NetworkSpec>>, ignored: &str) -> Self {
        let scene = Fake(Arc::default(), networks);
        let text = CALIBRATION.replace("[0,0,0,0,0,0,0,0,0]", "[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]");
        let text = text.replace("[1,1,1,1,1,1,1,1,1]", "[2.0,2.0,2.0,2.0,2.0,2.0,2.0,2.0,2.0]");
        let text = text.replace("[0,-6,0,0,0,0,0,0,0]", "[0.0,-6.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]");
        let config = EngineConfig {
            chain: Profile::Balanced.chain(4, 16.0),
            mean_time_between_false_alerts: 100.0,
            calibration: Arc::new(Calibration::parse(&text).unwrap()),
            decisions: Default::default(),
            ignored: Ignored::parse(ignored, scene.networks()).unwrap(),
        };
        let mut engine = Engine::new(scene.clone(), config, Some([0; BLENDSHAPE_POINTS]));
        engine.reset(1);
        Self { engine, scene, pts: 1_000_000_000, noise: 1 }
    }

    fn set(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene.0.lock().unwrap());
    }

    /// A textured frame, 80 ms after the last; `frozen` shows the last one again.
    fn step(&mut self, frozen: bool) -> Outcome {
        self.try_step(frozen).unwrap()
    }

    fn try_step(&mut self, frozen: bool) -> Result<Outcome, ChainError<Broken>> {
        self.pts += 80_000_000;
        if !frozen {
            self.noise += 1;
        }
        let mut state = self.noise.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let data: Vec<u8> = (0..W * H)
            .map(|i| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let wave = ((i % W) as f32 * 0.2).sin() * 40.0 + ((i / W) as f32 * 0.23).cos() * 40.0;
                (128.0 + wave) as u8 ^ (state & 3) as u8
            })
            .collect();
        let plane = Plane { data: &data, stride: W };
        let view = FrameView::new(PixelFormat::Gray8, W, H, Colour::default(), &[plane]).unwrap();
        let print = (self.pts, Fingerprint::of(&view));
        self.engine.analyse(&view, self.pts, &[print], &mut ())
    }
}

#[test]
fn a_face_comes_is_judged_and_goes() {
    let mut rig = Rig::new();
    let none = rig.step(false).verdict;
    assert_eq!((none.condition, none.state, none.tracks.len()), (Condition::NoFace, State::Unknown, 0));
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, ..Scene::default() });
    let seen = rig.step(false).verdict;
    assert_eq!(seen.tracks.len(), 1);
    let rect = seen.tracks[0].rect;
    assert!((rect.x + rect.w / 2.0 - 0.5).abs() < 0.05 && rect.w > 0.1, "{rect:?}");
    rig.set(|s| s.present = false);
    let gone = rig.step(false).verdict;
    assert_eq!((gone.condition, gone.tracks.len()), (Condition::NoFace, 0));
}

#[test]
fn a_still_mesh_raises_an_alert_and_a_speaking_mouth_clears_it() {
    let mut rig = Rig::new();
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, ..Scene::default() });
    let start = rig.pts;
    let mut raised = None;
    for _ in 0..200 {
        let outcome = rig.step(false);
        if let Some(a) = outcome.alerts.first() {
            raised = Some(a.clone());
            assert!(outcome.verdict.alert && outcome.verdict.state == State::Attack);
            assert_eq!(outcome.phase, Phase::Alarm);
            break;
        }
    }
    let last = rig.step(false).verdict;
    let raised = raised.unwrap_or_else(|| panic!("no alert: {last:?}"));
    assert_eq!((raised.kind, raised.track_id, raised.epoch), (AlertKind::Raised, Some(1), 1));
    assert_eq!(raised.evidence[0].signal, "micro-motion");
    assert!(raised.onset_pts.unwrap() < start + 2_500_000_000 && raised.statistic >= raised.threshold);
    let mut cleared = None;
    for i in 0..150 {
        rig.set(|s| s.mouth = 14.0 * (i as f32 * 0.7).sin());
        let outcome = rig.step(false);
        if let Some(a) = outcome.alerts.first() {
            cleared = Some((a.kind, outcome.verdict.state));
            break;
        }
    }
    let (kind, state) = cleared.expect("a clearing");
    assert_eq!(kind, AlertKind::Cleared);
    assert_ne!(state, State::Attack);
}

#[test]
fn a_frozen_picture_is_no_news_of_the_face_but_an_alert_of_the_stream() {
    let mut rig = Rig::new();
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, ..Scene::default() });
    rig.step(false);
    let mut alert = None;
    for i in 0..100 {
        let outcome = rig.step(true);
        assert!(outcome.duplicate, "{i}");
        assert_eq!(outcome.verdict.tracks.len(), 1);
        assert_eq!(outcome.verdict.tracks[0].statistic, 0.0);
        alert = outcome.alerts.first().cloned().or(alert);
    }
    let alert = alert.expect("an alert");
    assert_eq!((alert.track_id, alert.evidence[0].signal.as_str()), (None, "freeze"));
}

#[test]
fn a_new_epoch_clears_alerts_and_starts_ids_and_evidence_afresh() {
    let mut rig = Rig::new();
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, ..Scene::default() });
    assert!((0..200).any(|_| !rig.step(false).alerts.is_empty()), "an alert");
    let cleared = rig.engine.reset(2);
    assert_eq!(cleared.iter().map(|a| (a.kind, a.epoch)).collect::<Vec<_>>(), vec![(AlertKind::Cleared, 1)]);
    assert!(rig.engine.reset(3).is_empty());
    let fresh = rig.step(false).verdict;
    assert_eq!((fresh.epoch, fresh.alert, fresh.risk), (3, false, 0.0));
    assert_eq!((fresh.tracks[0].track_id, fresh.tracks[0].state), (1, State::Unknown));
}

/// Faces that come, stand still, speak and go, freezes, a source that is known and withdrawn: what was kept of it leads to
/// the same alerts.
#[test]
fn what_is_kept_replays_to_the_same_alerts() {
    let mut rig = Rig::new();
    rig.engine.enable_entries();
    let mut history = History::new(rig.engine.threshold(), 6);
    let mut alerts = 0;
    for i in 0..600u32 {
        let faces = if i / 150 % 2 == 0 { vec![0.3, 0.7] } else { vec![0.5] };
        let mouth = if i % 300 > 200 { 14.0 * (i as f32 * 0.7).sin() } else { 0.0 };
        rig.set(|s| *s = Scene { faces, present: i % 150 < 140, mouth, ..Scene::default() });
        let suspicious = Source { injection: 3.0, confidence: 0.8, ..Source::default() };
        rig.engine.set_source((100..400).contains(&i).then_some(suspicious));
        let outcome = rig.step((250..290).contains(&i));
        rig.engine.take_entries().into_iter().for_each(|e| history.push(e));
        for alert in outcome.alerts.iter().filter(|a| a.kind == AlertKind::Raised) {
            let replay = replay(&history.recording());
            assert_eq!(replay.differences, vec![]);
            assert!(replay.alerts.contains(alert), "{alert:?}");
            alerts += 1;
        }
        if i % 50 == 0 {
            let replay = replay(&history.recording());
            assert_eq!(replay.differences, vec![], "{i}");
            assert!(replay.frames > 0);
        }
    }
    assert!(alerts >= 2, "{alerts}");
}

#[test]
fn the_same_frames_give_the_same_verdicts() {
    let run = || {
        let mut rig = Rig::new();
        rig.set(|s| *s = Scene { faces: vec![0.35, 0.75], present: true, ..Scene::default() });
        (0..60).map(|i| rig.step(i % 7 == 0).verdict).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_order_of_coming_and_going_is_survived(
        steps in proptest::collection::vec((proptest::collection::vec(0.1f32..0.9, 0..3), any::<bool>(), any::<bool>(), 0u8..40), 5..60)
    ) {
        let mut rig = Rig::new();
        let (mut epoch, mut standing) = (1, std::collections::BTreeSet::new());
        let mut ended: std::collections::BTreeSet<u32> = Default::default();
        let mut shown: std::collections::BTreeSet<u32> = Default::default();
        for (faces, present, frozen, roll) in steps {
            rig.set(|s| *s = Scene { faces, present, mouth: f32::from(roll), ..Scene::default() });
            if roll == 7 {
                epoch += 1;
                for a in rig.engine.reset(epoch) {
                    prop_assert!(standing.remove(&a.track_id));
                }
                prop_assert!(standing.is_empty());
                ended.clear();
                shown.clear();
            }
            if roll == 9 {
                rig.pts += 5_000_000_000;
            }
            let outcome = rig.step(frozen);
            let v = &outcome.verdict;
            prop_assert_eq!(v.epoch, epoch);
            prop_assert!((0.0..=1.0).contains(&v.risk) && v.tracks.len() <= 4);
            prop_assert_eq!(v.tracks.is_empty(), v.condition == Condition::NoFace);
            prop_assert_eq!(v.alert, v.state == State::Attack);
            for a in &outcome.alerts {
                let changed = if a.kind == AlertKind::Raised { standing.insert(a.track_id) } else { standing.remove(&a.track_id) };
                prop_assert!(changed);
            }
            prop_assert_eq!(v.alert, !standing.is_empty());
            let now: std::collections::BTreeSet<u32> = v.tracks.iter().map(|t| t.track_id).collect();
            prop_assert!(now.is_disjoint(&ended), "an id came back");
            if roll == 9 {
                ended.extend(shown.difference(&now));
            }
            shown.extend(now);
        }
    }
}

/// A network that speaks of forgery as soon as its score is above 0.
fn forgery(calibrated: bool) -> Arc<NetworkSpec> {
    let calibration =
        "slope = 3.0\nbias = 0.0\nllr-min = -3.0\nllr-max = 12.0\npx-none = 0.0\npx-full = 20.0";
    Arc::new(NetworkSpec {
        name: "swap".into(),
        signal: "swap".into(),
        family: Family::Forgery,
        per_second: 4.0,
        per_second_economy: 2.0,
        window: 2.0,
        min_face: 20.0,
        min_inside: 0.0,
        crop: CropSpec::Native { max_face: 64.0 },
        input: (32, 32),
        pixels: Pixels { order: Order::Nchw, channels: Channels::Rgb, gain: [1.0; 3], offset: [0.0; 3] },
        landmarks: false,
        memory: None,
        opposite_of: None,
        score: ScoreSpec::Logit { of_attack: true },
        heat: None,
        calibration: calibrated.then(|| toml::from_str(calibration).unwrap()),
    })
}

#[test]
fn a_network_counts_once_it_is_calibrated() {
    for (calibrated, score, alerted) in [(true, 4.0, true), (true, -4.0, false), (false, 40.0, false)] {
        let mut rig = Rig::with(vec![forgery(calibrated)]);
        rig.set(|s| (s.faces, s.present, s.score) = (vec![0.5], true, score));
        let (mut said, mut raised, mut looks) = (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<u64>>::new());
        for i in 0..200u32 {
            // A mouth that speaks: no other signal takes it for an attack.
            rig.set(|s| s.mouth = 30.0 * (i as f32 * 0.7).sin());
            let outcome = rig.step(false);
            raised.extend(outcome.alerts);
            for seen in &outcome.scores {
                looks.entry(seen.track_id).or_default().push(rig.pts);
            }
            let evidence = outcome.verdict.tracks.iter().flat_map(|t| &t.evidence);
            said.extend(evidence.filter(|e| e.signal == "swap").map(|e| e.llr));
        }
        // Four looks a second at most; frames come every 80 ms, so there is one every 240.
        assert!(looks.values().map(Vec::len).sum::<usize>() > 50);
        let steps = looks.values().flat_map(|l| l.windows(2)).map(|l| l[1] - l[0]);
        assert_eq!(steps.min(), Some(240_000_000));
        assert_eq!(!raised.is_empty(), alerted, "{calibrated} {score}: {raised:?}");
        if let Some(alert) = raised.first() {
            assert_eq!(alert.kind, AlertKind::Raised);
            assert!(alert.evidence.len() == 1 && alert.evidence[0].signal == "swap", "{alert:?}");
            assert!(alert.evidence[0].reason.contains("+4.0"), "{alert:?}");
        }
        assert_eq!(said.iter().any(|llr| *llr != 0.0), calibrated, "{said:?}");
    }
}

#[test]
fn what_a_network_said_of_one_face_is_not_said_of_the_next() {
    let mut rig = Rig::with(vec![forgery(true)]);
    rig.set(|s| (s.faces, s.present, s.score) = (vec![0.5], true, 4.0));
    (0..20).for_each(|_| drop(rig.step(false)));
    rig.set(|s| (s.faces, s.present) = (Vec::new(), false));
    (0..40).for_each(|_| drop(rig.step(false)));
    rig.set(|s| (s.faces, s.present, s.score) = (vec![0.5], true, -1.0));
    let outcome = (0..4).map(|_| rig.step(false)).last().unwrap();
    let said = outcome.verdict.tracks[0].evidence.iter().find(|e| e.signal == "swap").unwrap();
    assert!(said.reason.contains("-1.0"), "{said:?}");
}

#[test]
fn a_network_that_asks_is_told_where_the_mesh_lies() {
    let mut asks = (*forgery(true)).clone();
    asks.landmarks = true;
    let mut rig = Rig::with(vec![Arc::new(asks)]);
    rig.set(|s| (s.faces, s.present) = (vec![0.5], true));
    let scores: usize = (0..20).map(|_| rig.step(false).scores.len()).sum();
    assert!(scores > 3, "{scores}");
}

#[test]
fn a_face_without_its_surroundings_is_not_shown_to_a_network_that_needs_them() {
    let count = |min_inside: f64| {
        let mut wants = (*forgery(true)).clone();
        (wants.min_inside, wants.crop) = (min_inside, CropSpec::Aligned { scale: 8.0 });
        let mut rig = Rig::with(vec![Arc::new(wants)]);
        rig.set(|s| (s.faces, s.present) = (vec![0.5], true));
        (0..20).map(|_| rig.step(false).scores.len()).sum::<usize>()
    };
    assert!(count(0.0) > 3);
    assert_eq!(count(0.95), 0);
}

#[test]
fn a_network_that_fails_swallows_no_alert() {
    let mut rig = Rig::with(vec![forgery(true)]);
    rig.set(|s| (s.faces, s.present, s.score) = (vec![0.5], true, -1.0));
    rig.step(false);
    // A frozen picture raises an alert of the stream; the face is away by then and comes back to a network that gives NaN.
    let raised = (0..400).find_map(|_| {
        let outcome = rig.step(true);
        (!outcome.alerts.is_empty()).then_some(outcome.alerts)
    });
    assert!(raised.is_some(), "the freeze raises an alert");
    rig.set(|s| s.score = f32::NAN);
    // While the network fails, the evidence of the freeze runs out and the alert is cleared.
    let failed = (0..200).filter(|_| rig.try_step(false).is_err()).count();
    assert!(failed > 30, "{failed}");
    rig.set(|s| s.score = -1.0);
    let told: Vec<_> = (0..40).flat_map(|_| rig.step(false).alerts).map(|a| a.kind).collect();
    let standing = rig.step(false).verdict.alert;
    assert!(standing || told.contains(&AlertKind::Cleared), "the clearing was swallowed");
}

#[test]
fn a_session_is_decided_on_its_faces() {
    let mut rig = Rig::new();
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, ..Scene::default() });
    assert_eq!(rig.step(false).verdict.decision, Decision::Insufficient);
    for i in 0..150 {
        rig.set(|s| s.mouth = 14.0 * (i as f32 * 0.7).sin());
        rig.step(false);
    }
    let live = rig.step(false);
    assert_eq!(live.verdict.decision, Decision::Accept, "{:?}", live.standing);
    assert!(
        live.verdict.statistic < -0.2 && live.verdict.posterior.presentation < 1e-4,
        "{:?}",
        live.verdict
    );
    assert!(live.standing.good_seconds > 10.0 && live.standing.seen);
    rig.set(|s| s.mouth = 0.0);
    let still = (0..300).map(|_| rig.step(false)).last().unwrap();
    assert!(still.verdict.decision >= Decision::Refer, "{:?}", still.standing);
    assert_eq!(still.verdict.posterior.likeliest(), Family::Presentation);
    // The face goes, and what was seen of it stays.
    rig.set(|s| s.present = false);
    let gone = (0..100).map(|_| rig.step(false)).last().unwrap();
    assert!(
        gone.verdict.tracks.is_empty() && gone.verdict.decision >= Decision::Refer,
        "{:?}",
        gone.standing
    );
    rig.engine.reset(2);
    assert!(rig.step(false).verdict.decision >= Decision::Refer, "a new epoch is the same session");
    rig.engine.begin_session();
    assert_eq!(rig.step(false).verdict.decision, Decision::Insufficient);
}
