//! One evaluation: the attack rendered, sent on its way, and judged by the very element.

use super::super::render::scene_with;
use super::super::source::Frames;
use super::super::{Condition, Kind};
use super::row::Judged;
use super::takes::{Store, caps_of};
use super::work::Task;
use crate::batch::{self, Broken, Running};
use crate::lock::lock;
use crate::recorded::{Codec, Frame};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use gstreamer_video as gst_video;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a pipeline may stand still.
const STALL: Duration = Duration::from_secs(60);
/// Pictures that wait before the coder.
const QUEUE: u64 = 4;

/// How the element is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Value of the element's property `profile`.
    pub profile: String,
    /// Value of `mean-time-between-false-alerts`; the element's default if none.
    pub hours: Option<f64>,
    /// Whether a picture is wanted.
    pub picture: bool,
}

/// A frame's pixels lent to GStreamer.
struct Lent(Frame);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

/// A buffer that shares the frame's pixels.
pub(crate) fn buffer(frame: &Frame) -> gst::Buffer {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let mut buffer = gst::Buffer::from_slice(Lent(frame.clone()));
    if let Some(inner) = buffer.get_mut() {
        inner.set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
        inner.set_duration(frame.duration_ns.map(gst::ClockTime::from_nseconds));
        // Packed rows are not what GStreamer takes for granted.
        let strides = [w, cw, cw].map(|s| i32::try_from(s).unwrap_or(i32::MAX));
        let _ = gst_video::VideoMeta::add_full(
            inner,
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::I420,
            frame.width(),
            frame.height(),
            &[0, w * h, w * h + cw * ch],
            &strides,
        );
    }
    buffer
}

/// Renders and judges; `tell` hears the seconds that are done.
///
/// # Errors
/// In words, why it was not possible.
pub fn evaluate(
    task: &Task,
    setting: &Setting,
    store: &mut Store,
    tell: &mut dyn FnMut(f64),
) -> Result<Judged, String> {
    let begun = Instant::now();
    if let Kind::Inject(inject) = &task.trial.kind {
        return super::super::inject::evaluate(inject, task, setting, store, tell);
    }
    let scenery = store
        .scenery(&task.source, task.other.as_ref(), (task.window, task.take), &task.trial.kind)
        .map_err(|e| e.to_string())?;
    let condition = Condition {
        name: task.trial.name.clone(),
        kind: task.trial.kind.clone(),
        seed: task.seed,
        start: 0.0,
        duration: Some(task.seconds),
        noise: task.trial.noise,
        codec: Codec::Lossless,
    };
    let source = Frames::new(scenery.take.info.clone(), scenery.take.frames.iter().cloned());
    let mut scene = scene_with(Box::new(source), &condition, scenery.props).map_err(|e| e.to_string())?;
    let info = scene.info().clone();
    let hours = setting.hours.map_or_else(String::new, |h| format!(" mean-time-between-false-alerts={h}"));
    let running = Running::launch(&format!(
        "appsrc name=in format=time{} ! videoconvert ! deepfakedetect name=detect mode=sync profile={} \
         report-interval=1{hours} ! fakesink name=out sync=false",
        task.trial.channel.line(&info),
        setting.profile
    ))?;
    let input: AppSrc = running.part("in")?.downcast().map_err(|_| "no way in")?;
    task.trial.channel.lose(&running.0, task.seed);
    let seen: Arc<Mutex<Option<gst::Sample>>> = Arc::default();
    if setting.picture {
        keep_picture(&running.part("out")?, 0.6 * task.seconds, &seen);
    }
    let bus = running.bus()?;
    let mut collector = running.start()?;
    let mut drain = || batch::drain(&bus, &mut collector).map_err(Broken::into_reason);
    let (mut size, mut told) = ((0, 0), Instant::now());
    let mut moved = Instant::now();
    while let Some(frame) = scene.next_frame().map_err(|e| e.to_string())? {
        if frame.pts_ns as f64 / 1e9 >= task.seconds {
            break;
        }
        if size != (frame.width(), frame.height()) {
            size = (frame.width(), frame.height());
            let caps: gst::Caps =
                caps_of(&info, size.0, size.1).parse().map_err(|_| "the format is unknown")?;
            input.set_caps(Some(&caps));
        }
        moved = Instant::now();
        while input.current_level_buffers() >= QUEUE {
            drain()?;
            if moved.elapsed() > STALL {
                return Err(format!("the pipeline stood still for {} s", STALL.as_secs()));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        if input.push_buffer(buffer(&frame)).is_err() {
            drain()?;
            return Err("the pipeline takes no more pictures".into());
        }
        drain()?;
        if told.elapsed() > Duration::from_millis(500) {
            told = Instant::now();
            tell(frame.pts_ns as f64 / 1e9);
        }
    }
    input.end_of_stream().map_err(|e| e.to_string())?;
    while !drain()? {
        if moved.elapsed() > STALL {
            return Err("the pipeline does not come to its end".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let onset = scene.onset_pts().map(|ns| ns as f64 / 1e9).filter(|_| task.trial.is_attack());
    drop(running);
    let picture = lock(&seen).take().and_then(batch::jpeg);
    let scanned = collector.finish(begun.elapsed().as_secs_f64());
    if scanned.frames_seen == 0 {
        return Err("no picture came through".into());
    }
    if task.trial.is_attack() && onset.is_none() {
        return Err("the attack never began: no face was found, or the recording is too short".into());
    }
    Ok(Judged::of(scanned, onset, picture))
}

/// Keeps what comes out `seconds` after the beginning, or the last before.
pub(crate) fn keep_picture(sink: &gst::Element, seconds: f64, seen: &Arc<Mutex<Option<gst::Sample>>>) {
    let Some(pad) = sink.static_pad("sink") else { return };
    let seen = Arc::clone(seen);
    let until = gst::ClockTime::from_nseconds((seconds * 1e9) as u64);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, probe| {
        if let (Some(buffer), Some(caps)) = (probe.buffer(), pad.current_caps()) {
            let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
            *lock(&seen) = Some(sample);
            if buffer.pts().is_some_and(|pts| pts >= until) {
                return gst::PadProbeReturn::Remove;
            }
        }
        gst::PadProbeReturn::Ok
    });
}
