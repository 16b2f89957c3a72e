//! Attacks that change a recording picture by picture.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::error::Result;
use crate::redteam::source::{BoxSource, FrameSource, Scene};

/// Changes pictures; `None` leaves one as it is.
pub(crate) trait Edit {
    fn edit(&mut self, frame: &Frame, index: usize) -> Result<Option<Frame>>;
    /// Whether what it does is an attack; what is not has no onset.
    fn attacks(&self) -> bool {
        true
    }
}

/// A recording with every picture changed.
pub(crate) struct Edited<'a> {
    source: BoxSource<'a>,
    edit: Box<dyn Edit + 'a>,
    index: usize,
    onset: Option<u64>,
}

impl<'a> Edited<'a> {
    pub fn boxed(source: BoxSource<'a>, edit: impl Edit + 'a) -> Box<dyn Scene + 'a> {
        Box::new(Self { source, edit: Box::new(edit), index: 0, onset: None })
    }
}

impl FrameSource for Edited<'_> {
    fn info(&self) -> &StreamInfo {
        self.source.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.source.next_frame()? else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        match self.edit.edit(&frame, index)? {
            Some(changed) => {
                if self.edit.attacks() {
                    self.onset.get_or_insert(frame.pts_ns);
                }
                Ok(Some(changed.at(frame.pts_ns, frame.duration_ns)))
            }
            None => Ok(Some(frame)),
        }
    }
}

impl Scene for Edited<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}
