//! Pure logic: no GStreamer, no ONNX Runtime, no clock, no I/O. Time comes in as nanoseconds.
//!
//! The rooms, in the order of a frame's way. A room imports only rooms that stand above it in this list; `tests/house.rs`
//! holds it to that.

pub mod pixels;

pub mod face;

pub mod evidence;

pub mod networks;

pub mod signals;

pub mod source;

pub mod judgement;

pub mod challenge;

pub mod bundle;

pub mod engine;
