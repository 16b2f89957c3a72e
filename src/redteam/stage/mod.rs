//! What stands before the camera, and when: presentations, tricks of time, partial attacks, covers, honest incidents.

mod cadence;
mod cover;
mod daily;
mod gate;
mod present;
mod surface;

pub use cadence::{Cadence, Stall, Trick};
pub use cover::{Cover, With};
pub use daily::{Daily, What};
pub use gate::Gate;
pub(crate) use gate::resized;
pub use present::Present;
pub(crate) use present::dim;
pub use surface::Surface;
