//! Made-up people and attackers with known truth: who is let through, who is not, and at what noise.
//!
//! The numbers in `docs/challenges.md` are what these tests print (`cargo test --lib challenge -- --nocapture`). They
//! say what the arithmetic does with traces like these, not how real people and cameras behave.

#![allow(clippy::unwrap_used)]

use super::controller::{Controller, Frame, draw};
use super::draws::{Draws, ENOUGH};
use super::report::{Kind, Reason, Report, State};
use super::request::Request;
use super::sample::{CELLS, Sample};
use super::task::Task;
use crate::analysis::face::mesh::Pose;

/// Random numbers that are the same in every run: SplitMix64, Steele, Lea & Flood, OOPSLA 2014.
pub(super) struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn range(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Standard normal, as a sum of twelve.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Waiting time of that mean.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub fn draws(&mut self) -> Draws {
        let mut bytes = [0u8; 4 * ENOUGH];
        for eight in bytes.chunks_exact_mut(8) {
            eight.copy_from_slice(&self.next().to_le_bytes());
        }
        Draws::new(&bytes)
    }
}

/// A face that looks ahead and does nothing.
pub(super) fn still(track_id: u32) -> Sample {
    let mut detail = [0.0; CELLS];
    for (i, d) in detail.iter_mut().enumerate() {
        *d = 0.02 + 0.03 * ((i * 7 % 11) as f32 / 11.0);
    }
    Sample {
        track_id,
        pts: 0,
        pose: Pose::default(),
        openness: 0.3,
        gaze: Some([0.0; 2]),
        presence: 1.0,
        clarity: 0.9,
        skin: [[0.5, 0.35, 0.3], [0.45, 0.3, 0.26], [0.45, 0.31, 0.27]],
        detail,
    }
}

/// What a camera sees `ms` after the challenge was told (before it, negative), if there is a face.
pub(super) type Scene = Box<dyn FnMut(f64, &mut Chance) -> Option<Sample>>;

const START: u64 = 10_000_000_000;

/// Plays a scene, made for the task that was drawn, to its result.
pub(super) fn play(
    request: &Request,
    fps: f64,
    chance: &mut Chance,
    scene: impl FnOnce(&Report, &mut Chance) -> Scene,
) -> Report {
    let mut controller = Controller::default();
    let look = |controller: &mut Controller, pts: u64, face: Option<Sample>| {
        let faces: Vec<Sample> = face.into_iter().collect();
        controller.observe(&Frame { epoch: 1, pts, faces: Some(&faces) })
    };
    let step = (1e9 / fps) as u64;
    for i in (0..50).rev() {
        assert!(look(&mut controller, START - i * step, Some(noisy(still(1), chance))).is_none());
    }
    let mut draws = chance.draws();
    let issued = controller.open(request, START, &mut draws).unwrap();
    let mut scene = scene(&issued, chance);
    for i in 1.. {
        // Cameras are not punctual.
        let pts = START + i * step + (chance.unit() * 0.2 * step as f64) as u64;
        let face = scene((pts - START) as f64 * 1e-6, chance);
        if let Some(result) = look(&mut controller, pts, face) {
            assert_eq!((result.nonce, result.track_id, result.epoch), (issued.nonce, 1, 1));
            assert!(pts <= issued.deadline + 2 * step, "late");
            return Report { nonce: String::new(), ..result };
        }
    }
    unreachable!()
}

/// Landmark noise of a middling camera.
pub(super) fn noisy(mut face: Sample, chance: &mut Chance) -> Sample {
    let degrees = |d: f64| d.to_radians() as f32;
    face.pose.yaw += degrees(1.0 * chance.normal());
    face.pose.pitch += degrees(1.0 * chance.normal());
    face.openness *= 1.0 + 0.05 * chance.normal() as f32;
    if let Some(gaze) = &mut face.gaze {
        gaze.iter_mut().for_each(|g| *g += 0.01 * chance.normal() as f32);
    }
    face.detail.iter_mut().for_each(|d| *d *= 1.0 + 0.1 * chance.normal() as f32);
    for c in face.skin.as_flattened_mut() {
        *c *= 1.0 + 0.001 * chance.normal() as f32;
    }
    face
}

/// How many of `n` are passed; says so.
pub(super) fn passes(what: &str, n: u32, mut one: impl FnMut(&mut Chance) -> Report) -> u32 {
    let mut chance = Chance(0xc0de ^ what.len() as u64);
    let mut states = std::collections::BTreeMap::<_, u32>::new();
    for _ in 0..n {
        let report = one(&mut chance);
        *states.entry(format!("{} ({})", report.state, report.reason)).or_default() += 1;
        assert_ne!(report.state, State::Issued);
    }
    let passed: u32 = states.iter().filter(|s| s.0.starts_with("passed")).map(|s| s.1).sum();
    eprintln!("{what}: {passed} of {n} passed; {states:?}");
    passed
}

pub(super) const N: u32 = 1_000;

/// Skin under a screen: `gain` is the screen's light against the room's.
fn lit(task: Task, gain: f64, delay: f64, noise: f64) -> Scene {
    let Task::Flash(colours) = task else { unreachable!() };
    let linear = |rgb: u32| [16, 8, 0].map(|s| (f64::from(rgb >> s & 0xff) / 255.0).powf(2.2));
    let ends: Vec<(f64, [f64; 3])> = colours
        .iter()
        .scan(0.0, |end, c| {
            *end += f64::from(c.ms);
            Some((*end, linear(c.rgb)))
        })
        .collect();
    let mut balance = [0.0f64; 2];
    Box::new(move |ms, chance| {
        let mut face = noisy(still(1), chance);
        let t = ms - delay;
        let light = ends.iter().find(|(end, _)| t < *end).filter(|_| t >= 0.0).map_or([0.0; 3], |e| e.1);
        // White balance drifts, exposure breathes, the pulse beats.
        balance.iter_mut().for_each(|b| *b = 0.995 * *b + 0.0003 * chance.normal());
        let exposure = 1.0 + 0.03 * (ms / 900.0).sin();
        let pulse = 0.003 * (ms / 1000.0 * 7.5).sin();
        for (part, skin) in face.skin.iter_mut().enumerate() {
            let share = [1.0, 0.8, 0.9][part];
            for (c, v) in skin.iter_mut().enumerate() {
                let drift = [balance[0], 0.0, balance[1]][c];
                let beat = [0.3, 1.0, 0.6][c] * pulse;
                let own = 1.0 + gain * share * light[c] + drift + beat + noise * chance.normal();
                *v = (f64::from(*v) * exposure * own) as f32;
            }
        }
        Some(face)
    })
}

#[test]
fn flash() {
    let request = Request::new(Kind::Flash);
    for (gain, noise, least) in [(0.05, 0.005, 999), (0.02, 0.005, 990), (0.01, 0.005, 900), (0.02, 0.02, 0)]
    {
        let what =
            format!("flash, person, screen {} % of the light, noise {} %", 100.0 * gain, 100.0 * noise);
        let passed = passes(&what, N, |chance| {
            let delay = chance.range(80.0, 1_200.0);
            let report = play(&request, 25.0, chance, |r, _| lit(r.task.clone(), gain, delay, noise));
            if report.state == State::Passed && noise < 0.01 {
                let error = (report.latency_ms.unwrap() - delay).abs();
                assert!(error < 80.0, "{error} of {delay}");
            }
            report
        });
        assert!(passed >= least, "{what}: {passed}");
    }
    for fps in [8.0, 15.0, 30.0] {
        let what = format!("flash, person, screen 5 % of the light, {fps} pictures a second");
        let one =
            |chance: &mut Chance| play(&request, fps, chance, |r, _| lit(r.task.clone(), 0.05, 300.0, 0.005));
        assert!(passes(&what, 200, one) >= 196);
    }
    // Replayed: the light that an earlier challenge threw on the person.
    let replayed = passes("flash, answer to an earlier challenge", N, |chance| {
        let earlier = draw(&request, &mut chance.draws()).unwrap();
        let delay = chance.range(-500.0, 1_500.0);
        play(&request, 25.0, chance, |_, _| lit(earlier, 0.05, delay, 0.005))
    });
    assert!(replayed <= 20, "{replayed}");
    // A recording of a call: no screen flashes, but hues wander.
    for wander in [0.002, 0.01, 0.05] {
        let what = format!("flash, recording, hues wander by {} %", 100.0 * wander);
        let passed = passes(&what, N, |chance| {
            play(&request, 25.0, chance, |_, chance| {
                let keep = chance.range(0.8, 0.99);
                let mut hue = [0.0f64; 2];
                Box::new(move |_, chance| {
                    let mut face = noisy(still(1), chance);
                    let kick = wander * (1.0 - keep * keep).sqrt();
                    hue.iter_mut().for_each(|h| *h = keep * *h + kick * chance.normal());
                    for skin in &mut face.skin {
                        skin[0] *= (1.0 + hue[0]) as f32;
                        skin[2] *= (1.0 + hue[1]) as f32;
                    }
                    Some(face)
                })
            })
        });
        assert!(passed <= 10, "{passed}");
    }
    // Nothing at all: nothing can be told.
    let report = play(&request, 25.0, &mut Chance(1), |_, _| Box::new(|_, _| Some(still(1))));
    assert_eq!((report.state, report.reason), (State::NotSeen, Reason::NoReflection));
    // The light came before the question.
    let early = play(&request, 25.0, &mut Chance(2), |r, _| lit(r.task.clone(), 0.05, -300.0, 0.002));
    assert_eq!((early.state, early.reason), (State::Failed, Reason::TooFast));
}

/// Gaze, degrees to the person's right and down, as iris and head show it.
fn gaze(right: f64, down: f64, head: f64, noise: f64, chance: &mut Chance) -> Sample {
    let mut face = still(1);
    face.pose.yaw = (-right * head + 0.7 * noise * chance.normal()).to_radians() as f32;
    face.pose.pitch = (down * head + 0.7 * noise * chance.normal()).to_radians() as f32;
    let iris = |degrees: f64, chance: &mut Chance| ((1.0 - head) * degrees + noise * chance.normal()) / 143.0;
    face.gaze = Some([iris(-right, chance) as f32, iris(down, chance) as f32]);
    face
}

/// Eyes that follow a path: a screen of 20 degrees' width, 12 of height.
fn following(task: Task, delay: f64, noise: f64, head: f64) -> Scene {
    let Task::FollowDot(path) = task else { unreachable!() };
    let mut last = (0.5, 0.5);
    Box::new(move |ms, chance| {
        let t = ms - delay;
        let after = path.iter().position(|p| f64::from(p.at_ms) > t).unwrap_or(path.len());
        let target = match (after.checked_sub(1).and_then(|i| path.get(i)), path.get(after)) {
            (Some(a), Some(b)) => {
                let w = (t - f64::from(a.at_ms)) / f64::from(b.at_ms - a.at_ms);
                (a.x + w * (b.x - a.x), a.y + w * (b.y - a.y))
            }
            (Some(p), None) | (None, Some(p)) => (p.x, p.y),
            (None, None) => (0.5, 0.5),
        };
        // Eyes lag a little behind.
        last = (last.0 + 0.5 * (target.0 - last.0), last.1 + 0.5 * (target.1 - last.1));
        Some(gaze(20.0 * (last.0 - 0.5), 12.0 * (last.1 - 0.5), head, noise, chance))
    })
}

#[test]
fn follow_dot() {
    let request = Request::new(Kind::FollowDot);
    for (noise, least) in [(1.0, 995), (2.0, 990), (4.0, 900), (8.0, 0)] {
        let what = format!("follow-dot, person, noise {noise} degrees");
        let passed = passes(&what, N, |chance| {
            let (delay, head) = (chance.range(180.0, 900.0), chance.range(0.0, 0.9));
            play(&request, 25.0, chance, |r, _| following(r.task.clone(), delay, noise, head))
        });
        assert!(passed >= least, "{what}: {passed}");
    }
    let replayed = passes("follow-dot, answer to an earlier challenge", N, |chance| {
        let earlier = draw(&request, &mut chance.draws()).unwrap();
        let delay = chance.range(-500.0, 1_500.0);
        play(&request, 25.0, chance, |_, _| following(earlier, delay, 1.0, 0.3))
    });
    assert!(replayed <= 20, "{replayed}");
    let recorded = passes("follow-dot, recording, eyes that look around", N, |chance| {
        play(&request, 25.0, chance, |_, _| {
            let (mut until, mut at) = (0.0, (0.0, 0.0));
            Box::new(move |ms, chance| {
                if ms >= until {
                    until = ms + 150.0 + chance.wait(350.0);
                    at = (chance.range(-10.0, 10.0), chance.range(-6.0, 6.0));
                }
                Some(gaze(at.0, at.1, 0.3, 1.0, chance))
            })
        })
    });
    assert!(recorded <= 10, "{recorded}");
    let still_eyes = passes("follow-dot, photo in a moving hand", N, |chance| {
        play(&request, 25.0, chance, |_, _| {
            let mut sway = [0.0f64; 2];
            Box::new(move |_, chance| {
                sway.iter_mut().for_each(|s| *s = 0.97 * *s + 0.7 * chance.normal());
                Some(gaze(sway[0], sway[1], 1.0, 1.0, chance))
            })
        })
    });
    assert!(still_eyes <= 10, "{still_eyes}");
    // In a mirror everything is the other way round, and the application may say so.
    let mut chance = Chance(5);
    let mirrored = Request { mirrored: true, ..request.clone() };
    let one = play(&mirrored, 25.0, &mut chance, |r, _| following(r.task.clone(), 300.0, 1.0, 0.3));
    assert_eq!(one.state, State::Failed);
    // Told beforehand, or guessed.
    let early = play(&request, 25.0, &mut chance, |r, _| following(r.task.clone(), -250.0, 1.0, 0.3));
    assert_eq!((early.state, early.reason), (State::Failed, Reason::TooFast));
}
