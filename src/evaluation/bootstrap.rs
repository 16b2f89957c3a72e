//! Intervals for statistics that have no formula, by drawing the clips again and again.
//!
//! Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval); Davison and Hinkley,
//! "Bootstrap Methods and their Application", 1997 (whole clusters are drawn where clips depend on each other). With
//! few clusters it is too narrow, and it has no width where every draw gives the same: see [`super::intervals::widest`].

use super::intervals::{CONFIDENCE, Interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Draws of one interval.
pub const ROUNDS: usize = 2000;
/// Every evaluation draws the same numbers, so that the same results give the same intervals.
pub const SEED: u64 = 1;

/// Groups that are drawn as a whole: the indices of the clips of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters(Vec<Vec<usize>>);

impl Clusters {
    /// Clips that share a mark are in one cluster, also by way of others (a shares with b, b with c). A clip without a
    /// mark stands alone.
    pub fn by_marks<'a>(marks: impl IntoIterator<Item = Vec<&'a str>>) -> Self {
        // The usual disjoint sets: every clip points to an earlier one of its cluster, or to itself.
        let mut parents: Vec<usize> = Vec::new();
        fn root(parents: &[usize], mut at: usize) -> usize {
            while let Some(&up) = parents.get(at).filter(|up| **up != at) {
                at = up;
            }
            at
        }
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (clip, marks) in marks.into_iter().enumerate() {
            parents.push(clip);
            for mark in marks {
                let other = *first.entry(mark).or_insert(clip);
                let (a, b) = (root(&parents, other), root(&parents, clip));
                if let Some(parent) = parents.get_mut(a.max(b)) {
                    *parent = a.min(b);
                }
            }
        }
        let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for clip in 0..parents.len() {
            clusters.entry(root(&parents, clip)).or_default().push(clip);
        }
        Self(clusters.into_values().collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same clusters, with only the clips that `keep` wants.
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self.0.iter().map(|c| c.iter().copied().filter(|i| keep(*i)).collect::<Vec<_>>());
        Self(kept.filter(|c| !c.is_empty()).collect())
    }

    /// The interval of `statistic`, which gets the indices of a draw (with repetitions) and says nothing of a draw
    /// that it cannot judge (no attack in it, say). `None` if that was so for more than half of the draws.
    pub fn interval(&self, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
        let values = self.draws(statistic)?;
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Some(Interval { low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
    }

    /// What every draw gave, ascending.
    pub(super) fn draws(&self, statistic: impl Fn(&[usize]) -> Option<f64>) -> Option<Vec<f64>> {
        if self.0.is_empty() {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut drawn = Vec::new();
        let mut values: Vec<f64> = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            drawn.clear();
            for _ in 0..self.0.len() {
                drawn.extend(self.0.get(rng.random_range(0..self.0.len())).into_iter().flatten());
            }
            values.extend(statistic(&drawn).filter(|v| v.is_finite()));
        }
        values.sort_by(f64::total_cmp);
        (values.len() * 2 >= ROUNDS).then_some(values)
    }
}

/// Of ascending values, between two neighbours by the straight line.
fn quantile(values: &[f64], share: f64) -> f64 {
    let at = share * values.len().saturating_sub(1) as f64;
    let get = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    let (below, above) = (get(at.floor() as usize), get(at.ceil() as usize));
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(n: usize) -> Clusters {
        Clusters::by_marks((0..n).map(|_| Vec::new()))
    }

    fn mean<'a>(values: &'a [f64]) -> impl Fn(&[usize]) -> Option<f64> + 'a {
        |draw| Some(draw.iter().filter_map(|i| values.get(*i)).sum::<f64>() / draw.len() as f64)
    }

    #[test]
    fn clips_that_share_a_mark_stay_together() {
        let c = Clusters::by_marks([vec!["a"], vec![], vec!["b"], vec!["a", "b"], vec!["c"], vec!["c"]]);
        assert_eq!(c, Clusters(vec![vec![0, 2, 3], vec![1], vec![4, 5]]));
        assert_eq!(c.only(|i| i != 1 && i != 4), Clusters(vec![vec![0, 2, 3], vec![5]]));
    }

    /// The mean of n numbers has the standard error s / sqrt(n).
    #[test]
    fn the_mean_has_the_interval_of_the_theory() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let deviation = (399.0f64 / 12.0).sqrt(); // of a uniform distribution on 0..=19
        let wanted = 1.96 * deviation / 20.0;
        let i = alone(400).interval(mean(&values)).unwrap();
        assert!((i.low - (9.5 - wanted)).abs() < 0.06 && (i.high - (9.5 + wanted)).abs() < 0.06, "{i:?}");
        // Ten copies of the same forty people know no more than the forty.
        let names: Vec<String> = (0..400).map(|i| (i % 40).to_string()).collect();
        let grouped = Clusters::by_marks(names.iter().map(|n| vec![n.as_str()]));
        let wide = grouped.interval(mean(&values)).unwrap();
        assert!(wide.high - wide.low > 2.5 * (i.high - i.low), "{wide:?} {i:?}");
    }

    #[test]
    fn the_same_draws_every_time_and_nothing_of_nothing() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i * i)).collect();
        assert_eq!(alone(30).interval(mean(&values)), alone(30).interval(mean(&values)));
        assert!(alone(0).interval(mean(&values)).is_none());
        assert!(alone(30).interval(|_| None).is_none());
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }

    proptest! {
        #[test]
        fn every_clip_is_in_one_cluster(marks in proptest::collection::vec(proptest::collection::vec("[a-f]", 0..3), 0..40)) {
            let clusters = Clusters::by_marks(marks.iter().map(|m| m.iter().map(String::as_str).collect()));
            let mut all: Vec<usize> = clusters.0.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..marks.len()).collect::<Vec<_>>());
            let of = |i: usize| clusters.0.iter().position(|c| c.contains(&i));
            for (i, a) in marks.iter().enumerate() {
                for (j, b) in marks.iter().enumerate() {
                    if a.iter().any(|m| b.contains(m)) {
                        prop_assert_eq!(of(i), of(j));
                    }
                }
            }
        }
    }
}
