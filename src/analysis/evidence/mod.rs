//! The words that signals and judges share: which attacks there are, what a signal says of them, and what a measured
//! number is worth.

pub mod calibration;
mod family;
mod names;
mod numbers;
mod reading;
pub mod sessions;

pub use calibration::Calibration;
pub use family::Family;
pub(crate) use names::names;
pub use numbers::{ln, seconds, trim};
pub use reading::{Evidence, Reading};
pub use sessions::GenuineSessions;
