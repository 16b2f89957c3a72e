//! What the pictures and their times say of the source that made them (media forensics), as [`Finding`]s.
//!
//! [`Timing`] runs on the streaming thread and sees every buffer; [`SourceForensics`] runs beside it and sees a few
//! frames a second; [`bitstream`] reads what a source sends compressed. None of them knows who opened the source,
//! so each is told the [`Origin`]: what the source claims to be, how it codes, and what has been done to its pictures
//! on the way here. Everything here can be forged by someone who cares; see `docs/provenance-signals.md`.

pub mod bitstream;
mod blocks;
pub mod cadence;
pub mod grid;
pub mod noise;
mod profile;
pub mod timing;

pub use cadence::Cadence;
pub use grid::Grid;
pub use noise::Noise;
pub use timing::Timing;

use super::fingerprint::Fingerprint;
use super::frame::FrameView;
use super::provenance::{Class, Finding};
use super::verdict::{NormRect, names};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the pictures come out of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// Uncompressed: a picture that has been through a codec before is then a surprise.
    Raw,
    /// Every picture by itself (MJPEG).
    Intra,
    /// Pictures that lean on each other (H.264, H.265, VP8, VP9, AV1).
    Inter,
    /// Not known; checks that depend on it are silent.
    #[default]
    Unknown,
}
names!(Coding { Raw => "raw", Intra => "intra", Inter => "inter", Unknown => "unknown" });

/// What is known of the source before its pictures are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What it claims to be. An injection is a lie about that.
    pub claim: Class,
    pub coding: Coding,
    /// Something between the source and here scales, crops, turns, retimes or filters the pictures. What such elements
    /// do honestly looks like a history, so most checks are silent then.
    pub altered: bool,
}

/// What evidence of injection is worth against a claim: all of it against a camera, part of it where recordings and
/// other programs are among the honest senders, nothing where there is nothing to lie about.
const fn worth(claim: Class) -> f64 {
    match claim {
        Class::Physical => 1.0,
        Class::Network | Class::Application | Class::Unknown | Class::Virtual => 0.5,
        Class::File | Class::Synthetic => 0.0,
    }
}

/// The findings with their evidence of injection as it counts against a claim.
pub fn against(claim: Class, mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.injection *= worth(claim);
    }
    findings
}

/// Everything that is read from pictures. Bounded memory (about 1 MB at most), a millisecond or so a frame.
#[derive(Debug)]
pub struct SourceForensics {
    origin: Origin,
    last: Option<u64>,
    noise: Noise,
    grid: Grid,
    cadence: Cadence,
}

impl SourceForensics {
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            last: None,
            noise: Noise::default(),
            grid: Grid::default(),
            cadence: Cadence::default(),
        }
    }

    /// Takes a frame with its PTS (ns) and the face's place in it, if there is one. Noise is measured between two
    /// frames at most [`noise::MAX_PAIR_NS`] apart: call it for two consecutive frames a few times a second, or for a
    /// steady 5 a second. It keeps a copy of the small blocks that it needs, never of the frame. A PTS that does not
    /// rise, and a new size, start everything afresh.
    pub fn observe_frame(&mut self, frame: &FrameView<'_>, pts: u64, face: Option<NormRect>) {
        if self.last.is_some_and(|last| pts <= last) {
            *self = Self::new(self.origin);
        }
        self.last = Some(pts);
        self.noise.observe(frame, pts, face);
        self.grid.observe(frame);
    }

    /// Takes the fingerprint of every frame, for the checks of cadence; they are silent without.
    pub fn observe_print(&mut self, pts: u64, print: &Fingerprint) {
        self.cadence.observe(&(pts, *print));
    }

    /// One finding a check, evidence of injection already weighed against the claim.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = self.noise.findings(&self.origin);
        all.extend(self.grid.findings(&self.origin));
        all.extend(self.cadence.findings(&self.origin));
        against(self.origin.claim, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_says_so_is_no_injection() {
        let found = || vec![Finding::of("timestamps", Class::Physical, -1.0, "exact").injected(2.0)];
        let nats = |claim| against(claim, found()).iter().map(|f| f.injection).sum::<f64>();
        assert_eq!(nats(Class::File), 0.0);
        assert_eq!(nats(Class::Physical), 2.0);
        assert!(nats(Class::Network) > 0.0 && nats(Class::Network) < 2.0);
    }
}
