//! One face under watch: its signals, its networks, and what they amount to.

use crate::analysis::bundle::Entry;
use crate::analysis::challenge::{Report, State};
use crate::analysis::engine::ignored::Ignored;
use crate::analysis::engine::trace::{Trace, keep_trace};
use crate::analysis::evidence::calibration::{Calibration, Outcomes};
use crate::analysis::evidence::{Evidence, Family, Reading, seconds};
use crate::analysis::face::chain::Face;
use crate::analysis::face::mesh::{FaceMesh, SURFACE, distance};
use crate::analysis::face::models::MeshKind;
use crate::analysis::face::quality::TOO_POOR;
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::fusion::Fusion;
use crate::analysis::judgement::step::{Said, Step};
use crate::analysis::judgement::verdict::{Alert, Condition, TrackVerdict};
use crate::analysis::networks::signal::NetworkSignal;
use crate::analysis::networks::spec::NetworkSpec;
use crate::analysis::pixels::geometry::Point;
use crate::analysis::pixels::rect::NormRect;
use crate::analysis::signals::{FaceObservation, FaceSignal, face_signals};
use std::borrow::Cow;
use std::sync::Arc;

/// The longest step that evidence is carried over: after a gap the past says nothing of the time between, seconds.
pub(super) const LONGEST_STEP: f64 = 0.5;

/// A face whose landmarks moved less than that from one analysed frame to the next, in widths of the face, stayed where it was.
const STAYED: f32 = 0.12;

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    signals: Vec<Box<dyn FaceSignal>>,
    pub networks: Vec<NetworkSignal>,
    pub judge: Judge,
    /// The newest frame with the face in it, ns.
    pub last: u64,
    /// Some of its landmarks then, frame pixels.
    newest: Vec<Point>,
    pub verdict: TrackVerdict,
    /// The last challenge's result, and the nats that it still adds, once.
    challenge: Option<(Family, Evidence)>,
    gain: f64,
}

/// What a watch needs to know beside the face.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub pts: u64,
    /// Width and height of the frame.
    pub size: (f64, f64),
    pub kind: MeshKind,
    pub calibration: &'a Calibration,
    pub ignored: &'a Ignored,
    pub epoch: u64,
    /// Probability of an attack before anything is seen.
    pub prior: f64,
    /// What is known of the stream.
    pub stream: &'a Fusion,
}

impl Watch {
    pub fn new(
        track_id: u32,
        pts: u64,
        threshold: f64,
        networks: &[Arc<NetworkSpec>],
        economy: bool,
    ) -> Self {
        Self {
            signals: face_signals(),
            networks: networks.iter().map(|n| NetworkSignal::new(Arc::clone(n), economy)).collect(),
            judge: Judge::new(threshold),
            last: pts,
            newest: Vec::new(),
            verdict: TrackVerdict { track_id, ..TrackVerdict::default() },
            challenge: None,
            gain: 0.0,
        }
    }

    /// A challenge to this face has a result; without `worth` it is told and counts for nothing.
    pub fn note(&mut self, report: &Report, worth: Option<&Outcomes>, ignored: &Ignored) {
        let told = report.evidence(0.0);
        let worth = worth.filter(|_| !ignored.contains(&told.signal)).and_then(|w| match report.state {
            State::Passed => Some((w.family, w.passed_llr)),
            State::Failed => Some((w.family, w.failed_llr)),
            _ => None,
        });
        // What is worth nothing speaks of no family; it has to stand in one.
        let (family, gain) = worth.unwrap_or((Family::Presentation, 0.0));
        self.challenge = Some((family, ignored.hush(report.evidence(gain))));
        self.gain = gain;
    }

    /// The face was away.
    pub fn interrupt(&mut self) {
        self.signals.iter_mut().for_each(|s| s.interrupt());
        self.networks.iter_mut().for_each(NetworkSignal::interrupt);
    }

    /// The picture changed altogether: nothing of the one before says anything of the motion in this one. Where all landmarks of the
    /// face stay in their places it is no cut to another scene, though: a face that was swapped under a camera that runs on is to be
    /// found out by the networks that remember it.
    pub fn cut(&mut self, mesh: &FaceMesh) {
        self.interrupt();
        if self.has_moved(mesh) {
            self.networks.iter_mut().for_each(NetworkSignal::forget);
        }
    }

    fn has_moved(&self, mesh: &FaceMesh) -> bool {
        let apart: f32 = landmarks(mesh).zip(&self.newest).map(|(a, b)| distance(a, *b)).sum();
        let stayed = apart / self.newest.len() as f32 <= STAYED * mesh.bounds()[2];
        self.newest.is_empty() || !stayed
    }

    /// Another face is so near that the tracker may take one for the other: nothing is to be concluded from a face that changes.
    pub fn crowd(&mut self) {
        self.networks.iter_mut().for_each(NetworkSignal::forget);
    }

    /// Weighs what the signals say of the face in this frame.
    pub fn judge(
        &mut self,
        face: &Face,
        scene: &Scene<'_>,
        traces: &mut Option<Vec<Trace>>,
        entries: &mut Option<Vec<Entry>>,
    ) -> Option<Alert> {
        let pts = scene.pts;
        let dt = seconds(self.last, pts).min(LONGEST_STEP);
        self.last = pts;
        self.newest.clear();
        self.newest.extend(landmarks(&face.mesh));
        let overall = f64::from(face.quality.overall());
        let poor = face.quality.overall() < TOO_POOR;
        let mut said = Vec::new();
        let mut take = |signal: Cow<'static, str>, family, mut reading: Reading| {
            if poor {
                reading.quality = 0.0;
            }
            keep_trace(traces, pts, face.track_id, &signal, overall, &reading);
            scene.ignored.silence(&signal, &mut reading);
            said.push(Said::of(signal, family, reading, dt));
        };
        let seen = FaceObservation {
            pts,
            mesh: &face.mesh,
            kind: scene.kind,
            pose: face.pose,
            quality: face.quality,
            blendshapes: face.blendshapes.as_ref(),
            patch: &face.patch,
            skin: face.skin,
        };
        for signal in &mut self.signals {
            if let Some(reading) = signal.observe(&seen, scene.calibration) {
                take(signal.name().into(), signal.family(), reading);
            }
        }
        for network in &mut self.networks {
            if let Some(reading) = network.read(pts, face.quality) {
                let spec = network.spec();
                take(spec.signal.clone().into(), spec.family, reading);
            }
        }
        if let Some((family, evidence)) = &self.challenge {
            said.push(Said::once(*family, std::mem::take(&mut self.gain), evidence.clone()));
        }
        let mut step = Step::new(pts, scene.epoch, Some(face.track_id), dt, said);
        let (alert, mut evidence) = step.weigh(&mut self.judge);
        if let Some(entries) = entries {
            entries.push(Entry::Step(Step { face_quality: Some(overall), ..step }));
        }
        if poor {
            let reason = format!("the face is {}", face.quality.worst());
            evidence.insert(0, Evidence { signal: "quality".into(), llr: 0.0, quality: overall, reason });
        }
        let [x, y, fw, fh] = face.rect.map(f64::from);
        let (w, h) = scene.size;
        self.verdict = TrackVerdict {
            track_id: face.track_id,
            rect: NormRect { x: x / w, y: y / h, w: fw / w, h: fh / h },
            state: self.judge.state(),
            condition: if poor { Condition::TooPoor } else { Condition::Analysed },
            risk: self.judge.risk(),
            statistic: self.judge.statistic(),
            posterior: self.judge.fusion().posterior(scene.prior, Some(scene.stream)),
            evidence,
        };
        alert
    }
}

/// Whether two faces touch, or nearly so: a quarter of their size apart.
pub(super) fn touch(a: &Face, b: &Face) -> bool {
    const NEAR: f32 = 1.25;
    (0..2).all(|axis| {
        let (size, other) = (a.rect[axis + 2], b.rect[axis + 2]);
        let apart = (a.rect[axis] + size / 2.0) - (b.rect[axis] + other / 2.0);
        apart.abs() < NEAR * (size + other) / 2.0
    })
}

/// Landmarks all over the face.
fn landmarks(mesh: &FaceMesh) -> impl Iterator<Item = Point> {
    mesh.points.iter().take(SURFACE).step_by(9).map(|p| [p[0], p[1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::challenge::{Kind, Reason, Task};

    #[test]
    fn a_face_that_stays_in_its_place_is_not_cut_away() {
        let calibration = Calibration::built_in().unwrap();
        let place = |x: f32| {
            let spiral = |i: usize| [x + 40.0 * (i as f32).sin(), 100.0 + 40.0 * (i as f32).cos(), 0.0];
            FaceMesh { points: (0..478).map(spiral).collect(), presence: 1.0 }
        };
        let mut watch = Watch::new(3, 0, 13.0, &[], false);
        assert!(watch.has_moved(&place(100.0)), "nothing is known of where it was");
        let face = Face { track_id: 3, mesh: place(100.0), ..Face::default() };
        let ignored = Ignored::default();
        let (kind, calibration, ignored) = (MeshKind::V2, &calibration, &ignored);
        let stream = &Fusion::default();
        let size = (640.0, 480.0);
        let scene = Scene { pts: 1, size, kind, calibration, ignored, epoch: 1, prior: 0.001, stream };
        watch.judge(&face, &scene, &mut None, &mut None);
        assert!(!watch.has_moved(&place(105.0)) && watch.has_moved(&place(115.0)));
        assert!(watch.has_moved(&place(f32::NAN)), "a mesh of no numbers is no face in its place");
    }

    #[test]
    fn faces_touch_when_one_may_be_taken_for_the_other() {
        let face = |x: f32, y: f32| Face { rect: [x, y, 100.0, 120.0], ..Face::default() };
        let middle = face(200.0, 200.0);
        assert!(touch(&middle, &face(280.0, 210.0)) && touch(&face(310.0, 200.0), &middle));
        assert!(!touch(&middle, &face(330.0, 200.0)) && !touch(&middle, &face(200.0, 360.0)));
    }

    #[test]
    fn a_challenge_counts_once_and_only_if_the_calibration_says_what_it_is_worth() {
        let calibration = Calibration::built_in().unwrap();
        let mesh = FaceMesh { points: vec![[0.0; 3]; 478], presence: 1.0 };
        let face = Face { track_id: 3, mesh, ..Face::default() };
        let report = Report {
            state: State::Failed,
            nonce: String::new(),
            kind: Kind::Blink,
            track_id: 3,
            epoch: 1,
            issued: 0,
            deadline: 1,
            mirrored: false,
            task: Task::Blink(3),
            reason: Reason::NoAnswer,
            text: "not done".into(),
            latency_ms: None,
            evidence: Default::default(),
        };
        let ignoring = |names: &str, state: State, worth: Option<&Outcomes>| {
            let ignored = Ignored::parse(names, &[]).unwrap();
            let mut watch = Watch::new(3, 0, 13.0, &[], false);
            watch.note(&Report { state, ..report.clone() }, worth, &ignored);
            for pts in [100_000_000, 200_000_000, 300_000_000] {
                let (kind, calibration) = (MeshKind::V2, &calibration);
                let ignored = &ignored;
                let (size, stream) = ((640.0, 480.0), &Fusion::default());
                let scene = Scene { pts, size, kind, calibration, ignored, epoch: 1, prior: 0.001, stream };
                watch.judge(&face, &scene, &mut None, &mut None);
            }
            let note = watch.verdict.evidence.iter().find(|e| e.signal == "challenge-blink").cloned();
            (watch.verdict.statistic, note.map(|n| n.llr))
        };
        let after = |state: State, worth: Option<&Outcomes>| ignoring("", state, worth);
        let worth = Outcomes { family: Family::Presentation, passed_llr: -1.0, failed_llr: 2.5 };
        assert_eq!(after(State::Failed, None), (0.0, Some(0.0)));
        assert_eq!(after(State::Failed, Some(&worth)), (2.5, Some(2.5)));
        assert_eq!(after(State::Passed, Some(&worth)), (0.0, Some(-1.0)));
        assert_eq!(after(State::NotSeen, Some(&worth)), (0.0, Some(0.0)));
        assert_eq!(ignoring("challenge-blink", State::Failed, Some(&worth)), (0.0, Some(0.0)));
        assert_eq!(ignoring("challenge-flash", State::Failed, Some(&worth)), (2.5, Some(2.5)));
    }
}
