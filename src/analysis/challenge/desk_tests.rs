//! The state machine: one result each, for the face and the epoch that were asked, whatever happens.

#![allow(clippy::unwrap_used)]

use super::desk::{Desk, Frame, GRACE};
use super::sample::Sample;
use super::simulation::{Chance, still};
use super::{Draws, Kind, Reason, Refusal, Report, Request, State};
use crate::analysis::tracker::REUNION_NS;
use proptest::prelude::*;

const STEP: u64 = 40_000_000;

fn draws() -> Draws {
    Chance(9).draws()
}

/// A desk that has watched these faces for two seconds; the PTS of the last frame.
fn watched(ids: &[u32]) -> (Desk, u64) {
    let mut desk = Desk::default();
    let mut pts = 0;
    for _ in 0..50 {
        pts += STEP;
        assert!(see(&mut desk, pts, ids).is_none());
    }
    (desk, pts)
}

fn see(desk: &mut Desk, pts: u64, ids: &[u32]) -> Option<Report> {
    let faces: Vec<Sample> = ids.iter().map(|id| still(*id)).collect();
    desk.observe(&Frame { epoch: 1, pts, faces: Some(&faces) })
}

/// Shows these faces until there is a result.
fn until_result(desk: &mut Desk, mut pts: u64, step: u64, ids: &[u32]) -> (Report, u64) {
    loop {
        pts += step;
        if let Some(report) = see(desk, pts, ids) {
            return (report, pts);
        }
    }
}

#[test]
fn a_second_one_is_refused_while_one_is_open() {
    let (mut desk, now) = watched(&[1]);
    let request = Request::new(Kind::Blink);
    let first = desk.open(&request, now, &mut draws()).unwrap();
    assert_eq!(desk.open(&request, now, &mut draws()), Err(Refusal::Open(first.nonce.clone())));
    let ended = desk.cancel(Reason::Stopped).unwrap();
    assert_eq!((ended.state, ended.nonce), (State::Cancelled, first.nonce));
    assert!(desk.cancel(Reason::Stopped).is_none());
    assert!(desk.open(&request, now, &mut draws()).is_ok());
}

#[test]
fn what_cannot_be_judged_is_refused_with_a_reason() {
    let request = Request::new(Kind::Flash);
    let refused =
        |desk: &mut Desk, request: &Request, now| desk.open(request, now, &mut draws()).unwrap_err();
    assert_eq!(refused(&mut Desk::default(), &request, 0), Refusal::NotRunning);
    let (mut desk, now) = watched(&[]);
    assert_eq!(refused(&mut desk, &request, now), Refusal::NoFace);
    let (mut desk, now) = watched(&[1, 2]);
    assert_eq!(refused(&mut desk, &request, now), Refusal::SeveralFaces(2));
    let named = |id| Request { track_id: Some(id), ..request.clone() };
    assert_eq!(refused(&mut desk, &named(3), now), Refusal::NoTrack(3));
    assert_eq!(desk.open(&named(2), now, &mut draws()).unwrap().track_id, 2);
    // The face has just gone.
    let (mut desk, now) = watched(&[1]);
    assert_eq!(refused(&mut desk, &request, now + 1_000_000_000), Refusal::NoFace);
    let mut desk = Desk::default();
    see(&mut desk, STEP, &[1]);
    assert_eq!(refused(&mut desk, &request, STEP), Refusal::TooNew);
    let (mut desk, now) = watched(&[1]);
    desk.set_pace(200_000_000);
    assert!(matches!(refused(&mut desk, &request, now), Refusal::TooSlow { needed: 130, found: 200, .. }));
    assert!(desk.open(&Request::new(Kind::TurnHead), now, &mut draws()).is_ok());
    let odd = |change: &dyn Fn(&mut Sample)| {
        let mut desk = Desk::default();
        for i in 1..20 {
            let mut face = still(1);
            change(&mut face);
            desk.observe(&Frame { epoch: 1, pts: i * STEP, faces: Some(&[face]) });
        }
        refused(&mut desk, &Request::new(Kind::FollowDot), 19 * STEP)
    };
    assert_eq!(odd(&|f| f.gaze = None), Refusal::NoIrises);
    assert_eq!(odd(&|f| f.clarity = 0.1), Refusal::TooPoor);
    assert!(matches!(odd(&|f| f.pose.yaw = 0.6), Refusal::Turned(_)));
    assert_eq!(odd(&|f| f.pose.yaw = f32::NAN), Refusal::NoFace);
}

#[test]
fn parameters_out_of_range_are_named() {
    let (mut desk, now) = watched(&[1]);
    let base = Request::new(Kind::Flash);
    for (request, name) in [
        (Request { step_ms: Some(200), ..base.clone() }, "step-ms"),
        (Request { count: Some(3), ..base.clone() }, "count"),
        (Request { angle: Some(30), ..base.clone() }, "angle"),
        (Request { timeout_ms: Some(3_000), ..base.clone() }, "timeout-ms"),
        (Request { timeout_ms: Some(99_000_000), ..base.clone() }, "timeout-ms"),
        (Request { max_delay_ms: Some(1), ..base.clone() }, "max-delay-ms"),
        (Request { max_delay_ms: Some(900), ..Request::new(Kind::Blink) }, "max-delay-ms"),
        (Request { step_ms: Some(500), ..Request::new(Kind::FollowDot) }, "step-ms"),
        (Request { count: Some(1), ..Request::new(Kind::Blink) }, "count"),
        (Request { count: Some(99), ..Request::new(Kind::Hand) }, "count"),
        (Request { angle: Some(90), ..Request::new(Kind::TurnHead) }, "angle"),
    ] {
        let error = desk.open(&request, now, &mut draws()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    let seizure =
        desk.open(&Request { step_ms: Some(300), ..base }, now, &mut draws()).unwrap_err().to_string();
    assert!(seizure.contains("WCAG 2.3.1"), "{seizure}");
}

#[test]
fn the_deadline_is_the_streams() {
    for kind in Kind::ALL {
        let (mut desk, now) = watched(&[1]);
        let request = Request { timeout_ms: Some(20_000), ..Request::new(*kind) };
        let issued = desk.open(&request, now, &mut draws()).unwrap();
        assert_eq!(issued.deadline, now + 20_000_000_000);
        let (result, pts) = until_result(&mut desk, now, STEP, &[1]);
        assert!(pts <= issued.deadline + STEP, "{kind}");
        assert_ne!(result.state, State::Passed, "{kind}: {result:?}");
        assert_eq!(result.nonce, issued.nonce);
    }
}

#[test]
fn who_was_hardly_watched_has_not_failed() {
    for kind in Kind::ALL {
        let (mut desk, now) = watched(&[1]);
        desk.open(&Request::new(*kind), now, &mut draws()).unwrap();
        let (result, _) = until_result(&mut desk, now, 500_000_000, &[1]);
        assert_eq!(result.state, State::NotSeen, "{kind}: {result:?}");
        // In the dark.
        let (mut desk, now) = watched(&[1]);
        desk.open(&Request::new(*kind), now, &mut draws()).unwrap();
        let mut pts = now;
        let result = loop {
            pts += STEP;
            let dark = Sample { clarity: 0.0, ..still(1) };
            if let Some(r) = desk.observe(&Frame { epoch: 1, pts, faces: Some(&[dark]) }) {
                break r;
            }
        };
        assert_eq!(result.state, State::NotSeen, "{kind}: {result:?}");
    }
}

#[test]
fn another_face_is_not_asked_and_ends_it() {
    let (mut desk, now) = watched(&[1]);
    desk.open(&Request::new(Kind::Blink), now, &mut draws()).unwrap();
    let (result, pts) = until_result(&mut desk, now, STEP, &[2]);
    assert_eq!((result.state, result.reason, result.track_id), (State::Cancelled, Reason::TrackChanged, 1));
    assert!(pts - now <= REUNION_NS + 2 * STEP);
    // Somebody who was there before is no stranger; then the face has left.
    let (mut desk, now) = watched(&[1, 2]);
    let request = Request { track_id: Some(1), ..Request::new(Kind::Blink) };
    desk.open(&request, now, &mut draws()).unwrap();
    let (result, _) = until_result(&mut desk, now, STEP, &[2]);
    assert_eq!((result.state, result.reason), (State::NotSeen, Reason::FaceLeft));
}

#[test]
fn a_new_epoch_ends_it_and_old_frames_are_no_news() {
    let (mut desk, now) = watched(&[1]);
    desk.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let result = desk.void(2, Reason::NewEpoch).unwrap();
    assert_eq!((result.state, result.reason, result.epoch), (State::Cancelled, Reason::NewEpoch, 1));
    // A frame of the old epoch that was still in work.
    assert!(see(&mut desk, now + STEP, &[1]).is_none());
    assert_eq!(desk.open(&Request::new(Kind::Hand), now, &mut draws()), Err(Refusal::NotRunning));
    // A frame of an epoch that nobody has announced.
    let (mut desk, now) = watched(&[1]);
    desk.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let faces = [still(1)];
    let frame = Frame { epoch: 5, pts: 1, faces: Some(&faces) };
    assert_eq!(desk.observe(&frame).map(|r| r.reason), Some(Reason::NewEpoch));
}

#[test]
fn without_analysis_it_ends_after_some_grace() {
    let (mut desk, now) = watched(&[1]);
    let issued = desk.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let due = desk.due().unwrap();
    assert_eq!(due, issued.deadline + GRACE);
    assert!(desk.overdue(due).is_none());
    assert_eq!(
        desk.overdue(due + 1).map(|r| (r.state, r.reason)),
        Some((State::NotSeen, Reason::NotAnalysed))
    );
    assert!(desk.overdue(u64::MAX).is_none() && desk.due().is_none());
}

#[test]
fn every_draw_is_another_one() {
    let (mut desk, now) = watched(&[1]);
    let mut chance = Chance(77);
    let mut tasks = Vec::new();
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let report = desk.open(&Request::new(Kind::Flash), now, &mut chance.draws()).unwrap();
        nonces.insert(report.nonce);
        tasks.push(format!("{:?}", report.task));
        desk.cancel(Reason::Stopped);
    }
    tasks.sort();
    tasks.dedup();
    assert_eq!((nonces.len(), tasks.len()), (200, 200));
}

#[derive(Clone, Debug)]
enum Event {
    /// Faces by id, with some wildness, after a step.
    Frame(Vec<(u32, u8)>, u64),
    Duplicate(u64),
    Back,
    Epoch,
    Void,
    Open(usize, Option<u32>, u64),
    Cancel,
    Overdue(u64),
}

fn events() -> impl Strategy<Value = Event> {
    let step = prop_oneof![8 => 1u64..100_000_000, 1 => 0u64..3_000_000_000];
    prop_oneof![
        20 => (proptest::collection::vec((1u32..4, any::<u8>()), 0..3), step.clone()).prop_map(|(f, s)| Event::Frame(f, s)),
        2 => step.prop_map(Event::Duplicate),
        1 => Just(Event::Back),
        1 => Just(Event::Epoch),
        1 => Just(Event::Void),
        4 => (0usize..5, proptest::option::of(1u32..4), any::<u64>()).prop_map(|(k, t, s)| Event::Open(k, t, s)),
        1 => Just(Event::Cancel),
        1 => (0u64..20_000_000_000).prop_map(Event::Overdue),
    ]
}

fn wild(id: u32, how: u8) -> Sample {
    let mut face = still(id);
    let v = f32::from(how % 16) / 8.0 - 1.0;
    match how / 16 {
        0 => face.pose.yaw = v,
        1 => face.pose.pitch = v,
        2 | 3 => face.openness = 0.3 * v.abs(),
        4 => face.gaze = None,
        5 => face.clarity = v.abs(),
        6 => face.detail = [v.abs(); 64],
        7 => face.skin = [[v.abs(), 0.3, 0.2]; 3],
        8 => face.presence = f32::NAN,
        9 => face.skin = [[f32::INFINITY; 3]; 3],
        10 => face.openness = f32::MAX,
        _ => {}
    }
    face
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn exactly_one_result_for_the_face_and_epoch_that_were_asked(events in proptest::collection::vec(events(), 1..400)) {
        let (mut desk, mut pts) = watched(&[1, 2]);
        let mut epoch = 1;
        let mut open: Option<Report> = None;
        for event in events {
            let result = match event {
                Event::Frame(faces, step) => {
                    pts += step;
                    let faces: Vec<Sample> = faces.into_iter().map(|(id, how)| wild(id, how)).collect();
                    desk.observe(&Frame { epoch, pts, faces: Some(&faces) })
                }
                Event::Duplicate(step) => {
                    pts += step;
                    desk.observe(&Frame { epoch, pts, faces: None })
                }
                Event::Back => desk.observe(&Frame { epoch, pts: pts / 2, faces: Some(&[still(1)]) }),
                Event::Epoch => {
                    epoch += 1;
                    None
                }
                Event::Void => {
                    epoch += 1;
                    desk.void(epoch, Reason::NewEpoch)
                }
                Event::Open(kind, track_id, seed) => {
                    let request = Request { track_id, ..Request::new(Kind::ALL[kind]) };
                    match desk.open(&request, pts, &mut Chance(seed).draws()) {
                        Ok(report) => {
                            prop_assert!(open.is_none());
                            prop_assert!(track_id.is_none_or(|t| t == report.track_id));
                            open = Some(report);
                        }
                        Err(Refusal::Open(nonce)) => prop_assert_eq!(Some(nonce), open.as_ref().map(|o| o.nonce.clone())),
                        Err(_) => prop_assert!(open.is_none()),
                    }
                    None
                }
                Event::Cancel => desk.cancel(Reason::Stopped),
                Event::Overdue(after) => desk.overdue(pts.saturating_add(after)),
            };
            if let Some(result) = result {
                let asked = open.take();
                prop_assert!(asked.is_some(), "a result without a question: {:?}", result);
                let asked = asked.unwrap();
                prop_assert_eq!((&result.nonce, result.track_id, result.epoch, result.kind), (&asked.nonce, asked.track_id, asked.epoch, asked.kind));
                prop_assert_eq!(&result.task, &asked.task);
                prop_assert!(result.state > State::Issued && result.state != State::Refused);
                if matches!(result.state, State::Passed | State::Failed) {
                    prop_assert_eq!(result.epoch, epoch);
                    prop_assert!(result.latency_ms.is_none_or(f64::is_finite));
                }
                prop_assert!(result.evidence.values().all(|v| v.is_finite()));
            }
            prop_assert_eq!(open.is_some(), desk.due().is_some());
        }
        // The end comes for all.
        let last = desk.cancel(Reason::EndOfStream);
        prop_assert_eq!(last.map(|r| r.nonce), open.map(|r| r.nonce));
        prop_assert!(desk.cancel(Reason::EndOfStream).is_none());
    }
}
