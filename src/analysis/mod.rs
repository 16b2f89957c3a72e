//! Pure logic: no GStreamer, no ONNX Runtime, no clock, no I/O. Time comes in as nanoseconds.

pub mod align;
pub mod detector;
pub mod fingerprint;
pub mod frame;
pub mod geometry;
pub mod mesh;
pub mod models;
pub mod quality;
pub mod region;
pub mod tracker;
pub mod verdict;
