//! What is known of a network that watches a face: when it runs, what it is shown, what its numbers mean and what they
//! are worth. A manifest says all of it, so that a network of somebody else's needs no code.

use crate::analysis::evidence::Family;
use crate::analysis::networks::crop::{CropSpec, Pixels};
use crate::analysis::networks::memory::MemorySpec;
use serde::Deserialize;

/// Probabilities are taken as no nearer to 0 and 1 than this.
const CERTAIN: f64 = 1e-6;
/// Logits beyond this count as this.
const MOST: f64 = 50.0;
/// What rounding may add to a probability.
const SLACK: f64 = 1e-3;

/// See the module. Whoever makes one has checked it.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// Name of the model.
    pub name: String,
    /// Name of the evidence.
    pub signal: String,
    pub family: Family,
    /// Runs a second of stream and face, and the same in the economical profile.
    pub per_second: f64,
    pub per_second_economy: f64,
    /// Seconds of scores that are averaged.
    pub window: f64,
    /// Least width of a face, frame pixels.
    pub min_face: f64,
    /// Least share of the picture that lies within the frame, 0..1.
    pub min_inside: f64,
    pub crop: CropSpec,
    /// Width and height of the input.
    pub input: (usize, usize),
    pub pixels: Pixels,
    /// Whether it is told where the mesh lies in the picture.
    pub landmarks: bool,
    /// Of a network of time.
    pub memory: Option<MemorySpec>,
    pub score: ScoreSpec,
    /// Rows and columns of the heat map, if it has one.
    pub heat: Option<(usize, usize)>,
    /// Place among [`FaceModels::networks`](crate::analysis::face::models::FaceModels::networks) of the network whose opposite this is: it is not run, and
    /// its scores are those of the other with the sign turned.
    pub opposite_of: Option<usize>,
    /// Without it the network is heard but counts for nothing.
    pub calibration: Option<NetworkCalibration>,
}

impl NetworkSpec {
    /// Seconds between two runs.
    pub fn period(&self, economy: bool) -> f64 {
        1.0 / if economy { self.per_second_economy } else { self.per_second }
    }
}

/// What a network's numbers mean.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreSpec {
    /// One logit, of attack or of genuine.
    Logit { of_attack: bool },
    /// One probability, of attack or of genuine.
    Probability { of_attack: bool },
    /// A number for each class.
    Classes { probabilities: bool, genuine: Vec<usize>, attack: Vec<usize> },
}

impl ScoreSpec {
    /// How many numbers there are.
    pub fn is_for(&self, count: usize) -> bool {
        match self {
            Self::Logit { .. } | Self::Probability { .. } => count == 1,
            Self::Classes { genuine, attack, .. } => genuine.iter().chain(attack).all(|i| *i < count),
        }
    }

    /// Log-odds of attack against genuine, within ±50.
    ///
    /// # Errors
    /// In words, if the numbers are not what they were said to be (a probability of 3, say).
    pub fn attack_logit(&self, values: &[f32]) -> Result<f64, String> {
        let one = || match values {
            [v] => Ok(f64::from(*v)),
            _ => Err(format!("gives {} numbers instead of one", values.len())),
        };
        let logit = match self {
            Self::Logit { of_attack } => one().map(|v| if *of_attack { v } else { -v }),
            Self::Probability { of_attack } => {
                let p = probability(one()?)?.clamp(CERTAIN, 1.0 - CERTAIN);
                let v = (p / (1.0 - p)).ln();
                Ok(if *of_attack { v } else { -v })
            }
            Self::Classes { probabilities, genuine, attack } => {
                let of = |classes: &[usize]| {
                    let chosen = classes.iter().map(|i| values.get(*i).copied().map(f64::from));
                    chosen.collect::<Option<Vec<_>>>().ok_or("gives too few classes")
                };
                let (genuine, attack) = (of(genuine)?, of(attack)?);
                if *probabilities {
                    let sum = |all: Vec<f64>| all.into_iter().map(probability).sum::<Result<f64, String>>();
                    let (genuine, attack) = (sum(genuine)?, sum(attack)?);
                    if genuine + attack <= 0.0 {
                        return Err("gives every class the probability 0".into());
                    }
                    let p = (attack / (genuine + attack)).clamp(CERTAIN, 1.0 - CERTAIN);
                    Ok((p / (1.0 - p)).ln())
                } else {
                    Ok(log_sum_exp(&attack) - log_sum_exp(&genuine))
                }
            }
        }?;
        if logit.is_finite() {
            Ok(logit.clamp(-MOST, MOST))
        } else {
            Err("gives a score that is not finite".into())
        }
    }
}

fn probability(p: f64) -> Result<f64, String> {
    if (-SLACK..=1.0 + SLACK).contains(&p) {
        Ok(p.clamp(0.0, 1.0))
    } else {
        Err(format!("gives {p} where its manifest promises a probability (has it no softmax or sigmoid?)"))
    }
}

fn log_sum_exp(all: &[f64]) -> f64 {
    let top = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + all.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

/// What a mean score is worth. See [`NetworkCalibration::llr`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkCalibration {
    pub slope: f64,
    pub bias: f64,
    #[serde(default)]
    pub size_slope: f64,
    /// No window says more than this, nats.
    pub llr_min: f64,
    pub llr_max: f64,
    /// Weight beside the other signals (1 = independent of them).
    #[serde(default = "NetworkCalibration::full_weight")]
    pub fusion_weight: f64,
    /// Width of a face that the network says nothing of, and of one that it judges in full, frame pixels.
    #[serde(default = "NetworkCalibration::least_px")]
    pub px_none: f64,
    #[serde(default = "NetworkCalibration::enough_px")]
    pub px_full: f64,
    /// Whether all windows of a track are one observation: a network that errs with the person rather than with the
    /// picture is not believed more for looking longer.
    #[serde(default)]
    pub once: bool,
    /// What it was fitted on, for people.
    #[serde(default)]
    pub data: String,
}

impl NetworkCalibration {
    const fn full_weight() -> f64 {
        1.0
    }
    const fn least_px() -> f64 {
        40.0
    }
    const fn enough_px() -> f64 {
        120.0
    }

    /// What is wrong with the numbers, if anything is.
    pub fn fault(&self) -> Option<&'static str> {
        if ![self.slope, self.bias, self.size_slope].iter().all(|v| v.is_finite() && v.abs() <= 1e3) {
            return Some("`slope`, `bias` and `size-slope` must be numbers within 1000 of 0");
        }
        if self.slope < 0.0 {
            return Some("`slope` must not be below 0: scores grow with the likelihood of an attack");
        }
        if !(-50.0..=0.0).contains(&self.llr_min) || !(0.0..=50.0).contains(&self.llr_max) {
            return Some("`llr-min` must be in -50..0 and `llr-max` in 0..50");
        }
        if !(0.0..=1.0).contains(&self.fusion_weight) {
            return Some("`fusion-weight` must be in 0..1");
        }
        let in_order = self.px_none >= 0.0 && self.px_none < self.px_full && self.px_full <= 8192.0;
        (!in_order).then_some("`px-none` must be at least 0 and below `px-full`, and that at most 8192")
    }

    /// Log-likelihood ratio, nats, of a window whose scores have the mean `score` in a face of `px` pixels.
    pub fn llr(&self, score: f64, px: f64) -> f64 {
        let size = (px.max(1.0) / 100.0).ln();
        let llr = self.slope * score + self.bias + self.size_slope * size;
        self.fusion_weight * llr.clamp(self.llr_min, self.llr_max)
    }

    /// How far a face of that width can be judged at all, 0..1.
    pub fn reach(&self, px: f64) -> f64 {
        ((px - self.px_none) / (self.px_full - self.px_none)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classes(probabilities: bool, genuine: &[usize], attack: &[usize]) -> ScoreSpec {
        ScoreSpec::Classes { probabilities, genuine: genuine.into(), attack: attack.into() }
    }

    #[test]
    fn every_meaning_becomes_one_logit() {
        let cases = [
            (ScoreSpec::Logit { of_attack: true }, vec![2.0], 2.0),
            (ScoreSpec::Logit { of_attack: false }, vec![2.0], -2.0),
            (ScoreSpec::Logit { of_attack: true }, vec![1e30], 50.0),
            (ScoreSpec::Probability { of_attack: true }, vec![0.75], 3f64.ln()),
            (ScoreSpec::Probability { of_attack: false }, vec![0.75], -(3f64.ln())),
            (ScoreSpec::Probability { of_attack: true }, vec![1.0], 13.8155),
            (classes(true, &[1], &[0, 2]), vec![0.25, 0.25, 0.5], 3f64.ln()),
            (classes(true, &[0], &[2]), vec![0.2, 0.6, 0.2], 0.0),
            (classes(false, &[1], &[0]), vec![1.0, 3.0], -2.0),
            (classes(false, &[1], &[0, 2]), vec![1.0, 1.0, 1.0], 2f64.ln()),
            (classes(false, &[0], &[1]), vec![3e38, 3e38], 0.0),
        ];
        for (spec, values, want) in cases {
            let got = spec.attack_logit(&values).unwrap();
            assert!((got - want).abs() < 1e-4, "{spec:?} {values:?}: {got}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        for (spec, values) in [
            (ScoreSpec::Probability { of_attack: true }, vec![3.0]),
            (ScoreSpec::Probability { of_attack: true }, vec![-0.5]),
            (ScoreSpec::Logit { of_attack: true }, vec![]),
            (classes(true, &[0], &[1]), vec![0.0, 0.0]),
            (classes(true, &[0], &[1]), vec![-2.0, 4.0]),
            (classes(false, &[0], &[5]), vec![0.0, 0.0]),
        ] {
            assert!(spec.attack_logit(&values).is_err(), "{spec:?} {values:?}");
        }
    }

    fn calibration() -> NetworkCalibration {
        toml::from_str(
            "slope = 2.0\nbias = -1.0\nsize-slope = 0.5\nllr-min = -3.0\nllr-max = 5.0\nfusion-weight = 0.5",
        )
        .unwrap()
    }

    #[test]
    fn a_score_is_worth_what_the_formula_says() {
        let c = calibration();
        assert_eq!(c.llr(1.0, 100.0), 0.5);
        assert_eq!(c.llr(9.0, 100.0), 2.5);
        assert_eq!(c.llr(-9.0, 100.0), -1.5);
        assert!((c.llr(0.5, 200.0) - 0.25 * 2f64.ln()).abs() < 1e-12);
        assert_eq!([c.reach(39.0), c.reach(80.0), c.reach(500.0)], [0.0, 0.5, 1.0]);
    }

    #[test]
    fn spoilt_calibrations_are_refused() {
        assert_eq!(calibration().fault(), None);
        let spoil: [fn(&mut NetworkCalibration); 8] = [
            |c| c.slope = f64::NAN,
            |c| c.slope = -1.0,
            |c| c.bias = f64::INFINITY,
            |c| c.llr_min = 0.1,
            |c| c.llr_max = 51.0,
            |c| c.fusion_weight = 1.5,
            |c| c.px_none = 120.0,
            |c| c.px_full = f64::NAN,
        ];
        for (i, spoil) in spoil.iter().enumerate() {
            let mut c = calibration();
            spoil(&mut c);
            assert!(c.fault().is_some(), "{i}");
        }
        assert!(
            toml::from_str::<NetworkCalibration>("slope = 1\nbias = 0\nllr-min = -1\nllr-max = 1\nbais = 2")
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn classes_and_their_softmax_agree(values in proptest::collection::vec(-4f32..4.0, 3)) {
            let sum: f32 = values.iter().map(|v| v.exp()).sum();
            let softmax: Vec<f32> = values.iter().map(|v| v.exp() / sum).collect();
            let a = classes(false, &[1], &[0, 2]).attack_logit(&values).unwrap();
            let b = classes(true, &[1], &[0, 2]).attack_logit(&softmax).unwrap();
            prop_assert!((a - b).abs() < 1e-2, "{a} {b}");
        }
    }
}
