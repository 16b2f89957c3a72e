//! Kinds of attack.

use serde::{Deserialize, Serialize};

/// Kinds of attack that are weighed separately: a live-looking face speaks against a photo, but says nothing
/// against a replayed recording of a live face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A flat or still picture of a face before the camera: print, screen, animated photo.
    Presentation,
    /// A recording instead of a camera: loops, frozen pictures.
    Replay,
    /// A face that was computed: swap, reenactment, synthetic head.
    Forgery,
    /// A stream that does not come from where it claims. (Provenance; see [`crate::analysis::source::provenance`].)
    Injection,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 4] = [Self::Presentation, Self::Replay, Self::Forgery, Self::Injection];
    /// Name for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presentation => "presentation",
            Self::Replay => "replay",
            Self::Forgery => "forgery",
            Self::Injection => "injection",
        }
    }
}
