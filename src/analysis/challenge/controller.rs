//! Who is asked what, and when it is over: one challenge at a time, exactly one result each.
//!
//! The controller sees every analysed frame, so that it knows how a face was before it is asked. A result speaks of the face
//! that was asked and of the epoch in which it was asked, or it says that one of them is gone.

use super::draws::Draws;
use super::report::{Kind, Reason, Report, State};
use super::request::{Refusal, Request};
use super::ruling::{Judge, Ruling};
use super::sample::{Baseline, Sample};
use super::task::Task;
use super::{blink, dot, flash, hand, turn};
use crate::analysis::face::quality::TOO_POOR;
use crate::analysis::face::tracker::REUNION_NS;
use std::collections::{BTreeMap, VecDeque};

/// How long a face is remembered, ns, and in how many pictures at most.
const MEMORY: u64 = 3_000_000_000;
const MOST_SAMPLES: usize = 96;
/// Most faces that are remembered.
const MOST_FACES: usize = 16;
/// A face that was not seen for so long is not there to be asked, ns.
const PRESENT: u64 = 700_000_000;
/// How long after the deadline a result is waited for when no picture is analysed any more, ns.
pub const GRACE: u64 = 2_000_000_000;

/// One analysed frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub epoch: u64,
    /// ns.
    pub pts: u64,
    /// The faces in it; `None` for a picture that was shown again and not looked at.
    pub faces: Option<&'a [Sample]>,
}

#[derive(Debug)]
struct Open {
    report: Report,
    judge: Box<dyn Judge>,
    /// The faces that were there when it was told.
    known: Vec<u32>,
    /// The newest frame, and the newest one in which the face could be looked for.
    last: u64,
    last_looked: u64,
    last_seen: u64,
    /// Watched well enough, ns; frames with the face too poor to judge, and all with the face.
    covered: u64,
    poor: u32,
    seen: u32,
}

/// Draws what was left open in a request.
pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Task, Refusal> {
    request.check()?;
    let drawn = match request.kind {
        Kind::TurnHead => turn::draw(request, draws)?.map(Task::TurnHead),
        Kind::FollowDot => dot::draw(request, draws)?.map(Task::FollowDot),
        Kind::Blink => blink::draw(request, draws)?.map(Task::Blink),
        Kind::Hand => hand::draw(request, draws)?.map(Task::Hand),
        Kind::Flash => flash::draw(request, draws)?.map(Task::Flash),
    };
    drawn.ok_or_else(|| Refusal::Random("all are used up".into()))
}

/// See the module.
#[derive(Debug, Default)]
pub struct Controller {
    epoch: u64,
    faces: BTreeMap<u32, VecDeque<Sample>>,
    newest: Option<u64>,
    /// Least distance of two analysed frames that machine and stream allow, ns.
    pace: u64,
    open: Option<Open>,
}

impl Controller {
    /// PTS after which [`Controller::overdue`] should be called; `None` while nothing is open.
    pub fn due(&self) -> Option<u64> {
        self.open.as_ref().map(|o| o.report.deadline.saturating_add(GRACE))
    }

    /// The least distance of two analysed frames that the stream's frame rate and the budget allow, ns.
    pub fn set_pace(&mut self, pace: u64) {
        self.pace = pace;
    }

    /// Opens a challenge. `now` is the PTS of the newest buffer: answers count from there on.
    pub fn open(&mut self, request: &Request, now: u64, draws: &mut Draws) -> Result<Report, Refusal> {
        if let Some(open) = &self.open {
            return Err(Refusal::Open(open.report.nonce.clone()));
        }
        if self.newest.is_none() {
            return Err(Refusal::NotRunning);
        }
        let kind = request.kind;
        let task = draw(request, draws)?;
        let timeout = request.timeout(&task)?;
        if self.pace > kind.slowest() {
            let (needed, found) = (kind.slowest() / 1_000_000, self.pace / 1_000_000);
            return Err(Refusal::TooSlow { kind, needed, found });
        }
        let present = |s: &VecDeque<Sample>| s.back().is_some_and(|s| now.saturating_sub(s.pts) <= PRESENT);
        let known: Vec<u32> = self.faces.iter().filter(|(_, s)| present(s)).map(|(id, _)| *id).collect();
        let track_id = match (request.track_id, known.as_slice()) {
            (Some(id), known) if known.contains(&id) => id,
            (Some(id), _) => return Err(Refusal::NoTrack(id)),
            (None, []) => return Err(Refusal::NoFace),
            (None, [id]) => *id,
            (None, several) => return Err(Refusal::SeveralFaces(several.len())),
        };
        let samples = self.faces.get(&track_id).ok_or(Refusal::NoTrack(track_id))?;
        let baseline = Baseline::of(samples).ok_or(Refusal::TooNew)?;
        if baseline.clarity < f64::from(TOO_POOR) {
            return Err(Refusal::TooPoor);
        }
        if let Some(degrees) = turn::turned_away(&baseline) {
            return Err(Refusal::Turned(degrees));
        }
        if kind == Kind::FollowDot && !baseline.irises {
            return Err(Refusal::NoIrises);
        }
        let nonce = draws.nonce().ok_or_else(|| Refusal::Random("all are used up".into()))?;
        let judge: Box<dyn Judge> = match &task {
            Task::TurnHead(steps) => {
                Box::new(turn::Turn::new(steps.clone(), now, request.mirrored, &baseline))
            }
            Task::FollowDot(path) => {
                Box::new(dot::Follow::new(path.clone(), now, request.mirrored, request.max_delay()))
            }
            Task::Blink(count) => Box::new(blink::Blinks::new(*count, now, &baseline)),
            Task::Hand(count) => Box::new(hand::Hand::new(*count, now, &baseline)),
            Task::Flash(sequence) => Box::new(flash::Flash::new(sequence, now, request.max_delay())),
        };
        let report = Report {
            state: State::Issued,
            nonce,
            kind,
            track_id,
            epoch: self.epoch,
            issued: now,
            deadline: now.saturating_add(u64::from(timeout) * 1_000_000),
            mirrored: request.mirrored,
            task,
            reason: Reason::Issued,
            text: Reason::Issued.text().to_owned(),
            latency_ms: None,
            evidence: BTreeMap::new(),
        };
        self.open = Some(Open {
            report: report.clone(),
            judge,
            known,
            last: now,
            last_looked: now,
            last_seen: now,
            covered: 0,
            poor: 0,
            seen: 0,
        });
        Ok(report)
    }

    /// Takes an analysed frame; the result of the open challenge if this frame decides it. Frames of an older epoch, and
    /// those that are not newer than the last one, are no news.
    pub fn observe(&mut self, frame: &Frame<'_>) -> Option<Report> {
        if frame.epoch < self.epoch {
            return None;
        }
        let cancelled =
            if frame.epoch > self.epoch { self.void(frame.epoch, Reason::NewEpoch) } else { None };
        if self.newest.is_some_and(|n| frame.pts <= n) {
            return cancelled;
        }
        self.newest = Some(frame.pts);
        if let Some(faces) = frame.faces {
            self.remember(faces, frame.pts);
        }
        cancelled.or_else(|| self.judge(frame))
    }

    /// Time goes on and nothing is analysed: the result, if that has been so for too long.
    pub fn overdue(&mut self, now: u64) -> Option<Report> {
        self.due().filter(|due| now > *due)?;
        self.conclude(Ruling::new(State::NotSeen, Reason::NotAnalysed))
    }

    /// Ends the open challenge for a reason that is not in the pictures.
    pub fn cancel(&mut self, why: Reason) -> Option<Report> {
        self.conclude(Ruling::new(State::Cancelled, why))
    }

    /// From now on only `epoch` counts: ends what is open, and forgets all faces.
    pub fn void(&mut self, epoch: u64, why: Reason) -> Option<Report> {
        self.epoch = self.epoch.max(epoch);
        self.faces.clear();
        self.newest = None;
        self.cancel(why)
    }

    fn remember(&mut self, faces: &[Sample], pts: u64) {
        for face in faces.iter().filter(|f| f.is_finite()) {
            if self.faces.len() >= MOST_FACES && !self.faces.contains_key(&face.track_id) {
                continue;
            }
            let samples = self.faces.entry(face.track_id).or_default();
            samples.push_back(Sample { pts, ..face.clone() });
            while samples.len() > MOST_SAMPLES
                || samples.front().is_some_and(|s| pts.saturating_sub(s.pts) > MEMORY)
            {
                samples.pop_front();
            }
        }
        self.faces
            .retain(|_, samples| samples.back().is_some_and(|s| pts.saturating_sub(s.pts) <= REUNION_NS));
    }

    fn judge(&mut self, frame: &Frame<'_>) -> Option<Report> {
        let open = self.open.as_mut()?;
        if frame.pts <= open.report.issued {
            return None;
        }
        let late = frame.pts > open.report.deadline;
        let slowest = open.report.kind.slowest();
        open.last = frame.pts.min(open.report.deadline);
        let mut ruling = None;
        // What is seen after the deadline is no answer.
        if let Some(faces) = frame.faces.filter(|_| !late) {
            let since = frame.pts - open.last_looked;
            open.last_looked = frame.pts;
            let watched = if since <= slowest { since } else { 0 };
            let own = faces.iter().find(|f| f.track_id == open.report.track_id && f.is_finite());
            match own {
                Some(sample) => {
                    open.seen += 1;
                    open.last_seen = frame.pts;
                    if sample.clarity < TOO_POOR {
                        open.poor += 1;
                    } else {
                        open.covered += watched;
                        ruling = open.judge.see(&Sample { pts: frame.pts, ..sample.clone() });
                    }
                }
                None => {
                    if open.report.kind == Kind::Hand {
                        open.covered += watched;
                    }
                    let stranger = faces.iter().any(|f| !open.known.contains(&f.track_id));
                    if frame.pts - open.last_seen > REUNION_NS {
                        ruling = Some(if stranger {
                            Ruling::new(State::Cancelled, Reason::TrackChanged)
                        } else {
                            Ruling::new(State::NotSeen, Reason::FaceLeft)
                        });
                    } else {
                        ruling = open.judge.miss(frame.pts);
                    }
                }
            }
        }
        if ruling.is_none() && late {
            ruling = Some(open.judge.finish());
        }
        self.conclude(ruling?)
    }

    fn conclude(&mut self, ruling: Ruling) -> Option<Report> {
        let Open { mut report, last, covered, poor, seen, .. } = self.open.take()?;
        let watched = last.saturating_sub(report.issued);
        let coverage = if watched > 0 { covered as f64 / watched as f64 } else { 0.0 };
        let (mut state, mut reason) = (ruling.state, ruling.reason);
        // Only who was watched can have failed.
        if state == State::Failed && coverage < report.kind.coverage() {
            state = State::NotSeen;
            reason = if 2 * poor > seen { Reason::TooPoor } else { Reason::TooFewFrames };
        }
        report.state = state;
        report.reason = reason;
        report.text = reason.text().to_owned();
        report.latency_ms = ruling.latency_ms.filter(|l| l.is_finite());
        report.evidence = ruling.evidence.into_iter().map(|(name, v)| (name.to_owned(), v)).collect();
        report.evidence.insert("watched-share".to_owned(), coverage.min(1.0));
        report.evidence.insert("pictures".to_owned(), f64::from(seen));
        Some(report)
    }
}
