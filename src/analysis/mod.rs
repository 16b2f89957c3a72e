//! Pure logic: no GStreamer, no ONNX Runtime, no clock, no I/O. Time comes in as nanoseconds.

pub mod models;
pub mod verdict;
