//! Recorded files: decode one to frames, encode frames to one. Everything goes through GStreamer, with
//! bounded queues; a failure of the pipeline becomes an [`Error`], never a hang.

mod error;
mod frame;
mod pipeline;
mod reader;
mod writer;

pub use error::Error;
pub use frame::{Frame, StreamInfo};
pub use reader::Reader;
pub(crate) use reader::pack;
pub use writer::{Codec, Writer};
