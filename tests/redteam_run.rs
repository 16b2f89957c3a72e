//! The self-test from the outside: the catalogue, the channels, whole evaluations with the small networks of
//! `tests/fixtures/face`, a generator as a program, and the program itself.
#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod common;

#[path = "redteam/catalogue.rs"]
mod catalogue;
#[path = "redteam/forgeries.rs"]
mod forgeries;
#[path = "redteam/generator.rs"]
mod generator;
#[path = "redteam/injections.rs"]
mod injections;
#[path = "redteam/program.rs"]
mod program;
#[path = "redteam/splices.rs"]
mod splices;
