//! One posterior over kinds of attack, from calibrated log-likelihood ratios.
//!
//! The hypotheses exclude each other: genuine, or one [`Family`] of attack. What signals say of a family adds up, each
//! with the weight that its calibration leaves it beside the others (dependence between signals). Dependence between
//! successive seconds of one scene is met by forgetting: evidence that flows is worth at most [`FORGETTING`] seconds of
//! itself, however long it flows (an effective sample size). Evidence that comes once and stands (provenance, networks
//! whose word counts once a face) is not forgotten. Where a family has no evidence (none, or
//! of 0 nats), nothing is added and nothing is forgotten: silence is neutral.
//!
//! The statistic, ln of the mean over families of their likelihood ratios, is itself a log-likelihood ratio of "some
//! attack" against genuine. Under genuine its exponential has mean 1 at most, so that it reaches ln(1/a) with a
//! probability of at most a (Ville, "Étude critique de la notion de collectif", 1939; Grünwald, de Heide & Koolen,
//! "Safe testing", JRSS B 2024), as far as the calibrations are right.

use super::cusum::Contribution;
use crate::analysis::evidence::Family;
use serde::{Deserialize, Serialize};

/// Seconds of steady evidence that count, for each family.
pub const FORGETTING: f64 = 12.0;
/// No family's log-likelihood ratio is taken as larger than this either way, nats.
const MOST: f64 = 40.0;
const KINDS: usize = Family::ALL.len();

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fusion {
    flowing: [f64; KINDS],
    standing: [f64; KINDS],
}

impl Fusion {
    /// Adds what was said in one frame; `dt` are the seconds since the last one. Contributions that are not finite are left out.
    pub fn update(&mut self, contributions: &[Contribution], dt: f64) {
        let keep = if dt.is_finite() { (-dt.max(0.0) / FORGETTING).exp() } else { 1.0 };
        let families = self.flowing.iter_mut().zip(&mut self.standing).zip(Family::ALL);
        for ((flowing, standing), family) in families {
            let of = |stands: bool| {
                let mut said = contributions
                    .iter()
                    .filter(|c| {
                        c.family == family && c.stands == stands && c.gain.is_finite() && c.gain != 0.0
                    })
                    .map(|c| c.gain)
                    .peekable();
                said.peek().is_some().then(|| said.sum::<f64>())
            };
            if let Some(gain) = of(false) {
                *flowing = (*flowing * keep + gain).clamp(-MOST, MOST);
            }
            if let Some(gain) = of(true) {
                *standing = (*standing + gain).clamp(-MOST, MOST);
            }
        }
    }

    /// Log-likelihood ratio of that family against genuine, nats, within ±40.
    pub fn llr(&self, family: Family) -> f64 {
        let at = |all: &[f64; KINDS]| all.get(family as usize).copied().unwrap_or_default();
        (at(&self.flowing) + at(&self.standing)).clamp(-MOST, MOST)
    }

    /// Log-likelihood ratio of some attack, families alike, against genuine, nats. `beside` as in [`Fusion::posterior`].
    pub fn statistic(&self, beside: Option<&Self>) -> f64 {
        log_sum_exp(Family::ALL.map(|f| self.with(beside, f))) - (KINDS as f64).ln()
    }

    fn with(&self, beside: Option<&Self>, family: Family) -> f64 {
        (self.llr(family) + beside.map_or(0.0, |b| b.llr(family))).clamp(-MOST, MOST)
    }

    /// Probabilities, if an attack has the probability `prior` before anything is seen and its families are alike.
    /// `beside` is evidence about the same scene from elsewhere (that of the stream, for a face).
    pub fn posterior(&self, prior: f64, beside: Option<&Self>) -> Posterior {
        let prior = if prior.is_finite() { prior.clamp(1e-9, 1.0 - 1e-9) } else { 0.5 };
        let each = (prior / KINDS as f64).ln();
        let attacks = Family::ALL.map(|f| each + self.with(beside, f));
        let all = log_sum_exp([log_sum_exp(attacks), (1.0 - prior).ln()]);
        let [presentation, replay, forgery, injection] = attacks.map(|a| (a - all).exp());
        let attack = (log_sum_exp(attacks) - all).exp().min(1.0);
        Posterior { attack, presentation, replay, forgery, injection }
    }
}

fn log_sum_exp<const N: usize>(all: [f64; N]) -> f64 {
    let top = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + all.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

/// Probabilities, 0..1: of any attack, and of each kind. What is left is genuine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Posterior {
    pub attack: f64,
    pub presentation: f64,
    pub replay: f64,
    pub forgery: f64,
    pub injection: f64,
}

impl Posterior {
    /// Of that kind.
    pub const fn of(&self, family: Family) -> f64 {
        match family {
            Family::Presentation => self.presentation,
            Family::Replay => self.replay,
            Family::Forgery => self.forgery,
            Family::Injection => self.injection,
        }
    }

    /// The likeliest kind of attack.
    pub fn likeliest(&self) -> Family {
        let likelier = |a: Family, b: Family| if self.of(b) > self.of(a) { b } else { a };
        Family::ALL.into_iter().reduce(likelier).unwrap_or(Family::Presentation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(family: Family, gain: f64) -> Contribution {
        Contribution { signal: "s".into(), family, gain, stands: false }
    }

    fn family() -> impl Strategy<Value = Family> {
        (0..KINDS).prop_map(|i| Family::ALL[i])
    }

    fn contribution() -> impl Strategy<Value = Contribution> {
        (family(), -3f64..3.0, any::<bool>()).prop_map(|(family, gain, stands)| Contribution {
            signal: "s".into(),
            family,
            gain,
            stands,
        })
    }

    #[test]
    fn the_prior_is_what_is_believed_before_anything_is_seen() {
        let p = Fusion::default().posterior(0.001, None);
        assert!((p.attack - 0.001).abs() < 1e-12 && (p.forgery - 0.000_25).abs() < 1e-12, "{p:?}");
        assert!(Fusion::default().statistic(None).abs() < 1e-12);
    }

    #[test]
    fn bayes_by_hand() {
        let mut fusion = Fusion::default();
        fusion.update(&[said(Family::Forgery, 1000f64.ln())], 0.0);
        let p = fusion.posterior(0.001, None);
        let attack = 0.000_25 * 1000.0 + 0.000_75;
        assert!((p.attack - attack / (attack + 0.999)).abs() < 1e-9, "{p:?}");
        assert_eq!(p.likeliest(), Family::Forgery);
        assert!((fusion.statistic(None) - (1003f64 / 4.0).ln()).abs() < 1e-9);
    }

    #[test]
    fn steady_evidence_is_worth_so_many_seconds_of_itself() {
        let mut fusion = Fusion::default();
        for _ in 0..10_000 {
            fusion.update(&[said(Family::Presentation, 0.02)], 0.1);
        }
        let llr = fusion.llr(Family::Presentation);
        assert!((llr - 0.2 * FORGETTING).abs() < 0.02, "{llr}");
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut all in proptest::collection::vec(contribution(), 1..12), seed in any::<usize>()) {
            let mut a = Fusion::default();
            a.update(&all, 0.3);
            let n = all.len();
            all.rotate_left(seed % n);
            let mut b = Fusion::default();
            b.update(&all, 0.3);
            for f in Family::ALL {
                prop_assert!((a.llr(f) - b.llr(f)).abs() < 1e-9);
            }
        }

        #[test]
        fn silence_is_neutral(steps in proptest::collection::vec((contribution(), 0f64..2.0), 0..40), dt in 0f64..100.0) {
            let mut fusion = Fusion::default();
            for (c, dt) in &steps {
                fusion.update(std::slice::from_ref(c), *dt);
            }
            let before = fusion.clone();
            fusion.update(&[], dt);
            prop_assert_eq!(&before, &fusion);
        }

        #[test]
        fn more_evidence_of_a_kind_never_lowers_it(
            all in proptest::collection::vec(contribution(), 0..12), f in family(), more in 0f64..4.0,
            prior in 1e-6f64..0.5,
        ) {
            let (mut a, mut b) = (Fusion::default(), Fusion::default());
            a.update(&all, 0.5);
            let mut with = all.clone();
            with.push(said(f, more));
            b.update(&with, 0.5);
            let (p, q) = (a.posterior(prior, None), b.posterior(prior, None));
            prop_assert!(q.of(f) >= p.of(f) - 1e-12 && q.attack >= p.attack - 1e-12);
            prop_assert!(b.statistic(None) >= a.statistic(None) - 1e-12);
        }

        #[test]
        fn nothing_spoilt_decides(
            gains in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -1e6f64..1e6], 0..30),
            dt in prop_oneof![Just(f64::NAN), -1f64..5.0], prior in prop_oneof![Just(f64::NAN), 0f64..1.0],
        ) {
            let mut fusion = Fusion::default();
            for g in gains {
                fusion.update(&[said(Family::Replay, g)], dt);
            }
            let p = fusion.posterior(prior, Some(&fusion.clone()));
            prop_assert!((0.0..=1.0).contains(&p.attack) && fusion.statistic(None).is_finite(), "{p:?}");
            let sum: f64 = Family::ALL.iter().map(|f| p.of(*f)).sum();
            prop_assert!((sum - p.attack).abs() < 1e-9);
            let mut spoilt = Fusion::default();
            spoilt.update(&[said(Family::Replay, f64::NAN), said(Family::Forgery, f64::NEG_INFINITY)], 1.0);
            prop_assert_eq!(spoilt, Fusion::default());
        }
    }
}
