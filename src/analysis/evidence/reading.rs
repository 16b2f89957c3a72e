//! What a signal says, and what of it goes into verdicts and messages.

use crate::analysis::face::quality::Quality;
use serde::{Deserialize, Serialize};

/// What a signal says after an observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Evidence that keeps flowing while things stay as they are, nats a second. A signal that judges windows of
    /// W seconds gives its window's LLR / W, so that overlapping windows are not counted twice.
    pub rate: f64,
    /// Evidence of an event at this very frame, nats, once.
    pub impulse: f64,
    /// The impulse stands, rather than being evidence that passes with time: see `judgement::fusion`.
    pub stands: bool,
    /// The present window's LLR, for display.
    pub llr: f64,
    /// 0..1; rate and impulse count in proportion to it.
    pub quality: f64,
    /// One line for a person.
    pub reason: String,
    /// The measured features, in the calibration's order.
    pub features: Vec<f64>,
}

impl Reading {
    /// What a window of `window` seconds says: its LLR counts once over its length. Without a calibration (`None`) the
    /// features still go out, for a fit, and add nothing.
    pub(crate) fn of_window(
        llr: Option<f64>,
        window: f64,
        quality: Quality,
        reason: String,
        features: Vec<f64>,
    ) -> Self {
        Self {
            rate: llr.unwrap_or_default() / window,
            impulse: 0.0,
            stands: false,
            llr: llr.unwrap_or_default(),
            quality: if llr.is_some() { f64::from(quality.overall()) } else { 0.0 },
            reason,
            features,
        }
    }
}

/// One signal's contribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The signal's name (`micro-motion`, `blink`, `repeat`, `pulse`, ...).
    pub signal: String,
    /// Log-likelihood ratio of the signal's present window, nats, quality applied.
    pub llr: f64,
    /// 0 (says nothing) to 1 (as good as it gets).
    pub quality: f64,
    /// One line for a person.
    pub reason: String,
}
