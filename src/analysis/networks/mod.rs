//! Networks that watch a face: what is known of one ([`spec`]), what it is shown ([`crop`], [`look`]), what it remembers
//! ([`memory`]), which part of the face its heat map blames ([`parts`]), and what its scores amount to ([`signal`]).

pub mod crop;
pub mod look;
pub mod memory;
pub mod models;
pub mod parts;
pub mod signal;
pub mod spec;
