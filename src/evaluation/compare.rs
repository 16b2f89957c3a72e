//! Two runs over the same clips: what changed, and whether it may be chance.
//!
//! McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947, in its
//! exact form: of the clips that only one run got right, each is taken as a toss of a coin.

use super::bootstrap::Clusters;
use super::intervals::Interval;
use super::roc::auc;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// The two-sided probability that two equal runs differ at least as much, with `a` clips that only the one got right
/// and `b` that only the other did.
pub fn mcnemar_exact(a: u64, b: u64) -> f64 {
    match Binomial::new(0.5, a + b) {
        Ok(tosses) if a != b => (2.0 * tosses.cdf(a.min(b))).min(1.0),
        _ => 1.0,
    }
}

/// A labelled clip with its score in both runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Both {
    pub attack: bool,
    pub before: f64,
    pub after: f64,
}

/// How the area under the curve changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AucChange {
    pub before: f64,
    pub after: f64,
    /// Of the difference, after minus before.
    pub interval: Option<Interval>,
    /// The two-sided bootstrap probability that there is no difference.
    pub p: Option<f64>,
}

/// `None` if there are no genuine clips or no attacks. `clusters` are of the same clips.
pub fn auc_change(clips: &[Both], clusters: &Clusters) -> Option<AucChange> {
    let difference = |draw: &[usize]| {
        let (before, after) = both(draw.iter().filter_map(|i| clips.get(*i)))?;
        Some(after - before)
    };
    let (before, after) = both(clips.iter())?;
    let draws = clusters.draws(difference);
    let p = draws.map(|d| {
        let share = |keep: fn(&f64) -> bool| d.iter().filter(|v| keep(v)).count() as f64 / d.len() as f64;
        // The observed data count as one draw: a probability of nothing cannot be had from a sample.
        (2.0 * share(|v| *v <= 0.0).min(share(|v| *v >= 0.0))).clamp(1.0 / (d.len() as f64 + 1.0), 1.0)
    });
    Some(AucChange { before, after, interval: clusters.interval(difference), p })
}

fn both<'a>(clips: impl Iterator<Item = &'a Both>) -> Option<(f64, f64)> {
    let (attacks, genuine): (Vec<&Both>, Vec<&Both>) = clips.partition(|c| c.attack);
    let area = |score: fn(&Both) -> f64| {
        let of = |clips: &[&Both]| clips.iter().map(|c| score(c)).collect::<Vec<_>>();
        auc(&of(&genuine), &of(&attacks))
    };
    Some((area(|c| c.before)?, area(|c| c.after)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn textbook_values_of_the_exact_test() {
        let close =
            |a, b, p: f64| assert!((mcnemar_exact(a, b) - p).abs() < 1e-6, "{a} {b} {}", mcnemar_exact(a, b));
        close(1, 9, 22.0 / 1024.0);
        close(0, 5, 0.0625);
        close(0, 6, 0.03125);
        close(4, 4, 1.0);
        close(0, 0, 1.0);
        close(59, 121, 4.434e-6);
    }

    fn clips(noise: f64) -> Vec<Both> {
        let wave = |i: u32, by: f64| (f64::from(i) * 12.9898).sin() * by;
        let clip = |i: u32| {
            let attack = i.is_multiple_of(2);
            let truth = f64::from(u8::from(attack));
            Both { attack, before: wave(i, 3.0), after: truth + wave(i, noise) }
        };
        (0..120).map(clip).collect()
    }

    #[test]
    fn a_better_run_is_told_from_an_equal_one() {
        let clusters = Clusters::by_marks((0..120).map(|_| Vec::new()));
        let better = auc_change(&clips(0.4), &clusters).unwrap();
        assert!(better.after > 0.99 && better.before < 0.65 && better.p.unwrap() < 0.01, "{better:?}");
        assert!(better.interval.unwrap().low > 0.2);
        let same: Vec<Both> = clips(0.4).iter().map(|c| Both { after: c.before, ..*c }).collect();
        let same = auc_change(&same, &clusters).unwrap();
        assert_eq!((same.p, same.interval), (Some(1.0), Some(Interval { low: 0.0, high: 0.0 })));
        assert!(auc_change(&[Both { attack: true, before: 0.0, after: 0.0 }], &clusters).is_none());
    }

    proptest! {
        #[test]
        fn the_test_has_no_side(a in 0u64..200, b in 0u64..200) {
            let p = mcnemar_exact(a, b);
            prop_assert!(p > 0.0 && p <= 1.0);
            prop_assert_eq!(p, mcnemar_exact(b, a));
            prop_assert!(mcnemar_exact(a.min(b), a.max(b) + 1) <= p + 1e-12);
        }
    }
}
