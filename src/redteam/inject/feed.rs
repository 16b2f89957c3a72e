//! The feed: the buffers that are sent, and when.

use super::attack::{Content, Inject, Times};
use crate::batch::RunningPipeline;
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::buffers::{buffer, caps_of};
use crate::redteam::error::{Error, Result};
use crate::redteam::picture::resized;
use crate::redteam::resources::Segment;
use crate::redteam::sensor::{Clock, Room, Sensor, Stamp};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};

/// Pictures, or access units, in one format.
#[derive(Debug)]
pub struct Feed {
    pub caps: gst::Caps,
    /// Each with the time at which it is pushed, ns.
    pub sent: Vec<(u64, gst::Buffer)>,
}

/// How long an encoder may take over one picture.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// Seconds that are coded, or shown forwards and backwards.
const PIECE: u64 = 2;

/// The size of the simulated camera's pictures: every one is computed.
const SIZE: (u32, u32) = (320, 240);

impl Feed {
    /// All that is sent within `seconds`. `segment` is needed unless the content is simulated.
    pub fn of(inject: &Inject, segment: Option<&Segment>, seconds: f64, seed: u64) -> Result<Self> {
        match segment {
            Some(segment) if inject.content == Content::Coded => coded(inject, segment, seconds, seed),
            Some(segment) => recorded(inject, segment, seconds, seed),
            None => simulated(inject, seconds, seed),
        }
    }
}

fn format(info: &StreamInfo, width: u32, height: u32) -> Result<gst::Caps> {
    caps_of(info, width, height).parse().map_err(|_| Error::Injection("the format is unknown"))
}

/// When picture `number` is pushed, and the PTS that it bears.
fn times(inject: &Inject, info: &StreamInfo, number: u64, stamp: &Stamp) -> (u64, u64) {
    match inject.times {
        Times::Camera => (stamp.arrival_ns, stamp.pts_ns),
        Times::Exact => (stamp.arrival_ns, info.due_ns(number)),
        Times::Milliseconds => (stamp.arrival_ns, stamp.pts_ns / 1_000_000 * 1_000_000),
        Times::Hurried => (stamp.arrival_ns / 3, stamp.pts_ns),
        Times::Skewed => (stamp.arrival_ns - stamp.arrival_ns / 50, stamp.pts_ns),
    }
}

/// A clock that stamps what a program writes: the driver's jitter, but no quartz of its own.
fn stamps(info: &StreamInfo, seed: u64) -> Result<crate::redteam::sensor::Camera> {
    let clock = Clock { drift_ppm: 0.0, stamp_us: 120.0, ..Clock::default() };
    let rate = info.fps.unwrap_or((25, 1));
    Sensor { width: 16, height: 16, rate, clock, seed, ..Sensor::default() }.start(Room::new(seed))
}

fn simulated(inject: &Inject, seconds: f64, seed: u64) -> Result<Feed> {
    let (width, height) = SIZE;
    let sensor = Sensor { width, height, light: inject.light, seed, ..Sensor::default() };
    let mut camera = sensor.start(Room::new(seed))?;
    let info = sensor.info();
    let mut sent = Vec::new();
    for number in 0.. {
        let (frame, stamp) = camera.frame()?;
        let (at, pts) = times(inject, &info, number, &stamp);
        if at as f64 >= seconds * 1e9 {
            break;
        }
        sent.push((at, buffer(&frame.at(pts, frame.duration_ns))));
    }
    Ok(Feed { caps: format(&info, width, height)?, sent })
}

/// Which picture of a recording of `length` is shown as picture `number`, at `rate` a second.
fn shown(content: Content, number: usize, length: usize, rate: usize) -> usize {
    let piece = (PIECE as usize * rate).clamp(2, length.max(2));
    let number = match content {
        Content::Looped | Content::Enlarged => number % rate.max(1),
        Content::Mirrored => {
            let at = number % (2 * piece - 2);
            if at < piece { at } else { 2 * piece - 2 - at }
        }
        Content::PulledUp => number * 4 / 5,
        Content::Recording | Content::Coded | Content::Simulated => number,
    };
    number % length.max(1)
}

fn recorded(inject: &Inject, segment: &Segment, seconds: f64, seed: u64) -> Result<Feed> {
    let info = &segment.info;
    let rate = info.fps.map_or(25, |(n, d)| n.div_ceil(d.max(1)) as usize);
    let mut frames: Vec<Frame> = segment.frames.clone();
    if inject.content == Content::Enlarged {
        frames.truncate(rate);
        for frame in &mut frames {
            let (w, h) = (frame.width(), frame.height());
            *frame = resized(&resized(frame, w * 2 / 3, h * 2 / 3)?, w, h)?;
        }
    }
    let first = frames.first().ok_or(Error::TooShort { wanted: seconds })?;
    let caps = format(info, first.width(), first.height())?;
    let mut clock = stamps(info, seed)?;
    let mut sent = Vec::new();
    for number in 0u64.. {
        let (at, pts) = times(inject, info, number, &clock.skip());
        if at as f64 >= seconds * 1e9 {
            break;
        }
        if let Some(frame) = frames.get(shown(inject.content, number as usize, frames.len(), rate)) {
            sent.push((at, buffer(&frame.at(pts, Some(info.frame_ns())))));
        }
    }
    Ok(Feed { caps, sent })
}

/// Access units of x264, begun anew with every round.
fn coded(inject: &Inject, segment: &Segment, seconds: f64, seed: u64) -> Result<Feed> {
    let (caps, units) = encode(segment)?;
    let mut clock = stamps(&segment.info, seed)?;
    let mut sent = Vec::new();
    for (number, unit) in units.iter().cycle().enumerate() {
        let (at, pts) = times(inject, &segment.info, number as u64, &clock.skip());
        if at as f64 >= seconds * 1e9 {
            break;
        }
        let mut unit = unit.copy();
        if let Some(unit) = unit.get_mut() {
            unit.set_pts(gst::ClockTime::from_nseconds(pts));
            unit.set_dts(gst::ClockTime::from_nseconds(pts));
        }
        sent.push((at, unit));
    }
    Ok(Feed { caps, sent })
}

fn encode(segment: &Segment) -> Result<(gst::Caps, Vec<gst::Buffer>)> {
    let wrong = |e: String| Error::Encoder(e);
    let first = segment.frames.first().ok_or(Error::TooShort { wanted: PIECE as f64 })?;
    let running = RunningPipeline::launch(
        "appsrc name=in format=time max-bytes=0 ! videoconvert \
         ! x264enc tune=zerolatency speed-preset=veryfast threads=1 bitrate=800 \
         ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false",
    )
    .map_err(wrong)?;
    let source: AppSrc =
        running.part("in").map_err(wrong)?.downcast().map_err(|_| wrong("no way in".into()))?;
    let sink: AppSink =
        running.part("out").map_err(wrong)?.downcast().map_err(|_| wrong("no way out".into()))?;
    source.set_caps(Some(&format(&segment.info, first.width(), first.height())?));
    running.0.set_state(gst::State::Playing).map_err(|e| wrong(e.to_string()))?;
    for frame in segment.frames.iter().take_while(|f| f.pts_ns < PIECE * 1_000_000_000) {
        source.push_buffer(buffer(frame)).map_err(|e| wrong(e.to_string()))?;
    }
    source.end_of_stream().map_err(|e| wrong(e.to_string()))?;
    let (mut caps, mut units) = (None, Vec::new());
    while let Some(sample) = sink.try_pull_sample(PATIENCE) {
        caps = sample.caps_owned();
        units.extend(sample.buffer_owned());
    }
    let missing = || wrong(running.first_error().unwrap_or_else(|| "it gives nothing".into()));
    Ok((caps.filter(|_| !units.is_empty()).ok_or_else(missing)?, units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pictures_come_in_the_order_that_is_said() {
        let order = |content| (0..8).map(|n| shown(content, n, 100, 2)).collect::<Vec<_>>();
        assert_eq!(order(Content::Recording), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order(Content::Looped), [0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(order(Content::Mirrored), [0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(order(Content::PulledUp), [0, 0, 1, 2, 3, 4, 4, 5]);
    }

    proptest! {
        #[test]
        fn a_picture_of_the_recording_is_shown(n in 0usize..10_000, length in 1usize..200, rate in 0usize..120) {
            for content in [Content::Recording, Content::Looped, Content::Mirrored, Content::PulledUp, Content::Enlarged] {
                prop_assert!(shown(content, n, length, rate) < length);
            }
        }
    }
}
