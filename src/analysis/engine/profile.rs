//! How thoroughly a stream is analysed: the networks that run, and how often.

use crate::analysis::engine::sampler::Rates;
use crate::analysis::face::chain::ChainConfig;
use crate::analysis::face::models::MeshKind;

/// See the variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Mesh of 468 points, no irises, no expressions: for many streams on few cores.
    Economy,
    /// Mesh of 478 points with irises, expressions.
    #[default]
    Balanced,
    /// The same on nearly every frame.
    Thorough,
}

impl Profile {
    /// What the face chain runs; `max_faces` and `min_face` (frame pixels) come from the user.
    pub fn chain(self, max_faces: usize, min_face: f32) -> ChainConfig {
        let economy = self == Self::Economy;
        ChainConfig {
            economy,
            mesh: if economy { MeshKind::V1 } else { MeshKind::V2 },
            blendshapes: !economy,
            full_range: true,
            max_faces,
            min_face,
            redetect: if economy { 2_000_000_000 } else { 1_000_000_000 },
        }
    }

    /// How often it runs.
    pub const fn rates(self) -> Rates {
        match self {
            Self::Economy => Rates { calibrate: 12.0, patrol: 8.0, alarm: 15.0 },
            Self::Balanced => Rates { calibrate: 15.0, patrol: 10.0, alarm: 15.0 },
            Self::Thorough => Rates { calibrate: 30.0, patrol: 25.0, alarm: 30.0 },
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Economy => "economy",
            Self::Balanced => "balanced",
            Self::Thorough => "thorough",
        }
    }
}
