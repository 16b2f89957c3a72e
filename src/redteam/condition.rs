//! A condition, and the record beside a rendered file.

use super::attack::{Attack, Family};
use super::kind::Kind;
use crate::recorded::Codec;
use serde::{Deserialize, Serialize};

/// Everything that decides what the rendered frames are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    /// A name for reports.
    pub name: String,
    pub kind: Kind,
    pub seed: u64,
    /// Where in the recording the source begins, seconds.
    #[serde(default)]
    pub start: f64,
    /// Length of the output, seconds; what the recording gives (or 10 s of an endless attack) when absent.
    #[serde(default)]
    pub duration: Option<f64>,
    /// Sensor noise at middle grey, standard deviation in 8-bit steps.
    #[serde(default = "Condition::default_noise")]
    pub noise: f64,
    #[serde(default = "Condition::default_codec")]
    pub codec: Codec,
}

impl Condition {
    fn default_noise() -> f64 {
        1.0
    }

    fn default_codec() -> Codec {
        Codec::H264 { bitrate_kbit: 600 }
    }

    /// An attack with the usual camera and a call's usual bit rate.
    pub fn new(kind: Kind, seed: u64) -> Self {
        Self {
            name: kind.name().into(),
            kind,
            seed,
            start: 0.0,
            duration: None,
            noise: Self::default_noise(),
            codec: Self::default_codec(),
        }
    }
}

/// What lies beside a rendered file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub schema_version: u32,
    pub name: String,
    pub family: Family,
    /// Procedural: not made by a generator of fakes; never to be quoted as a result on one.
    pub procedural: bool,
    /// When the attack begins in the rendered file, seconds; none for a control.
    pub onset_s: Option<f64>,
    pub seed: u64,
    pub condition: Condition,
    /// File name of the recording, without its folder.
    pub source: String,
    pub source_sha256: String,
    pub frames: u64,
    pub width: u32,
    pub height: u32,
    pub fps: Option<f64>,
    pub duration_s: f64,
}

impl Record {
    /// Raised also when the same condition comes to give other frames: old files are then made anew.
    pub const SCHEMA_VERSION: u32 = 1;
}
