//! Encode frames to an MP4 file.

use super::error::Error;
use super::frame::{Frame, StreamInfo};
use super::pipeline::{Running, bus_error, describe, make};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use gstreamer_video as gst_video;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Frames that wait for the encoder.
const QUEUE: u64 = 8;
/// How long the encoder may take for one queue before it counts as hung.
const STALL: Duration = Duration::from_secs(60);

/// How the frames are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// H.264 as a call would send it: no B-frames, no look-ahead, a key frame every five seconds.
    H264 { bitrate_kbit: u32 },
    /// H.264 that decodes to the very same I420 pixels (High 4:4:4 profile).
    Lossless,
}

/// An MP4 file in the making. It appears under its name only after [`Writer::finish`]; dropped before,
/// it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    running: Running,
    source: AppSrc,
    path: PathBuf,
    partial: PathBuf,
    size: (u32, u32),
    frame_ns: u64,
    last_pts: Option<u64>,
    finished: bool,
}

impl Writer {
    /// Starts a file of frames as `info` describes them.
    pub fn create(path: impl AsRef<Path>, info: &StreamInfo, codec: Codec) -> Result<Self, Error> {
        let path = path.as_ref();
        gst::init()?;
        let (width, height) = (info.width, info.height);
        if width % 2 != 0 || height % 2 != 0 || width == 0 || height == 0 {
            return Err(Error::OddSize { path: path.into(), width, height });
        }
        let partial = partial_name(path);
        // GStreamer's own message for an unwritable place is vague; the system's is not.
        std::fs::File::create(&partial).map_err(|source| Error::Write { path: path.into(), source })?;
        let (running, source) = build(path, &partial, info, codec)?;
        let writer = Self {
            running,
            source,
            path: path.into(),
            partial,
            size: (width, height),
            frame_ns: info.frame_ns(),
            last_pts: None,
            finished: false,
        };
        if writer.running.0.set_state(gst::State::Playing).is_err() {
            return Err(writer.encode_error("the encoder does not start"));
        }
        Ok(writer)
    }

    /// Adds a frame; waits while the encoder is behind.
    pub fn push(&mut self, frame: &Frame) -> Result<(), Error> {
        if (frame.width(), frame.height()) != self.size {
            let text = format!("a frame of {}x{} came in between", frame.width(), frame.height());
            return Err(Error::Encode { path: self.path.clone(), message: text });
        }
        if let Some(previous_ns) = self.last_pts
            && frame.pts_ns <= previous_ns
        {
            return Err(Error::NotMonotonic { path: self.path.clone(), pts_ns: frame.pts_ns, previous_ns });
        }
        self.last_pts = Some(frame.pts_ns);
        // Not AppSrc's own blocking: after an error in the pipeline it would block for ever.
        let begun = Instant::now();
        while self.source.current_level_buffers() >= QUEUE {
            if let Some(message) = bus_error(&self.running.0, gst::ClockTime::from_mseconds(2)) {
                return Err(Error::Encode { path: self.path.clone(), message });
            }
            if begun.elapsed() > STALL {
                return Err(self.encode_error("the encoder hangs"));
            }
        }
        let mut buffer = gst::Buffer::from_slice(frame.data().to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
            buffer.set_duration(gst::ClockTime::from_nseconds(frame.duration_ns.unwrap_or(self.frame_ns)));
            self.describe_planes(buffer, frame)?;
        }
        self.source.push_buffer(buffer).map_err(|_| self.encode_error("the encoder refuses the frame"))?;
        Ok(())
    }

    /// GStreamer takes the rows of I420 for padded to multiples of four bytes; ours are not.
    fn describe_planes(&self, buffer: &mut gst::BufferRef, frame: &Frame) -> Result<(), Error> {
        let (mut offsets, mut strides, mut end) = ([0; 3], [0; 3], 0);
        for (i, (pixels, width, _)) in frame.planes().into_iter().enumerate() {
            (offsets[i], strides[i]) = (end, width.cast_signed());
            end += pixels.len();
        }
        let (flags, format) = (gst_video::VideoFrameFlags::empty(), gst_video::VideoFormat::I420);
        let (width, height) = (frame.width(), frame.height());
        gst_video::VideoMeta::add_full(buffer, flags, format, width, height, &offsets, &strides)
            .map_err(|e| Error::Encode { path: self.path.clone(), message: e.to_string() })?;
        Ok(())
    }

    /// Writes what is left and gives the file its name.
    pub fn finish(mut self) -> Result<(), Error> {
        if self.last_pts.is_none() {
            return Err(self.encode_error("there is no frame to write; check start and duration"));
        }
        self.source.end_of_stream().map_err(|_| self.encode_error("the encoder refuses the end"))?;
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = self.running.0.bus().ok_or_else(|| self.encode_error("the pipeline has no bus"))?;
        let wait = gst::ClockTime::from_seconds(STALL.as_secs());
        match bus.timed_pop_filtered(wait, &wanted).as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Eos(_)) => {}
            Some(gst::MessageView::Error(e)) => {
                return Err(Error::Encode { path: self.path.clone(), message: describe(e) });
            }
            _ => return Err(self.encode_error("the encoder does not come to its end")),
        }
        let _ = self.running.0.set_state(gst::State::Null);
        std::fs::rename(&self.partial, &self.path)
            .map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.finished = true;
        Ok(())
    }

    fn encode_error(&self, fallback: &str) -> Error {
        let message = bus_error(&self.running.0, gst::ClockTime::ZERO).unwrap_or_else(|| fallback.into());
        Error::Encode { path: self.path.clone(), message }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.running.0.set_state(gst::State::Null);
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

fn build(path: &Path, partial: &Path, info: &StreamInfo, codec: Codec) -> Result<(Running, AppSrc), Error> {
    let fraction = |(n, d): (u32, u32)| {
        gst::Fraction::new(i32::try_from(n).unwrap_or(1), i32::try_from(d).unwrap_or(1).max(1))
    };
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", i32::try_from(info.width).unwrap_or(i32::MAX))
        .field("height", i32::try_from(info.height).unwrap_or(i32::MAX))
        .field("framerate", fraction(info.fps.unwrap_or((25, 1))))
        .field("pixel-aspect-ratio", fraction(info.par))
        .field("colorimetry", info.colorimetry.as_str())
        .field("interlace-mode", "progressive")
        .build();
    let source =
        AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(false).max_buffers(QUEUE).build();
    let encoder = make("x264enc", "gst-plugins-ugly")?;
    // One thread: x264's rate control, and with it the picture, depends on the number of threads.
    encoder.set_property("threads", 1u32);
    encoder.set_property_from_str("tune", "zerolatency");
    encoder.set_property_from_str("speed-preset", "veryfast");
    let (n, d) = info.fps.unwrap_or((25, 1));
    encoder.set_property("key-int-max", (5 * n / d.max(1)).clamp(1, 1000));
    match codec {
        Codec::H264 { bitrate_kbit } => encoder.set_property("bitrate", bitrate_kbit.clamp(1, 2_048_000)),
        Codec::Lossless => {
            encoder.set_property_from_str("pass", "quant");
            encoder.set_property("quantizer", 0u32);
        }
    }
    let parser = make("h264parse", "gst-plugins-bad")?;
    let muxer = make("mp4mux", "gst-plugins-good")?;
    muxer.set_property("faststart", true);
    // Fine enough that the PTS of an uneven stream come back within 6 us of what they were.
    muxer.set_property("movie-timescale", 90_000u32);
    let sink = make("filesink", "gstreamer core")?;
    sink.set_property("location", partial);

    let pipeline = gst::Pipeline::new();
    let running = Running(pipeline.clone());
    let setup = |e: glib::BoolError| Error::Encode { path: path.into(), message: e.to_string() };
    pipeline.add_many([source.upcast_ref(), &encoder, &parser, &muxer, &sink]).map_err(setup)?;
    gst::Element::link_many([source.upcast_ref(), &encoder, &parser]).map_err(setup)?;
    muxer.link(&sink).map_err(setup)?;
    let outlet = parser.static_pad("src");
    let inlet = muxer.request_pad_simple("video_%u");
    let (Some(outlet), Some(inlet)) = (outlet, inlet) else {
        return Err(Error::Encode { path: path.into(), message: "the muxer takes no video".into() });
    };
    // The default time scale follows the nominal rate and would round an uneven stream's PTS.
    if n % d.max(1) != 0 {
        inlet.set_property("trak-timescale", 90_000u32);
    }
    outlet.link(&inlet).map_err(|e| Error::Encode { path: path.into(), message: e.to_string() })?;
    Ok((running, source))
}
