//! The whole analysis of one stream: frames in, verdicts and alerts out. No clock, no threads: whoever owns an
//! engine decides when and where it runs, and the same frames give the same verdicts.

use crate::analysis::bundle::{Entry, Frame};
use crate::analysis::challenge::{Report, Sample};
use crate::analysis::engine::config::EngineConfig;
use crate::analysis::engine::outcome::{Outcome, Score};
use crate::analysis::engine::sampler::{ALARM_RISK, CALIBRATE_NS, Phase};
use crate::analysis::engine::session::Session;
use crate::analysis::engine::trace::{Trace, keep_trace};
use crate::analysis::engine::watch::{LONGEST_STEP, Scene, Watch, touch};
use crate::analysis::evidence::{Evidence, Family, seconds};
use crate::analysis::face::chain::{Chain, ChainError, Face};
use crate::analysis::face::meter::{Meter, Stage};
use crate::analysis::face::models::BLENDSHAPE_POINTS;
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::decision::{Standing, decide};
use crate::analysis::judgement::step::{Said, Step};
use crate::analysis::judgement::verdict::{Alert, Condition, SCHEMA_VERSION, State, TrackVerdict, Verdict};
use crate::analysis::networks::crop::FaceBox;
use crate::analysis::networks::look::{Look, Shown, Viewer};
use crate::analysis::networks::models::NetworkModels;
use crate::analysis::pixels::fingerprint::Print;
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::signals::repeat::Repeat;
use crate::analysis::source::provenance::Source;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The stream's evidence of where it comes from.
const PROVENANCE: &str = "provenance";

/// See the module.
#[derive(Debug)]
pub struct Engine<M> {
    chain: Chain<M>,
    viewer: Viewer,
    config: EngineConfig,
    threshold: f64,
    epoch: u64,
    started: Option<u64>,
    newest_face: Option<u64>,
    watches: BTreeMap<u32, Watch>,
    repeat: Repeat,
    stream: Judge,
    stream_last: Option<u64>,
    last_print: Option<Print>,
    source: Option<Source>,
    /// Nats of `source` that are in the stream's sum already.
    injection: f64,
    traces: Option<Vec<Trace>>,
    /// Alerts that were not told yet: a frame that fails must not swallow them.
    untold: Vec<Alert>,
    entries: Option<Vec<Entry>>,
    session: Session,
    challenges: Vec<bool>,
}

impl<M: NetworkModels> Engine<M> {
    /// `subset`: see [`Chain::new`].
    pub fn new(models: M, config: EngineConfig, subset: Option<[u16; BLENDSHAPE_POINTS]>) -> Self {
        let threshold = config.threshold(models.networks());
        let session = Session::new(config.hypotheses(models.networks()));
        Self {
            chain: Chain::new(models, config.chain, subset),
            viewer: Viewer::default(),
            threshold,
            config,
            epoch: 0,
            started: None,
            newest_face: None,
            watches: BTreeMap::new(),
            repeat: Repeat::default(),
            stream: Judge::new(threshold),
            stream_last: None,
            last_print: None,
            source: None,
            injection: 0.0,
            traces: None,
            untold: Vec::new(),
            entries: None,
            session,
            challenges: Vec::new(),
        }
    }

    /// From now on keeps every signal's features until they are taken with [`Engine::take_traces`].
    pub fn enable_traces(&mut self) {
        self.traces = Some(Vec::new());
    }

    /// The features since the last call.
    pub fn take_traces(&mut self) -> Vec<Trace> {
        self.traces.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From now on keeps what the judges are told until it is taken with [`Engine::take_entries`].
    pub fn enable_entries(&mut self) {
        self.entries = Some(Vec::new());
    }

    /// What happened since the last call; of the present epoch only.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.entries.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From the next frame on this is known of the stream's source. It outlives [`Engine::reset`]: a new epoch does not
    /// change who sends.
    pub fn set_source(&mut self, source: Option<Source>) {
        self.source = source;
    }

    /// What the session amounts to now, for [`decide`]. It goes on over epochs, until [`Engine::begin_session`].
    pub fn standing(&self) -> Standing {
        let prior = self.config.decisions.attack_prior;
        let standing =
            self.session.standing(self.watches.values(), &self.stream, self.source.as_ref(), prior);
        Standing { challenges: self.challenges.clone(), ..standing }
    }

    /// How the session's challenges have ended so far, the newest last: whether each was passed.
    pub fn set_challenges(&mut self, passed: Vec<bool>) {
        self.challenges = passed;
    }

    /// Another session begins: nothing of the old one has a part in its decision.
    pub fn begin_session(&mut self) {
        self.session = Session::new(self.config.hypotheses(self.chain.models().networks()));
    }

    /// The alert threshold, nats.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Starts a new epoch: nothing of the old one counts any more. Returns what was not told of it yet, and the clearing of
    /// standing alerts.
    pub fn reset(&mut self, epoch: u64) -> Vec<Alert> {
        let why = "the stream started anew";
        let mut cleared = std::mem::take(&mut self.untold);
        self.watches.values().for_each(|w| self.session.leave(&w.judge, &self.stream, &w.verdict.evidence));
        for (id, watch) in &mut self.watches {
            cleared.extend(watch.judge.finish(watch.last, why, self.epoch, Some(*id)));
        }
        cleared.extend(self.stream.finish(self.stream_last.unwrap_or_default(), why, self.epoch, None));
        self.watches.clear();
        self.chain.reset();
        self.repeat = Repeat::default();
        self.stream = Judge::new(self.threshold);
        self.stream_last = None;
        self.last_print = None;
        self.injection = 0.0;
        self.started = None;
        self.newest_face = None;
        self.session.interrupt();
        self.epoch = epoch;
        self.entries.iter_mut().for_each(Vec::clear);
        cleared
    }

    /// Analyses the frame at `pts` (ns, growing within an epoch). `prints` are the fingerprints of all frames since the
    /// last call, oldest first, this frame's the last.
    pub fn analyse(
        &mut self,
        frame: &FrameView<'_>,
        pts: u64,
        prints: &[Print],
        meter: &mut dyn Meter,
    ) -> Result<Outcome, ChainError<M::Error>> {
        let started = *self.started.get_or_insert(pts);
        meter.begin(Stage::Repeats);
        let stream_evidence = self.judge_stream(pts, prints);
        let print = prints.last().copied();
        let mut scores = Vec::new();
        let mut samples = Vec::new();
        let duplicate = matches!((print, self.last_print), (Some(a), Some(b)) if a.1 == b.1);
        self.last_print = print;
        let mut ended = Vec::new();
        if duplicate {
            // A picture that is shown again is no new observation of the face in it, and shows nobody who is away.
            for id in self.chain.hold(pts, &mut ended) {
                self.watches.entry(id).and_modify(|w| w.last = pts);
            }
            self.end(ended, pts);
        } else {
            let faces = self.chain.faces(frame, pts, &mut ended, meter);
            self.end(ended, pts);
            let faces = faces?;
            if !self.chain.models().networks().is_empty() {
                meter.begin(Stage::Networks);
            }
            for face in &faces {
                let crowded = faces.iter().any(|f| f.track_id != face.track_id && touch(face, f));
                self.show(frame, face, crowded, pts, &mut scores)?;
            }
            meter.begin(Stage::Signals);
            let scene = Scene {
                pts,
                size: (frame.width() as f64, frame.height() as f64),
                kind: self.chain.config().mesh,
                calibration: &self.config.calibration,
                ignored: &self.config.ignored,
                epoch: self.epoch,
                prior: self.config.decisions.attack_prior,
                stream: self.stream.fusion(),
            };
            for face in &faces {
                if let Some(watch) = self.watches.get_mut(&face.track_id) {
                    self.untold.extend(watch.judge(face, &scene, &mut self.traces, &mut self.entries));
                }
            }
            samples.extend(faces.iter().map(|f| Sample::of(f, pts)));
            self.watches.values_mut().filter(|w| w.last < pts).for_each(Watch::interrupt);
        }
        self.session.frame(pts, self.watches.values().filter(|w| w.last == pts && !duplicate), &self.stream);
        let standing = self.standing();
        let verdict = Arc::new(self.verdict(pts, stream_evidence, &standing));
        if let Some(entries) = &mut self.entries {
            entries.push(Entry::Frame(Frame::of(&verdict, duplicate)));
        }
        let fresh = |since: u64| pts.saturating_sub(since) < CALIBRATE_NS;
        let phase = if verdict.alert || verdict.risk >= ALARM_RISK {
            Phase::Alarm
        } else if fresh(started) || self.newest_face.is_some_and(fresh) {
            Phase::Calibrate
        } else {
            Phase::Patrol
        };
        let alerts = std::mem::take(&mut self.untold);
        Ok(Outcome { verdict, standing, alerts, phase, duplicate, scores, samples })
    }

    /// A challenge was passed or failed: from the next frame on the face's evidence tells of it. It moves the face's sums
    /// only if the calibration says what such a result is worth.
    pub fn note_challenge(&mut self, report: &Report) {
        if report.epoch == self.epoch
            && let Some(watch) = self.watches.get_mut(&report.track_id)
        {
            watch.note(report, self.config.calibration.outcomes(&report.kind.signal()), &self.config.ignored);
        }
    }

    /// Faces under watch, with those that are away for a moment.
    pub fn watched(&self) -> usize {
        self.watches.len()
    }

    fn end(&mut self, ended: Vec<u32>, pts: u64) {
        for id in ended {
            let Some(mut watch) = self.watches.remove(&id) else { continue };
            self.session.leave(&watch.judge, &self.stream, &watch.verdict.evidence);
            let why = "the face is no longer in the picture";
            self.untold.extend(watch.judge.finish(pts, why, self.epoch, Some(id)));
            if let Some(entries) = &mut self.entries {
                entries.push(Entry::Ended { pts, track_id: id });
            }
        }
    }

    fn judge_stream(&mut self, pts: u64, prints: &[Print]) -> Vec<Evidence> {
        let (looped, freeze) = self.repeat.observe(prints, &self.config.calibration);
        let dt = self.stream_last.map_or(0.0, |l| seconds(l, pts)).min(LONGEST_STEP);
        self.stream_last = Some(pts);
        let mut said = Vec::new();
        for (signal, reading) in [("loop", looped), ("freeze", freeze)] {
            let Some(mut reading) = reading else { continue };
            keep_trace(&mut self.traces, pts, 0, signal, reading.quality, &reading);
            self.config.ignored.silence(signal, &mut reading);
            said.push(Said::of(signal.into(), Family::Replay, reading, dt));
        }
        let counts = !self.config.ignored.contains(PROVENANCE);
        let injection = self.source.as_ref().filter(|_| counts).map_or(0.0, |s| s.injection);
        // Evidence of who sends comes once, not every second: what is new of it is added.
        let gain = injection - std::mem::replace(&mut self.injection, injection);
        let shown = self.source.as_ref().map(|source| {
            let reason = format!("source {}: {}", source.class, source.reason);
            let (signal, quality) = (PROVENANCE.to_owned(), source.confidence);
            Evidence { signal, llr: injection, quality, reason }
        });
        let shown = shown.map(|e| self.config.ignored.hush(e));
        let is_shown = shown.is_some();
        if is_shown || gain != 0.0 {
            let withdrawn =
                || Evidence { signal: PROVENANCE.into(), llr: 0.0, quality: 0.0, reason: "".into() };
            said.push(Said::once(Family::Injection, gain, shown.unwrap_or_else(withdrawn)));
        }
        let mut step = Step::new(pts, self.epoch, None, dt, said);
        let (alert, mut evidence) = step.weigh(&mut self.stream);
        if let Some(entries) = &mut self.entries {
            entries.push(Entry::Step(step));
        }
        if !is_shown {
            evidence.retain(|e| e.signal != PROVENANCE);
        }
        self.untold.extend(alert);
        evidence
    }

    /// Shows the face to the networks that are due. All faces are shown before anything is judged: a network that fails
    /// must not swallow an alert.
    fn show(
        &mut self,
        frame: &FrameView<'_>,
        face: &Face,
        crowded: bool,
        pts: u64,
        scores: &mut Vec<Score>,
    ) -> Result<(), ChainError<M::Error>> {
        let watch = self.watches.entry(face.track_id).or_insert_with(|| {
            self.newest_face = Some(pts);
            let economy = self.chain.config().economy;
            Watch::new(face.track_id, pts, self.threshold, self.chain.models().networks(), economy)
        });
        if self.repeat.cut_after(watch.last) {
            watch.cut(&face.mesh);
        }
        if crowded {
            watch.crowd();
        }
        let place = FaceBox::of(&face.mesh, face.pose);
        let px = place.px();
        let mut newest: Option<(usize, Look)> = None;
        for (network, signal) in watch.networks.iter_mut().enumerate() {
            let look = match signal.spec().opposite_of {
                // It stands behind the network whose opposite it is.
                Some(of) => newest.filter(|(n, _)| *n == of).map(|(_, look)| look.opposed()),
                None if signal.is_due(pts, px) => {
                    let shown = Shown { frame, face, place: &place, pts };
                    self.viewer.look(&mut self.chain, network, shown, signal.memory())?
                }
                None => None,
            };
            let Some(look) = look else { continue };
            if look.settled {
                scores.push(Score { network, track_id: face.track_id, score: look.score, px });
            }
            signal.take(look);
            newest = Some((network, look));
        }
        Ok(())
    }

    fn verdict(&self, pts: u64, stream_evidence: Vec<Evidence>, standing: &Standing) -> Verdict {
        // A face that is away for a moment keeps its evidence, but there is nothing of it to show; nor is there of one that
        // came in a frame that failed.
        let here = |w: &&Watch| w.last == pts && w.verdict.condition != Condition::NotAnalysed;
        let tracks: Vec<TrackVerdict> =
            self.watches.values().filter(here).map(|w| w.verdict.clone()).collect();
        let judges = || self.watches.values().map(|w| &w.judge).chain([&self.stream]);
        let state = if judges().any(Judge::is_raised) {
            State::Attack
        } else if judges().any(|j| j.state() == State::Suspect) {
            State::Suspect
        } else if !tracks.is_empty() && tracks.iter().all(|t| t.state == State::Live) {
            State::Live
        } else {
            State::Unknown
        };
        let condition = if tracks.is_empty() {
            Condition::NoFace
        } else if tracks.iter().all(|t| t.condition == Condition::TooPoor) {
            Condition::TooPoor
        } else {
            Condition::Analysed
        };
        let ruling = decide(standing, &self.config.decisions);
        Verdict {
            schema_version: SCHEMA_VERSION,
            epoch: self.epoch,
            analysed_pts: Some(pts),
            state,
            condition,
            risk: judges().map(Judge::risk).fold(0.0, f64::max),
            alert: judges().any(Judge::is_raised),
            tracks,
            stream_evidence,
            statistic: ruling.statistic,
            posterior: ruling.posterior,
            decision: ruling.decision,
            source: self.source.clone(),
        }
    }
}
