//! The same for what is done with head, lids and hands.

#![allow(clippy::unwrap_used)]

use super::controller::draw;
use super::report::{Kind, Reason, State};
use super::request::Request;
use super::simulation::{Chance, N, Scene, noisy, passes, play, still};
use super::task::Task;
use crate::analysis::face::mesh::Pose;

/// A head that turns as asked. `skill`: how far beyond what was asked.
fn turning(task: Task, reaction: f64, chance: &mut Chance) -> Scene {
    let Task::TurnHead(steps) = task else { unreachable!() };
    let mut keys = vec![(reaction, 0.0, 0.0)];
    for step in steps {
        let far = step.angle * chance.range(1.05, 1.4) + 2.0;
        let (left, down) = match step.direction.name() {
            "left" => (far, 0.15 * far),
            "right" => (-far, 0.15 * far),
            "up" => (0.1 * far, -far),
            _ => (0.1 * far, far),
        };
        for (wait, l, d) in [
            (chance.range(300.0, 600.0), left, down),
            (500.0, left, down),
            (500.0, 0.0, 0.0),
            (400.0, 0.0, 0.0),
        ] {
            let at = keys.last().unwrap().0 + wait;
            keys.push((at, l, d));
        }
    }
    Box::new(move |ms, chance| {
        let after = keys.iter().position(|k| k.0 > ms).unwrap_or(keys.len());
        let (l, d) = match (after.checked_sub(1).and_then(|i| keys.get(i)), keys.get(after)) {
            (Some(a), Some(b)) => {
                let w = (ms - a.0) / (b.0 - a.0);
                (a.1 + w * (b.1 - a.1), a.2 + w * (b.2 - a.2))
            }
            _ => (0.0, 0.0),
        };
        let mut face = still(1);
        face.pose = Pose { yaw: l.to_radians() as f32, pitch: d.to_radians() as f32, roll: 0.0 };
        Some(noisy(face, chance))
    })
}

#[test]
fn turn_head() {
    let request = Request::new(Kind::TurnHead);
    let person = passes("turn-head, person", N, |chance| {
        let reaction = chance.range(250.0, 900.0);
        play(&request, 15.0, chance, |r, chance| turning(r.task.clone(), reaction, chance))
    });
    assert!(person >= 990, "{person}");
    let replayed = passes("turn-head, answer to an earlier challenge (1 of 16 is the same)", N, |chance| {
        let earlier = draw(&request, &mut chance.draws()).unwrap();
        play(&request, 15.0, chance, |_, chance| turning(earlier, 400.0, chance))
    });
    assert!((1..=120).contains(&replayed), "{replayed}");
    let recorded = passes("turn-head, recording of a lively head", N, |chance| {
        play(&request, 15.0, chance, |_, _| {
            let (mut until, mut from, mut to, mut began) = (0.0, (0.0, 0.0), (0.0, 0.0), 0.0);
            Box::new(move |ms, chance| {
                if ms >= until {
                    (from, began) = (to, ms);
                    until = ms + 500.0 + chance.wait(900.0);
                    let home = chance.unit() < 0.5;
                    to = if home { (0.0, 0.0) } else { (18.0 * chance.normal(), 9.0 * chance.normal()) };
                }
                let w = ((ms - began) / 400.0).clamp(0.0, 1.0);
                let at = (from.0 + w * (to.0 - from.0), from.1 + w * (to.1 - from.1));
                let mut face = still(1);
                face.pose = Pose {
                    yaw: f64::to_radians(at.0) as f32,
                    pitch: f64::to_radians(at.1) as f32,
                    roll: 0.0,
                };
                Some(noisy(face, chance))
            })
        })
    });
    assert!(recorded <= 100, "{recorded}");
    let early = play(&request, 25.0, &mut Chance(3), |r, chance| turning(r.task.clone(), -150.0, chance));
    assert_eq!((early.state, early.reason), (State::Failed, Reason::TooFast));
    let nothing =
        play(&request, 25.0, &mut Chance(3), |_, _| Box::new(|_, chance| Some(noisy(still(1), chance))));
    assert_eq!((nothing.state, nothing.reason), (State::Failed, Reason::NoAnswer));
}

/// Lids that close at those times, ms, for a while.
fn lids(blinks: Vec<(f64, f64)>) -> Scene {
    Box::new(move |ms, chance| {
        let mut face = still(1);
        for (at, long) in &blinks {
            let phase = (ms - at) / long;
            if (0.0..1.0).contains(&phase) {
                face.openness *= 1.0 - 0.9 * (phase * std::f64::consts::PI).sin() as f32;
            }
        }
        Some(noisy(face, chance))
    })
}

/// Blinks that come by themselves, `mean` ms apart.
fn spontaneous(mean: f64, from: f64, to: f64, chance: &mut Chance) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    let mut at = from;
    loop {
        at += 300.0 + chance.wait(mean - 300.0);
        if at > to {
            return all;
        }
        all.push((at, chance.range(150.0, 300.0)));
    }
}

fn answer(task: &Task, chance: &mut Chance) -> Vec<(f64, f64)> {
    let Task::Blink(count) = task else { unreachable!() };
    let mut at = chance.range(400.0, 1_200.0);
    let mut all = Vec::new();
    for _ in 0..*count {
        let long = chance.range(180.0, 350.0);
        all.push((at, long));
        at += long + chance.range(150.0, 500.0);
    }
    // And then as always.
    all.extend(spontaneous(3_500.0, at + 1_000.0, 10_000.0, chance));
    all
}

#[test]
fn blink() {
    let request = Request::new(Kind::Blink);
    for (fps, least) in [(10.0, 0), (15.0, 850), (25.0, 900), (30.0, 900)] {
        let what = format!("blink, person, {fps} pictures a second");
        let one =
            |chance: &mut Chance| play(&request, fps, chance, |r, chance| lids(answer(&r.task, chance)));
        let passed = passes(&what, N, one);
        assert!(passed >= least, "{what}: {passed}");
    }
    for (mean, people) in [(3_500.0, "at rest"), (2_300.0, "in conversation")] {
        let what = format!("blink, recording of a person {people}");
        let passed = passes(&what, N, |chance| {
            play(&request, 25.0, chance, |_, chance| lids(spontaneous(mean, -1_000.0, 11_000.0, chance)))
        });
        assert!(passed <= 400, "{passed}");
    }
    let replayed = passes("blink, answer to an earlier challenge (1 of 4 is the same)", N, |chance| {
        let earlier = draw(&request, &mut chance.draws()).unwrap();
        play(&request, 25.0, chance, |_, chance| lids(answer(&earlier, chance)))
    });
    assert!((150..=350).contains(&replayed), "{replayed}");
    let photo = play(&request, 25.0, &mut Chance(4), |_, _| lids(Vec::new()));
    assert_eq!((photo.state, photo.reason), (State::Failed, Reason::NoAnswer));
}

/// A face that is hidden at those times, ms, for a while.
fn hidden(passes: Vec<(f64, f64)>, lost: bool) -> Scene {
    Box::new(move |ms, chance| {
        let mut face = noisy(still(1), chance);
        if passes.iter().any(|(at, long)| ms >= *at && ms < at + long) {
            if lost {
                return None;
            }
            // A hand has hardly any detail, and what it has is elsewhere.
            for (i, d) in face.detail.iter_mut().enumerate() {
                *d = if i % 8 < 6 { 0.006 } else { *d };
            }
        }
        Some(face)
    })
}

fn waves(task: &Task, chance: &mut Chance) -> Vec<(f64, f64)> {
    let Task::Hand(count) = task else { unreachable!() };
    let mut at = chance.range(500.0, 1_500.0);
    (0..*count)
        .map(|_| {
            let one = (at, chance.range(250.0, 900.0));
            at += one.1 + chance.range(450.0, 900.0);
            one
        })
        .collect()
}

#[test]
fn hand() {
    let request = Request::new(Kind::Hand);
    for lost in [false, true] {
        let what = format!("hand, person, face {}", if lost { "lost" } else { "deformed" });
        let one = |chance: &mut Chance| {
            play(&request, 15.0, chance, |r, chance| hidden(waves(&r.task, chance), lost))
        };
        let passed = passes(&what, N, one);
        assert!(passed >= 970, "{what}: {passed}");
    }
    let replayed = passes("hand, answer to an earlier challenge (1 of 3 is the same)", N, |chance| {
        let earlier = draw(&request, &mut chance.draws()).unwrap();
        play(&request, 15.0, chance, |_, chance| hidden(waves(&earlier, chance), false))
    });
    assert!((230..=430).contains(&replayed), "{replayed}");
    let nothing = passes("hand, recording without a hand", N, |chance| {
        play(&request, 15.0, chance, |_, _| hidden(Vec::new(), false))
    });
    assert_eq!(nothing, 0);
    // The face stays away.
    let gone = play(&request, 15.0, &mut Chance(6), |_, _| hidden(vec![(500.0, 1e9)], true));
    assert_eq!((gone.state, gone.reason), (State::NotSeen, Reason::FaceLeft));
}
