//! The receiver operating characteristic: what every threshold would have done, in the words of ISO/IEC 30107-3.
//!
//! Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006. A clip counts as an attack when its
//! score is at or above the threshold. APCER is the share of attacks taken for genuine, BPCER the share of genuine
//! clips taken for attacks.

use serde::Serialize;

/// One threshold's errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Infinite for the first point, at which nothing is an attack.
    pub threshold: f64,
    pub apcer: f64,
    pub bpcer: f64,
}

/// All thresholds, from the strictest (nothing is an attack) to the loosest (everything is).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    pub points: Vec<Point>,
}

impl Roc {
    /// `None` if there are no genuine clips, no attacks, or a score that is no number.
    pub fn of(genuine: &[f64], attacks: &[f64]) -> Option<Self> {
        let all = || genuine.iter().chain(attacks);
        if genuine.is_empty() || attacks.is_empty() || all().any(|s| s.is_nan()) {
            return None;
        }
        let mut scores: Vec<(f64, bool)> =
            genuine.iter().map(|s| (*s, false)).chain(attacks.iter().map(|s| (*s, true))).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (n_genuine, n_attacks) = (genuine.len() as f64, attacks.len() as f64);
        let mut points = vec![Point { threshold: f64::INFINITY, apcer: 1.0, bpcer: 0.0 }];
        let (mut caught, mut wronged) = (0u32, 0u32);
        // Equal scores cannot be told apart: they go over the threshold together.
        for same in scores.chunk_by(|a, b| a.0 == b.0) {
            for (_, attack) in same {
                if *attack { caught += 1 } else { wronged += 1 }
            }
            points.push(Point {
                threshold: same.first().map_or(f64::NAN, |s| s.0),
                apcer: 1.0 - f64::from(caught) / n_attacks,
                bpcer: f64::from(wronged) / n_genuine,
            });
        }
        Some(Self { points })
    }

    /// Consecutive points.
    fn steps(&self) -> impl Iterator<Item = (&Point, &Point)> {
        self.points.iter().zip(self.points.iter().skip(1))
    }

    /// The area under the curve: how probable it is that an attack scores above a genuine clip, ties counted half.
    pub fn auc(&self) -> f64 {
        self.steps().map(|(a, b)| (b.bpcer - a.bpcer) * (2.0 - a.apcer - b.apcer) / 2.0).sum()
    }

    /// The equal error rate: where the line through the points has APCER = BPCER.
    pub fn eer(&self) -> f64 {
        for (a, b) in self.steps() {
            let (before, after) = (a.apcer - a.bpcer, b.apcer - b.bpcer);
            if after <= 0.0 {
                let share = if before > after { before / (before - after) } else { 0.0 };
                return a.bpcer + share * (b.bpcer - a.bpcer);
            }
        }
        1.0
    }

    /// The least BPCER of a threshold with an APCER of at most `apcer` (BPCER10 has 0.1, BPCER20 0.05).
    pub fn bpcer_at(&self, apcer: f64) -> f64 {
        // Shares of whole clips: a limit that is met exactly must not fail by rounding.
        let met = self.points.iter().filter(|p| p.apcer <= apcer + 1e-12);
        met.map(|p| p.bpcer).fold(1.0, f64::min)
    }
}

/// The area under the curve alone; `None` as for [`Roc::of`].
pub fn auc(genuine: &[f64], attacks: &[f64]) -> Option<f64> {
    Roc::of(genuine, attacks).map(|r| r.auc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The 20 instances of Fawcett's figure 3: positives and negatives.
    const POSITIVE: [f64; 10] = [0.9, 0.8, 0.6, 0.55, 0.54, 0.51, 0.4, 0.38, 0.34, 0.30];
    const NEGATIVE: [f64; 10] = [0.7, 0.53, 0.52, 0.505, 0.39, 0.37, 0.36, 0.35, 0.33, 0.1];

    #[test]
    fn fawcetts_example() {
        let roc = Roc::of(&NEGATIVE, &POSITIVE).unwrap();
        assert!((roc.auc() - 0.68).abs() < 1e-12, "{}", roc.auc());
        assert_eq!(roc.points.len(), 21);
        // At 0.54 the first five positives and one negative are over.
        let p = roc.points.iter().find(|p| p.threshold == 0.54).unwrap();
        assert!((p.apcer - 0.5).abs() < 1e-12 && (p.bpcer - 0.1).abs() < 1e-12, "{p:?}");
    }

    #[test]
    fn a_perfect_a_useless_and_a_wrong_order() {
        let r = |g: &[f64], a: &[f64]| Roc::of(g, a).unwrap();
        let perfect = r(&[0.0, 1.0], &[2.0, 3.0]);
        assert_eq!((perfect.auc(), perfect.eer(), perfect.bpcer_at(0.0)), (1.0, 0.0, 0.0));
        let tied = r(&[1.0; 5], &[1.0; 3]);
        assert_eq!((tied.auc(), tied.eer(), tied.bpcer_at(0.1)), (0.5, 0.5, 1.0));
        let wrong = r(&[2.0, 3.0], &[0.0, 1.0]);
        assert_eq!((wrong.auc(), wrong.eer()), (0.0, 1.0));
        assert!(Roc::of(&[], &[1.0]).is_none() && Roc::of(&[1.0], &[]).is_none());
        assert!(Roc::of(&[f64::NAN], &[1.0]).is_none());
    }

    #[test]
    fn the_equal_error_rate_lies_between_two_thresholds() {
        // At 3: APCER 1/2, BPCER 1/4; at 2: APCER 0, BPCER 1/2. The line crosses at 1/3.
        let roc = Roc::of(&[3.0, 2.0, 1.0, 0.0], &[3.0, 2.0]).unwrap();
        assert!((roc.eer() - 1.0 / 3.0).abs() < 1e-12, "{}", roc.eer());
        assert_eq!(roc.bpcer_at(0.5), 0.25);
        assert_eq!(roc.bpcer_at(0.49), 0.5);
    }

    fn scores() -> impl Strategy<Value = Vec<f64>> {
        // Few values, so that ties are common.
        proptest::collection::vec((0i32..8).prop_map(f64::from), 1..30)
    }

    proptest! {
        #[test]
        fn the_area_is_the_rank_statistic(genuine in scores(), attacks in scores()) {
            let mut wins = 0.0;
            for a in &attacks {
                for g in &genuine {
                    wins += if a > g { 1.0 } else if a == g { 0.5 } else { 0.0 };
                }
            }
            let roc = Roc::of(&genuine, &attacks).unwrap();
            prop_assert!((roc.auc() - wins / (genuine.len() * attacks.len()) as f64).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&roc.eer()));
            // Only the order counts, and swapping the sides mirrors the curve.
            let bent = |v: &[f64]| v.iter().map(|s| s.exp()).collect::<Vec<_>>();
            prop_assert!((auc(&bent(&genuine), &bent(&attacks)).unwrap() - roc.auc()).abs() < 1e-9);
            prop_assert!((auc(&attacks, &genuine).unwrap() + roc.auc() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn the_points_go_one_way(genuine in scores(), attacks in scores()) {
            let roc = Roc::of(&genuine, &attacks).unwrap();
            prop_assert!(roc.steps().all(|(a, b)| a.apcer >= b.apcer && a.bpcer <= b.bpcer));
            let last = roc.points.last().unwrap();
            prop_assert!(last.apcer.abs() < 1e-12 && (last.bpcer - 1.0).abs() < 1e-12);
        }
    }
}
