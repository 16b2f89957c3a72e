//! Challenges: the person is asked to do something that nobody could know before, and the pictures must show it done.
//!
//! What is asked is drawn by chance by whoever opens a challenge; the random numbers come in from outside ([`Draws`]), as
//! the times do. [`controller`] is the state machine: one challenge at a time, one result each. A file a kind says what is asked
//! and judges the answer: [`turn`], [`dot`], [`blink`], [`hand`], [`flash`]. `docs/challenges.md` says what each is good for.

pub mod blink;
pub mod controller;
pub mod dot;
pub mod draws;
pub mod flash;
pub mod hand;
mod report;
pub mod request;
mod ruling;
pub mod sample;
mod task;
mod trace;
pub mod turn;

#[cfg(test)]
mod controller_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_gestures;

pub use controller::{Controller, Frame};
pub use draws::Draws;
pub use report::{Kind, Reason, Report, State};
pub use request::{Refusal, Request};
pub use sample::{Baseline, Sample};
pub use task::{Colour, Direction, Step, Task, Waypoint};
