use super::*;
use crate::analysis::evidence::{Evidence, Family, Reading};
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::cusum::threshold;
use crate::analysis::judgement::step::{Said, Step};
use crate::analysis::judgement::verdict::{Alert, AlertKind, Verdict};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an engine does with readings: judges by face, a history beside them.
struct Rig {
    judges: BTreeMap<Option<u32>, Judge>,
    history: History,
    alerts: Vec<Alert>,
    h: f64,
}

impl Rig {
    fn new(seconds: u32) -> Self {
        let h = threshold(0.01, 2);
        Self { judges: BTreeMap::new(), history: History::new(h, seconds), alerts: Vec::new(), h }
    }

    fn step(&mut self, pts: u64, track_id: Option<u32>, said: Vec<Said>) {
        let h = self.h;
        let judge = self.judges.entry(track_id).or_insert_with(|| Judge::new(h));
        let mut step = Step::new(pts, 1, track_id, 0.08, said);
        self.alerts.extend(step.weigh(judge).0);
        self.history.push(Entry::Step(step));
    }

    fn frame(&mut self, pts: u64) {
        let risk = self.judges.values().map(Judge::risk).fold(0.0, f64::max);
        let alert = self.judges.values().any(Judge::is_raised);
        let verdict = Verdict { analysed_pts: Some(pts), risk, alert, ..Verdict::default() };
        self.history.push(Entry::Frame(Frame::of(&verdict, false)));
    }

    fn end(&mut self, pts: u64, track_id: u32) {
        self.judges.remove(&Some(track_id));
        self.history.push(Entry::Ended { pts, track_id });
    }
}

fn reading(rate: f64, impulse: f64, quality: f64) -> Reading {
    Reading {
        rate,
        impulse,
        stands: false,
        llr: rate,
        quality,
        reason: "made".into(),
        features: vec![rate, f64::NAN],
    }
}

/// The same recording after it was text.
fn written(recording: &Recording) -> Recording {
    let base = serde_json::to_string(&recording.base).unwrap();
    let lines = recording.entries.iter().map(|e| serde_json::to_string(e.as_ref()).unwrap());
    Recording {
        threshold: recording.threshold,
        base: serde_json::from_str(&base).unwrap(),
        entries: lines.map(|l| Arc::new(serde_json::from_str(&l).unwrap())).collect(),
    }
}

#[test]
fn numbers_without_a_form_in_json_come_back() {
    let said = Said::of("blink".into(), Family::Presentation, reading(f64::INFINITY, -0.0, 1.0), 1.0);
    let text = serde_json::to_string(&said).unwrap();
    let back: Said = serde_json::from_str(&text).unwrap();
    assert!(back.rate.is_infinite() && back.features[1].is_nan(), "{text}");
    assert_eq!(back.impulse.to_bits(), (-0.0f64).to_bits());
    assert!(serde_json::from_str::<Said>(&text.replace("\"inf\"", "\"much\"")).is_err());
}

/// A second of quiet, then evidence until an alert stands.
fn alerted(seconds: u32) -> Rig {
    let mut rig = Rig::new(seconds);
    for i in 0..60u64 {
        let rate = if i < 12 { -1.0 } else { 3.0 };
        let said = Said::of("freeze".into(), Family::Replay, reading(rate, 0.0, 0.9), 0.08);
        rig.step(i * 80_000_000, None, vec![said]);
        rig.frame(i * 80_000_000);
    }
    assert_eq!(rig.alerts.len(), 1);
    rig
}

#[test]
fn what_has_left_the_history_still_counts() {
    let rig = alerted(2);
    let recording = rig.history.recording();
    assert!(recording.entries.len() <= 2 * 26, "{}", recording.entries.len());
    let replay = replay(&written(&recording));
    assert_eq!((replay.differences, replay.frames), (vec![], 26));
    assert!(recording.base[0].judge.statistic() > 0.0, "the history begins in mid-attack");
}

#[test]
fn an_edited_number_is_named() {
    let good = alerted(30).history.recording();
    assert_eq!(replay(&good).differences, vec![]);
    type Edit = fn(&mut Step);
    let edits: [(&str, Edit); 6] = [
        ("adds", |s| s.said[0].rate *= 1.001),
        ("adds", |s| s.said[0].gain += 1e-9),
        ("adds", |s| s.dt = 0.09),
        ("statistic", |s| s.after.statistic += 1e-12),
        ("onset", |s| s.after.sums[1].onset += 1),
        ("no alert comes of it", |s| s.alert = Some(AlertKind::Raised)),
    ];
    for (word, edit) in edits {
        let mut bad = good.clone();
        let Entry::Step(mut step) = bad.entries[40].as_ref().clone() else { panic!("no step") };
        edit(&mut step);
        bad.entries[40] = Arc::new(Entry::Step(step));
        let found = replay(&bad).differences;
        assert!(found.iter().any(|d| d.what.contains(word)), "{word}: {found:?}");
        assert!(found.iter().all(|d| d.pts >= good.entries[40].pts()));
    }
    let mut missing = good.clone();
    missing.entries.remove(40);
    assert!(!replay(&missing).differences.is_empty());
    let bad = Recording { threshold: good.threshold + 1.0, ..good };
    assert!(!replay(&bad).differences.is_empty());
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut rig = Rig::new(300);
    let long = "x".repeat(10_000);
    for i in 0..3_000u64 {
        let reading = Reading { reason: long.clone(), ..reading(0.1, 0.0, 1.0) };
        rig.step(i, Some(1), vec![Said::of("blink".into(), Family::Presentation, reading, 0.08)]);
    }
    assert!(rig.history.bytes() <= MAX_BYTES && rig.history.recording().entries.len() > 1_000);
    assert_eq!(replay(&rig.history.recording()).differences, vec![]);
    rig.history.begin();
    assert_eq!((rig.history.bytes(), rig.history.recording().base.len()), (0, 0));
}

proptest! {
    #[test]
    fn a_replay_is_the_engine_bit_for_bit(
        seconds in 1u32..20,
        all in prop::collection::vec(
            (
                prop::option::of(0u32..3),
                prop_oneof![-20f64..20.0, Just(f64::NAN), Just(1e300)],
                -3f64..3.0, 0f64..1.0, 0usize..4, 0u8..20,
            ),
            1..200,
        ),
    ) {
        let mut rig = Rig::new(seconds);
        for (i, (track, rate, impulse, quality, family, what)) in all.iter().enumerate() {
            let pts = i as u64 * 80_000_000;
            match (what, track) {
                (0, Some(track)) => rig.end(pts, *track),
                _ => {
                    let family = Family::ALL[*family];
                    let said = Said::of("s".into(), family, reading(*rate, *impulse, *quality), 0.08);
                    let shown = Evidence { signal: "p".into(), llr: 0.0, quality: 0.5, reason: "p".into() };
                    rig.step(pts, *track, vec![said, Said::once(Family::Injection, *impulse, shown)]);
                }
            }
            rig.frame(pts);
        }
        let recording = rig.history.recording();
        let begin = recording.entries.first().map_or(0, |e| e.pts());
        let replay = replay(&written(&recording));
        prop_assert_eq!(replay.differences, vec![]);
        let wanted: Vec<_> = rig.alerts.iter().filter(|a| a.pts > begin).collect();
        let got: Vec<_> = replay.alerts.iter().filter(|a| a.pts > begin).collect();
        prop_assert_eq!(wanted, got);
    }
}
