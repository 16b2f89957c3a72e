//! What is kept of an analysis so that its alert can be judged again: every reading as it was weighed.
//!
//! A [`History`] holds the newest seconds. What leaves it is not lost but weighed into the judges' states at its
//! beginning, so that whoever replays the rest from there comes to the very numbers that the engine came to.

mod entry;
mod history;
mod replay;

pub use entry::{Entry, Frame};
pub use history::{History, MAX_BYTES, Recording, Standing};
pub use replay::{Difference, MAX_DIFFERENCES, Replay, replay};

#[cfg(test)]
mod tests;
