//! What genuine sessions amount to: statistics of recordings of which nothing was fitted, and the threshold that a
//! share of them may reach.
//!
//! The threshold is a rank among them (split conformal prediction: Vovk, Gammerman & Shafer, "Algorithmic learning in a
//! random world", 2005): of n + 1 sessions that are alike in kind, each is as likely as any other to be the highest, so
//! that a new one reaches the k-th highest of the n others with a probability of at most k / (n + 1). Nothing is assumed
//! of the distribution; that the sessions are alike in kind is.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Version of the file's form that this code reads.
pub const SCHEMA: u32 = 1;

/// The sessions that the build carries: `models/calibration/sessions.toml`.
pub const BUILT_IN: &str = include_str!("../../../models/calibration/sessions.toml");

/// Most sessions in a file.
const MOST: usize = 1_000_000;

/// Why such a file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionsError {
    #[error("sessions: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("sessions: schema {found}, this build reads {SCHEMA}")]
    Schema { found: u32 },
    #[error("sessions: {0}; make the file with `deepfake calibrate`")]
    Invalid(&'static str),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GenuineSessions {
    pub schema: u32,
    /// Changes whenever a number does.
    pub version: String,
    /// Whose they are, for people.
    #[serde(default)]
    pub data: String,
    /// Statistics at the ends of the sessions (`judgement::decision::Standing::statistic`), nats, ascending.
    pub statistics: Vec<f64>,
}

impl GenuineSessions {
    /// Reads and checks the file's text.
    ///
    /// # Errors
    /// If it is no such file, of another version, or has numbers that are not finite or not in ascending order.
    pub fn parse(text: &str) -> Result<Self, SessionsError> {
        let sessions: Self = toml::from_str(text)?;
        if sessions.schema != SCHEMA {
            return Err(SessionsError::Schema { found: sessions.schema });
        }
        if sessions.statistics.len() > MOST {
            return Err(SessionsError::Invalid("more than a million statistics"));
        }
        if !sessions.statistics.iter().all(|s| s.is_finite()) {
            return Err(SessionsError::Invalid("a statistic is not finite"));
        }
        if !sessions.statistics.is_sorted() {
            return Err(SessionsError::Invalid("the statistics are not in ascending order"));
        }
        Ok(sessions)
    }

    /// The file compiled into this build.
    ///
    /// # Errors
    /// As [`GenuineSessions::parse`].
    pub fn built_in() -> Result<Self, SessionsError> {
        Self::parse(BUILT_IN)
    }

    /// Of these sessions, whatever their order; what is not finite is left out.
    pub fn of(version: String, data: String, statistics: impl IntoIterator<Item = f64>) -> Self {
        let mut statistics: Vec<f64> = statistics.into_iter().filter(|s| s.is_finite()).collect();
        statistics.sort_by(f64::total_cmp);
        Self { schema: SCHEMA, version, data, statistics }
    }

    /// A statistic above which at most `share` of genuine sessions lie; `None` where there are too few of them to say.
    pub fn threshold(&self, share: f64) -> Option<f64> {
        let n = self.statistics.len();
        let rank = (share * (n as f64 + 1.0)).floor();
        if rank.is_nan() || rank < 1.0 {
            return None;
        }
        self.statistics.iter().rev().nth(rank as usize - 1).copied()
    }

    /// How many sessions there must be for [`GenuineSessions::threshold`] to have an answer.
    pub fn needed(share: f64) -> usize {
        (1.0 / share.max(1e-9) - 1.0 - 1e-9).ceil().max(1.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(statistics: &[f64]) -> GenuineSessions {
        GenuineSessions::of("x".into(), String::new(), statistics.iter().copied())
    }

    #[test]
    fn the_built_in_file_is_good() {
        GenuineSessions::built_in().unwrap();
    }

    #[test]
    fn a_threshold_is_a_rank() {
        let sessions = of(&[4.0, 1.0, 3.0, 2.0, f64::NAN]);
        assert_eq!(sessions.threshold(0.2), Some(4.0));
        assert_eq!(sessions.threshold(0.4), Some(3.0));
        assert_eq!(sessions.threshold(0.1), None);
        assert_eq!(GenuineSessions::default().threshold(0.5), None);
        assert_eq!(sessions.threshold(f64::NAN), None);
        assert_eq!([0.5, 0.05, 0.001].map(GenuineSessions::needed), [1, 19, 999]);
    }

    #[test]
    fn bad_files_are_refused() {
        for (text, said) in [
            ("schema = 2\nversion = 'x'\nstatistics = []", "schema 2"),
            ("schema = 1\nversion = 'x'\nstatistics = [2.0, 1.0]", "ascending"),
            ("schema = 1\nversion = 'x'\nstatistics = [nan]", "finite"),
            ("schema = 1\nversion = 'x'\nstatistics = []\nmore = 1", "more"),
            ("schema =", "sessions"),
        ] {
            let error = GenuineSessions::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    proptest! {
        #[test]
        fn enough_sessions_give_a_threshold_and_a_smaller_share_a_higher_one(
            statistics in proptest::collection::vec(-20f64..20.0, 0..200), share in 0.001f64..0.5, less in 0.1f64..1.0,
        ) {
            let sessions = of(&statistics);
            prop_assert_eq!(sessions.threshold(share).is_some(), statistics.len() >= GenuineSessions::needed(share));
            if let (Some(t), Some(u)) = (sessions.threshold(share), sessions.threshold(share * less)) {
                prop_assert!(u >= t);
            }
        }
    }
}
