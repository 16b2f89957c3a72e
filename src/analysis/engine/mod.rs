//! The whole analysis of one stream.

pub mod ignored;
pub mod profile;
pub mod sampler;
mod stream;
mod trace;
mod watch;

pub use stream::{Engine, EngineConfig, Outcome, Score};
pub use trace::Trace;
