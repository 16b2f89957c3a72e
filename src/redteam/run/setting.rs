//! How the element is set.

use serde::{Deserialize, Serialize};

/// How the element is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Value of the element's property `profile`.
    pub profile: String,
    /// Value of `mean-time-between-false-alerts`; the element's default if none.
    pub hours: Option<f64>,
    /// Whether a picture is wanted.
    pub picture: bool,
}
