//! The whole analysis of one stream.

mod config;
pub mod ignored;
pub mod profile;
pub mod sampler;
mod session;
mod stream;
mod trace;
mod watch;

pub use config::EngineConfig;
pub use stream::{Engine, Outcome, Score};
pub use trace::Trace;
