//! The whole analysis of one stream.

mod config;
pub mod ignored;
mod outcome;
pub mod profile;
pub mod sampler;
mod session;
mod stream;
mod trace;
mod watch;

pub use config::EngineConfig;
pub use outcome::{Outcome, Score};
pub use stream::Engine;
pub use trace::Trace;
