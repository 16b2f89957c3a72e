//! `deepfakedetect` as an element: what it does to buffers, what it says, and that it can be started, stopped,
//! flushed and broken at any moment. Without ONNX Runtime the tests say so and pass.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "detect/errors.rs"]
mod errors;
#[path = "detect/inspect.rs"]
mod inspect;
#[path = "detect/lifecycle.rs"]
mod lifecycle;
#[path = "detect/live.rs"]
mod live;
#[path = "detect/messages.rs"]
mod messages;
#[path = "detect/metadata.rs"]
mod metadata;
#[path = "detect/pipelines.rs"]
mod pipelines;
#[path = "detect/properties.rs"]
mod properties;
#[path = "detect/sampling.rs"]
mod sampling;
#[path = "detect/sync.rs"]
mod sync;
#[path = "detect/transparency.rs"]
mod transparency;
