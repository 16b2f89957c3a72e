//! What an attack may use besides its recording: faces, another person's recording, another time of the same one.

use super::error::{Error, Result};
use super::faces::Faces;
use crate::analysis::face::mesh::{FaceMesh, SURFACE};
use crate::lock::lock;
use crate::recorded::{Frame, StreamInfo};
use std::sync::{Mutex, MutexGuard};

/// What an attack may use besides its recording.
#[derive(Debug, Default)]
pub struct Resources {
    faces: Option<Mutex<Faces>>,
    /// Another person's recording.
    pub other: Option<Segment>,
    /// Another time of the same recording.
    pub later: Option<Segment>,
}

/// Some seconds of a recording, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub info: StreamInfo,
    pub frames: Vec<Frame>,
}

impl Resources {
    pub fn with_faces(faces: Faces) -> Self {
        Self { faces: Some(Mutex::new(faces)), ..Self::default() }
    }

    /// Nothing: enough for what needs no face.
    pub const NONE: Self = Self { faces: None, other: None, later: None };

    /// # Errors
    /// If there is no finder.
    pub fn faces(&self) -> Result<MutexGuard<'_, Faces>> {
        let missing = "no finder of faces was given; load the networks first";
        let faces = self.faces.as_ref().ok_or_else(|| Error::Faces(missing.into()))?;
        Ok(lock(faces))
    }

    /// The largest face; `None` where there is none that is whole.
    pub fn face(&self, frame: &Frame, info: &StreamInfo) -> Result<Option<FaceMesh>> {
        let found = self.faces()?.all(frame, info)?;
        Ok(found.into_iter().next().filter(|m| m.points.len() >= SURFACE))
    }

    pub fn study(&self, segment: &Segment) -> Result<()> {
        self.faces()?.study(&segment.frames, &segment.info)
    }

    /// Another person's frame for the frame at `index`, forwards and backwards so that it never jumps.
    pub(crate) fn swing(segment: &Segment, index: usize) -> Option<&Frame> {
        let n = segment.frames.len();
        let period = (2 * n).saturating_sub(2).max(1);
        let at = index % period;
        segment.frames.get(if at < n { at } else { period - at })
    }
}
