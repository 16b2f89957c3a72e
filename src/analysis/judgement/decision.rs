//! What a session ends in: accept, refer to a person, reject, or not enough to say.
//!
//! Two statistics speak of an attack: the fused one ([`super::fusion`]) of the session as it stands, and the
//! change-detection one ([`super::cusum`]) of an attack that began in the middle, less ln(nm) for the n independent seconds
//! and m hypotheses among which it looks. Both are then on one scale, and the larger one is held against the operating
//! points. A threshold is a rank among genuine sessions ([`GenuineSessions`]), or ln(2/a) for a share a where there are too
//! few of them: as far as the calibrations are right each of the two reaches that in at most a/2 of genuine sessions.
//! `docs/decisions.md` has what was measured.

use super::cusum::INDEPENDENT;
use super::fusion::Posterior;
use crate::analysis::evidence::{GenuineSessions, names};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a session ends in, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Enough was seen, and nothing speaks for an attack.
    Accept,
    /// Too little was seen to say anything: too short, too poor, no face. Never an acceptance.
    #[default]
    Insufficient,
    /// A person should look: more evidence of an attack than the allowed share of genuine sessions has, or a condition
    /// that is not met.
    Refer,
    /// So much evidence of an attack that hardly any genuine session has it.
    Reject,
}
names!(Decision { Accept => "accept", Insufficient => "insufficient", Refer => "refer", Reject => "reject" });

/// How decisions are made. Shares are of genuine sessions, 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Most genuine sessions that are referred (or rejected).
    pub max_false_refer: f64,
    /// Most genuine sessions that are rejected.
    pub max_false_reject: f64,
    /// Expected length of a session, seconds.
    pub session_length: f64,
    /// Probability of an attack before anything is seen.
    pub attack_prior: f64,
    /// Seconds of a face good enough to judge, below which nothing is accepted.
    pub min_good_face: f64,
    /// So many of the last challenges must have been passed, all of them; 0 asks for none.
    pub require_challenges: u32,
    /// The source must be of this class; `None` asks for none.
    pub require_source: Option<String>,
    /// What genuine sessions amount to.
    pub genuine: Arc<GenuineSessions>,
}

impl Default for OperatingPoint {
    fn default() -> Self {
        Self {
            max_false_refer: 0.05,
            max_false_reject: 0.001,
            session_length: 60.0,
            attack_prior: 0.001,
            min_good_face: 5.0,
            require_challenges: 0,
            require_source: None,
            genuine: Arc::default(),
        }
    }
}

impl OperatingPoint {
    /// The statistic that at most `share` of genuine sessions reach, nats.
    fn threshold(&self, share: f64) -> f64 {
        self.genuine.threshold(share).unwrap_or_else(|| -(share / 2.0).clamp(1e-9, 0.5).ln())
    }
}

/// What a session amounts to so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Analysed, with a face, and with a face good enough to judge, seconds.
    pub seconds: f64,
    pub face_seconds: f64,
    pub good_seconds: f64,
    /// There was a face.
    pub seen: bool,
    /// The highest fused statistic of any face, nats; of the stream where there was none.
    pub fused: f64,
    /// The highest change-detection statistic at any time, nats.
    pub change: f64,
    /// The posterior that belongs to `fused`.
    pub posterior: Posterior,
    /// Hypotheses watched in parallel.
    pub hypotheses: usize,
    /// An alert was raised in this session.
    pub alerted: bool,
    /// The last challenges, the newest last: whether each was passed.
    pub challenges: Vec<bool>,
    /// Class of the source, if it was looked at.
    pub source: Option<String>,
    /// What speaks for an attack, the strongest first, in words.
    pub evidence: Vec<String>,
}

impl Standing {
    /// All that speaks for an attack, nats: the fused statistic, or the change-detection one less what so many looks at a
    /// genuine session of `session_length` seconds or more are expected to reach.
    pub fn statistic(&self, session_length: f64) -> f64 {
        let independent = (self.seconds.max(session_length) / INDEPENDENT).max(1.0);
        let looks = independent * self.hypotheses.max(1) as f64;
        self.fused.max(self.change - looks.ln())
    }
}

/// A decision with what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ruling {
    pub decision: Decision,
    pub posterior: Posterior,
    /// Evidence of some attack, nats: see [`Standing::statistic`].
    pub statistic: f64,
    /// Seconds of a face good enough to judge.
    pub good_seconds: f64,
    /// Why, in plain words; never empty.
    pub reasons: Vec<String>,
    /// What would be needed to decide; empty when it is decided.
    pub needed: String,
}

/// Most reasons that are taken over from the evidence.
const MOST_REASONS: usize = 3;

/// Decides on a session as it stands.
pub fn decide(standing: &Standing, point: &OperatingPoint) -> Ruling {
    let statistic = standing.statistic(point.session_length);
    let refer = point.threshold(point.max_false_refer.max(point.max_false_reject));
    let reject = point.threshold(point.max_false_reject).max(refer);
    let missing = (point.min_good_face - standing.good_seconds).max(0.0);
    let unmet = unmet(standing, point);
    let mut reasons = Vec::new();
    let mut needed = String::new();
    let decision = if statistic > refer {
        let (decision, threshold, share) = if statistic > reject {
            (Decision::Reject, reject, point.max_false_reject)
        } else {
            (Decision::Refer, refer, point.max_false_refer)
        };
        reasons.push(evidence_text(standing, statistic, threshold, share));
        reasons.extend(standing.evidence.iter().take(MOST_REASONS).cloned());
        decision
    } else if standing.alerted {
        reasons.push("an alert was raised in this session".to_owned());
        reasons.extend(standing.evidence.iter().take(MOST_REASONS).cloned());
        Decision::Refer
    } else if missing > 0.0 {
        reasons.push(too_little(standing, point));
        needed = format!("{missing:.0} more seconds of one face, near, sharp and well lit");
        Decision::Insufficient
    } else if !unmet.is_empty() {
        needed = unmet.iter().map(|(_, needed)| needed.as_str()).collect::<Vec<_>>().join("; ");
        Decision::Refer
    } else {
        let (s, p) = (standing.good_seconds, 100.0 * standing.posterior.attack);
        reasons.push(format!(
            "{s:.0} s of a good face, and nothing that speaks for an attack beyond what genuine sessions show; \
             probability of an attack {p:.2} %"
        ));
        Decision::Accept
    };
    reasons.extend(unmet.into_iter().map(|(reason, _)| reason));
    let posterior = standing.posterior;
    Ruling { decision, posterior, statistic, good_seconds: standing.good_seconds, reasons, needed }
}

fn evidence_text(standing: &Standing, statistic: f64, threshold: f64, share: f64) -> String {
    let what = if statistic > standing.fused {
        "a change for the worse in mid-session".to_owned()
    } else {
        format!("evidence of an attack ({} is the likeliest)", standing.posterior.likeliest().name())
    };
    let percent = 100.0 * share;
    format!(
        "{what}: {statistic:.1} nats, which at most {percent} % of genuine sessions exceed ({threshold:.1})"
    )
}

fn too_little(standing: &Standing, point: &OperatingPoint) -> String {
    let (good, least) = (standing.good_seconds, point.min_good_face);
    if !standing.seen {
        "no face was seen".to_owned()
    } else if standing.face_seconds < least {
        format!("too short: a face was seen for {:.1} s, {least} s are needed", standing.face_seconds)
    } else {
        format!("too poor: the face was good enough to judge for {good:.1} s, {least} s are needed")
    }
}

/// Conditions that are not met: why, and what would be needed.
fn unmet(standing: &Standing, point: &OperatingPoint) -> Vec<(String, String)> {
    let mut unmet = Vec::new();
    let asked = point.require_challenges as usize;
    let newest = standing.challenges.iter().rev().take(asked);
    let passed = newest.take_while(|passed| **passed).count();
    if passed < asked {
        let had = standing.challenges.len();
        unmet.push((
            format!("{passed} of the last {asked} challenges were passed ({had} were drawn)"),
            format!("{asked} challenges passed in a row"),
        ));
    }
    if let Some(class) = &point.require_source
        && standing.source.as_ref() != Some(class)
    {
        let found = standing.source.as_deref().unwrap_or("not known");
        unmet.push((
            format!("the source is {found}, and {class} is asked for"),
            format!("a source of the class {class}"),
        ));
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good() -> Standing {
        Standing {
            seconds: 30.0,
            face_seconds: 30.0,
            good_seconds: 28.0,
            seen: true,
            hypotheses: 3,
            ..Standing::default()
        }
    }

    fn of(standing: &Standing) -> Decision {
        decide(standing, &OperatingPoint::default()).decision
    }

    #[test]
    fn each_decision_has_its_ground() {
        assert_eq!(of(&good()), Decision::Accept);
        assert_eq!(of(&Standing { fused: 4.0, ..good() }), Decision::Refer);
        assert_eq!(of(&Standing { fused: 8.0, ..good() }), Decision::Reject);
        assert_eq!(of(&Standing { change: 9.0, ..good() }), Decision::Refer);
        assert_eq!(of(&Standing { change: 13.0, ..good() }), Decision::Reject);
        assert_eq!(of(&Standing { alerted: true, ..good() }), Decision::Refer);
        assert_eq!(of(&Standing::default()), Decision::Insufficient);
        let poor = Standing { good_seconds: 1.0, ..good() };
        let ruling = decide(&poor, &OperatingPoint::default());
        assert!(
            ruling.reasons[0].contains("too poor") && ruling.needed.contains("4 more seconds"),
            "{ruling:?}"
        );
        assert_eq!(
            of(&Standing { good_seconds: 0.5, face_seconds: 0.5, fused: 8.0, ..good() }),
            Decision::Reject
        );
    }

    #[test]
    fn conditions_refer_and_never_reject() {
        let point = OperatingPoint { require_challenges: 2, ..OperatingPoint::default() };
        for (challenges, want) in [
            (vec![], Decision::Refer),
            (vec![true], Decision::Refer),
            (vec![true, false], Decision::Refer),
            (vec![false, true, true], Decision::Accept),
        ] {
            let ruling = decide(&Standing { challenges: challenges.clone(), ..good() }, &point);
            assert_eq!(ruling.decision, want, "{challenges:?}");
            assert_eq!(ruling.needed.is_empty(), want == Decision::Accept);
        }
        let point = OperatingPoint { require_source: Some("physical".into()), ..OperatingPoint::default() };
        let ruling = decide(&good(), &point);
        assert!(ruling.decision == Decision::Refer && ruling.reasons[0].contains("not known"), "{ruling:?}");
        let physical = Standing { source: Some("physical".into()), ..good() };
        assert_eq!(decide(&physical, &point).decision, Decision::Accept);
    }

    #[test]
    fn sessions_that_were_measured_go_before_theory() {
        let genuine: Vec<f64> = (0..199).map(|i| f64::from(i) / 100.0).collect();
        let genuine = Arc::new(GenuineSessions::of("x".into(), String::new(), genuine));
        let point = OperatingPoint { genuine, ..OperatingPoint::default() };
        // Of 199, 5 % are 10: the tenth highest is 1.89. A rejection of 0.1 % needs more sessions, and stays at theory.
        for (fused, want) in [(1.89, Decision::Accept), (1.90, Decision::Refer), (7.7, Decision::Reject)] {
            assert_eq!(decide(&Standing { fused, ..good() }, &point).decision, want, "{fused}");
        }
    }

    proptest! {
        #[test]
        fn more_evidence_never_decides_milder(
            fused in -20f64..20.0, change in 0f64..20.0, good_seconds in 0f64..60.0, alerted: bool,
            more in 0f64..10.0, also in 0f64..10.0,
        ) {
            let a = Standing { fused, change, good_seconds, face_seconds: good_seconds, alerted, ..good() };
            let b = Standing { fused: fused + more, change: change + also, ..a.clone() };
            prop_assert!(of(&b) >= of(&a));
            let stricter = OperatingPoint { max_false_refer: 0.01, ..OperatingPoint::default() };
            prop_assert!(decide(&a, &stricter).decision <= of(&a));
        }

        #[test]
        fn what_is_not_a_number_is_never_accepted_silently(good_seconds in 0f64..4.9, fused in prop_oneof![Just(f64::NAN), -5f64..1.0]) {
            let standing = Standing { good_seconds, fused, change: f64::NAN, ..good() };
            let ruling = decide(&standing, &OperatingPoint::default());
            prop_assert!(ruling.decision == Decision::Insufficient && !ruling.reasons.is_empty());
        }
    }
}
