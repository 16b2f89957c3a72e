//! GStreamer plugin `deepfake`: says during a live call whether the face is a real person in front of a real camera.

pub mod analysis;
#[cfg(feature = "tools")]
pub mod recorded;
#[cfg(feature = "tools")]
pub mod redteam;
