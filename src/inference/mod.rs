//! Running the networks: ONNX Runtime, the model directory, and sessions that all elements of a process share.
//!
//! The way in is [`FaceModelSet::load`]; [`registry`] and [`Model`] serve networks of other kinds. Nothing here
//! knows GStreamer.
//!
//! Invariants: one ONNX Runtime environment a process; what is run is what was checked (digest first, then the
//! session from the same bytes); no lock is held while a network runs; nothing falls back silently.

mod digest;
mod elf;
pub mod environment;
mod error;
mod face_models;
mod face_network;
pub mod face_signal;
pub mod library;
pub mod manifest;
pub mod model_dir;
mod model_entry;
mod pool;
mod provider;
pub mod registry;
mod role;
mod session;
mod tensors;
mod unknown_keys;

pub use digest::Digest;
pub use environment::{Runtime, RuntimeInfo, runtime_info, set_log_sink};
pub use error::{Error, ErrorKind};
pub use face_models::{Config, FaceModelSet, Wanted};
pub use manifest::{Manifest, ModelEntry, Role};
pub use provider::{ActiveProvider, Provider, UnknownProvider};
pub use session::{Input, Model};
