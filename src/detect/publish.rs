//! What goes on the bus, and when; and the account that the summary gives at the end.

use super::Detect;
use super::evidence::Recorder;
use super::shared::{Moment, Shared};
use crate::analysis::challenge::Report;
use crate::analysis::judgement::verdict::{Alert, AlertKind, Condition, State, Verdict};
use crate::evidence::hash_chain::Ground;
use crate::message::{
    AlertMessage, ChallengeMessage, DeepfakeMessage, Header, SummaryMessage, VerdictMessage,
};
use gst::prelude::*;
use gstreamer as gst;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// The shortest time between two verdict messages that tell of nothing but another [`Condition`], ns: a face at the
/// edge of being seen must not flood the bus.
const CALM: u64 = 250_000_000;

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
    element: glib::WeakRef<Detect>,
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    told: Option<(State, Condition, bool, u64)>,
    recorder: Option<Arc<Recorder>>,
}

impl Publisher {
    pub fn new(element: &Detect, shared: Arc<Shared>, recorder: Option<Arc<Recorder>>) -> Self {
        Self { element: element.downgrade(), shared, tally: Arc::default(), told: None, recorder }
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
        // An element that is being disposed of has nobody to tell.
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

    /// Who keeps evidence, if anybody does.
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
        let due = self.told.is_none_or(|(state, condition, alert, at)| {
            let since = moment.pts.saturating_sub(at);
            moment.pts < at
                || state != now.0
                || alert != now.2
                || (condition != now.1 && since >= CALM)
                || (interval > 0 && since >= interval)
        });
        if due {
            self.told = Some(now);
            let message = VerdictMessage::new(self.header(moment), verdict.clone());
            self.post(&DeepfakeMessage::Verdict(message));
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

    /// The account of everything so far.
    pub fn summary(&self) {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counters = &self.shared.counters;
        let header = Header {
            epoch: self.shared.epoch.load(Ordering::Acquire),
            timestamp: tally.last,
            ..self.header(tally.last_moment)
        };
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
            time_in_state: tally.time_in_state,
            challenges: tally.challenges,
        };
        self.post(&DeepfakeMessage::Summary(summary));
    }
}
