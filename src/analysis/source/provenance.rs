//! Where a stream comes from: findings about its source, weighed into a class and into evidence of injection.
//!
//! A finding gives up to two numbers, both log-likelihood ratios in nats. Its *weight* speaks for one class against the
//! others (or, negative, against it). Its *injection* speaks for a source that is not what it claims to be, against an
//! honest one of the same claim: a file that is opened as a file is no injection, the same file behind a device node
//! that says "Webcam" is. Names prove nothing by themselves, so what only repeats a name weighs little.

use crate::analysis::evidence::names;
use serde::{Deserialize, Serialize};

/// Kinds of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A camera: a sensor behind optics on a physical bus.
    Physical,
    /// A device or node that looks like a camera and is fed by software (loopback, virtual camera, gadget).
    Virtual,
    /// A recording.
    File,
    /// Another machine's stream.
    Network,
    /// Computed pictures (test patterns).
    Synthetic,
    /// Another program, or the application itself (`appsrc`, shared memory, another pipeline).
    Application,
    /// Not enough is known. A legal answer.
    #[default]
    Unknown,
}
names!(Class {
    Physical => "physical", Virtual => "virtual", File => "file", Network => "network",
    Synthetic => "synthetic", Application => "application", Unknown => "unknown",
});

/// How a check ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It found something, and its numbers count.
    #[default]
    Found,
    /// It ran and has nothing to say either way.
    Nothing,
    /// What it needs could not be read (permission, no such node, time-out); the reason says why. Not innocence.
    NotReadable,
}
names!(Outcome { Found => "found", Nothing => "nothing", NotReadable => "not-readable" });

/// What one check says of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name, kebab-case (`element`, `v4l2-driver`, `usb-bus`, `timestamps`, `sensor-noise`, ...). A newer
    /// finding of the same name replaces the older one.
    pub check: String,
    pub outcome: Outcome,
    /// The class that `weight` speaks of.
    pub class: Option<Class>,
    /// For that class against all others, nats; negative against it.
    pub weight: f64,
    /// For an injected source against an honest one of the same claim, nats.
    pub injection: f64,
    /// One line for a person.
    pub reason: String,
}

impl Finding {
    /// A finding that speaks for a class.
    pub fn of(check: &str, class: Class, weight: f64, reason: impl Into<String>) -> Self {
        Self { check: check.to_owned(), class: Some(class), weight, reason: reason.into(), ..Self::default() }
    }

    /// The same finding, with evidence of injection.
    #[must_use]
    pub fn injected(self, nats: f64) -> Self {
        Self { injection: nats, ..self }
    }

    /// A check that ran and has nothing to say.
    pub fn nothing(check: &str, reason: impl Into<String>) -> Self {
        let outcome = Outcome::Nothing;
        Self { check: check.to_owned(), outcome, reason: reason.into(), ..Self::default() }
    }

    /// A check that could not read what it needs.
    pub fn not_readable(check: &str, reason: impl Into<String>) -> Self {
        let outcome = Outcome::NotReadable;
        Self { check: check.to_owned(), outcome, reason: reason.into(), ..Self::default() }
    }
}

/// What is known of a stream's source at a moment, as the verdict carries it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub class: Class,
    /// Probability of that class, 0..1.
    pub confidence: f64,
    /// For an injected source against an honest one of the same claim, nats.
    pub injection: f64,
    /// The strongest finding's.
    pub reason: String,
}

/// No single finding counts for more than this, nats: each can be forged, misread or plainly wrong.
pub const FINDING_CAP: f64 = 7.0;
/// All findings together count for no more than this as evidence of injection, nats: short of an alert at the default
/// rate of false alerts, so that provenance alone raises one by policy only.
pub const INJECTION_CAP: f64 = 12.0;
/// Log-odds head start of `unknown`: a class must be worth more than this to be named at all.
const UNKNOWN_PRIOR: f64 = 2.0;

/// The classes' probabilities and the evidence of injection that follow from some findings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    pub class: Class,
    /// Probability of that class among all, 0..1.
    pub confidence: f64,
    /// Nats; positive for injection.
    pub injection: f64,
}

/// Weighs findings. The order does not matter; non-finite numbers count as 0.
pub fn weigh<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Weighed {
    let mut scores = [0.0f64; Class::ALL.len()];
    let mut injection = 0.0;
    let capped = |v: f64| if v.is_finite() { v.clamp(-FINDING_CAP, FINDING_CAP) } else { 0.0 };
    let mut counted: Vec<_> = findings.into_iter().filter(|f| f.outcome == Outcome::Found).collect();
    // Sums of floating-point numbers depend on their order.
    counted.sort_by(|a, b| a.weight.total_cmp(&b.weight).then(a.injection.total_cmp(&b.injection)));
    for finding in counted {
        for (score, class) in scores.iter_mut().zip(Class::ALL) {
            if finding.class == Some(*class) {
                *score += capped(finding.weight);
            }
        }
        injection += capped(finding.injection);
    }
    for (score, class) in scores.iter_mut().zip(Class::ALL) {
        if *class == Class::Unknown {
            *score += UNKNOWN_PRIOR;
        }
    }
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|s| (s - highest).exp()).sum();
    let best = scores.iter().zip(Class::ALL).max_by(|a, b| a.0.total_cmp(b.0));
    Weighed {
        class: best.map_or(Class::Unknown, |(_, class)| *class),
        confidence: 1.0 / total,
        injection: injection.clamp(-INJECTION_CAP, INJECTION_CAP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_known_is_unknown() {
        assert_eq!(weigh([]).class, Class::Unknown);
        let unread = Finding { weight: 7.0, ..Finding::not_readable("v4l2-driver", "permission denied") };
        assert_eq!(weigh([&Finding { class: Some(Class::Physical), ..unread }]).class, Class::Unknown);
    }

    #[test]
    fn a_forged_name_does_not_outweigh_a_driver() {
        let name = Finding::of("card-name", Class::Physical, 0.5, "calls itself a webcam");
        let driver = Finding::of("v4l2-driver", Class::Virtual, 6.0, "driver v4l2 loopback").injected(4.0);
        let weighed = weigh([&name, &driver]);
        assert_eq!(weighed.class, Class::Virtual);
        assert!(weighed.confidence > 0.9, "{weighed:?}");
        assert!((weighed.injection - 4.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn any_findings_weigh_something_finite(
            all in prop::collection::vec((any::<f64>(), any::<f64>(), 0usize..7, 0usize..3), 0..40)
        ) {
            let findings: Vec<_> = all.iter().map(|(w, i, c, o)| Finding {
                outcome: Outcome::ALL[*o], ..Finding::of("x", Class::ALL[*c], *w, "").injected(*i)
            }).collect();
            let weighed = weigh(&findings);
            prop_assert!((1.0 / 7.0 - 1e-9..=1.0).contains(&weighed.confidence));
            prop_assert!(weighed.injection.abs() <= INJECTION_CAP);
            let mut reversed = findings;
            reversed.reverse();
            prop_assert_eq!(weigh(&reversed).class, weighed.class);
        }
    }
}
