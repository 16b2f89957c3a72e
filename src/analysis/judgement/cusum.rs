//! Quickest change detection: the cumulative sum of log-likelihood ratios, and the threshold that a mean time
//! between false alerts asks for.
//!
//! Page, "Continuous inspection schemes", Biometrika 1954; Lorden, "Procedures for reacting to a change in
//! distribution", Ann. Math. Stat. 1971: with threshold h the mean number of independent observations to a false
//! alarm is at least e^h.

use crate::analysis::evidence::Family;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Time after which two observations of a face are taken as independent, seconds. Lorden's bound counts
/// independent observations, so this is its unit of time.
pub const INDEPENDENT: f64 = 1.0;

/// The threshold, nats, for one false alert in `hours`, with `hypotheses` statistics watched in parallel.
pub fn threshold(hours: f64, hypotheses: usize) -> f64 {
    (hours.max(1e-3) * 3600.0 / INDEPENDENT * hypotheses.max(1) as f64).ln()
}

/// One signal's part in an update.
#[derive(Clone, Debug)]
pub struct Contribution {
    pub signal: Cow<'static, str>,
    pub family: Family,
    /// Nats since the last update.
    pub gain: f64,
    /// It comes once and stands, rather than flowing while things stay as they are.
    pub stands: bool,
}

/// Parallel statistics, one a [`Family`]: a face that looks alive speaks against a photo, not against a loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    sums: [Sum; Family::ALL.len()],
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    value: f64,
    /// The last moment at which nothing spoke for a change, ns.
    onset: u64,
    parts: BTreeMap<Cow<'static, str>, f64>,
    /// Evidence for a live person, the same sum the other way round.
    live: f64,
}

/// No statistic grows beyond this many thresholds: evidence for the end of an attack must be able to show.
const CEILING: f64 = 1.25;

impl Cusum {
    /// Adds evidence. `h` is the alert threshold.
    pub fn update(&mut self, pts: u64, contributions: &[Contribution], h: f64) {
        for family in Family::ALL {
            let Some(sum) = self.sums.get_mut(family as usize) else { continue };
            let mut gain = 0.0;
            for c in contributions.iter().filter(|c| c.family == family && c.gain.is_finite()) {
                gain += c.gain;
                *sum.parts.entry(c.signal.clone()).or_default() += c.gain;
            }
            sum.value += gain;
            sum.live = (sum.live - gain).clamp(0.0, h);
            if sum.value <= 0.0 {
                sum.value = 0.0;
                sum.onset = pts;
                sum.parts.clear();
            }
            sum.value = sum.value.min(CEILING * h);
        }
    }

    /// The highest statistic and its family.
    pub fn worst(&self) -> (f64, Family) {
        let mut worst = (0.0, Family::Presentation);
        for (sum, family) in self.sums.iter().zip(Family::ALL) {
            if sum.value > worst.0 {
                worst = (sum.value, family);
            }
        }
        worst
    }

    /// The family's statistic, nats.
    pub fn sum(&self, family: Family) -> f64 {
        self.sums.get(family as usize).map_or(0.0, |s| s.value)
    }

    /// Evidence against that family of attack, nats, up to the alert threshold.
    pub fn live(&self, family: Family) -> f64 {
        self.sums.get(family as usize).map_or(0.0, |s| s.live)
    }

    /// Evidence against the family starts to count from nothing.
    pub fn forget_live(&mut self, family: Family) {
        if let Some(sum) = self.sums.get_mut(family as usize) {
            sum.live = 0.0;
        }
    }

    /// When the family's statistic last was 0, ns: the maximum-likelihood estimate of the change.
    pub fn onset(&self, family: Family) -> u64 {
        self.sums.get(family as usize).map_or(0, |s| s.onset)
    }

    /// What each signal added to the family's statistic since the onset, the strongest first.
    pub fn parts(&self, family: Family) -> Vec<(&str, f64)> {
        let mut parts: Vec<_> = self.sums.get(family as usize).map_or_else(Vec::new, |s| {
            s.parts.iter().map(|(signal, nats)| (signal.as_ref(), *nats)).collect()
        });
        parts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        parts
    }

    /// The family's statistic starts again at nothing.
    pub fn clear(&mut self, pts: u64) {
        for sum in &mut self.sums {
            *sum = Sum { onset: pts, ..Sum::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn add(c: &mut Cusum, pts: u64, family: Family, gain: f64) {
        c.update(pts, &[Contribution { signal: "s".into(), family, gain, stands: false }], 12.0);
    }

    #[test]
    fn a_hundred_hours_ask_for_the_threshold_of_the_bound() {
        assert!((threshold(100.0, 1) - 360_000f64.ln()).abs() < 1e-12);
        assert!(threshold(100.0, 4) > threshold(100.0, 1));
        assert!(threshold(-5.0, 0).is_finite());
    }

    #[test]
    fn the_onset_is_where_the_evidence_turned() {
        let mut c = Cusum::default();
        for t in 0..10 {
            add(&mut c, t, Family::Presentation, -1.0);
        }
        for t in 10..15 {
            add(&mut c, t, Family::Presentation, 2.0);
        }
        assert_eq!((c.onset(Family::Presentation), c.worst()), (9, (10.0, Family::Presentation)));
        assert_eq!(c.parts(Family::Presentation), vec![("s", 10.0)]);
        assert_eq!(c.live(Family::Presentation), 0.0);
    }

    #[test]
    fn a_live_face_does_not_excuse_a_loop() {
        let mut c = Cusum::default();
        for t in 0..20 {
            add(&mut c, t, Family::Presentation, -3.0);
            add(&mut c, t, Family::Replay, 1.0);
        }
        assert_eq!(c.worst().1, Family::Replay);
        assert_eq!(c.live(Family::Presentation), 12.0);
    }

    proptest! {
        #[test]
        fn sums_stay_in_bounds_whatever_comes(gains in proptest::collection::vec(prop_oneof![-1e6f64..1e6, Just(f64::NAN), Just(f64::INFINITY)], 0..60)) {
            let mut c = Cusum::default();
            for (t, g) in gains.into_iter().enumerate() {
                add(&mut c, t as u64, Family::Forgery, g);
                let (v, _) = c.worst();
                prop_assert!((0.0..=15.0).contains(&v) && (0.0..=12.0).contains(&c.live(Family::Presentation)));
            }
        }
    }

    /// Lorden's bound holds in simulation: Gaussian observations one deviation apart, threshold for 200 observations.
    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        let h = 200f64.ln();
        let mut state = 12345u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let (mut runs, mut total) = (0.0, 0.0);
        for _ in 0..400 {
            let (mut s, mut n) = (0.0f64, 0.0);
            while s < h {
                let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
                s = (s + normal - 0.5).max(0.0);
                n += 1.0;
            }
            runs += 1.0;
            total += n;
        }
        assert!(total / runs > 200.0, "{}", total / runs);
    }
}
