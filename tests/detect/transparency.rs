//! The element changes nothing but metadata: as many buffers out as in, the same memory, times and flags.

use crate::common::{Rig, element, frames, verdict};
use gst::prelude::*;
use gst_video::{VideoCropMeta, VideoMeta};
use gstdeepfake::meta;
use gstreamer as gst;
use gstreamer_video as gst_video;
use proptest::prelude::*;
use std::sync::LazyLock;

/// One stream with one peculiarity or several.
#[derive(Clone, Debug)]
struct Stream {
    sync: bool,
    format: &'static str,
    width: u32,
    height: u32,
    framerate: &'static str,
    /// Bytes added to every stride, and between planes.
    padding: Option<(usize, usize)>,
    crop: Option<(u32, u32, u32, u32)>,
    no_pts: bool,
    shared: bool,
    interlaced: bool,
    flags: u32,
    frames: usize,
}

fn streams() -> impl Strategy<Value = Stream> {
    let size = prop_oneof![Just((16, 16)), Just((17, 19)), (16u32..200, 16u32..140), Just((161, 121))];
    let layout = (
        any::<bool>(),
        prop::sample::select(&frames::FORMATS[..]),
        size,
        prop::sample::select(&["30/1", "0/1", "30000/1001", "5/1"][..]),
        prop::option::of((0usize..70, 0usize..90)),
    );
    let rest = (
        prop::option::of((0u32..60, 0u32..60, 1u32..200, 1u32..200)),
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::bool::weighted(0.15),
        any::<u32>(),
        1usize..5,
    );
    (layout, rest).prop_map(|((sync, format, (width, height), framerate, padding), rest)| {
        let (crop, no_pts, shared, interlaced, flags, frames) = rest;
        Stream {
            sync,
            format,
            width,
            height,
            framerate,
            padding,
            crop,
            no_pts,
            shared,
            interlaced,
            flags,
            frames,
        }
    })
}

/// What upstream may set without changing the buffer's own bookkeeping.
const FLAGS: gst::BufferFlags = gst::BufferFlags::LIVE
    .union(gst::BufferFlags::DISCONT)
    .union(gst::BufferFlags::RESYNC)
    .union(gst::BufferFlags::CORRUPTED)
    .union(gst::BufferFlags::MARKER)
    .union(gst::BufferFlags::HEADER)
    .union(gst::BufferFlags::GAP)
    .union(gst::BufferFlags::DROPPABLE)
    .union(gst::BufferFlags::DELTA_UNIT);

impl Stream {
    fn caps(&self) -> String {
        let Self { format, width, height, framerate, .. } = self;
        let mode = if self.interlaced { "interleaved" } else { "progressive" };
        format!(
            "video/x-raw,format={format},width={width},height={height},framerate={framerate},\
             interlace-mode={mode}"
        )
    }

    fn buffer(&self, info: &gst_video::VideoInfo, n: usize) -> gst::Buffer {
        let planes = info.n_planes() as usize;
        let mut offsets = info.offset()[..planes].to_vec();
        let mut strides = info.stride()[..planes].to_vec();
        let mut size = info.size();
        if let Some((wider, gap)) = self.padding {
            let ends: Vec<usize> = offsets.iter().copied().skip(1).chain([info.size()]).collect();
            let mut at = gap;
            for i in 0..planes {
                let rows = (ends[i] - offsets[i]) / strides[i] as usize;
                strides[i] += wider as i32;
                offsets[i] = at;
                at += rows * strides[i] as usize + gap;
            }
            size = at;
        }
        let mut buffer = gst::Buffer::from_mut_slice(frames::random_bytes(n as u64 + 7, size));
        let b = buffer.get_mut().unwrap();
        if !self.no_pts {
            b.set_pts(gst::ClockTime::from_mseconds(1_000 + 40 * n as u64));
            b.set_dts(gst::ClockTime::from_mseconds(990 + 40 * n as u64));
        }
        b.set_duration(gst::ClockTime::from_mseconds(33));
        b.set_offset(100 + n as u64);
        b.set_offset_end(101 + n as u64);
        b.set_flags(gst::BufferFlags::from_bits_truncate(self.flags.rotate_left(n as u32)) & FLAGS);
        if self.padding.is_some() {
            let none = gst_video::VideoFrameFlags::empty();
            let (w, h) = (info.width(), info.height());
            VideoMeta::add_full(b, none, info.format(), w, h, &offsets, &strides).unwrap();
        }
        if let Some(crop) = self.crop {
            VideoCropMeta::add(b, crop);
        }
        buffer
    }
}

/// All of a buffer but its metadata of ours.
#[derive(Debug, PartialEq)]
struct Facts {
    pts: Option<gst::ClockTime>,
    dts: Option<gst::ClockTime>,
    duration: Option<gst::ClockTime>,
    offsets: (u64, u64),
    flags: gst::BufferFlags,
    memories: Vec<usize>,
    bytes: Vec<u8>,
    video: Option<(Vec<usize>, Vec<i32>)>,
    crop: Option<(u32, u32, u32, u32)>,
}

fn facts(buffer: &gst::BufferRef) -> Facts {
    Facts {
        pts: buffer.pts(),
        dts: buffer.dts(),
        duration: buffer.duration(),
        offsets: (buffer.offset(), buffer.offset_end()),
        flags: buffer.flags() & FLAGS,
        // Addresses: the pixels are not copied.
        memories: buffer.iter_memories().map(|m| std::ptr::from_ref(m) as usize).collect(),
        bytes: buffer.map_readable().unwrap().to_vec(),
        video: buffer.meta::<VideoMeta>().map(|m| (m.offset().to_vec(), m.stride().to_vec())),
        crop: buffer.meta::<VideoCropMeta>().map(|m| m.rect()),
    }
}

/// Keeps the networks loaded between cases.
static KEEPER: LazyLock<Option<gst::Element>> = LazyLock::new(|| {
    let element = element(&[])?;
    element.set_state(gst::State::Paused).unwrap();
    Some(element)
});

fn passes_untouched(stream: &Stream) -> Result<(), TestCaseError> {
    let mode = if stream.sync { "sync" } else { "live" };
    let Some(mut rig) = Rig::with_caps(&[("mode", mode)], &stream.caps()) else { return Ok(()) };
    for n in 0..stream.frames {
        let sent = stream.buffer(&rig.info, n);
        let before = facts(&sent);
        let other = stream.shared.then(|| sent.clone());
        rig.h.push(sent).unwrap();
        prop_assert_eq!(rig.h.buffers_in_queue(), 1);
        let got = rig.h.try_pull().unwrap();
        prop_assert_eq!(&facts(&got), &before);
        prop_assert_eq!(meta::read(&got).is_some(), !stream.interlaced);
        if let Some(other) = other {
            prop_assert!(meta::read(&other).is_none());
            prop_assert_eq!(other.meta::<gst_video::VideoRegionOfInterestMeta>().is_some(), false);
            prop_assert_eq!(facts(&other), before);
        }
    }
    let warnings = rig.drain();
    let timeless = stream.no_pts && stream.framerate == "0/1" && !stream.interlaced;
    prop_assert_eq!(warnings.len(), usize::from(stream.interlaced || timeless), "{:?}", warnings);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stream_passes_untouched(stream in streams()) {
        if KEEPER.is_some() {
            passes_untouched(&stream)?;
        }
    }
}

#[test]
fn every_format_passes_in_both_modes() {
    if KEEPER.is_none() {
        return;
    }
    for format in frames::FORMATS {
        for sync in [false, true] {
            for (width, height) in [(160, 120), (161, 121)] {
                let stream = Stream {
                    sync,
                    format,
                    width,
                    height,
                    framerate: "25/1",
                    padding: Some((13, 5)),
                    crop: None,
                    no_pts: false,
                    shared: true,
                    interlaced: false,
                    flags: 0,
                    frames: 3,
                };
                passes_untouched(&stream).unwrap_or_else(|e| panic!("{stream:?}: {e}"));
            }
        }
    }
}

#[test]
fn formats_are_read_and_not_only_passed() {
    // The same picture is found in every layout: nothing is skipped as unreadable.
    for format in frames::FORMATS {
        let caps = format!("video/x-raw,format={format},width=161,height=121,framerate=25/1");
        let Some(mut rig) = Rig::with_caps(&[("mode", "sync")], &caps) else { return };
        let noise = rig.noise();
        let first = rig.pass(noise);
        assert_eq!(verdict(&first).tracks.len(), 1, "{format}");
        let black = rig.black();
        rig.pass(black);
        let mut rig = Rig::with_caps(&[("mode", "sync")], &caps).unwrap();
        let black = rig.black();
        let out = rig.pass(black);
        assert_eq!(verdict(&out).condition.name(), "no-face", "{format}");
    }
}

#[test]
fn a_buffer_smaller_than_its_caps_passes_and_is_counted() {
    for mode in ["live", "sync"] {
        let Some(mut rig) = Rig::new(&[("mode", mode)]) else { return };
        for size in [0, 1, 100] {
            let mut buffer = gst::Buffer::from_mut_slice(vec![7u8; size]);
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(size as u64));
            let out = rig.pass(buffer);
            assert_eq!(out.size(), size);
            assert_eq!(verdict(&out).condition.name(), "not-analysed");
        }
        assert_eq!(crate::common::stat(&rig.element, "skipped-unreadable"), 3);
        assert_eq!(crate::common::stat(&rig.element, "frames-sampled"), 0);
    }
}

#[test]
fn times_at_the_end_of_time_do_no_harm() {
    for mode in ["live", "sync"] {
        let Some(mut rig) = Rig::new(&[("mode", mode)]) else { return };
        for pts in [0, u64::MAX - 1, u64::MAX / 2, 5, u64::MAX - 2] {
            let mut buffer = rig.noise();
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(pts));
            rig.pass(buffer);
        }
        assert_eq!(rig.drain(), Vec::<String>::new(), "{mode}");
    }
}
