//! What the checks of a source say of simulated cameras and of injected streams. The cameras are *simulated*
//! (`redteam::sensor`): the numbers printed here are no error rates of real ones.
//!
//! `cargo test --features tools --test source -- --nocapture` prints the table. Thresholds were set with the variants of
//! even number only (`SOURCE_SPLIT=even`); those of odd number are for looking.
#![cfg(feature = "tools")]
// Clippy lets tests unwrap, but not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use gstdeepfake::analysis::provenance::{Class, Weighed};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "source/cameras.rs"]
mod cameras;
#[path = "source/chain.rs"]
mod chain;
#[path = "source/injected.rs"]
mod injected;
#[path = "source/judge.rs"]
mod judge;

use judge::{Case, Judged};

type Make = Box<dyn Fn() -> Option<Case> + Send + Sync>;

/// Judges all variants on two threads; those that cannot be made here are left out. Sorted by their number.
fn judge_all(makes: &[(String, Make)]) -> Vec<(usize, String, Judged)> {
    let split = std::env::var("SOURCE_SPLIT").unwrap_or_default();
    let wanted = |i: usize| match split.as_str() {
        "even" => i.is_multiple_of(2),
        "odd" => !i.is_multiple_of(2),
        _ => true,
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((i, (name, make))) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    makes.get(i).map(|m| (i, m))
                } {
                    if wanted(i)
                        && let Some(case) = make()
                    {
                        let judged = case.judge();
                        done.lock().unwrap().push((i, name.clone(), judged));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|d| d.0);
    done
}

fn print(title: &str, all: &[(usize, String, Judged)]) {
    println!("\n{title}");
    for (i, name, judged) in all {
        let Weighed { class, injection, .. } = judged.weighed;
        println!("{i:2} {name:<44} {:<9} {injection:+5.1}  {}", class.name(), judged.spoken());
        if std::env::var_os("SOURCE_VERBOSE").is_some() {
            for finding in &judged.findings {
                println!("       {}: {}", finding.check, finding.reason);
            }
        }
    }
}

#[test]
fn simulated_cameras_are_taken_for_none_of_the_others() {
    let all = judge_all(&cameras::all());
    print("simulated cameras (number, name, class, nats of injection, findings)", &all);
    let count = |limit: f64| all.iter().filter(|a| a.2.weighed.injection > limit).count();
    println!("of {}: {} above 0 nats, {} above 1, {} above 2", all.len(), count(0.0), count(1.0), count(2.0));
    for (_, name, judged) in &all {
        let class = judged.weighed.class;
        assert!(!matches!(class, Class::Virtual | Class::Synthetic | Class::File), "{name}: {judged:?}");
        // Checks that look at pictures must not speak against an honest camera at all.
        for finding in &judged.findings {
            let of_times = ["timestamps", "clock-drift", "delivery"].contains(&finding.check.as_str());
            assert!(of_times || finding.injection <= 0.0, "{name}: {finding:?}");
        }
    }
}

#[test]
fn injected_streams_give_evidence() {
    let all = judge_all(&injected::all());
    print("injected streams (number, name, class, nats of injection, findings)", &all);
    let found = all.iter().filter(|a| a.2.weighed.injection > 0.0).count();
    println!("of {}: {found} above 0 nats", all.len());
    for (_, name, judged) in &all {
        assert_ne!(judged.weighed.class, Class::Physical, "{name}: {judged:?}");
    }
}
