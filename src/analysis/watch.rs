//! One face under watch: its signals, its networks, and what they amount to.

use super::alert::Judge;
use super::calibration::Calibration;
use super::chain::Face;
use super::engine::Trace;
use super::evidence::{Entry, Said, Step};
use super::models::MeshKind;
use super::network::NetworkSpec;
use super::quality::TOO_POOR;
use super::signals::network::NetworkSignal;
use super::signals::{FaceObservation, FaceSignal, Reading, face_signals, seconds};
use super::verdict::{Alert, Condition, Evidence, NormRect, TrackVerdict};
use std::borrow::Cow;
use std::sync::Arc;

/// The longest step that evidence is carried over: after a gap the past says nothing of the time between, seconds.
pub(super) const LONGEST_STEP: f64 = 0.5;

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    signals: Vec<Box<dyn FaceSignal>>,
    pub networks: Vec<NetworkSignal>,
    pub judge: Judge,
    /// The newest frame with the face in it, ns.
    pub last: u64,
    pub verdict: TrackVerdict,
}

/// What a watch needs to know beside the face.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub pts: u64,
    /// Width and height of the frame.
    pub size: (f64, f64),
    pub kind: MeshKind,
    pub calibration: &'a Calibration,
    pub epoch: u64,
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
            verdict: TrackVerdict { track_id, ..TrackVerdict::default() },
        }
    }

    /// The face was away, or the picture changed.
    pub fn interrupt(&mut self) {
        self.signals.iter_mut().for_each(|s| s.interrupt());
        self.networks.iter_mut().for_each(NetworkSignal::interrupt);
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
        let overall = f64::from(face.quality.overall());
        let poor = face.quality.overall() < TOO_POOR;
        let mut said = Vec::new();
        let mut take = |signal: Cow<'static, str>, family, mut reading: Reading| {
            if poor {
                reading.quality = 0.0;
            }
            keep_trace(traces, pts, face.track_id, &signal, overall, &reading);
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
            evidence,
        };
        alert
    }
}

/// Strongest first; among equals by name, so that the order never depends on chance.
pub(super) fn strongest_first(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    evidence.sort_by(|a, b| b.llr.abs().total_cmp(&a.llr.abs()).then_with(|| a.signal.cmp(&b.signal)));
    evidence
}

pub(super) fn keep_trace(
    traces: &mut Option<Vec<Trace>>,
    pts: u64,
    track_id: u32,
    signal: &str,
    quality: f64,
    reading: &Reading,
) {
    if let Some(traces) = traces {
        traces.push(Trace {
            pts,
            track_id,
            signal: signal.to_owned(),
            quality,
            llr: reading.llr,
            features: reading.features.clone(),
        });
    }
}
