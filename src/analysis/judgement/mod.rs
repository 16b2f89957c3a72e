//! From readings to a verdict.

pub mod alert;
pub mod cusum;
mod exact;
pub mod step;
pub mod verdict;
