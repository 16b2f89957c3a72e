//! Where frames come from and how they are cut: the plumbing between recordings and attacks.

use super::error::Result;
use crate::recorded::{Frame, Reader, StreamInfo};
use std::collections::VecDeque;

/// Frames one after another, PTS rising.
pub trait FrameSource {
    fn info(&self) -> &StreamInfo;
    /// The next frame; `None` at the end and ever after.
    fn next_frame(&mut self) -> Result<Option<Frame>>;
}

/// Frames of a finished attack.
pub trait Scene: FrameSource {
    /// PTS of the first frame that is attack; `None` while (or if) there has been none.
    fn onset_pts(&self) -> Option<u64>;
}

/// A source of unknown make.
pub type BoxSource<'a> = Box<dyn FrameSource + 'a>;

impl<S: FrameSource + ?Sized> FrameSource for &mut S {
    fn info(&self) -> &StreamInfo {
        (**self).info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        (**self).next_frame()
    }
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn info(&self) -> &StreamInfo {
        (**self).info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        (**self).next_frame()
    }
}

impl FrameSource for Reader {
    fn info(&self) -> &StreamInfo {
        Reader::info(self)
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        Ok(self.next().transpose()?)
    }
}

/// Frames held in memory.
#[derive(Clone, Debug)]
pub struct Frames {
    info: StreamInfo,
    frames: VecDeque<Frame>,
}

impl Frames {
    pub fn new(info: StreamInfo, frames: impl IntoIterator<Item = Frame>) -> Self {
        Self { info, frames: frames.into_iter().collect() }
    }
}

impl FrameSource for Frames {
    fn info(&self) -> &StreamInfo {
        &self.info
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        Ok(self.frames.pop_front())
    }
}

/// The source from `start_ns` after its first frame on, with the first kept frame at PTS 0.
pub(crate) struct From0<S> {
    inner: S,
    start_ns: u64,
    first: Option<u64>,
    base: Option<u64>,
}

impl<S: FrameSource> From0<S> {
    pub fn new(inner: S, start_ns: u64) -> Self {
        Self { inner, start_ns, first: None, base: None }
    }
}

impl<S: FrameSource> FrameSource for From0<S> {
    fn info(&self) -> &StreamInfo {
        self.inner.info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        while let Some(frame) = self.inner.next_frame()? {
            let first = *self.first.get_or_insert(frame.pts_ns);
            if frame.pts_ns.saturating_sub(first) >= self.start_ns {
                let base = *self.base.get_or_insert(frame.pts_ns);
                return Ok(Some(frame.at(frame.pts_ns.saturating_sub(base), frame.duration_ns)));
            }
        }
        Ok(None)
    }
}

/// Some frames, then the rest of a source.
pub(crate) struct HeadThenRest<'a> {
    pub head: VecDeque<Frame>,
    pub rest: BoxSource<'a>,
}

impl FrameSource for HeadThenRest<'_> {
    fn info(&self) -> &StreamInfo {
        self.rest.info()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        match self.head.pop_front() {
            Some(frame) => Ok(Some(frame)),
            None => self.rest.next_frame(),
        }
    }
}

/// PTS for a scene that may outlast its source: the source's own cadence as long as there is one (real
/// cameras are uneven, and an even clock would give the attack away), then the nominal rate.
pub(crate) struct Clock<'a> {
    source: Option<BoxSource<'a>>,
    info: StreamInfo,
    anchor_ns: u64,
    since: u64,
}

impl<'a> Clock<'a> {
    /// Goes on after the frame at `now_ns`, which has been taken from `source` already.
    pub fn after(source: BoxSource<'a>, now_ns: u64) -> Self {
        let info = source.info().clone();
        Self { source: Some(source), info, anchor_ns: now_ns, since: 0 }
    }

    pub fn tick(&mut self) -> Result<(u64, Option<u64>)> {
        if let Some(source) = &mut self.source {
            if let Some(frame) = source.next_frame()? {
                self.anchor_ns = frame.pts_ns;
                return Ok((frame.pts_ns, frame.duration_ns));
            }
            self.source = None;
        }
        self.since += 1;
        let pts = self.anchor_ns.saturating_add(self.info.due_ns(self.since));
        Ok((pts, Some(self.info.frame_ns())))
    }
}
