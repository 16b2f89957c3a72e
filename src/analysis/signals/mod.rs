//! The signals: each watches one thing, says how likely it is under attack against a live person, how good the
//! ground is on which it says so, and why, in one line.
//!
//! A new signal is a file here that implements [`FaceSignal`] and a line in [`face_signals`], or, for what concerns the
//! stream rather than a face, a field of the engine. A network that watches single pictures of a face needs no code but
//! a manifest: see [`network`].

pub mod advection;
pub mod blink;
pub mod expression;
pub mod gaze;
pub mod micro_motion;
pub mod network;
pub mod planarity;
pub mod pulse;
pub mod repeat;
pub mod shading;
pub mod solidity;
pub mod vestibulo;

use super::calibration::Calibration;
use super::mesh::{FaceMesh, Pose};
use super::models::{BLENDSHAPES, MeshKind};
use super::patch::Patch;
use super::quality::Quality;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Kinds of attack that are weighed separately: a live-looking face speaks against a photo, but says nothing
/// against a replayed recording of a live face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A flat or still picture of a face before the camera: print, screen, animated photo.
    Presentation,
    /// A recording instead of a camera: loops, frozen pictures.
    Replay,
    /// A face that was computed: swap, reenactment, synthetic head.
    Forgery,
    /// A stream that does not come from where it claims. (Provenance; see [`super::provenance`].)
    Injection,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 4] = [Self::Presentation, Self::Replay, Self::Forgery, Self::Injection];
    /// Name for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presentation => "presentation",
            Self::Replay => "replay",
            Self::Forgery => "forgery",
            Self::Injection => "injection",
        }
    }
}

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

/// What a signal says after an observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Evidence that keeps flowing while things stay as they are, nats a second. A signal that judges windows of
    /// W seconds gives its window's LLR / W, so that overlapping windows are not counted twice.
    pub rate: f64,
    /// Evidence of an event at this very frame, nats, once.
    pub impulse: f64,
    /// The present window's LLR, for display.
    pub llr: f64,
    /// 0..1; rate and impulse count in proportion to it.
    pub quality: f64,
    /// One line for a person.
    pub reason: String,
    /// The measured features, in the calibration's order.
    pub features: Vec<f64>,
}

impl Reading {
    /// What a window of `window` seconds says: its LLR counts once over its length. Without a calibration (`None`) the
    /// features still go out, for a fit, and add nothing.
    pub(crate) fn of_window(
        llr: Option<f64>,
        window: f64,
        quality: Quality,
        reason: String,
        features: Vec<f64>,
    ) -> Self {
        Self {
            rate: llr.unwrap_or_default() / window,
            impulse: 0.0,
            llr: llr.unwrap_or_default(),
            quality: if llr.is_some() { f64::from(quality.overall()) } else { 0.0 },
            reason,
            features,
        }
    }
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

/// The signals that watch a face.
pub fn face_signals() -> Vec<Box<dyn FaceSignal>> {
    vec![
        Box::new(planarity::Planarity::default()),
        Box::new(micro_motion::MicroMotion::default()),
        Box::new(blink::Blink::default()),
        Box::new(expression::Expression::default()),
        Box::new(gaze::Gaze::default()),
        Box::new(pulse::Pulse::default()),
        Box::new(solidity::Solidity::default()),
        Box::new(vestibulo::Vestibulo::default()),
        Box::new(advection::Advection::default()),
        Box::new(shading::Shading::default()),
    ]
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

/// Takes from the front of `past`, which is sorted by time, what is more than the newest `most` or is `old`.
pub(crate) fn trim<T>(past: &mut VecDeque<T>, most: usize, old: impl Fn(&T) -> bool) {
    while past.len() > most || past.front().is_some_and(&old) {
        past.pop_front();
    }
}

/// Seconds from `a` to `b` (ns), 0 if the clock went back.
pub(crate) fn seconds(a: u64, b: u64) -> f64 {
    b.saturating_sub(a) as f64 * 1e-9
}

/// Natural logarithm with a floor, for magnitudes that may be 0.
pub(crate) fn ln(v: f64) -> f64 {
    v.max(1e-5).ln()
}
