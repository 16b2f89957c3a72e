//! Decode the video stream of a recorded file (or a still image) to frames.

use super::error::Error;
use super::frame::{Frame, StreamInfo, chroma_size};
use super::pipeline::{Running, bus_error, make};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_video::{self as gst_video, VideoFrameExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a decoder may stay silent before it counts as hung.
const STALL: Duration = Duration::from_secs(30);
/// When to start asking whether anything is at work at all.
const IDLE: Duration = Duration::from_millis(500);
/// Decoded frames that wait in the queue: enough to keep the decoder busy, few enough to stay small.
const QUEUE: u32 = 4;
/// Audio may honestly outlast the video by a little; a file cut off lacks more than this.
const SHORTFALL_NS: u64 = 2_000_000_000;

/// The frames of one file, in order, PTS as the file has them. An iterator: after the end or an error
/// it gives nothing more.
#[derive(Debug)]
pub struct Reader {
    running: Running,
    sink: AppSink,
    path: PathBuf,
    info: StreamInfo,
    first: Option<Frame>,
    span: Option<(u64, u64)>,
    no_video: Arc<AtomicBool>,
    done: bool,
}

impl Reader {
    /// Opens a file and decodes its first frame, so that a file without usable video fails here.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        gst::init()?;
        let meta = std::fs::metadata(path).map_err(|source| Error::Open { path: path.into(), source })?;
        if !meta.is_file() {
            return Err(Error::NotAFile { path: path.into() });
        }
        let (running, sink, no_video) = build(path)?;
        let mut reader = Self {
            running,
            sink,
            path: path.into(),
            info: StreamInfo::new(0, 0, (0, 1)),
            first: None,
            span: None,
            no_video,
            done: false,
        };
        if reader.running.0.set_state(gst::State::Playing).is_err() {
            let message = bus_error(&reader.running.0, gst::ClockTime::ZERO);
            return Err(reader.decode_error(message));
        }
        match reader.pull()? {
            Some(frame) => reader.first = Some(frame),
            None => return Err(Error::NoVideo { path: path.into() }),
        }
        reader.info.duration_ns =
            reader.running.0.query_duration::<gst::ClockTime>().map(|d| d.nseconds()).filter(|d| *d > 0);
        Ok(reader)
    }

    /// What the stream says of itself.
    pub fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn decode_error(&self, message: Option<String>) -> Error {
        let message = message.unwrap_or_else(|| "the pipeline does not start".into());
        Error::Decode { path: self.path.clone(), message }
    }

    fn pull(&mut self) -> Result<Option<Frame>, Error> {
        let begun = Instant::now();
        let mut idle = 0;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
                return self.frame(&sample).map(Some);
            }
            if self.no_video.load(Ordering::Relaxed) {
                return Err(Error::NoVideo { path: self.path.clone() });
            }
            if let Some(message) = bus_error(&self.running.0, gst::ClockTime::ZERO) {
                return Err(self.decode_error(Some(message)));
            }
            if self.sink.is_eos() {
                self.check_whole()?;
                return Ok(None);
            }
            if self.span.is_none() && begun.elapsed() > IDLE {
                // Looked at twice: the first look may fall between two elements.
                idle = if at_work(&self.running.0) { 0 } else { idle + 1 };
                if idle > 1 {
                    return Err(self.decode_error(Some("it holds no playable stream".into())));
                }
            }
            if begun.elapsed() > STALL {
                return Err(Error::Stalled { path: self.path.clone(), seconds: STALL.as_secs() });
            }
        }
    }

    /// Demuxers end a cut-off file as if nothing were wrong; the promised length tells.
    fn check_whole(&self) -> Result<(), Error> {
        let (Some(promised), Some((first, end))) = (self.info.duration_ns, self.span) else { return Ok(()) };
        let got = end.saturating_sub(first);
        if promised > got.saturating_add(SHORTFALL_NS.max(promised / 20)) {
            let (got, promised) = (got as f64 / 1e9, promised as f64 / 1e9);
            return Err(Error::Truncated { path: self.path.clone(), got, promised });
        }
        Ok(())
    }

    fn frame(&mut self, sample: &gst::Sample) -> Result<Frame, Error> {
        let bad = |message: &str| Error::Decode { path: self.path.clone(), message: message.into() };
        let caps = sample.caps().ok_or_else(|| bad("the decoder gave a frame without a format"))?;
        let video =
            gst_video::VideoInfo::from_caps(caps).map_err(|_| bad("the decoder's format is unknown"))?;
        let (width, height) = (video.width(), video.height());
        if !(1..=8192).contains(&width) || !(1..=8192).contains(&height) {
            return Err(Error::FrameSize { path: self.path.clone(), width, height });
        }
        if self.info.width == 0 {
            self.info = stream_info(&video);
        } else if (self.info.width, self.info.height) != (width, height) {
            let from = format!("{}x{}", self.info.width, self.info.height);
            return Err(Error::FormatChange {
                path: self.path.clone(),
                from,
                to: format!("{width}x{height}"),
            });
        }
        let buffer = sample.buffer().ok_or_else(|| bad("the decoder gave a sample without a picture"))?;
        // Elementary streams and stills may carry no PTS: go on from the last frame at the nominal rate.
        let pts = buffer.pts().map(|p| p.nseconds());
        let pts = pts.unwrap_or_else(|| self.span.map_or(0, |(_, end)| end));
        let duration = buffer.duration().map(|d| d.nseconds());
        let end = pts.saturating_add(duration.unwrap_or(self.info.frame_ns()));
        self.span = Some((self.span.map_or(pts, |(first, _)| first), end));
        let mapped = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &video)
            .map_err(|_| bad("the picture cannot be read"))?;
        let data = pack(&mapped).ok_or_else(|| bad("the picture is smaller than its format says"))?;
        Frame::new(pts, duration, width, height, data)
    }
}

impl Iterator for Reader {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(frame) = self.first.take() {
            return Some(Ok(frame));
        }
        if self.done {
            return None;
        }
        let next = self.pull().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn build(path: &Path) -> Result<(Running, AppSink, Arc<AtomicBool>), Error> {
    let pipeline = gst::Pipeline::new();
    let running = Running(pipeline.clone());
    let source = make("filesrc", "gstreamer core")?;
    source.set_property("location", path);
    let decode = make("decodebin", "gst-plugins-base")?;
    let convert = make("videoconvert", "gst-plugins-base")?;
    // A phone's recording is upright only by its orientation tag.
    let upright = make("videoflip", "gst-plugins-good")?;
    upright.set_property_from_str("video-direction", "auto");
    let sink = AppSink::builder()
        .caps(&gst_video::VideoCapsBuilder::new().format(gst_video::VideoFormat::I420).build())
        .sync(false)
        .max_buffers(QUEUE)
        .drop(false)
        .build();
    let setup = |e: glib::BoolError| Error::Decode { path: path.into(), message: e.to_string() };
    pipeline.add_many([&source, &decode, &convert, &upright, sink.upcast_ref()]).map_err(setup)?;
    source.link(&decode).map_err(setup)?;
    gst::Element::link_many([&convert, &upright, sink.upcast_ref()]).map_err(setup)?;

    let inlet = convert.static_pad("sink");
    let target = inlet.clone();
    let pipeline_weak = pipeline.downgrade();
    let no_video = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&no_video);
    decode.connect_pad_added(move |_, pad| {
        let (Some(target), Some(pipeline)) = (target.as_ref(), pipeline_weak.upgrade()) else { return };
        let video =
            pad.current_caps().is_some_and(|c| c.structure(0).is_some_and(|s| s.name() == "video/x-raw"));
        if video && !target.is_linked() {
            let _ = pad.link(target);
        } else {
            discard(&pipeline, pad, target, &flag);
        }
    });
    let flag = Arc::clone(&no_video);
    decode.connect_no_more_pads(move |_| {
        if inlet.as_ref().is_none_or(|pad| !pad.is_linked()) {
            flag.store(true, Ordering::Relaxed);
        }
    });
    Ok((running, sink, no_video))
}

/// An unlinked pad would stop the demuxer with "not linked" once the others wait for it. When it ends before
/// any video came (a text file has no "no more pads"), there is none.
fn discard(pipeline: &gst::Pipeline, pad: &gst::Pad, video: &gst::Pad, no_video: &Arc<AtomicBool>) {
    let (video, no_video) = (video.downgrade(), Arc::clone(no_video));
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        let end = probe.event().is_some_and(|e| e.type_() == gst::EventType::Eos);
        if end && video.upgrade().is_none_or(|pad| !pad.is_linked()) {
            no_video.store(true, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let Ok(sink) =
        gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()
    else {
        return;
    };
    if pipeline.add(&sink).is_ok()
        && let Some(inlet) = sink.static_pad("sink")
        && pad.link(&inlet).is_ok()
    {
        let _ = sink.sync_state_with_parent();
    }
}

/// Whether any thread of the pipeline runs. `decodebin` swallows the error of a demuxer that fails while it is
/// being plugged in; such a pipeline stands still for ever, without a message.
fn at_work(pipeline: &gst::Pipeline) -> bool {
    let started = |pad: &gst::Pad| pad.task_state() == gst::TaskState::Started;
    pipeline.iterate_recurse().into_iter().flatten().any(|element| element.pads().iter().any(started))
}

fn stream_info(video: &gst_video::VideoInfo) -> StreamInfo {
    let part = |v: i32| u32::try_from(v).unwrap_or(0);
    let mut info = StreamInfo::new(
        video.width(),
        video.height(),
        (part(video.fps().numer()), part(video.fps().denom())),
    );
    info.colorimetry = video.colorimetry().to_string();
    info.par = (part(video.par().numer()).max(1), part(video.par().denom()).max(1));
    info
}

/// The picture's planes (I420), their rows without gaps; none if it is smaller than its format says.
pub(crate) fn pack(mapped: &gst_video::VideoFrameRef<&gst::BufferRef>) -> Option<Vec<u8>> {
    let (width, height) = (mapped.width(), mapped.height());
    let (cw, ch) = chroma_size(width, height);
    let mut data = Vec::with_capacity((width * height) as usize + 2 * (cw * ch) as usize);
    for (plane, (w, h)) in [(width, height), (cw, ch), (cw, ch)].into_iter().enumerate() {
        let bytes = mapped.plane_data(u32::try_from(plane).ok()?).ok()?;
        let stride = usize::try_from(*mapped.plane_stride().get(plane)?).ok()?;
        for row in 0..h as usize {
            data.extend_from_slice(bytes.get(row * stride..row * stride + w as usize)?);
        }
    }
    Some(data)
}
