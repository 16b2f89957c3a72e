//! Running the networks: ONNX Runtime, the model directory, and sessions that all elements of a process share.

mod digest;
mod elf;
pub mod environment;
mod error;
pub mod library;
pub mod manifest;
pub mod model_dir;

pub use digest::Digest;
pub use environment::{Runtime, RuntimeInfo, runtime_info, set_log_sink};
pub use error::{Error, ErrorKind};
pub use manifest::{Manifest, ModelEntry, Role};
