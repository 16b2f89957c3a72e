//! What goes on the bus, and when; and the counts of the summary at the end.

use super::evidence_writer::Recorder;
use super::job::Moment;
use super::shared::Shared;
use crate::analysis::challenge::Report;
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::verdict::{Alert, AlertKind, Condition, State, Verdict};
use crate::evidence::hash_chain::Ground;
use crate::message::{
    AlertMessage, ChallengeMessage, DecisionMessage, DeepfakeMessage, Header, SummaryMessage, VerdictMessage,
};
use gst::prelude::*;
use gstreamer as gst;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// The shortest time between two verdict messages that differ in nothing but [`Condition`], ns: a face at the edge
/// of being seen must not flood the bus.
const CONDITION_INTERVAL: u64 = 250_000_000;

/// What a summary needs to know.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    first: Option<u64>,
    last: Option<u64>,
    last_moment: Moment,
    state: State,
    worst_state: State,
    worst_risk: f64,
    alerts: u32,
    first_alert: Option<u64>,
    time_in_state: std::collections::BTreeMap<State, u64>,
    challenges: std::collections::BTreeMap<String, u32>,
}

/// Posts messages for one element; holds no lock while posting.
#[derive(Clone, Debug)]
pub struct Publisher {
    element: glib::WeakRef<gst::Element>,
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    /// State, condition, alert and PTS of the verdict that was posted last.
    posted: Option<(State, Condition, bool, u64)>,
    /// The decision that was posted last.
    decided: Decision,
    recorder: Option<Arc<Recorder>>,
}

impl Publisher {
    pub fn new(element: &gst::Element, shared: Arc<Shared>, recorder: Option<Arc<Recorder>>) -> Self {
        Self {
            element: element.downgrade(),
            shared,
            tally: Arc::default(),
            posted: None,
            decided: Decision::default(),
            recorder,
        }
    }

    fn header(&self, moment: Moment) -> Header {
        Header {
            session_id: self.shared.settings().session_id,
            timestamp: Some(moment.pts),
            running_time: moment.running_time,
            stream_time: moment.stream_time,
            model_digests: self.shared.models.clone(),
            ignored_signals: self.shared.ignored.clone(),
            provider: self.shared.provider.clone(),
            ..Header::default()
        }
    }

    fn post(&self, message: &DeepfakeMessage) {
        // An element that is being disposed of posts nothing.
        if let Some(element) = self.element.upgrade() {
            let message = message.to_gst(&element);
            // Fails without a bus, which is the application's choice.
            let _ = element.post_message(message);
        }
    }

    /// Counts a raised alert for the summary.
    pub fn count_alert(&self, pts: u64) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.alerts += 1;
        tally.first_alert.get_or_insert(pts);
    }

    /// An alert was raised or cleared.
    pub fn alert(&self, alert: Alert, moment: Moment) {
        if alert.kind == AlertKind::Raised {
            self.count_alert(alert.pts);
        }
        let message = AlertMessage::new(self.header(moment), alert);
        self.post(&DeepfakeMessage::Alert(message.clone()));
        if let Some(recorder) = &self.recorder {
            recorder.alert(&message.alert, Ground::Statistic, moment, message.header);
        }
    }

    /// Keeps the evidence of an alert that the policy raised or cleared; it is posted already.
    pub fn keep_policy_alert(&self, alert: &Alert) {
        if let Some(recorder) = &self.recorder {
            let moment = self.tally.lock().unwrap_or_else(PoisonError::into_inner).last_moment;
            recorder.alert(alert, Ground::Policy, moment, self.header(moment));
        }
    }

    /// Of evidence, if it is kept.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Messages about a source, with the newest verdict's moment.
    pub fn source_header(&self) -> Header {
        let last = self.tally.lock().unwrap_or_else(PoisonError::into_inner).last_moment;
        let epoch = self.shared.epoch.load(Ordering::Acquire);
        Header { epoch, ..self.header(last) }
    }

    /// A challenge was opened or has its result: counted and posted.
    pub fn challenge(&self, report: Report, moment: Moment) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.challenges.entry(report.state.name().to_owned()).or_default() += 1;
        drop(tally);
        self.post(&DeepfakeMessage::Challenge(ChallengeMessage::new(self.header(moment), report)));
    }

    /// There is a new verdict: counted always, posted on change and every `report-interval`.
    pub fn verdict(&mut self, verdict: &Verdict, moment: Moment) {
        self.count(verdict, moment);
        let now = (verdict.state, verdict.condition, verdict.alert, moment.pts);
        let interval = self.shared.settings().report_interval;
        let due = self.posted.is_none_or(|(state, condition, alert, at)| {
            let since = moment.pts.saturating_sub(at);
            moment.pts < at
                || state != now.0
                || alert != now.2
                || (condition != now.1 && since >= CONDITION_INTERVAL)
                || (interval > 0 && since >= interval)
        });
        if due {
            self.posted = Some(now);
            let message = VerdictMessage::new(self.header(moment), verdict.clone());
            self.post(&DeepfakeMessage::Verdict(message));
        }
    }

    /// What the session would end in now, as a message that is not posted.
    pub fn decide(&self) -> DecisionMessage {
        let last = self.tally.lock().unwrap_or_else(PoisonError::into_inner).last_moment;
        let epoch = self.shared.epoch.load(Ordering::Acquire);
        DecisionMessage::new(Header { epoch, ..self.header(last) }, self.shared.decide(), false)
    }

    /// What the session would end in has changed: posted with its reasons.
    pub fn decision(&mut self, verdict: &Verdict, moment: Moment) {
        if verdict.decision != self.decided {
            self.decided = verdict.decision;
            let header = Header { epoch: verdict.epoch, ..self.header(moment) };
            let message = DecisionMessage::new(header, self.shared.decide(), false);
            self.post(&DeepfakeMessage::Decision(message));
        }
    }

    fn count(&self, verdict: &Verdict, moment: Moment) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tally.state;
        if let Some(step) = tally.last.and_then(|l| moment.pts.checked_sub(l)) {
            *tally.time_in_state.entry(before).or_default() += step;
        }
        tally.first.get_or_insert(moment.pts);
        tally.last = Some(moment.pts);
        tally.last_moment = moment;
        tally.state = verdict.state;
        tally.worst_state = tally.worst_state.max(verdict.state);
        tally.worst_risk = tally.worst_risk.max(verdict.risk);
    }

    /// Posts what the session ended in, and the summary of everything so far.
    pub fn summary(&self) {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counters = &self.shared.counters;
        let header = Header {
            epoch: self.shared.epoch.load(Ordering::Acquire),
            timestamp: tally.last,
            ..self.header(tally.last_moment)
        };
        let ruling = self.shared.decide();
        let (decision, probability) = (ruling.decision, ruling.posterior.attack);
        let decided = DecisionMessage::new(header.clone(), ruling, true);
        self.post(&DeepfakeMessage::Decision(decided));
        let mut frames_skipped = counters.skipped();
        let unfinished = counters.unfinished();
        if unfinished > 0 {
            frames_skipped.insert("unfinished".into(), unfinished);
        }
        let summary = SummaryMessage {
            header,
            frames_seen: counters.seen.load(Ordering::Relaxed),
            frames_sampled: counters.sampled.load(Ordering::Relaxed),
            frames_analysed: counters.analysed.load(Ordering::Relaxed),
            frames_skipped,
            duration: tally.first.zip(tally.last).map(|(a, b)| b.saturating_sub(a)),
            alerts: tally.alerts,
            first_alert_pts: tally.first_alert,
            worst_state: tally.worst_state,
            worst_risk: tally.worst_risk,
            state: tally.state,
            decision,
            probability,
            time_in_state: tally.time_in_state,
            challenges: tally.challenges,
        };
        self.post(&DeepfakeMessage::Summary(summary));
    }
}
