//! What is known of a source before its pictures are looked at, and what evidence is worth against its claim.

use super::provenance::{Class, Finding};
use crate::analysis::evidence::names;
use serde::{Deserialize, Serialize};

/// How the pictures come out of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// Uncompressed: a picture that has been through a codec before is then a surprise.
    Raw,
    /// Every picture by itself (MJPEG).
    Intra,
    /// Pictures that lean on each other (H.264, H.265, VP8, VP9, AV1).
    Inter,
    /// Not known; checks that depend on it are silent.
    #[default]
    Unknown,
}
names!(Coding { Raw => "raw", Intra => "intra", Inter => "inter", Unknown => "unknown" });

impl Coding {
    /// What a media type such as `video/x-raw` or `image/jpeg` says; `Unknown` for one that is not known.
    pub fn of_media_type(name: &str) -> Self {
        match name {
            "video/x-raw" | "video/x-bayer" => Self::Raw,
            "image/jpeg" | "video/x-dv" | "image/png" => Self::Intra,
            "video/x-h264" | "video/x-h265" | "video/x-vp8" | "video/x-vp9" | "video/x-av1"
            | "video/mpeg" | "video/x-h263" => Self::Inter,
            _ => Self::Unknown,
        }
    }
}

/// What is known of the source before its pictures are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What it claims to be. An injection is a lie about that.
    pub claim: Class,
    pub coding: Coding,
    /// Something between the source and here scales, crops, turns, retimes or filters the pictures. What such elements
    /// do honestly looks like a history, so most checks are silent then.
    pub altered: bool,
}

/// What evidence of injection is worth against a claim: all of it against a camera, part of it where recordings and
/// other programs are among the honest senders, nothing where there is nothing to lie about.
const fn worth(claim: Class) -> f64 {
    match claim {
        Class::Physical => 1.0,
        Class::Network | Class::Application | Class::Unknown | Class::Virtual => 0.5,
        Class::File | Class::Synthetic => 0.0,
    }
}

/// The findings with their evidence of injection as it counts against a claim.
pub fn against(claim: Class, mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.injection *= worth(claim);
    }
    findings
}
