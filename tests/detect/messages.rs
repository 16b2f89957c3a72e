//! The bus: verdicts on change and at intervals, alerts raised and cleared, and a summary that adds up.

use crate::common::{Rig, stat};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::{AlertKind, Condition, State};
use gstdeepfake::message::{AlertMessage, DeepfakeMessage, SummaryMessage, VerdictMessage};
use gstreamer as gst;

fn verdicts(rig: &Rig) -> Vec<&VerdictMessage> {
    let all = rig.messages.iter();
    all.filter_map(|m| if let DeepfakeMessage::Verdict(v) = m { Some(v) } else { None }).collect()
}

fn alerts(rig: &Rig) -> Vec<&AlertMessage> {
    let all = rig.messages.iter();
    all.filter_map(|m| if let DeepfakeMessage::Alert(a) = m { Some(a) } else { None }).collect()
}

fn summaries(rig: &Rig) -> Vec<&SummaryMessage> {
    let all = rig.messages.iter();
    all.filter_map(|m| if let DeepfakeMessage::Summary(s) = m { Some(s) } else { None }).collect()
}

fn adds_up(s: &SummaryMessage, pushed: u64) {
    assert_eq!(s.frames_seen, pushed);
    let never_sampled = ["interlaced", "no-pts", "unreadable"];
    let skipped = s.frames_skipped.iter().filter(|(k, _)| !never_sampled.contains(&k.as_str()));
    assert_eq!(s.frames_sampled, s.frames_analysed + skipped.map(|(_, n)| n).sum::<u64>(), "{s:?}");
}

#[test]
fn verdicts_come_on_change_and_at_the_interval() {
    let Some(mut rig) = Rig::new(&[("mode", "sync"), ("report-interval", "1000000000")]) else { return };
    for n in 0..300 {
        let frame = if n < 150 { rig.black() } else { rig.noise() };
        rig.pass(frame);
    }
    rig.drain();
    let told: Vec<_> =
        verdicts(&rig).iter().map(|v| (v.header.timestamp.unwrap(), v.verdict.condition)).collect();
    assert_eq!(told[0], (0, Condition::NoFace));
    // Six seconds without a face, then six with one: a message a second, and one at the change.
    let quiet = told.iter().filter(|t| t.1 == Condition::NoFace && t.0 < 6_000_000_000).count();
    assert_eq!(quiet, 6, "{told:?}");
    let change = told.iter().find(|t| t.1 != Condition::NoFace).unwrap().0;
    assert!((6_000_000_000..6_300_000_000).contains(&change), "{told:?}");
    for pair in told.windows(2) {
        assert!(pair[1].0 - pair[0].0 <= 1_150_000_000, "{told:?}");
    }
}

#[test]
fn without_an_interval_only_changes_are_told() {
    let Some(mut rig) = Rig::new(&[("mode", "sync"), ("report-interval", "0")]) else { return };
    for _ in 0..300 {
        let frame = rig.black();
        rig.pass(frame);
    }
    rig.drain();
    assert_eq!(verdicts(&rig).len(), 1);
}

#[test]
fn messages_carry_session_models_provider_and_times() {
    let Some(mut rig) = Rig::new(&[("mode", "sync"), ("session-id", "call 7")]) else { return };
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(10));
    segment.set_time(gst::ClockTime::from_seconds(100));
    segment.set_base(gst::ClockTime::from_seconds(1000));
    rig.h.push_event(gst::event::Segment::new(&segment));
    let mut frame = rig.noise();
    frame.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(12));
    rig.pass(frame);
    rig.element.set_property("session-id", "call 8");
    rig.eos();
    rig.drain();
    let header = &verdicts(&rig)[0].header;
    assert_eq!(header.session_id, "call 7");
    assert_eq!(header.timestamp, Some(12_000_000_000));
    assert_eq!(header.running_time, Some(1_002_000_000_000));
    assert_eq!(header.stream_time, Some(102_000_000_000));
    assert_eq!(header.provider, "cpu");
    assert_eq!(header.epoch, 1);
    for wanted in ["blazeface-short@sha256:", "face-mesh-v2@sha256:", "calibration@sha256:"] {
        assert!(header.model_digests.iter().any(|d| d.starts_with(wanted)), "{:?}", header.model_digests);
    }
    assert!(header.model_digests.iter().all(|d| d.split(':').nth(1).is_some_and(|hex| hex.len() == 16)));
    assert_eq!(summaries(&rig)[0].header.session_id, "call 8", "it may change while playing");
}

#[test]
fn a_frozen_picture_raises_an_alert_and_a_new_stream_clears_it() {
    let properties = [("mode", "sync"), ("mean-time-between-false-alerts", "0.01")];
    let Some(mut rig) = Rig::new(&properties) else { return };
    for _ in 0..100 {
        let frame = rig.noise();
        rig.pass(frame);
    }
    rig.drain();
    assert!(alerts(&rig).is_empty(), "{:?}", alerts(&rig));
    let frozen = rig.noise();
    for n in 100..1000 {
        let mut frame = frozen.copy();
        let pts = rig.pts(n);
        frame.get_mut().unwrap().set_pts(pts);
        rig.pass(frame);
    }
    rig.drain();
    let raised = alerts(&rig)[0].clone();
    assert_eq!((raised.alert.kind, raised.alert.track_id), (AlertKind::Raised, None));
    assert!(raised.alert.statistic >= raised.alert.threshold);
    let onset = raised.alert.onset_pts.unwrap();
    assert!((3_500_000_000..=raised.alert.pts).contains(&onset), "{raised:?}");
    assert!(raised.alert.evidence.iter().any(|e| e.signal == "freeze" && !e.reason.is_empty()));
    assert_eq!(alerts(&rig).len(), 1, "once, however long it stands");
    let last = verdicts(&rig).last().unwrap().verdict.clone();
    assert_eq!((last.state, last.alert, last.risk), (State::Attack, true, 1.0));
    rig.element.emit_by_name::<()>("reset", &[]);
    let mut frame = rig.noise();
    frame.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(60));
    rig.pass(frame);
    rig.eos();
    rig.drain();
    let cleared = alerts(&rig)[1];
    assert_eq!((cleared.alert.kind, cleared.alert.epoch), (AlertKind::Cleared, 1));
    let summary = summaries(&rig)[0].clone();
    adds_up(&summary, 1001);
    assert_eq!((summary.alerts, summary.first_alert_pts), (1, Some(raised.alert.pts)));
    assert_eq!((summary.worst_state, summary.worst_risk), (State::Attack, 1.0));
    assert_ne!(summary.state, State::Attack);
    assert!(summary.time_in_state[&State::Attack] > 5_000_000_000, "{summary:?}");
}

#[test]
fn ignored_signals_raise_nothing_and_every_message_names_them() {
    let properties =
        [("mode", "sync"), ("mean-time-between-false-alerts", "0.01"), ("ignore-signals", " freeze,loop")];
    let Some(mut rig) = Rig::new(&properties) else { return };
    let frozen = rig.noise();
    for n in 0..900 {
        let mut frame = frozen.copy();
        let pts = rig.pts(n);
        frame.get_mut().unwrap().set_pts(pts);
        rig.pass(frame);
    }
    rig.eos();
    rig.drain();
    assert!(alerts(&rig).is_empty(), "{:?}", alerts(&rig));
    let told: Vec<_> = verdicts(&rig).iter().flat_map(|v| &v.verdict.stream_evidence).collect();
    assert!(told.iter().any(|e| e.signal == "freeze"), "it is still computed and shown");
    assert!(
        told.iter().all(|e| e.llr == 0.0 && e.reason.ends_with("; ignored by ignore-signals")),
        "{told:?}"
    );
    let headers =
        verdicts(&rig).into_iter().map(|v| &v.header).chain(summaries(&rig).into_iter().map(|s| &s.header));
    assert!(headers.clone().count() > 1);
    assert!(headers.into_iter().all(|h| h.ignored_signals == ["freeze", "loop"]));
}

#[test]
fn the_summary_adds_up() {
    for mode in ["live", "sync"] {
        let Some(mut rig) = Rig::new(&[("mode", mode), ("report-interval", "1")]) else { return };
        let still = rig.noise();
        for n in 0..200 {
            let frame = match n % 7 {
                0 => rig.black(),
                1..4 => {
                    let mut frame = still.copy();
                    frame.get_mut().unwrap().set_pts(rig.pts(rig.made));
                    rig.made += 1;
                    frame
                }
                _ => rig.noise(),
            };
            // The worker is left behind for a while, then keeps up.
            if n % 50 < 25 {
                rig.pass(frame);
            } else {
                rig.pass_settled(frame);
            }
            if n % 50 == 49 {
                rig.element.emit_by_name::<()>("reset", &[]);
            }
        }
        let mut short = gst::Buffer::from_slice([0u8; 9]);
        short.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(20));
        rig.pass(short);
        rig.eos();
        rig.drain();
        assert_eq!(summaries(&rig).len(), 1);
        let summary = summaries(&rig)[0];
        adds_up(summary, 201);
        assert_eq!(summary.frames_skipped.get("unreadable"), Some(&1));
        let spent: u64 = summary.time_in_state.values().sum();
        assert!(summary.duration.is_some_and(|d| d > 0 && spent <= d), "{summary:?}");
        assert_eq!(stat(&rig.element, "frames-seen"), 201);
    }
}

#[test]
fn an_empty_and_an_interlaced_stream_have_a_summary_too() {
    let Some(mut rig) = Rig::new(&[]) else { return };
    rig.eos();
    rig.drain();
    adds_up(summaries(&rig)[0], 0);
    assert_eq!(summaries(&rig)[0].duration, None);
    let caps = "video/x-raw,format=I420,width=160,height=120,framerate=25/1,interlace-mode=interleaved";
    let mut rig = Rig::with_caps(&[], caps).unwrap();
    for _ in 0..5 {
        let frame = rig.noise();
        rig.pass(frame);
    }
    rig.eos();
    let texts = rig.drain();
    assert!(texts.len() == 1 && texts[0].contains("deinterlace"), "{texts:?}");
    let summary = summaries(&rig)[0];
    assert_eq!((summary.frames_seen, summary.frames_sampled), (5, 0));
    assert_eq!(summary.frames_skipped.get("interlaced"), Some(&5));
}
