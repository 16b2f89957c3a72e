//! A network that watches a face, as a signal: when it is due, and what its scores amount to.
//!
//! Scores of one track are averaged over a window, because single pictures of one face err alike in one direction or
//! the other; what the mean is worth is in the network's own calibration.

use crate::analysis::evidence::{Reading, seconds};
use crate::analysis::face::quality::{Quality, TOO_POOR};
use crate::analysis::networks::look::Look;
use crate::analysis::networks::memory::Memory;
use crate::analysis::networks::parts::PartHeat;
use crate::analysis::networks::spec::NetworkSpec;
use std::collections::VecDeque;
use std::sync::Arc;

/// Names of the features, in order.
pub const FEATURES: [&str; 4] = ["mean-score", "scores", "mean-face-px", "newest-score"];
/// A run may come that much too early, seconds: frames do not fall on the grid.
const EARLY: f64 = 0.02;

/// See the module. One instance a track.
#[derive(Debug)]
pub struct NetworkSignal {
    spec: Arc<NetworkSpec>,
    period: f64,
    looks: VecDeque<Look>,
    last: Option<u64>,
    /// Nats that count already, of a network whose word counts once.
    given: f64,
    memory: Option<Memory>,
}

impl NetworkSignal {
    pub fn new(spec: Arc<NetworkSpec>, economy: bool) -> Self {
        let period = spec.period(economy);
        let memory = spec.memory.map(Memory::new);
        Self { spec, period, looks: VecDeque::new(), last: None, given: 0.0, memory }
    }

    pub fn spec(&self) -> &Arc<NetworkSpec> {
        &self.spec
    }

    /// Whether the network is to look at a face of that width now.
    pub fn is_due(&self, pts: u64, px: f64) -> bool {
        let rested = |last| pts < last || seconds(last, pts) + EARLY >= self.period;
        px >= self.spec.min_face && self.last.is_none_or(rested)
    }

    /// What a network of time remembers of this face.
    pub fn memory(&mut self) -> Option<&mut Memory> {
        self.memory.as_mut()
    }

    /// Takes a run's result.
    pub fn take(&mut self, look: Look) {
        if self.looks.back().is_some_and(|l| look.pts <= l.pts) {
            self.looks.clear();
        }
        self.last = Some(look.pts);
        if !look.settled {
            return;
        }
        self.looks.push_back(look);
        let most = (self.spec.window / (self.period - EARLY).max(EARLY)).ceil() as usize + 2;
        while self.looks.len() > most {
            self.looks.pop_front();
        }
    }

    /// What the window says now; `None` while it is empty.
    pub fn read(&mut self, pts: u64, quality: Quality) -> Option<Reading> {
        while self.looks.front().is_some_and(|l| seconds(l.pts, pts) > self.spec.window) {
            self.looks.pop_front();
        }
        let newest = self.looks.back()?.score;
        let n = self.looks.len() as f64;
        let mean = |get: fn(&Look) -> f64| self.looks.iter().map(get).sum::<f64>() / n;
        let (score, px) = (mean(|l| l.score), mean(|l| l.px));
        let features = vec![score, n, px, newest];
        let mut reason = format!("attack score {score:+.1} (mean of {n})");
        if score > 0.0
            && let Some(part) = self.heat().hottest()
        {
            reason.push_str(&format!(", most of it at the {}", part.name()));
        }
        let Some(calibration) = &self.spec.calibration else {
            reason.push_str("; not calibrated: counts for nothing");
            return Some(Reading { reason, features, ..Reading::default() });
        };
        let reach = calibration.reach(px);
        if reach == 0.0 {
            reason.push_str("; the face is too small for it");
        }
        let enough = (n / (0.5 * self.spec.window / self.period).ceil().max(1.0)).min(1.0);
        let llr = calibration.llr(score, px);
        let poor = quality.overall() < TOO_POOR;
        let quality = f64::from(quality.overall()) * reach * enough;
        if !calibration.once {
            return Some(Reading {
                rate: llr / self.spec.window,
                impulse: 0.0,
                stands: false,
                llr,
                quality,
                reason,
                features,
            });
        }
        // What is new of it is added, so that the track's sum holds the present word and no more.
        let mut impulse = 0.0;
        if quality > 0.0 && !poor {
            impulse = llr - self.given / quality;
            self.given = quality * llr;
        }
        Some(Reading { rate: 0.0, impulse, stands: true, llr, quality, reason, features })
    }

    fn heat(&self) -> PartHeat {
        let mut all = PartHeat::default();
        self.looks.iter().filter_map(|l| l.heat.as_ref()).for_each(|h| all.add(h));
        all
    }

    /// Forgets its scores: the face was away. What a network of time remembers stays for as long as its manifest says.
    pub fn interrupt(&mut self) {
        self.looks.clear();
    }

    /// It may be another face from here on: a network of time begins anew.
    pub fn forget(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.forget();
            self.looks.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::evidence::Family;
    use crate::analysis::networks::crop::{Channels, CropSpec, Order, Pixels};
    use crate::analysis::networks::spec::{NetworkCalibration, ScoreSpec};
    use proptest::prelude::*;

    const GOOD: Quality =
        Quality { size: 1.0, focus: 1.0, exposure: 1.0, pose: 1.0, visibility: 1.0, compression: 1.0 };

    fn spec(calibrated: bool) -> Arc<NetworkSpec> {
        Arc::new(NetworkSpec {
            name: "n".into(),
            signal: "n".into(),
            family: Family::Forgery,
            per_second: 2.0,
            per_second_economy: 1.0,
            window: 3.0,
            min_face: 40.0,
            min_inside: 0.0,
            crop: CropSpec::Native { max_face: 100.0 },
            input: (64, 64),
            pixels: Pixels { order: Order::Nchw, channels: Channels::Rgb, gain: [1.0; 3], offset: [0.0; 3] },
            landmarks: false,
            memory: None,
            opposite_of: None,
            score: ScoreSpec::Logit { of_attack: true },
            heat: None,
            calibration: calibrated.then(|| NetworkCalibration {
                slope: 1.0,
                bias: 0.0,
                size_slope: 0.0,
                llr_min: -2.0,
                llr_max: 4.0,
                fusion_weight: 1.0,
                px_none: 40.0,
                px_full: 120.0,
                once: false,
                data: String::new(),
            }),
        })
    }

    fn at(s: f64, score: f64, px: f64) -> Look {
        Look { pts: (s * 1e9) as u64, score, px, heat: None, settled: true }
    }

    fn ns(s: f64) -> u64 {
        (s * 1e9) as u64
    }

    #[test]
    fn it_is_due_as_often_as_its_manifest_says() {
        for (economy, runs) in [(false, 20), (true, 10)] {
            let mut s = NetworkSignal::new(spec(true), economy);
            // Frames at 15 a second do not fall on a grid of half a second.
            let count = (0..150).map(|i| f64::from(i) / 15.0).filter(|t| {
                let due = s.is_due(ns(*t), 80.0);
                if due {
                    s.take(at(*t, 0.0, 80.0));
                }
                due
            });
            let count = count.count();
            assert!((runs - 2..=runs).contains(&count), "{count}");
        }
        assert!(!NetworkSignal::new(spec(true), false).is_due(0, 39.0), "the face is too small");
    }

    #[test]
    fn the_mean_of_the_window_counts_once_over_its_length() {
        let mut s = NetworkSignal::new(spec(true), false);
        assert_eq!(s.read(0, GOOD), None);
        for i in 0..8 {
            s.take(at(f64::from(i) * 0.5, if i < 2 { -40.0 } else { 3.0 }, 120.0));
        }
        let r = s.read(ns(4.0), GOOD).unwrap();
        assert_eq!((r.llr, r.rate, r.quality, r.impulse), (3.0, 1.0, 1.0, 0.0), "the first two are too old");
        assert_eq!(r.features, [3.0, 6.0, 120.0, 3.0]);
        assert_eq!(s.read(ns(8.0), GOOD), None, "scores grow old");
    }

    #[test]
    fn what_counts_once_adds_up_to_the_present_word() {
        let mut once = (*spec(true)).clone();
        once.calibration.as_mut().unwrap().once = true;
        let mut s = NetworkSignal::new(Arc::new(once), false);
        let (mut sum, mut last) = (0.0, Reading::default());
        for i in 0..200 {
            let t = f64::from(i) * 0.5;
            s.take(at(t, if i < 100 { 3.0 } else { -1.0 }, 120.0));
            let quality = Quality { focus: if i % 2 == 0 { 1.0 } else { 0.6 }, ..GOOD };
            last = s.read(ns(t), quality).unwrap();
            assert_eq!(last.rate, 0.0);
            sum += last.quality * last.impulse;
            assert!((sum - last.quality * last.llr).abs() < 1e-9, "{i}: {sum} {last:?}");
        }
        assert!(last.llr == -1.0, "{last:?}");
        let before = sum;
        let poor = s.read(ns(99.6), Quality { size: 0.0, ..GOOD }).unwrap();
        assert_eq!((poor.impulse, before), (0.0, sum), "a picture that is too poor takes nothing back");
    }

    #[test]
    fn a_few_scores_and_small_faces_count_less() {
        let mut s = NetworkSignal::new(spec(true), false);
        s.take(at(0.0, 2.0, 80.0));
        let r = s.read(0, GOOD).unwrap();
        assert!((r.quality - 0.5 / 3.0).abs() < 1e-12, "{}", r.quality);
        let mut s = NetworkSignal::new(spec(true), false);
        s.take(at(0.0, 2.0, 40.0));
        let r = s.read(0, GOOD).unwrap();
        assert!(r.quality == 0.0 && r.reason.contains("too small"), "{r:?}");
        s.interrupt();
        assert_eq!(s.read(0, GOOD), None);
        assert!(!s.is_due(ns(0.2), 80.0), "a face that comes and goes is not looked at more often");
    }

    #[test]
    fn without_calibration_it_shows_but_does_not_count() {
        let mut s = NetworkSignal::new(spec(false), false);
        s.take(at(0.0, 7.0, 200.0));
        let r = s.read(0, GOOD).unwrap();
        assert_eq!((r.llr, r.rate, r.quality), (0.0, 0.0, 0.0));
        assert!(r.reason.contains("+7.0") && r.reason.contains("not calibrated"), "{}", r.reason);
        assert_eq!(r.features[0], 7.0);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_readings_are_finite(
            looks in proptest::collection::vec((0u64..2_000_000_000, -50f64..50.0, 0f64..4000.0), 1..300)
        ) {
            let mut s = NetworkSignal::new(spec(true), false);
            let mut now = 0;
            for (step, score, px) in looks {
                now += step;
                s.take(Look { pts: now, score, px, heat: None, settled: true });
                prop_assert!(s.looks.len() <= 10);
                let r = s.read(now, GOOD).unwrap();
                prop_assert!(r.rate.is_finite() && (-2.0..=4.0).contains(&r.llr) && (0.0..=1.0).contains(&r.quality));
            }
        }
    }
}
