//! What the models of a manifest are for.

use serde::Deserialize;

/// What a model is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum Role {
    /// Face detector for near faces.
    FaceDetectorShort,
    /// Face detector for faces further away.
    FaceDetectorFull,
    /// Face mesh of 468 points.
    FaceMeshV1,
    /// Face mesh of 478 points.
    FaceMeshV2,
    /// 52 expression coefficients out of mesh points.
    FaceBlendshapes,
    /// A network that watches a face; several may have this role. See [`super::face_signal`].
    FaceSignal,
    /// A network made for tests; several may have this role.
    Test,
    /// A role of a later version: kept by name, so that an old plugin reads a newer manifest.
    Other(String),
}

impl Role {
    /// Whether several models of a manifest may have it.
    pub(super) const fn may_repeat(&self) -> bool {
        matches!(self, Self::FaceSignal | Self::Test)
    }

    /// The name in the manifest.
    pub fn as_str(&self) -> &str {
        match self {
            Self::FaceDetectorShort => "face-detector-short",
            Self::FaceDetectorFull => "face-detector-full",
            Self::FaceMeshV1 => "face-mesh-v1",
            Self::FaceMeshV2 => "face-mesh-v2",
            Self::FaceBlendshapes => "face-blendshapes",
            Self::FaceSignal => "face-signal",
            Self::Test => "test",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for Role {
    fn from(name: String) -> Self {
        let known = [
            Self::FaceDetectorShort,
            Self::FaceDetectorFull,
            Self::FaceMeshV1,
            Self::FaceMeshV2,
            Self::FaceBlendshapes,
            Self::FaceSignal,
            Self::Test,
        ];
        known.into_iter().find(|role| role.as_str() == name).unwrap_or(Self::Other(name))
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
