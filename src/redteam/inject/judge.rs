//! One injected feed, sent in real time, and whether a policy would have turned it away.

use super::attack::{Inject, Way};
use super::feed::Feed;
use super::pipelines::InjectionPipelines;
use crate::analysis::source::provenance::Finding;
use crate::batch::{self, Ground};
use crate::lock::lock;
use crate::message::{self, DeepfakeMessage, ProvenanceMessage};
use crate::provenance::policy::Policy;
use crate::provenance::report::SourceReport;
use crate::redteam::buffers::keep_picture;
use crate::redteam::run::recordings::Store;
use crate::redteam::run::row::Judged;
use crate::redteam::run::setting::Setting;
use crate::redteam::run::tasks::Task;
use gst::prelude::*;
use gstreamer as gst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a service asks for whose callers have a webcam at this machine; `unknown` is allowed, for a driver that says
/// nothing is none that lies.
const CAMERA: &str = "schema = 1\n[allow]\nclasses = [\"physical\"]\n[minimum]\nmax-injection = 2.0\n";
/// What a service asks for whose callers come over the network.
const CALL: &str =
    "schema = 1\n[allow]\nclasses = [\"physical\", \"network\"]\n[minimum]\nmax-injection = 2.0\n";
/// More evidence of injection than this is a violation in both, nats; of simulated cameras none reaches it in
/// `tests/source.rs`, where that was asked first.
const MOST: f64 = 2.0;

/// What the reports amount to.
#[derive(Debug, Default)]
struct Verdict {
    /// When the policy was first violated, and why.
    violated: Option<(f64, Finding, String)>,
    most: f64,
    reports: usize,
    checks: std::collections::BTreeMap<String, f64>,
}

impl Verdict {
    fn add(&mut self, report: &SourceReport, policy: &Policy, at_s: f64) {
        self.reports += 1;
        self.most = self.most.max(report.injection);
        for finding in report.findings.iter().filter(|f| f.injection != 0.0) {
            let loudest = self.checks.entry(finding.check.clone()).or_insert(finding.injection);
            *loudest = loudest.max(finding.injection);
        }
        if self.violated.is_none()
            && let Some(why) = policy.violation(report)
        {
            let by_evidence = report.injection > MOST;
            let nats = |f: &Finding| if by_evidence { f.injection } else { f.weight };
            let of = |f: &&Finding| by_evidence || f.class == Some(report.class);
            let found = report.findings.iter().filter(of).max_by(|a, b| nats(a).total_cmp(&nats(b)));
            self.violated = Some((at_s, found.cloned().unwrap_or_default(), why));
        }
    }
}

/// Sends the stream, and says whether a policy would have turned it away.
///
/// # Errors
/// In words, why it was not possible.
pub fn evaluate(
    inject: &Inject,
    task: &Task,
    setting: &Setting,
    store: &mut Store,
    progress: &mut dyn FnMut(f64),
) -> Result<Judged, String> {
    let text = if inject.way == Way::Network { CALL } else { CAMERA };
    let policy = Policy::parse(text, "policy of the red team").map_err(|e| e.to_string())?;
    let segment = if inject.shows_recording() {
        let inputs = store.inputs(&task.source, None, (task.window, task.segment_s), &task.trial.kind);
        Some(inputs.map_err(|e| e.to_string())?.segment)
    } else {
        None
    };
    let feed = match inject.way {
        Way::File | Way::Pattern => None,
        _ => Some(Feed::of(inject, segment.as_ref(), task.seconds, task.seed).map_err(|e| e.to_string())?),
    };
    let entry = InjectionPipelines::of(inject, feed.as_ref(), segment.as_ref())?;
    let seen: Arc<Mutex<Option<gst::Sample>>> = Arc::default();
    if setting.picture {
        keep_picture(&entry.receiver.part("out")?, 0.6 * task.seconds, &seen);
    }
    let bus = entry.receiver.bus()?;
    entry.start()?;
    let begun = Instant::now();
    let mut verdict = Verdict::default();
    let mut ended = false;
    // Listens until then, or to the end of the stream.
    let mut listen = |until: Duration, verdict: &mut Verdict| -> Result<bool, String> {
        while !ended {
            let left = until.saturating_sub(begun.elapsed());
            let wait = gst::ClockTime::try_from(left).unwrap_or_default();
            let message = if wait.is_zero() { bus.pop() } else { bus.timed_pop(wait) };
            let Some(message) = message else { break };
            match message.view() {
                gst::MessageView::Eos(_) => ended = true,
                gst::MessageView::Error(e) => return Err(e.error().to_string()),
                _ => {}
            }
            if let Some(Ok(DeepfakeMessage::Provenance(m))) = message::parse(&message) {
                verdict.add(&m.source, &policy, begun.elapsed().as_secs_f64());
            }
        }
        Ok(ended)
    };
    let mut pushed = 0;
    if let (Some(input), Some(feed)) = (&entry.input, feed) {
        for (at, buffer) in feed.sent {
            listen(Duration::from_nanos(at), &mut verdict)?;
            if input.push_buffer(buffer).is_err() {
                let why = entry.sender_error().or_else(|| entry.receiver.first_error());
                return Err(why.unwrap_or_else(|| "the pipeline takes no more pictures".into()));
            }
            pushed += 1;
            progress(begun.elapsed().as_secs_f64());
        }
    }
    listen(Duration::from_secs_f64(task.seconds), &mut verdict)?;
    // The newest numbers, also those that were not worth a message.
    for value in entry.receiver.part("watch")?.property::<gst::Array>("sources").iter() {
        let structure = value.get::<gst::Structure>().ok();
        let report = structure.and_then(|s| ProvenanceMessage::try_from(s.as_ref()).ok());
        if let Some(m) = report {
            verdict.add(&m.source, &policy, begun.elapsed().as_secs_f64());
        }
    }
    let duration_s = begun.elapsed().as_secs_f64();
    drop(entry);
    if verdict.reports == 0 {
        return Err("no picture came through".into());
    }
    let picture = lock(&seen).take().and_then(batch::jpeg);
    Ok(judged(verdict, task, picture, (pushed, duration_s)))
}

fn judged(
    verdict: Verdict,
    task: &Task,
    picture: Option<String>,
    (frames, duration_s): (u64, f64),
) -> Judged {
    let (alert_s, signal, reason) = match verdict.violated {
        Some((at, finding, why)) => (Some(at), finding.check, format!("{why}: {}", finding.reason)),
        None => (None, String::new(), String::new()),
    };
    Judged {
        onset_s: task.trial.is_attack().then_some(0.0),
        alerted: alert_s.is_some(),
        alert_s,
        signal,
        reason,
        early: false,
        score: verdict.most,
        threshold: MOST,
        ground: Ground::Judged,
        frames,
        analysed: verdict.reports as u64,
        duration_s,
        wall_s: duration_s,
        signals: verdict.checks,
        models: Vec::new(),
        picture,
    }
}
