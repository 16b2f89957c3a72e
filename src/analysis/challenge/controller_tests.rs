//! The state machine: one result each, for the face and the epoch that were asked, whatever happens.

#![allow(clippy::unwrap_used)]

use super::controller::{Controller, Frame, GRACE};
use super::draws::Draws;
use super::report::{Kind, Reason, Report, State};
use super::request::{Refusal, Request};
use super::sample::Sample;
use super::simulation::{Chance, still};
use crate::analysis::face::tracker::REUNION_NS;
use proptest::prelude::*;

const STEP: u64 = 40_000_000;

fn draws() -> Draws {
    Chance(9).draws()
}

/// A controller that has watched these faces for two seconds; the PTS of the last frame.
fn watched(ids: &[u32]) -> (Controller, u64) {
    let mut controller = Controller::default();
    let mut pts = 0;
    for _ in 0..50 {
        pts += STEP;
        assert!(see(&mut controller, pts, ids).is_none());
    }
    (controller, pts)
}

fn see(controller: &mut Controller, pts: u64, ids: &[u32]) -> Option<Report> {
    let faces: Vec<Sample> = ids.iter().map(|id| still(*id)).collect();
    controller.observe(&Frame { epoch: 1, pts, faces: Some(&faces) })
}

/// Shows these faces until there is a result.
fn until_result(controller: &mut Controller, mut pts: u64, step: u64, ids: &[u32]) -> (Report, u64) {
    loop {
        pts += step;
        if let Some(report) = see(controller, pts, ids) {
            return (report, pts);
        }
    }
}

#[test]
fn a_second_one_is_refused_while_one_is_open() {
    let (mut controller, now) = watched(&[1]);
    let request = Request::new(Kind::Blink);
    let first = controller.open(&request, now, &mut draws()).unwrap();
    assert_eq!(controller.open(&request, now, &mut draws()), Err(Refusal::Open(first.nonce.clone())));
    let ended = controller.cancel(Reason::Stopped).unwrap();
    assert_eq!((ended.state, ended.nonce), (State::Cancelled, first.nonce));
    assert!(controller.cancel(Reason::Stopped).is_none());
    assert!(controller.open(&request, now, &mut draws()).is_ok());
}

#[test]
fn what_cannot_be_judged_is_refused_with_a_reason() {
    let request = Request::new(Kind::Flash);
    let refused = |controller: &mut Controller, request: &Request, now| {
        controller.open(request, now, &mut draws()).unwrap_err()
    };
    assert_eq!(refused(&mut Controller::default(), &request, 0), Refusal::NotRunning);
    let (mut controller, now) = watched(&[]);
    assert_eq!(refused(&mut controller, &request, now), Refusal::NoFace);
    let (mut controller, now) = watched(&[1, 2]);
    assert_eq!(refused(&mut controller, &request, now), Refusal::SeveralFaces(2));
    let named = |id| Request { track_id: Some(id), ..request.clone() };
    assert_eq!(refused(&mut controller, &named(3), now), Refusal::NoTrack(3));
    assert_eq!(controller.open(&named(2), now, &mut draws()).unwrap().track_id, 2);
    // The face has just gone.
    let (mut controller, now) = watched(&[1]);
    assert_eq!(refused(&mut controller, &request, now + 1_000_000_000), Refusal::NoFace);
    let mut controller = Controller::default();
    see(&mut controller, STEP, &[1]);
    assert_eq!(refused(&mut controller, &request, STEP), Refusal::TooNew);
    let (mut controller, now) = watched(&[1]);
    controller.set_pace(200_000_000);
    assert!(matches!(
        refused(&mut controller, &request, now),
        Refusal::TooSlow { needed: 130, found: 200, .. }
    ));
    assert!(controller.open(&Request::new(Kind::TurnHead), now, &mut draws()).is_ok());
    let odd = |change: &dyn Fn(&mut Sample)| {
        let mut controller = Controller::default();
        for i in 1..20 {
            let mut face = still(1);
            change(&mut face);
            controller.observe(&Frame { epoch: 1, pts: i * STEP, faces: Some(&[face]) });
        }
        refused(&mut controller, &Request::new(Kind::FollowDot), 19 * STEP)
    };
    assert_eq!(odd(&|f| f.gaze = None), Refusal::NoIrises);
    assert_eq!(odd(&|f| f.clarity = 0.1), Refusal::TooPoor);
    assert!(matches!(odd(&|f| f.pose.yaw = 0.6), Refusal::Turned(_)));
    assert_eq!(odd(&|f| f.pose.yaw = f32::NAN), Refusal::NoFace);
}

#[test]
fn parameters_out_of_range_are_named() {
    let (mut controller, now) = watched(&[1]);
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
        let error = controller.open(&request, now, &mut draws()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    let seizure =
        controller.open(&Request { step_ms: Some(300), ..base }, now, &mut draws()).unwrap_err().to_string();
    assert!(seizure.contains("WCAG 2.3.1"), "{seizure}");
}

#[test]
fn the_deadline_is_the_streams() {
    for kind in Kind::ALL {
        let (mut controller, now) = watched(&[1]);
        let request = Request { timeout_ms: Some(20_000), ..Request::new(*kind) };
        let issued = controller.open(&request, now, &mut draws()).unwrap();
        assert_eq!(issued.deadline, now + 20_000_000_000);
        let (result, pts) = until_result(&mut controller, now, STEP, &[1]);
        assert!(pts <= issued.deadline + STEP, "{kind}");
        assert_ne!(result.state, State::Passed, "{kind}: {result:?}");
        assert_eq!(result.nonce, issued.nonce);
    }
}

#[test]
fn who_was_hardly_watched_has_not_failed() {
    for kind in Kind::ALL {
        let (mut controller, now) = watched(&[1]);
        controller.open(&Request::new(*kind), now, &mut draws()).unwrap();
        let (result, _) = until_result(&mut controller, now, 500_000_000, &[1]);
        assert_eq!(result.state, State::NotSeen, "{kind}: {result:?}");
        // In the dark.
        let (mut controller, now) = watched(&[1]);
        controller.open(&Request::new(*kind), now, &mut draws()).unwrap();
        let mut pts = now;
        let result = loop {
            pts += STEP;
            let dark = Sample { clarity: 0.0, ..still(1) };
            if let Some(r) = controller.observe(&Frame { epoch: 1, pts, faces: Some(&[dark]) }) {
                break r;
            }
        };
        assert_eq!(result.state, State::NotSeen, "{kind}: {result:?}");
    }
}

#[test]
fn another_face_is_not_asked_and_ends_it() {
    let (mut controller, now) = watched(&[1]);
    controller.open(&Request::new(Kind::Blink), now, &mut draws()).unwrap();
    let (result, pts) = until_result(&mut controller, now, STEP, &[2]);
    assert_eq!((result.state, result.reason, result.track_id), (State::Cancelled, Reason::TrackChanged, 1));
    assert!(pts - now <= REUNION_NS + 2 * STEP);
    // Somebody who was there before is no stranger; then the face has left.
    let (mut controller, now) = watched(&[1, 2]);
    let request = Request { track_id: Some(1), ..Request::new(Kind::Blink) };
    controller.open(&request, now, &mut draws()).unwrap();
    let (result, _) = until_result(&mut controller, now, STEP, &[2]);
    assert_eq!((result.state, result.reason), (State::NotSeen, Reason::FaceLeft));
}

#[test]
fn a_new_epoch_ends_it_and_old_frames_are_no_news() {
    let (mut controller, now) = watched(&[1]);
    controller.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let result = controller.void(2, Reason::NewEpoch).unwrap();
    assert_eq!((result.state, result.reason, result.epoch), (State::Cancelled, Reason::NewEpoch, 1));
    // A frame of the old epoch that was still in work.
    assert!(see(&mut controller, now + STEP, &[1]).is_none());
    assert_eq!(controller.open(&Request::new(Kind::Hand), now, &mut draws()), Err(Refusal::NotRunning));
    // A frame of an epoch that nobody has announced.
    let (mut controller, now) = watched(&[1]);
    controller.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let faces = [still(1)];
    let frame = Frame { epoch: 5, pts: 1, faces: Some(&faces) };
    assert_eq!(controller.observe(&frame).map(|r| r.reason), Some(Reason::NewEpoch));
}

#[test]
fn without_analysis_it_ends_after_some_grace() {
    let (mut controller, now) = watched(&[1]);
    let issued = controller.open(&Request::new(Kind::Hand), now, &mut draws()).unwrap();
    let due = controller.due().unwrap();
    assert_eq!(due, issued.deadline + GRACE);
    assert!(controller.overdue(due).is_none());
    assert_eq!(
        controller.overdue(due + 1).map(|r| (r.state, r.reason)),
        Some((State::NotSeen, Reason::NotAnalysed))
    );
    assert!(controller.overdue(u64::MAX).is_none() && controller.due().is_none());
}

#[test]
fn every_draw_is_another_one() {
    let (mut controller, now) = watched(&[1]);
    let mut chance = Chance(77);
    let mut tasks = Vec::new();
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let report = controller.open(&Request::new(Kind::Flash), now, &mut chance.draws()).unwrap();
        nonces.insert(report.nonce);
        tasks.push(format!("{:?}", report.task));
        controller.cancel(Reason::Stopped);
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
        let (mut controller, mut pts) = watched(&[1, 2]);
        let mut epoch = 1;
        let mut open: Option<Report> = None;
        for event in events {
            let result = match event {
                Event::Frame(faces, step) => {
                    pts += step;
                    let faces: Vec<Sample> = faces.into_iter().map(|(id, how)| wild(id, how)).collect();
                    controller.observe(&Frame { epoch, pts, faces: Some(&faces) })
                }
                Event::Duplicate(step) => {
                    pts += step;
                    controller.observe(&Frame { epoch, pts, faces: None })
                }
                Event::Back => controller.observe(&Frame { epoch, pts: pts / 2, faces: Some(&[still(1)]) }),
                Event::Epoch => {
                    epoch += 1;
                    None
                }
                Event::Void => {
                    epoch += 1;
                    controller.void(epoch, Reason::NewEpoch)
                }
                Event::Open(kind, track_id, seed) => {
                    let request = Request { track_id, ..Request::new(Kind::ALL[kind]) };
                    match controller.open(&request, pts, &mut Chance(seed).draws()) {
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
                Event::Cancel => controller.cancel(Reason::Stopped),
                Event::Overdue(after) => controller.overdue(pts.saturating_add(after)),
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
            prop_assert_eq!(open.is_some(), controller.due().is_some());
        }
        // The end comes for all.
        let last = controller.cancel(Reason::EndOfStream);
        prop_assert_eq!(last.map(|r| r.nonce), open.map(|r| r.nonce));
        prop_assert!(controller.cancel(Reason::EndOfStream).is_none());
    }
}
