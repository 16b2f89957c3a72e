//! A condition as the catalogue writes it down, and the record beside a rendered file.

use super::{Attack, Family, Freeze, Photo, Reencode, Replay, Splice};
use crate::recorded::Codec;
use serde::{Deserialize, Serialize};

/// Which attack, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attack", rename_all = "kebab-case")]
pub enum Kind {
    Photo(Photo),
    Loop(Replay),
    Splice(Splice),
    Freeze(Freeze),
    Reencode(Reencode),
}

impl Kind {
    pub fn as_attack(&self) -> &dyn Attack {
        match self {
            Kind::Photo(a) => a,
            Kind::Loop(a) => a,
            Kind::Splice(a) => a,
            Kind::Freeze(a) => a,
            Kind::Reencode(a) => a,
        }
    }

    /// Every attack with its default parameters.
    pub fn all() -> [Kind; 5] {
        [
            Kind::Photo(Photo::default()),
            Kind::Loop(Replay::default()),
            Kind::Splice(Splice::default()),
            Kind::Freeze(Freeze::default()),
            Kind::Reencode(Reencode::default()),
        ]
    }

    /// One line for a person.
    pub fn summary(&self) -> &'static str {
        match self {
            Kind::Photo(_) => "one still of the recording, printed and held in a moving hand",
            Kind::Loop(_) => "a few seconds of the recording again and again",
            Kind::Splice(_) => "genuine for a while, then a photo of the last genuine frame",
            Kind::Freeze(_) => "the picture stops while the stream goes on",
            Kind::Reencode(_) => {
                "control: the genuine recording with the same noise and encoder; must not alarm"
            }
        }
    }
}

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
            name: kind.as_attack().name().into(),
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
    /// Made by rule, not by a generator of fakes; never to be quoted as a result on one.
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
