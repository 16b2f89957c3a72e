//! How recordings are scanned.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What holds for every recording of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Value of the element's property `profile`.
    pub profile: String,
    /// Value of `purpose`; the element's default if empty.
    #[serde(default)]
    pub purpose: String,
    /// Value of `mean-time-between-false-alerts`; the element's default if none.
    pub hours: Option<f64>,
    /// Look no further than this.
    pub seconds: Option<f64>,
    pub thumbnails: bool,
    /// Value of `extra-models`.
    #[serde(default)]
    pub extra_models: String,
    /// Signals that count for nothing: value of `ignore-signals`.
    #[serde(default)]
    pub without: String,
    /// Certificates (PEM) under which the signers of files are trusted.
    #[serde(default)]
    pub trust_anchors: Option<PathBuf>,
}
