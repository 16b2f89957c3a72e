//! What a video node says of itself: the questions of V4L2 that change nothing.
//!
//! Nothing is streamed and no control is written, so asking does not disturb a program that uses the camera. A driver may
//! still take its time over an answer (a USB device that hangs), so the caller asks on a thread of its own.

#![cfg_attr(target_os = "linux", allow(unsafe_code))]

use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Bits of [`Node::capabilities`].
pub mod capability {
    pub const CAPTURE: u32 = 0x1 | 0x1000;
    pub const OUTPUT: u32 = 0x2 | 0x2000;
    pub const MEMORY_TO_MEMORY: u32 = 0x8000 | 0x4000;
    pub const METADATA: u32 = 0x0080_0000;
    /// The bridge of an image processor: formats and controls are set on its other parts.
    pub const MEDIA_CONTROLLER: u32 = 0x2000_0000;
    /// The field of the node's own capabilities, besides the whole device's, is filled.
    #[cfg(target_os = "linux")]
    pub(super) const OF_NODE: u32 = 0x8000_0000;
}

/// A picture format that a node offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// `YUYV`, `MJPG`, ...
    pub code: String,
    /// Number of sizes; 0 where any size in a range goes.
    pub sizes: u32,
    /// The largest size.
    pub width: u32,
    pub height: u32,
}

/// What a video node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub driver: String,
    pub card: String,
    pub bus_info: String,
    /// The driver's, usually the kernel's, `6.1.0`.
    pub version: String,
    /// This node's capabilities ([`capability`]).
    pub capabilities: u32,
    /// The name of its first input: `Camera 1`, `loopback`.
    pub input: Option<String>,
    pub formats: Vec<Format>,
    /// Names of its controls.
    pub controls: Vec<String>,
    /// How many of them set optics or a sensor: exposure, focus, white balance, mains frequency.
    pub camera_controls: usize,
}

/// Why a node could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("{0} is not there")]
    Missing(PathBuf),
    #[error("{0} is no video device: name a node such as /dev/video0")]
    NotVideo(PathBuf),
    #[error("{0} cannot be opened: {1}; may the user read it (group `video`)?")]
    Open(PathBuf, #[source] io::Error),
    #[error("{0} does not say what it is: {1}")]
    Mute(PathBuf, #[source] io::Error),
    #[error("video nodes can be asked on Linux only")]
    OtherSystem,
}

/// The numbers of a video node's character device.
#[cfg(target_os = "linux")]
pub fn number(path: &Path) -> Result<(u32, u32), Unread> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let status = std::fs::metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Unread::Missing(path.to_owned()),
        _ => Unread::Open(path.to_owned(), e),
    })?;
    // Nothing else is ever opened: opening a pipe waits, opening a tape drive or a watchdog has effects.
    let (major, minor) = (rustix::fs::major(status.rdev()), rustix::fs::minor(status.rdev()));
    let video = status.file_type().is_char_device() && major == linux::MAJOR;
    if video { Ok((major, minor)) } else { Err(Unread::NotVideo(path.to_owned())) }
}

/// The numbers of a video node's character device.
#[cfg(not(target_os = "linux"))]
pub fn number(_: &Path) -> Result<(u32, u32), Unread> {
    Err(Unread::OtherSystem)
}

/// Asks a node what it is. May block as long as the driver does.
#[cfg(target_os = "linux")]
pub fn ask(path: &Path) -> Result<Node, Unread> {
    linux::ask(path)
}

/// Asks a node what it is.
#[cfg(not(target_os = "linux"))]
pub fn ask(_: &Path) -> Result<Node, Unread> {
    Err(Unread::OtherSystem)
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    use super::*;
    use crate::provenance::sysfs::clean;
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::fs::{Mode, OFlags, fstat, major, open};
    use rustix::io::Errno;
    use rustix::ioctl::{Updater, ioctl, opcode};
    use std::collections::BTreeSet;

    /// No more formats than this are asked for.
    const FORMATS: u32 = 64;
    /// No more sizes of a format than this are asked for.
    const SIZES: u32 = 128;
    /// No more controls than this are asked for; vivid, the fullest, has about 60.
    const CONTROLS: usize = 128;
    /// Major number of video nodes.
    pub const MAJOR: u32 = 81;
    const CAPTURE: u32 = 1;
    const CAPTURE_PLANES: u32 = 9;
    const DISCRETE: u32 = 1;
    /// With a control's number: the next control, please.
    const NEXT: u32 = 0x8000_0000;
    const DISABLED: u32 = 1;
    const HEADING: u32 = 6;

    // The kernel's structures, include/uapi/linux/videodev2.h. Plain numbers and arrays of them: every bit pattern is
    // valid.
    #[repr(C)]
    #[derive(Default)]
    struct Capability {
        driver: [u8; 16],
        card: [u8; 32],
        bus_info: [u8; 32],
        version: u32,
        capabilities: u32,
        device_caps: u32,
        reserved: [u32; 3],
    }

    #[repr(C)]
    #[derive(Default)]
    struct FormatDescription {
        index: u32,
        kind: u32,
        flags: u32,
        description: [u8; 32],
        pixel_format: u32,
        media_bus_code: u32,
        reserved: [u32; 3],
    }

    /// Of the union only the words matter: width and height, or smallest, largest and step of both.
    #[repr(C)]
    #[derive(Default)]
    struct FrameSize {
        index: u32,
        pixel_format: u32,
        kind: u32,
        size: [u32; 6],
        reserved: [u32; 2],
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct Control {
        pub id: u32,
        kind: u32,
        name: [u8; 32],
        pub minimum: i32,
        pub maximum: i32,
        pub step: i32,
        default: i32,
        pub flags: u32,
        reserved: [u32; 2],
    }

    impl Control {
        /// The question for one control.
        pub fn of(id: u32) -> Self {
            Self { id, ..Self::default() }
        }
    }

    #[repr(C)]
    #[derive(Default)]
    pub struct ControlValue {
        pub id: u32,
        pub value: i32,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Input {
        index: u32,
        name: [u8; 32],
        kind: u32,
        audio: u32,
        tuner: u32,
        standards: u64,
        status: u32,
        capabilities: u32,
        reserved: [u32; 3],
    }

    // The sizes are part of the ioctl numbers.
    const _: () = assert!(size_of::<Capability>() == 104 && size_of::<FormatDescription>() == 64);
    const _: () =
        assert!(size_of::<FrameSize>() == 44 && size_of::<Control>() == 68 && size_of::<Input>() == 80);
    const _: () = assert!(size_of::<ControlValue>() == 8);

    /// A question whose answer overwrites it.
    macro_rules! question {
        ($vis:vis $name:ident, $t:ty, $opcode:expr) => {
            $vis fn $name(fd: &OwnedFd, value: &mut $t) -> Result<(), Errno> {
                // SAFETY: the opcode names this structure's size and direction, the structure is laid out as the
                // kernel's and may hold any bits, and it is borrowed for the call alone.
                unsafe { ioctl(fd.as_fd(), Updater::<{ $opcode }, $t>::new(value)) }
            }
        };
    }
    question!(query_capability, Capability, opcode::read::<Capability>(b'V', 0));
    question!(enumerate_formats, FormatDescription, opcode::read_write::<FormatDescription>(b'V', 2));
    question!(enumerate_inputs, Input, opcode::read_write::<Input>(b'V', 26));
    // The 32-bit question, not VIDIOC_QUERY_EXT_CTRL: uvcvideo did not know that one until Linux 6.15.
    question!(pub query_control, Control, opcode::read_write::<Control>(b'V', 36));
    question!(enumerate_sizes, FrameSize, opcode::read_write::<FrameSize>(b'V', 74));
    #[cfg(feature = "plugin")]
    question!(pub get_control, ControlValue, opcode::read_write::<ControlValue>(b'V', 27));
    #[cfg(feature = "plugin")]
    question!(pub set_control, ControlValue, opcode::read_write::<ControlValue>(b'V', 28));

    /// Opens a video node, and nothing else, without waiting; the ways of access are tried in their order.
    pub fn opened(path: &Path, ways: &[OFlags]) -> Result<OwnedFd, Unread> {
        number(path)?;
        let refused = |e: Errno| Unread::Open(path.to_owned(), e.into());
        let flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let mut fd = Err(Errno::ACCESS);
        for access in ways {
            fd = open(path, *access | flags, Mode::empty());
            if fd.is_ok() {
                break;
            }
        }
        let fd = fd.map_err(refused)?;
        // Once more, of what really was opened: the name may have come to mean another node in between.
        let rdev = fstat(&fd).map_err(refused)?.st_rdev;
        if major(rdev) == MAJOR { Ok(fd) } else { Err(Unread::NotVideo(path.to_owned())) }
    }

    pub fn ask(path: &Path) -> Result<Node, Unread> {
        let fd = opened(path, &[OFlags::RDWR, OFlags::RDONLY])?;
        let mut own = Capability::default();
        query_capability(&fd, &mut own).map_err(|e| Unread::Mute(path.to_owned(), e.into()))?;
        let mut input = Input::default();
        let input =
            enumerate_inputs(&fd, &mut input).ok().map(|()| clean(&input.name, 32)).filter(|s| !s.is_empty());
        let v = own.version;
        let (controls, camera_controls) = controls(&fd);
        Ok(Node {
            driver: clean(&own.driver, 16),
            card: clean(&own.card, 32),
            bus_info: clean(&own.bus_info, 32),
            version: format!("{}.{}.{}", v >> 16, (v >> 8) & 0xff, v & 0xff),
            capabilities: if own.capabilities & capability::OF_NODE == 0 {
                own.capabilities
            } else {
                own.device_caps
            },
            input,
            formats: formats(&fd),
            controls,
            camera_controls,
        })
    }

    fn formats(fd: &OwnedFd) -> Vec<Format> {
        let mut found = Vec::new();
        for kind in [CAPTURE, CAPTURE_PLANES] {
            for index in 0..FORMATS {
                let mut description = FormatDescription { index, kind, ..Default::default() };
                if enumerate_formats(fd, &mut description).is_err() {
                    break;
                }
                found.push(format(fd, description.pixel_format));
            }
        }
        found
    }

    fn format(fd: &OwnedFd, pixel_format: u32) -> Format {
        // The highest bit says big-endian.
        let code = clean(&(pixel_format & 0x7fff_ffff).to_le_bytes(), 4);
        let mut format = Format { code, ..Default::default() };
        for index in 0..SIZES {
            let mut size = FrameSize { index, pixel_format, ..Default::default() };
            if enumerate_sizes(fd, &mut size).is_err() {
                break;
            }
            // Discrete: width, height. A range: smallest, largest, step of the width, then of the height.
            let [first, second, _, _, fifth, _] = size.size;
            let (width, height) = if size.kind == DISCRETE { (first, second) } else { (second, fifth) };
            if u64::from(width) * u64::from(height) > u64::from(format.width) * u64::from(format.height) {
                (format.width, format.height) = (width, height);
            }
            if size.kind != DISCRETE {
                break;
            }
            format.sizes += 1;
        }
        format
    }

    fn controls(fd: &OwnedFd) -> (Vec<String>, usize) {
        // Exposure, white balance, gain, mains frequency of the user's class, and the camera class.
        let optical = |id: u32| matches!(id, 0x0098_090c..=0x0098_090f | 0x0098_0911..=0x0098_0913 | 0x0098_0918 | 0x0098_091a | 0x009a_0901..=0x009a_09ff);
        let mut names = Vec::new();
        let (mut seen, mut cameras) = (BTreeSet::new(), 0);
        let mut id = 0;
        // A driver that names the same control twice would go round for ever.
        while seen.len() < CONTROLS {
            let mut control = Control::of(id | NEXT);
            if query_control(fd, &mut control).is_err() || !seen.insert(control.id) {
                break;
            }
            id = control.id;
            if control.kind != HEADING && control.flags & DISABLED == 0 {
                names.push(clean(&control.name, 32));
                cameras += usize::from(optical(id));
            }
        }
        (names, cameras)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_video_nodes_are_opened() {
        assert!(matches!(ask(Path::new("/dev/null")), Err(Unread::NotVideo(_))));
        assert!(matches!(ask(Path::new("/dev/no-such-node")), Err(Unread::Missing(_))));
        let here = tempfile::tempdir().unwrap();
        assert!(matches!(ask(here.path()), Err(Unread::NotVideo(_))));
        let file = here.path().join("video0");
        std::fs::write(&file, b"no camera").unwrap();
        assert!(matches!(ask(&file), Err(Unread::NotVideo(_))));
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let here = tempfile::tempdir().unwrap();
        let pipe = here.path().join("video0");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(ask(&pipe), Err(Unread::NotVideo(_))));
    }
}
