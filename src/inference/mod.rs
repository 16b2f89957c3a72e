//! Running the networks: ONNX Runtime, the model directory, and sessions that all elements of a process share.

mod digest;
mod error;
pub mod manifest;
pub mod model_dir;

pub use digest::Digest;
pub use error::{Error, ErrorKind};
pub use manifest::{Manifest, ModelEntry, Role};
