//! The signals: each watches one thing, says how likely it is under attack against a live person, how good the
//! ground is on which it says so, and why, in one line.
//!
//! A new signal is a file here that implements [`FaceSignal`] and a line in [`face_signals`], or, for what concerns the
//! stream rather than a face, a field of the engine. A network that watches single pictures of a face needs no code but
//! a manifest: see [`super::networks`].

pub mod advection;
pub mod blink;
pub mod expression;
pub mod gaze;
pub mod micro_motion;
pub mod planarity;
pub mod pulse;
pub mod repeat;
pub mod shading;
mod signal;
pub mod solidity;
mod texture;
pub mod vestibulo;

pub use signal::{FaceObservation, FaceSignal};

/// The signals that watch a face.
pub fn face_signals() -> Vec<Box<dyn FaceSignal>> {
    vec![
        Box::new(planarity::Planarity::default()),
        Box::new(micro_motion::MicroMotion::default()),
        Box::new(blink::Blink::default()),
        Box::new(expression::Expression::default()),
        Box::new(gaze::Gaze::default()),
        Box::new(pulse::Pulse::default()),
        Box::new(solidity::Solidity::default()),
        Box::new(vestibulo::Vestibulo::default()),
        Box::new(advection::Advection::default()),
        Box::new(shading::Shading::default()),
    ]
}
