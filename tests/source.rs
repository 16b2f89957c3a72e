//! What the checks of a source say of simulated cameras and of injected streams. The cameras are *simulated*
//! (`redteam::sensor`): the numbers printed here are no error rates of real ones.
//!
//! `cargo test --features tools --test source -- --nocapture` prints the table. Thresholds were set with the variants of
//! even number only (`SOURCE_SPLIT=even`); those of odd number are for looking.
#![cfg(feature = "tools")]
// Clippy lets tests unwrap, but not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use gstdeepfake::analysis::pixels::fingerprint::Fingerprint;
use gstdeepfake::analysis::source::provenance::{Class, Weighed};
use gstdeepfake::analysis::source::{Cadence, Origin};
use gstdeepfake::recorded::Reader;
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

/// How many of the variants each check speaks against, those that thresholds were set with and the others apart.
fn print_rates(all: &[(usize, String, Judged)]) {
    let mut checks: Vec<&str> = all.iter().flat_map(|a| &a.2.findings).map(|f| f.check.as_str()).collect();
    checks.sort_unstable();
    checks.dedup();
    let count = |parity: usize, hit: &dyn Fn(&Judged) -> bool| {
        let among = || all.iter().filter(move |a| a.0 % 2 == parity);
        format!("{}/{}", among().filter(|a| hit(&a.2)).count(), among().count())
    };
    for check in checks {
        let against = |j: &Judged| j.findings.iter().any(|f| f.check == check && f.injection > 0.0);
        println!("   {check:<18} set with {:>6}   others {:>6}", count(0, &against), count(1, &against));
    }
    for limit in [0.0, 1.0, 2.0] {
        let above = |j: &Judged| j.weighed.injection > limit;
        println!(
            "   above {limit} nats       set with {:>6}   others {:>6}",
            count(0, &above),
            count(1, &above)
        );
    }
}

#[test]
fn simulated_cameras_are_taken_for_none_of_the_others() {
    let all = judge_all(&cameras::all());
    print("simulated cameras (number, name, class, nats of injection, findings)", &all);
    print_rates(&all);
    for (_, name, judged) in &all {
        let class = judged.weighed.class;
        assert!(!matches!(class, Class::Virtual | Class::Synthetic | Class::File), "{name}: {judged:?}");
        assert!(judged.weighed.injection < 2.0, "{name}: {judged:?}");
    }
}

#[test]
fn injected_streams_give_evidence() {
    let all = judge_all(&injected::all());
    print("injected streams (number, name, class, nats of injection, findings)", &all);
    print_rates(&all);
    let found = all.iter().filter(|a| a.2.weighed.injection > 0.0).count();
    assert!(4 * found >= 3 * all.len(), "{found} of {}", all.len());
}

#[test]
fn people_on_film_do_not_run_backwards() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fetched/clips");
    let Ok(clips) = std::fs::read_dir(&folder) else {
        println!("skipped: no clips under models/fetched/clips; fetch them to run this test");
        return;
    };
    for path in clips.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "mp4")) {
        let mut cadence = Cadence::default();
        let frames =
            Reader::open(&path).unwrap().map(Result::unwrap).take_while(|f| f.pts_ns < 30_000_000_000);
        for frame in frames {
            cadence.observe(&(frame.pts_ns, Fingerprint::of(&judge::view(&frame))));
        }
        let findings = cadence.findings(&Origin::default());
        println!("{}: {findings:?}", path.display());
        assert!(findings.iter().all(|f| f.injection <= 0.5), "{path:?}: {findings:?}");
    }
}
