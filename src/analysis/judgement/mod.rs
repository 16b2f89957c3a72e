//! From readings to a verdict.

pub mod alert;
pub mod cusum;
pub mod decision;
mod exact;
pub mod fusion;
pub mod step;
pub mod verdict;
