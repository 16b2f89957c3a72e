//! Signals that are told to count for nothing, and all others beside them.

use super::{Rig, Scene, forgery};
use gstdeepfake::analysis::engine::{Outcome, Trace};
use gstdeepfake::analysis::evidence::Evidence;
use gstdeepfake::analysis::source::provenance::Source;

/// A face that stands still, freezes, and comes from a suspicious source, under a network that takes it for a swap.
fn run(ignored: &str) -> (f64, Vec<Outcome>, Vec<Trace>) {
    let mut rig = Rig::without(vec![forgery(true)], ignored);
    rig.engine.enable_traces();
    rig.set(|s| *s = Scene { faces: vec![0.5], present: true, score: 1.0, ..Scene::default() });
    rig.engine.set_source(Some(Source { injection: 3.0, confidence: 0.8, ..Source::default() }));
    let outcomes = (0..150).map(|i| rig.step((60..90).contains(&i))).collect();
    (rig.engine.threshold(), outcomes, rig.engine.take_traces())
}

fn evidence(outcome: &Outcome) -> impl Iterator<Item = &Evidence> {
    let verdict = &outcome.verdict;
    verdict.tracks.iter().flat_map(|t| &t.evidence).chain(&verdict.stream_evidence)
}

/// Nats of the signal at their most, in alerts as well.
fn most(outcomes: &[Outcome], signal: &str) -> f64 {
    let alerts = outcomes.iter().flat_map(|o| &o.alerts).flat_map(|a| &a.evidence);
    let said = outcomes.iter().flat_map(evidence).chain(alerts).filter(|e| e.signal == signal);
    said.map(|e| e.llr.abs()).fold(f64::NAN, f64::max)
}

#[test]
fn what_is_ignored_adds_nothing_in_any_family_and_the_rest_is_as_it_was() {
    // Presentation, forgery, replay and injection.
    let signals = ["micro-motion", "swap", "freeze", "provenance"];
    let (_, full, traces) = run("");
    assert!(signals.iter().all(|s| most(&full, s) > 1.0), "all of them speak");
    assert!(full.iter().any(|o| !o.alerts.is_empty()));
    for ignored in signals {
        let (_, without, silent) = run(ignored);
        assert_eq!(silent, traces, "{ignored} is measured as ever");
        assert_eq!(most(&without, ignored), 0.0);
        for (a, b) in full.iter().zip(&without) {
            let told = |o: &Outcome, ignored_too: bool| -> Vec<Evidence> {
                let mut all: Vec<_> =
                    evidence(o).filter(|e| ignored_too == (e.signal == ignored)).cloned().collect();
                all.sort_by(|a, b| a.signal.cmp(&b.signal));
                all
            };
            assert_eq!(told(a, false), told(b, false), "without {ignored}");
            let (was, is) = (told(a, true), told(b, true));
            assert_eq!(was.len(), is.len(), "{ignored} is still shown");
            for (was, is) in was.iter().zip(is) {
                let reason = format!("{}; ignored by ignore-signals", was.reason);
                let nothing = Evidence { signal: ignored.into(), llr: 0.0, quality: 0.0, reason };
                assert_eq!(is, nothing);
            }
        }
        let alerts = without.iter().flat_map(|o| &o.alerts);
        assert!(alerts.flat_map(|a| a.evidence.first()).all(|e| e.signal != ignored), "{ignored}");
    }
    let (_, none, _) = run(&signals.join(","));
    assert!(none.iter().all(|o| o.alerts.is_empty() && o.verdict.risk == 0.0));
}

#[test]
fn a_network_of_forgeries_that_is_ignored_is_no_hypothesis() {
    let [(full, ..), (other, ..), (without, ..)] = ["", "freeze", "swap"].map(run);
    assert_eq!(full, other);
    assert!((full - without - (3.0f64 / 2.0).ln()).abs() < 1e-9, "{full} {without}");
}
