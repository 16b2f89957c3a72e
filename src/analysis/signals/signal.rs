//! What a signal is: it takes what is known of a face in one frame, and gives a reading.

use crate::analysis::evidence::{Calibration, Family, Reading, seconds};
use crate::analysis::face::mesh::{FaceMesh, Pose};
use crate::analysis::face::models::{BLENDSHAPES, MeshKind};
use crate::analysis::face::patch::Patch;
use crate::analysis::face::quality::Quality;

/// What the chain knows of one face in one frame.
#[derive(Clone, Copy, Debug)]
pub struct FaceObservation<'a> {
    /// PTS, ns; grows from one observation of a track to the next.
    pub pts: u64,
    pub mesh: &'a FaceMesh,
    pub kind: MeshKind,
    pub pose: Pose,
    pub quality: Quality,
    /// 52 coefficients, 0..1, when the profile computes them.
    pub blendshapes: Option<&'a [f32; BLENDSHAPES]>,
    /// The face as a small high-pass picture.
    pub patch: &'a Patch,
    /// Mean linear RGB (0..1) of forehead, right cheek and left cheek.
    pub skin: [[f32; 3]; 3],
}

/// A signal about one face. One instance a track; it may keep as much of the past as it bounds.
pub trait FaceSignal: Send + Sync + std::fmt::Debug {
    /// Name in evidence, calibration and documentation.
    fn name(&self) -> &'static str;
    /// The kind of attack it speaks of.
    fn family(&self) -> Family;
    /// Takes a frame; `None` while there is nothing to say.
    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading>;
    /// Forgets motion across a gap (the face was away); what it knows of the person stays if it is still true.
    fn interrupt(&mut self);
}

/// The last reading of a signal that judges less often than it sees.
#[derive(Debug, Default)]
pub(crate) struct Held {
    judged: Option<u64>,
    reading: Option<Reading>,
}

impl Held {
    /// Whether `every` seconds have passed at `pts` (ns) since it was last judged.
    pub fn is_due(&self, pts: u64, every: f64) -> bool {
        self.judged.is_none_or(|j| seconds(j, pts) >= every)
    }

    /// Holds what was judged at `pts`.
    pub fn keep(&mut self, pts: u64, reading: Option<Reading>) {
        *self = Self { judged: Some(pts), reading };
    }

    /// Holds nothing, until it is judged again when that is due.
    pub fn hush(&mut self) {
        self.reading = None;
    }

    pub fn reading(&self) -> Option<Reading> {
        self.reading.clone()
    }
}
