//! Sums of the scores of networks that watch a face, by network, for statistics.

use crate::analysis::engine::Score;
use crate::analysis::evidence::Family;
use crate::analysis::networks::spec::NetworkSpec;
use crate::lock::lock;
use gstreamer as gst;
use std::sync::{Arc, Mutex};

/// See the module.
#[derive(Debug, Default)]
pub struct Scores {
    specs: Vec<Arc<NetworkSpec>>,
    sums: Mutex<Vec<Sum>>,
}

/// Of one network: how often it looked, and the sums of its scores and of the faces' widths.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    count: u64,
    score: f64,
    px: f64,
}

impl Scores {
    pub fn new(specs: &[Arc<NetworkSpec>]) -> Self {
        Self { specs: specs.to_vec(), sums: Mutex::new(vec![Sum::default(); specs.len()]) }
    }

    /// Adds what came of a frame.
    pub fn add(&self, scores: &[Score]) {
        if scores.is_empty() {
            return;
        }
        let mut sums = lock(&self.sums);
        for score in scores {
            if let Some(sum) = sums.get_mut(score.network) {
                sum.count += 1;
                sum.score += score.score;
                sum.px += score.px;
            }
        }
    }

    /// A structure for each network, by its name.
    pub fn read(&self) -> gst::Structure {
        let sums = lock(&self.sums).clone();
        let mut all = gst::Structure::new_empty("networks");
        for (spec, sum) in self.specs.iter().zip(sums) {
            let mut one = gst::Structure::builder("network")
                .field("signal", &spec.signal)
                .field("family", Family::name(spec.family))
                .field("calibrated", spec.calibration.is_some())
                .field("count", sum.count);
            if sum.count > 0 {
                let mean = |total: f64| total / sum.count as f64;
                one = one.field("mean-score", mean(sum.score)).field("mean-face-px", mean(sum.px));
            }
            all.set(spec.name.as_str(), one.build());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_never_looked_has_no_mean() {
        gst::init().unwrap();
        let scores = Scores::default();
        scores.add(&[Score { network: 3, track_id: 1, score: 1.0, px: 50.0 }]);
        assert_eq!(scores.read().n_fields(), 0, "nobody has that number");
    }
}
