//! Invented alerts for tests.

use super::alert_report::{RunInfo, Threshold};
use super::case::{Case, Face};
use super::hash_chain::Ground;
use crate::analysis::bundle::{Entry, Frame, History};
use crate::analysis::evidence::{Evidence, Family, Reading};
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::cusum::threshold;
use crate::analysis::judgement::step::{Said, Step};
use crate::analysis::judgement::verdict::{Alert, AlertKind, Condition, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A face that looks alive for four seconds, then a photo of it until an alert stands.
pub fn case(session_id: &str) -> Case {
    let nats = threshold(0.1, 2);
    let mut history = History::new(nats, 30);
    let (mut face, mut stream) = (Judge::new(nats), Judge::new(nats));
    let mut raised = None;
    for i in 0..200u64 {
        let pts = 1_000_000_000 + i * 80_000_000;
        let attack = i >= 50;
        let wobble = (i as f64 * 0.7).sin();
        let said = |signal: &'static str, family, rate: f64| {
            let reason = format!("made up, {rate:.2} nats a second");
            let (impulse, features) = (0.0, vec![rate, wobble]);
            Said::of(
                signal.into(),
                family,
                Reading { rate, impulse, stands: false, llr: 2.0 * rate, quality: 0.8, reason, features },
                0.08,
            )
        };
        let towards = if attack { 2.4 } else { -0.9 };
        let all = vec![
            said("planarity", Family::Presentation, towards + 0.3 * wobble),
            said("micro-motion", Family::Presentation, towards * 0.6 - 0.4 * wobble),
            said("blink", Family::Presentation, if i % 40 == 0 { -1.0 } else { 0.1 }),
            said("skin-detail", Family::Forgery, 0.05 * wobble),
        ];
        let mut of_stream =
            Step::new(pts, 1, None, 0.08, vec![said("loop", Family::Replay, -0.5 + 0.2 * wobble)]);
        of_stream.weigh(&mut stream);
        history.push(Entry::Step(of_stream));
        let mut of_face = Step::new(pts, 1, Some(1), 0.08, all);
        let alert = of_face.weigh(&mut face).0;
        history.push(Entry::Step(Step { face_quality: Some(0.8), ..of_face }));
        let verdict = Verdict {
            analysed_pts: Some(pts),
            epoch: 1,
            condition: if (20..26).contains(&i) { Condition::TooPoor } else { Condition::Analysed },
            risk: face.risk().max(stream.risk()),
            alert: face.is_raised(),
            ..Verdict::default()
        };
        history.push(Entry::Frame(Frame::of(&verdict, false)));
        if let Some(alert) = alert {
            raised = Some(alert);
            break;
        }
    }
    let picture = Face { pts: 1_000_000_000, track_id: 1, side: 8, pixels: vec![99; 8 * 8 * 3] };
    Case {
        ran: Arc::new(RunInfo {
            plugin: "made-up 1".into(),
            threshold: Threshold { nats, mean_time_between_false_alerts: 0.1, hypotheses: 2 },
            ..RunInfo::default()
        }),
        session_id: session_id.into(),
        ground: Ground::Statistic,
        running_time: raised.as_ref().map(|a| a.pts),
        stream_time: None,
        alert: raised.unwrap(),
        decision: Default::default(),
        config: BTreeMap::from([("mean-time-between-false-alerts".into(), 0.1.into())]),
        policy: None,
        sources: Vec::new(),
        recording: history.recording(),
        faces: vec![Arc::new(picture)],
        time: "2026-01-02T03:04:05Z".into(),
    }
}

/// The same case, cleared.
pub fn cleared(session_id: &str) -> Case {
    let case = case(session_id);
    let evidence = Vec::<Evidence>::new();
    Case { alert: Alert { kind: AlertKind::Cleared, onset_pts: None, evidence, ..case.alert }, ..case }
}
