//! What an engine is made with.

use super::ignored::Ignored;
use crate::analysis::evidence::{Calibration, Family};
use crate::analysis::face::chain::ChainConfig;
use crate::analysis::judgement::cusum::threshold;
use crate::analysis::judgement::decision::OperatingPoint;
use crate::analysis::networks::spec::NetworkSpec;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub chain: ChainConfig,
    /// Mean time between false alerts, hours.
    pub mean_time_between_false_alerts: f64,
    pub calibration: Arc<Calibration>,
    /// How sessions are decided.
    pub decisions: OperatingPoint,
    /// Signals that count for nothing.
    pub ignored: Ignored,
}

impl EngineConfig {
    /// The alert threshold, nats, with these networks.
    pub fn threshold(&self, networks: &[Arc<NetworkSpec>]) -> f64 {
        threshold(self.mean_time_between_false_alerts, self.hypotheses(networks))
    }

    /// How many hypotheses are watched in parallel over time, for the threshold: presentation and replay, and forgery where
    /// a network counts that speaks of it. What comes once and is capped (provenance, networks whose word counts once) does
    /// not add to the rate of false alerts.
    pub fn hypotheses(&self, networks: &[Arc<NetworkSpec>]) -> usize {
        let counts = |n: &NetworkSpec| {
            !self.ignored.contains(&n.signal) && n.calibration.as_ref().is_some_and(|c| !c.once)
        };
        2 + usize::from(networks.iter().any(|n| n.family == Family::Forgery && counts(n)))
    }
}
