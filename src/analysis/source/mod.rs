//! What the pictures and their times say of the source that made them (media forensics), as [`Finding`]s.
//!
//! [`Timing`] runs on the streaming thread and sees every buffer; [`SourceForensics`] runs beside it and sees a few
//! frames a second; [`bitstream`] reads what a source sends compressed. None of them knows who opened the source,
//! so each is told the [`Origin`]: what the source claims to be, how it codes, and what has been done to its pictures
//! on the way here. Everything here can be forged by someone who cares; see `docs/provenance-signals.md`.

pub mod bitstream;
mod blocks;
pub mod cadence;
mod forensics;
pub mod grid;
pub mod noise;
mod origin;
mod profile;
pub mod provenance;
pub mod response;
pub mod rtp;
pub mod signed;
pub mod timing;

pub use cadence::Cadence;
pub use forensics::SourceForensics;
pub use grid::Grid;
pub use noise::Noise;
pub use origin::{Coding, Origin, against};
pub use timing::Timing;
