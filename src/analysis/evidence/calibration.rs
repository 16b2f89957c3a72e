//! What a measured number is worth: the versioned file that turns features into log-likelihood ratios.
//!
//! Signals measure; this file, fitted on data by `make calibrate`, says how much more likely such a measurement
//! is under attack than with a live person. The file in use travels with the results (version and digest).

use crate::analysis::evidence::Family;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Version of the file's form that this code reads.
pub const SCHEMA: u32 = 1;

/// The calibration that the build carries: `models/calibration/signals.toml`.
pub const BUILT_IN: &str = include_str!("../../../models/calibration/signals.toml");

/// Why a calibration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrationError {
    #[error("calibration: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("calibration: schema {found}, this build reads {SCHEMA}")]
    Schema { found: u32 },
    #[error("calibration: [signal.{signal}] {what}")]
    Invalid { signal: String, what: &'static str },
}

/// A fitted logistic model: LLR = weights . (features - mean) / scale + bias, clamped.
///
/// With equal class weights in the fit, the logit is the log-likelihood ratio (Pigeon, Druyts & Verlinde,
/// "Applying logistic regression to the fusion of the NIST'99 1-speaker submissions", 2000).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Logistic {
    /// Names of the features, in the signal's order.
    pub features: Vec<String>,
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
    pub weights: Vec<f64>,
    pub bias: f64,
    /// No window says more than this; bounded by the amount of data behind the fit, nats.
    pub llr_min: f64,
    pub llr_max: f64,
    /// Weight of the signal beside the others (1 = independent of them), from the joint fit.
    #[serde(default = "one")]
    pub fusion_weight: f64,
}

const fn one() -> f64 {
    1.0
}

impl Logistic {
    /// Log-likelihood ratio of one window, nats. Features beyond five deviations count as five: the fit
    /// knows nothing of them. `None` if the number of features is not the fitted one or one is not finite.
    pub fn llr(&self, features: &[f64]) -> Option<f64> {
        if features.len() != self.weights.len() || features.iter().any(|f| !f.is_finite()) {
            return None;
        }
        let terms = features.iter().zip(&self.mean).zip(&self.scale).zip(&self.weights);
        let sum: f64 = terms.map(|(((f, m), s), w)| w * ((f - m) / s).clamp(-5.0, 5.0)).sum();
        Some((sum + self.bias).clamp(self.llr_min, self.llr_max) * self.fusion_weight)
    }

    fn check(&self) -> Option<&'static str> {
        let n = self.features.len();
        let lists = [&self.mean, &self.scale, &self.weights];
        if lists.iter().any(|l| l.len() != n) {
            return Some("mean, scale and weights must be as long as features");
        }
        if lists.iter().any(|l| l.iter().any(|v| !v.is_finite())) || !self.bias.is_finite() {
            return Some("numbers must be finite");
        }
        if self.scale.iter().any(|s| *s <= 0.0) {
            return Some("scale must be above 0");
        }
        if !(-50.0..=0.0).contains(&self.llr_min) || !(0.0..=50.0).contains(&self.llr_max) {
            return Some("llr-min must be in -50..0 and llr-max in 0..50");
        }
        (!(0.0..=1.0).contains(&self.fusion_weight)).then_some("fusion-weight must be in 0..1")
    }
}

/// Waiting times: how long a genuine person goes without an event (a blink, a fresh picture).
///
/// P(no event for t) is a mixture of two exponentials: `share` of the people or moments with the mean waiting
/// time `mean`, the others with `slow_mean` (seconds).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiting {
    pub mean: f64,
    pub slow_mean: f64,
    pub share: f64,
    /// LLR of one event seen, nats (negative: speaks for a live person).
    #[serde(default)]
    pub event_llr: f64,
    /// The absence of an event never says more than this, nats.
    pub llr_max: f64,
    #[serde(default = "one")]
    pub fusion_weight: f64,
}

impl Waiting {
    /// Log-likelihood ratio of having waited `t` seconds in vain, if an attack never shows the event.
    pub fn llr(&self, t: f64) -> f64 {
        let t = t.max(0.0);
        let survival = self.share * (-t / self.mean).exp() + (1.0 - self.share) * (-t / self.slow_mean).exp();
        (-survival.max(1e-300).ln()).min(self.llr_max) * self.fusion_weight
    }

    fn check(&self) -> Option<&'static str> {
        let times = [self.mean, self.slow_mean];
        if times.iter().any(|t| !(0.01..=1e6).contains(t)) {
            return Some("mean and slow-mean must be in 0.01..1e6 seconds");
        }
        if !(0.0..=1.0).contains(&self.share) || !(0.0..=1.0).contains(&self.fusion_weight) {
            return Some("share and fusion-weight must be in 0..1");
        }
        (!(-50.0..=0.0).contains(&self.event_llr) || !(0.0..=50.0).contains(&self.llr_max))
            .then_some("event-llr must be in -50..0 and llr-max in 0..50")
    }
}

/// What the results of a challenge of one kind are worth: evidence that comes once a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcomes {
    /// The attacks of which it speaks.
    pub family: Family,
    /// LLR of a challenge that was passed (negative: speaks for a live person) and of one that was failed, nats.
    pub passed_llr: f64,
    pub failed_llr: f64,
}

impl Outcomes {
    fn check(&self) -> Option<&'static str> {
        (!(-10.0..=0.0).contains(&self.passed_llr) || !(0.0..=10.0).contains(&self.failed_llr))
            .then_some("passed-llr must be in -10..0 and failed-llr in 0..10")
    }
}

/// How one signal is calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SignalCalibration {
    Logistic(Logistic),
    Waiting(Waiting),
    Outcomes(Outcomes),
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub schema: u32,
    /// Changes whenever a number does.
    pub version: String,
    /// What it was fitted on, for people.
    #[serde(default)]
    pub data: String,
    #[serde(rename = "signal")]
    pub signals: BTreeMap<String, SignalCalibration>,
}

impl Calibration {
    /// Reads and checks the file's text.
    pub fn parse(text: &str) -> Result<Self, CalibrationError> {
        let calibration: Self = toml::from_str(text)?;
        if calibration.schema != SCHEMA {
            return Err(CalibrationError::Schema { found: calibration.schema });
        }
        for (signal, one) in &calibration.signals {
            let fault = match one {
                SignalCalibration::Logistic(l) => l.check(),
                SignalCalibration::Waiting(w) => w.check(),
                SignalCalibration::Outcomes(o) => o.check(),
            };
            if let Some(what) = fault {
                return Err(CalibrationError::Invalid { signal: signal.clone(), what });
            }
        }
        Ok(calibration)
    }

    /// The calibration compiled into this build.
    pub fn built_in() -> Result<Self, CalibrationError> {
        Self::parse(BUILT_IN)
    }

    /// The logistic model of that signal; `None` means the signal must stay silent.
    pub fn logistic(&self, signal: &str) -> Option<&Logistic> {
        match self.signals.get(signal) {
            Some(SignalCalibration::Logistic(l)) => Some(l),
            _ => None,
        }
    }

    /// The waiting-time model of that signal.
    pub fn waiting(&self, signal: &str) -> Option<&Waiting> {
        match self.signals.get(signal) {
            Some(SignalCalibration::Waiting(w)) => Some(w),
            _ => None,
        }
    }

    /// What results of the challenges with that name of evidence are worth; `None` means that they count for nothing.
    pub fn outcomes(&self, signal: &str) -> Option<&Outcomes> {
        match self.signals.get(signal) {
            Some(SignalCalibration::Outcomes(o)) => Some(o),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "schema = 1\nversion = 'x'\n[signal.a]\nkind = 'logistic'\nfeatures = ['f']\nmean = [1.0]\n\
        scale = [2.0]\nweights = [3.0]\nbias = 0.5\nllr-min = -4.0\nllr-max = 6.0\n";

    #[test]
    fn the_built_in_file_is_good() {
        assert!(!Calibration::built_in().unwrap().signals.is_empty());
    }

    #[test]
    fn logistic_llr_is_bounded_and_honest_about_strange_input() {
        let c = Calibration::parse(ONE).unwrap();
        let l = c.logistic("a").unwrap();
        assert_eq!(l.llr(&[1.0]), Some(0.5));
        assert_eq!(l.llr(&[1e9]), Some(6.0));
        assert_eq!(l.llr(&[-1e9]), Some(-4.0));
        assert_eq!(l.llr(&[f64::NAN]), None);
        assert_eq!(l.llr(&[]), None);
        assert!(c.logistic("b").is_none() && c.waiting("a").is_none());
    }

    #[test]
    fn waiting_grows_with_time_up_to_its_bound() {
        let w = Waiting {
            mean: 4.0,
            slow_mean: 20.0,
            share: 0.8,
            event_llr: -2.0,
            llr_max: 5.0,
            fusion_weight: 1.0,
        };
        let seen: Vec<f64> = [0.0, 2.0, 10.0, 60.0, 1e4].iter().map(|t| w.llr(*t)).collect();
        assert!(seen[0].abs() < 1e-12 && seen.windows(2).all(|p| p[0] < p[1] || p[1] == 5.0));
        assert_eq!(w.llr(1e9), 5.0);
    }

    #[test]
    fn challenges_count_only_where_the_file_says_what_they_are_worth() {
        let challenges =
            ["turn-head", "follow-dot", "blink", "hand", "flash"].map(|k| format!("challenge-{k}"));
        assert!(challenges.iter().all(|k| Calibration::built_in().unwrap().outcomes(k).is_none()));
        let text = "[signal.challenge-flash]\nkind = 'outcomes'\nfamily = 'replay'\npassed-llr = -1.5\nfailed-llr = ";
        let of = |llr: &str| Calibration::parse(&format!("{ONE}{text}{llr}\n"));
        let calibration = of("2.0").unwrap();
        let worth = calibration.outcomes("challenge-flash").unwrap();
        assert_eq!((worth.family, worth.passed_llr, worth.failed_llr), (Family::Replay, -1.5, 2.0));
        assert!(calibration.outcomes("challenge-blink").is_none());
        assert!(of("11.0").unwrap_err().to_string().contains("challenge-flash"));
    }

    #[test]
    fn bad_files_are_refused_with_the_place() {
        for (bad, word) in [
            (ONE.replace("schema = 1", "schema = 9"), "schema 9"),
            (ONE.replace("scale = [2.0]", "scale = [0.0]"), "signal.a"),
            (ONE.replace("weights = [3.0]", "weights = [3.0, 1.0]"), "as long as"),
            (ONE.replace("kind = 'logistic'", "kind = 'magic'"), "magic"),
            (ONE.replace("bias = 0.5", "bias = nan"), "finite"),
            ("schema =".into(), "calibration"),
        ] {
            let error = Calibration::parse(&bad).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
