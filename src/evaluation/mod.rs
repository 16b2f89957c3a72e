//! How well a detector does on labelled clips, in the words of ISO/IEC 30107-3. Pure arithmetic: the same clips give
//! the same numbers.
//!
//! A clip that could not be judged (no face, say) stays in the count: nobody was warned of it.

pub mod bootstrap;
pub mod calibration;
mod clip;
pub mod compare;
pub mod intervals;
mod metrics;
pub mod roc;

pub use clip::{Clip, clusters};
pub use metrics::{Area, Delays, Evaluation, Kind, Pairs, evaluate};
