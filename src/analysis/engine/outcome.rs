//! What comes of one frame.

use super::sampler::Phase;
use crate::analysis::challenge::Sample;
use crate::analysis::judgement::decision::Standing;
use crate::analysis::judgement::verdict::{Alert, Verdict};
use std::sync::Arc;

/// What came of one frame.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub verdict: Arc<Verdict>,
    /// What the session amounts to with this frame.
    pub standing: Standing,
    pub alerts: Vec<Alert>,
    /// How densely the stream should be sampled from now on.
    pub phase: Phase,
    /// The frame was the same picture as the last one, and only its repetition was judged.
    pub duplicate: bool,
    /// What networks said in this frame.
    pub scores: Vec<Score>,
    /// The faces as challenges see them; none in a picture that is shown again.
    pub samples: Vec<Sample>,
}

/// What a network said of a face in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Place of the network among [`NetworkModels::networks`](crate::analysis::networks::models::NetworkModels::networks).
    pub network: usize,
    pub track_id: u32,
    /// Attack logit.
    pub score: f64,
    /// Width of the face, frame pixels.
    pub px: f64,
}
