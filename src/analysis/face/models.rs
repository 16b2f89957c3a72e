//! The neural parts that the analysis needs, as a trait: the analysis decides what goes in and what the
//! numbers mean; who runs the network (ONNX Runtime, a fake in a test) is not its business.

use ndarray::ArrayView4;

/// Which face detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetectorRange {
    /// BlazeFace short range: faces above about a fifth of the frame, 128x128 input.
    Short,
    /// BlazeFace full range: smaller faces, 192x192 input.
    Full,
}

impl DetectorRange {
    /// Side of the square input, pixels.
    pub const fn input_side(self) -> usize {
        match self {
            Self::Short => 128,
            Self::Full => 192,
        }
    }
    /// Number of anchors, i.e. rows of the output.
    pub const fn anchors(self) -> usize {
        match self {
            Self::Short => 896,
            Self::Full => 2304,
        }
    }
}

/// Which face mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeshKind {
    /// 468 points, 192x192 input: the economical one, no irises.
    V1,
    /// 478 points with irises, 256x256 input.
    V2,
}

impl MeshKind {
    /// Side of the square input, pixels.
    pub const fn input_side(self) -> usize {
        match self {
            Self::V1 => 192,
            Self::V2 => 256,
        }
    }
    /// Number of points in the output.
    pub const fn points(self) -> usize {
        match self {
            Self::V1 => 468,
            Self::V2 => 478,
        }
    }
}

/// Number of landmarks that the blendshape model reads, and of blendshapes it gives.
pub const BLENDSHAPE_POINTS: usize = 146;
/// See [`BLENDSHAPE_POINTS`].
pub const BLENDSHAPES: usize = 52;

/// Raw detector output: `regressors` is anchors x 16, `scores` is one logit an anchor.
#[derive(Clone, Debug, Default)]
pub struct DetectorOutput {
    pub regressors: Vec<f32>,
    pub scores: Vec<f32>,
}

/// Raw mesh output: `points` is `MeshKind::points` x 3 in input pixels (z of the same scale), `presence` a logit.
#[derive(Clone, Debug, Default)]
pub struct MeshOutput {
    pub points: Vec<f32>,
    pub presence: f32,
}

/// The networks of the face chain. Outputs are overwritten, their capacity is kept.
pub trait FaceModels {
    /// Why an inference failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// `input`: 1 x side x side x 3, RGB in -1..1.
    fn detect(
        &mut self,
        range: DetectorRange,
        input: ArrayView4<'_, f32>,
        out: &mut DetectorOutput,
    ) -> Result<(), Self::Error>;

    /// `input`: 1 x side x side x 3, RGB in 0..1.
    fn mesh(
        &mut self,
        kind: MeshKind,
        input: ArrayView4<'_, f32>,
        out: &mut MeshOutput,
    ) -> Result<(), Self::Error>;

    /// `points`: 146 x 2 landmark coordinates in frame pixels; `out`: 52 coefficients, 0..1.
    fn blendshapes(
        &mut self,
        points: &[[f32; 2]; BLENDSHAPE_POINTS],
        out: &mut [f32; BLENDSHAPES],
    ) -> Result<(), Self::Error>;
}
