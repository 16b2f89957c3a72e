//! How far a rate that was counted on few clips may be from the true one.
//!
//! Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
//! Biometrika 1934: never too narrow, also for nothing of few. It takes the clips as independent of each other.

use serde::Serialize;
use statrs::function::beta::beta_reg;

/// The confidence of every interval of an evaluation.
pub const CONFIDENCE: f64 = 0.95;

/// From and to, both within.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A share of clips with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    pub count: usize,
    pub of: usize,
    pub rate: f64,
    #[serde(flatten)]
    pub interval: Interval,
}

impl Rate {
    /// `None` of nothing.
    pub fn new(count: usize, of: usize) -> Option<Self> {
        let interval = clopper_pearson(count, of, CONFIDENCE)?;
        Some(Self { count, of, rate: count as f64 / of as f64, interval })
    }
}

/// The interval of a rate of `count` in `of`; `None` if `of` is 0, `count` above it, or `confidence` not within 0..1.
pub fn clopper_pearson(count: usize, of: usize, confidence: f64) -> Option<Interval> {
    interval(count as f64, of as f64, confidence)
}

/// An interval of a share that was found on few independent groups, at the largest variance it can have: that of so
/// many tosses of a coin. For an area under the curve, `groups` is the smaller of both sides' (Birnbaum and Klose,
/// "Bounds for the variance of the Mann-Whitney statistic", Annals of Mathematical Statistics 1957).
pub fn widest(share: f64, groups: usize) -> Option<Interval> {
    interval(share.clamp(0.0, 1.0) * groups as f64, groups as f64, CONFIDENCE)
}

fn interval(k: f64, n: f64, confidence: f64) -> Option<Interval> {
    if !(n > 0.0 && k <= n && (0.0..1.0).contains(&confidence)) {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let low = if k <= 0.0 { 0.0 } else { beta_quantile(k, n - k + 1.0, tail) };
    let high = if k >= n { 1.0 } else { beta_quantile(k + 1.0, n - k, 1.0 - tail) };
    Some(Interval { low, high })
}

/// Where the beta distribution with these parameters (above 0) has left `share` behind. Halving finds it whatever the
/// parameters, as steeper methods do not.
fn beta_quantile(a: f64, b: f64, share: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if beta_reg(a, b, middle) < share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF};

    fn close(count: usize, of: usize, low: f64, high: f64) {
        let i = clopper_pearson(count, of, 0.95).unwrap();
        assert!((i.low - low).abs() < 5e-5 && (i.high - high).abs() < 5e-5, "{count}/{of}: {i:?}");
    }

    /// Values as printed by `binom.test` of R and in common tables.
    #[test]
    fn textbook_values() {
        close(10, 100, 0.0490, 0.1762);
        close(0, 10, 0.0, 0.3085);
        close(10, 10, 0.6915, 1.0);
        close(8, 10, 0.4439, 0.9748);
        close(1, 1, 0.025, 1.0);
    }

    #[test]
    fn nothing_can_be_said_of_nothing() {
        assert!(clopper_pearson(0, 0, 0.95).is_none() && clopper_pearson(3, 2, 0.95).is_none());
        assert!(clopper_pearson(1, 2, 1.0).is_none() && Rate::new(0, 0).is_none());
    }

    #[test]
    fn few_groups_say_little() {
        let i = widest(1.0, 1).unwrap();
        assert!((i.low - 0.025).abs() < 1e-9 && i.high == 1.0, "{i:?}");
        let i = widest(0.6, 1).unwrap();
        assert!(i.low < 0.05 && i.high > 0.95, "{i:?}");
        assert_eq!(widest(0.3, 10), clopper_pearson(3, 10, 0.95));
        assert!(widest(0.5, 0).is_none() && widest(f64::NAN, 3).is_none());
    }

    proptest! {
        /// The definition: at the limits the tails of the binomial distribution weigh 2.5 % each.
        #[test]
        fn the_limits_leave_the_tails(of in 1usize..200, share in 0.0f64..1.0) {
            let count = (share * of as f64) as usize;
            let i = clopper_pearson(count, of, 0.95).unwrap();
            let rate = count as f64 / of as f64;
            prop_assert!(i.low <= rate && rate <= i.high);
            if count > 0 {
                let above = 1.0 - Binomial::new(i.low, of as u64).unwrap().cdf(count as u64 - 1);
                prop_assert!((above - 0.025).abs() < 1e-6, "{above}");
            }
            if count < of {
                let below = Binomial::new(i.high, of as u64).unwrap().cdf(count as u64);
                prop_assert!((below - 0.025).abs() < 1e-6, "{below}");
            }
        }
    }
}
