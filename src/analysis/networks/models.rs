//! The networks that watch a face, as a trait beside [`FaceModels`]; who runs them is not the analysis's business.

use super::spec::NetworkSpec;
use crate::analysis::face::models::FaceModels;
use ndarray::ArrayView4;
use std::sync::Arc;

/// Points of the mesh that a network may ask for: those that both meshes have.
pub const LANDMARKS: usize = 468;

/// What a network that watches a face is shown.
#[derive(Clone, Copy, Debug)]
pub struct NetworkInput<'a> {
    /// As the network's description says.
    pub picture: ArrayView4<'a, f32>,
    /// The first [`LANDMARKS`] points of the mesh, 0..1 of the picture (beyond where they lie outside of it); empty if the network does not ask
    /// for them.
    pub landmarks: &'a [[f32; 2]],
    /// Of a network of time: what it gave as its state for the picture before (zeros at the first one), and how many seconds ago that was;
    /// else empty and 0.
    pub state: &'a [f32],
    pub seconds: f32,
}

/// Raw output of a network that watches a face: the numbers of its score, its heat map and its state if it has them.
#[derive(Clone, Debug, Default)]
pub struct NetworkOutput {
    pub values: Vec<f32>,
    pub heat: Vec<f32>,
    pub state: Vec<f32>,
}

/// Face networks, and those beside them that watch a face. Outputs are overwritten, their capacity is kept.
pub trait NetworkModels: FaceModels {
    /// The networks that watch a face; the same ones in the same order at every call.
    fn networks(&self) -> &[Arc<NetworkSpec>];

    /// Runs the network at `index` of [`networks`](Self::networks); `input` is as its description says.
    fn network(
        &mut self,
        index: usize,
        input: NetworkInput<'_>,
        out: &mut NetworkOutput,
    ) -> Result<(), Self::Error>;
}
