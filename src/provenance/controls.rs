//! Controls of a video node that are moved, and always put back.
//!
//! The one place that changes anything outside the process, and only with `probe-controls=true`. The ioctls are behind
//! [`Controls`], so that tests can be a camera; [`ControlGuard`] remembers what stood where and puts it back when it is
//! dropped, whatever ended it.

use std::io;
use std::path::Path;

/// How often putting a value back is tried.
const TRIES: usize = 3;

/// A control that can be moved now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub minimum: i32,
    pub maximum: i32,
    pub step: i32,
}

/// The controls of a camera.
pub trait Controls: Send {
    /// Its range; `None` where the camera has no such control, or one that cannot be written.
    fn range(&mut self, id: u32) -> Option<Range>;
    fn get(&mut self, id: u32) -> io::Result<i32>;
    fn set(&mut self, id: u32, value: i32) -> io::Result<()>;
}

/// A camera whose controls are being moved; puts them back when dropped.
pub struct ControlGuard {
    camera: Box<dyn Controls>,
    /// What stood where before, in the order of the first changes.
    before: Vec<(u32, i32)>,
}

impl std::fmt::Debug for ControlGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlGuard").field("before", &self.before).finish_non_exhaustive()
    }
}

impl ControlGuard {
    pub fn new(camera: Box<dyn Controls>) -> Self {
        Self { camera, before: Vec::new() }
    }

    pub fn range(&mut self, id: u32) -> Option<Range> {
        self.camera.range(id)
    }

    pub fn get(&mut self, id: u32) -> io::Result<i32> {
        self.camera.get(id)
    }

    /// Moves a control. A value that was not there before is remembered first; where it cannot be read nothing is moved.
    pub fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
        if !self.before.iter().any(|(known, _)| *known == id) {
            self.before.push((id, self.camera.get(id)?));
        }
        self.camera.set(id, value)
    }

    /// Puts everything back, the last change first: exposure before the automatic that would take it over. Returns
    /// whether the camera took it all.
    pub fn restore(&mut self) -> bool {
        let mut whole = true;
        while let Some((id, value)) = self.before.pop() {
            whole &= (0..TRIES).any(|_| self.camera.set(id, value).is_ok());
        }
        whole
    }
}

impl Drop for ControlGuard {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Opens a node for its controls. A program that streams from it is not disturbed by that.
#[cfg(target_os = "linux")]
pub fn open(node: &Path) -> io::Result<Box<dyn Controls>> {
    Ok(Box::new(linux::Node::open(node)?))
}

/// Opens a node for its controls.
#[cfg(not(target_os = "linux"))]
pub fn open(_: &Path) -> io::Result<Box<dyn Controls>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "controls can be moved on Linux only"))
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Controls, Range};
    use crate::provenance::v4l2::Unread;
    use crate::provenance::v4l2::linux::{
        Control, ControlValue, get_control, opened, query_control, set_control,
    };
    use rustix::fd::OwnedFd;
    use rustix::fs::OFlags;
    use std::io;
    use std::path::Path;

    /// Flags of a control: disabled, taken by another program, read-only, inactive (an automatic holds it).
    const NOT_NOW: u32 = 0x1 | 0x2 | 0x4 | 0x10;

    pub struct Node(OwnedFd);

    impl Node {
        pub fn open(path: &Path) -> io::Result<Self> {
            opened(path, &[OFlags::RDWR]).map(Self).map_err(|e| match e {
                Unread::Open(_, e) => e,
                other => io::Error::other(other.to_string()),
            })
        }
    }

    impl Controls for Node {
        fn range(&mut self, id: u32) -> Option<Range> {
            let mut asked = Control::of(id);
            query_control(&self.0, &mut asked).ok()?;
            let Control { minimum, maximum, step, flags, .. } = asked;
            (flags & NOT_NOW == 0).then_some(Range { minimum, maximum, step })
        }

        fn get(&mut self, id: u32) -> io::Result<i32> {
            let mut asked = ControlValue { id, value: 0 };
            get_control(&self.0, &mut asked)?;
            Ok(asked.value)
        }

        fn set(&mut self, id: u32, value: i32) -> io::Result<()> {
            Ok(set_control(&self.0, &mut ControlValue { id, value })?)
        }
    }
}
