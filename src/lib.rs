//! GStreamer plugin `deepfake`: says during a live call whether the face is a real person in front of a real camera.

pub mod analysis;
pub mod inference;
