//! From the element's messages to what is kept of a recording, in bounded memory however long it is.

use super::record::{AlertNote, Ground, Moment, Scanned};
use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::verdict::{AlertKind, Verdict};
use crate::message::{AlertMessage, DecisionMessage, DeepfakeMessage, Header};
use std::collections::BTreeMap;

/// Stretches that a time line has at most, and alerts that are kept one by one.
const MOMENTS: usize = 240;
const ALERTS: usize = 100;

/// Gathers what the messages of one recording say.
#[derive(Clone, Debug)]
pub struct Collector {
    kept: Scanned,
    /// Verdicts in one moment: doubles when there is no room for more.
    per_moment: u32,
    in_last: u32,
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn moment_of(header: &Header) -> f64 {
    seconds(header.stream_time.or(header.timestamp).unwrap_or_default())
}

/// Digits that no reader of a time line needs make most of a line of JSON.
fn short(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Collector {
    /// `threshold`: the statistic that raises an alert, nats.
    pub fn new(threshold: f64) -> Self {
        Self { kept: Scanned { threshold, ..Scanned::default() }, per_moment: 1, in_last: 0 }
    }

    /// Takes a message in.
    pub fn add(&mut self, message: &DeepfakeMessage) {
        match message {
            DeepfakeMessage::Verdict(m) => self.verdict(&m.verdict, moment_of(&m.header)),
            DeepfakeMessage::Alert(m) => self.alert(m),
            DeepfakeMessage::Decision(m) => self.decision(m),
            DeepfakeMessage::Summary(m) => {
                let kept = &mut self.kept;
                kept.worst_state = m.worst_state;
                kept.worst_risk = m.worst_risk;
                kept.state = m.state;
                kept.duration_s = seconds(m.duration.unwrap_or_default());
                kept.frames_seen = m.frames_seen;
                kept.frames_analysed = m.frames_analysed;
                kept.frames_skipped = m.frames_skipped.clone();
                kept.time_in_state_s = m.time_in_state.iter().map(|(s, t)| (*s, seconds(*t))).collect();
                kept.models = m.header.model_digests.clone();
                kept.provider = m.header.provider.clone();
            }
            // That a recording comes from a file is known; nobody is asked anything, and where bundles lie is for those who asked for them.
            DeepfakeMessage::Provenance(_) | DeepfakeMessage::Challenge(_) | DeepfakeMessage::Evidence(_) => {
            }
        }
    }

    /// What is kept; `wall_s` is how long it took.
    pub fn finish(self, wall_s: f64) -> Scanned {
        let mut kept = self.kept;
        kept.wall_s = short(wall_s);
        kept.score = short(kept.score);
        for moment in &mut kept.timeline {
            moment.at_s = short(moment.at_s);
            moment.risk = short(moment.risk);
            moment.llr.values_mut().for_each(|v| *v = short(*v));
        }
        kept
    }

    fn verdict(&mut self, verdict: &Verdict, at_s: f64) {
        // `quality` is no signal: it says why a face cannot be judged.
        // A network without a calibration is recorded, but says nothing.
        let speaks = |e: &Evidence| e.signal != "quality" && e.quality > 0.0;
        let spoken = verdict.tracks.iter().any(|t| t.evidence.iter().any(speaks));
        let ground = Ground::of(verdict.condition, spoken);
        self.kept.ground = self.kept.ground.max(ground);
        (self.kept.decision, self.kept.posterior) = (verdict.decision, verdict.posterior);
        self.kept.fused = short(verdict.statistic);
        self.kept.frames_judged += u64::from(ground == Ground::Judged);
        // A track out of sight and the stream itself show their statistic only by the risk that they make; while an
        // alert stands the risk is 1 and the alert carries it.
        let hidden = verdict.risk.clamp(0.0, 1.0) * self.kept.threshold;
        for statistic in verdict.tracks.iter().map(|t| t.statistic).chain([hidden]) {
            if statistic.is_finite() {
                self.kept.score = self.kept.score.max(statistic);
            }
        }
        let worst = verdict.tracks.iter().max_by(|a, b| a.statistic.total_cmp(&b.statistic));
        let evidence = worst.into_iter().flat_map(|t| &t.evidence).chain(&verdict.stream_evidence);
        let moment = Moment {
            at_s,
            state: verdict.state,
            condition: verdict.condition,
            risk: verdict.risk,
            llr: llr(evidence),
        };
        self.keep(moment);
    }

    /// The last one counts: that of the end, or of where the recording broke off.
    fn decision(&mut self, m: &DecisionMessage) {
        let (kept, ruling) = (&mut self.kept, &m.ruling);
        kept.decision = ruling.decision;
        kept.reasons = ruling.reasons.clone();
        kept.good_seconds = short(ruling.good_seconds);
        kept.posterior = ruling.posterior;
        kept.fused = short(ruling.statistic);
    }

    fn keep(&mut self, moment: Moment) {
        let line = &mut self.kept.timeline;
        if self.in_last > 0
            && self.in_last < self.per_moment
            && let Some(last) = line.last_mut()
        {
            merge(last, &moment);
            self.in_last += 1;
            return;
        }
        if line.len() >= MOMENTS {
            let mut halved = Vec::with_capacity(MOMENTS);
            for pair in line.chunks(2) {
                let mut pair = pair.iter().cloned();
                halved.extend(pair.next().map(|mut first| {
                    pair.for_each(|second| merge(&mut first, &second));
                    first
                }));
            }
            *line = halved;
            self.per_moment = self.per_moment.saturating_mul(2);
        }
        line.push(moment);
        self.in_last = 1;
    }

    fn alert(&mut self, m: &AlertMessage) {
        let (alert, at_s) = (&m.alert, moment_of(&m.header));
        if alert.kind == AlertKind::Cleared {
            let standing = self.kept.alerts.iter_mut().rev();
            let mut standing = standing.filter(|a| a.track_id == alert.track_id && a.cleared_s.is_none());
            if let Some(note) = standing.next() {
                note.cleared_s = Some(at_s);
            }
            return;
        }
        self.kept.alerted = true;
        if alert.statistic.is_finite() {
            self.kept.score = self.kept.score.max(alert.statistic);
        }
        let first = alert.evidence.first();
        let note = AlertNote {
            at_s,
            onset_s: alert.onset_pts.map(|onset| at_s - seconds(alert.pts.saturating_sub(onset))),
            track_id: alert.track_id,
            statistic: alert.statistic,
            signal: first.map(|e| e.signal.clone()).unwrap_or_default(),
            reason: first.map(|e| e.reason.clone()).unwrap_or_default(),
            cleared_s: None,
        };
        if self.kept.alerts.len() < ALERTS {
            self.kept.alerts.push(note);
        }
    }
}

fn llr<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> BTreeMap<String, f64> {
    evidence.filter(|e| e.llr.is_finite()).map(|e| (e.signal.clone(), e.llr)).collect()
}

/// The worst of both, the earlier one's time, and each signal where it spoke loudest.
fn merge(first: &mut Moment, second: &Moment) {
    first.state = first.state.max(second.state);
    if Ground::of(second.condition, true) > Ground::of(first.condition, true) {
        first.condition = second.condition;
    }
    first.risk = first.risk.max(second.risk);
    for (signal, llr) in &second.llr {
        let kept = first.llr.entry(signal.clone()).or_insert(*llr);
        if llr.abs() > kept.abs() {
            *kept = *llr;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::judgement::verdict::{Alert, Condition, State, TrackVerdict};
    use crate::message::VerdictMessage;
    use proptest::prelude::*;

    fn header(at: f64) -> Header {
        Header { stream_time: Some((at * 1e9) as u64), ..Header::default() }
    }

    fn verdict(at: f64, condition: Condition, statistic: f64, risk: f64) -> DeepfakeMessage {
        let signal = if condition == Condition::TooPoor { "quality" } else { "blink" };
        let evidence = vec![Evidence { signal: signal.into(), llr: -statistic, ..bare() }];
        let track = TrackVerdict { statistic, evidence, ..TrackVerdict::default() };
        let verdict = Verdict { condition, risk, tracks: vec![track], ..Verdict::default() };
        VerdictMessage::new(header(at), verdict).into()
    }

    fn bare() -> Evidence {
        Evidence { signal: String::new(), llr: 0.0, quality: 1.0, reason: "why".into() }
    }

    fn alert(at: f64, kind: AlertKind, statistic: f64) -> DeepfakeMessage {
        let alert = Alert {
            kind,
            epoch: 0,
            pts: (at * 1e9) as u64 + 500,
            onset_pts: Some(500),
            track_id: None,
            statistic,
            threshold: 12.0,
            evidence: vec![bare()],
        };
        AlertMessage::new(header(at), alert).into()
    }

    fn collect(messages: &[DeepfakeMessage]) -> Scanned {
        let mut c = Collector::new(12.0);
        messages.iter().for_each(|m| c.add(m));
        c.finish(1.0)
    }

    #[test]
    fn the_score_is_the_highest_statistic_wherever_it_shows() {
        assert_eq!(collect(&[]).score, 0.0);
        assert_eq!(collect(&[verdict(0.0, Condition::Analysed, 3.0, 0.0)]).score, 3.0);
        // The stream's own sum has no track: it shows in the risk.
        assert_eq!(collect(&[verdict(0.0, Condition::NoFace, 3.0, 0.5)]).score, 6.0);
        let s = collect(&[verdict(0.0, Condition::Analysed, 3.0, 1.0), alert(4.0, AlertKind::Raised, 13.5)]);
        assert_eq!((s.score, s.alerted, s.alerts[0].onset_s), (13.5, true, Some(0.0)));
        assert_eq!(collect(&[verdict(0.0, Condition::Analysed, f64::NAN, 0.0)]).score, 0.0);
    }

    #[test]
    fn the_ground_is_the_best_there_was() {
        let ground = |all: &[Condition]| {
            collect(&all.iter().map(|c| verdict(0.0, *c, 0.0, 0.0)).collect::<Vec<_>>()).ground
        };
        assert_eq!(ground(&[]), Ground::NotAnalysed);
        assert_eq!(ground(&[Condition::NoFace, Condition::Stale]), Ground::NoFace);
        assert_eq!(ground(&[Condition::NoFace, Condition::TooPoor]), Ground::TooPoor);
        assert_eq!(ground(&[Condition::Analysed, Condition::NoFace]), Ground::Judged);
        let silent = Verdict { condition: Condition::Analysed, ..Verdict::default() };
        assert_eq!(collect(&[VerdictMessage::new(header(0.0), silent).into()]).ground, Ground::TooLittle);
    }

    #[test]
    fn an_alert_is_cleared_once() {
        let s = collect(&[
            alert(4.0, AlertKind::Raised, 13.0),
            alert(8.0, AlertKind::Cleared, 1.0),
            alert(9.0, AlertKind::Raised, 13.0),
        ]);
        assert_eq!(s.alerts.iter().map(|a| a.cleared_s).collect::<Vec<_>>(), [Some(8.0), None]);
    }

    proptest! {
        #[test]
        fn a_long_time_line_is_short_and_forgets_no_peak(count in 0usize..3000, peak in 0usize..3000) {
            let mut c = Collector::new(12.0);
            for i in 0..count {
                let risk = if i == peak { 0.9 } else { 0.1 };
                c.add(&verdict(i as f64, Condition::Analysed, 0.0, risk));
            }
            let s = c.finish(0.0);
            prop_assert!(s.timeline.len() <= MOMENTS && (count < 2 || s.timeline.len() * 2 >= count.min(MOMENTS)));
            prop_assert!(s.timeline.windows(2).all(|w| w[0].at_s < w[1].at_s));
            let highest = s.timeline.iter().map(|m| m.risk).fold(0.0, f64::max);
            prop_assert_eq!(highest > 0.5, peak < count);
            prop_assert!(s.timeline.iter().all(|m| m.state == State::Unknown && m.llr.contains_key("blink")));
            prop_assert_eq!(s.frames_judged, count as u64);
        }
    }
}
