//! What a bundle says of its alert (`evidence.json`): the alert, what ran, how it was configured, and the digests of the
//! bundle's other files.

use super::error::Error;
use super::hash_chain::Ground;
use crate::analysis::judgement::decision::Ruling;
use crate::analysis::judgement::verdict::Alert;
use crate::inference::Digest;
use crate::provenance::report::SourceReport;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What does not change while an element runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RunInfo {
    /// Name and version of the plugin.
    pub plugin: String,
    pub threshold: Threshold,
    /// SHA-256 of each model's file.
    pub models: BTreeMap<String, String>,
    pub calibration: CalibrationUsed,
    /// Signals that counted for nothing, as `ignore-signals` asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_signals: Vec<String>,
    /// What ran the models.
    pub provider: String,
    pub onnxruntime: String,
}

/// Where the threshold comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Threshold {
    pub nats: f64,
    /// Hours.
    pub mean_time_between_false_alerts: f64,
    /// Families of attacks that are watched in parallel.
    pub hypotheses: usize,
}

/// See [`crate::analysis::evidence::calibration`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CalibrationUsed {
    pub version: String,
    pub sha256: String,
}

/// `evidence.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AlertReport {
    pub schema: u32,
    pub session_id: String,
    pub ground: Ground,
    pub alert: Alert,
    pub running_time: Option<u64>,
    pub stream_time: Option<u64>,
    /// What the session would have ended in at that moment.
    #[serde(default)]
    pub decision: Ruling,
    pub ran: RunInfo,
    /// All properties of the element.
    pub config: BTreeMap<String, Value>,
    pub config_sha256: String,
    /// Digest of the policy in force; `None` where no source was looked for.
    pub policy_sha256: Option<String>,
    pub sources: Vec<SourceReport>,
    /// See [`super::traces::timeline`].
    pub timeline: Value,
    /// Digests of the bundle's other files.
    pub files: BTreeMap<String, String>,
}

/// The digest of a configuration.
pub fn config_digest(config: &BTreeMap<String, Value>) -> Result<String, Error> {
    Ok(Digest::of(&serde_json::to_vec(config)?).to_string())
}
