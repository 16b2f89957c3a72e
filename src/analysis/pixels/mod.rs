//! What a picture is, and cheap arithmetic on it.

pub mod fingerprint;
pub mod frame;
pub mod geometry;
pub mod rect;
pub mod region;
