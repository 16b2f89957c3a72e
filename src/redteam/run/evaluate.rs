//! One evaluation: the attack rendered, sent through its channel, and judged by the very element.

use super::recordings::Store;
use super::row::Judged;
use super::setting::Setting;
use super::tasks::Task;
use crate::batch::{self, PipelineError, RunningPipeline};
use crate::lock::lock;
use crate::recorded::Codec;
use crate::redteam::buffers::{buffer, caps_of, keep_picture};
use crate::redteam::condition::Condition;
use crate::redteam::kind::Kind;
use crate::redteam::render::scene_with;
use crate::redteam::source::Frames;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a pipeline may stand still.
const STALL: Duration = Duration::from_secs(60);
/// Pictures that wait before the coder.
const QUEUE: u64 = 4;

/// Renders and judges; `progress` is called with the seconds that are done.
///
/// # Errors
/// In words, why it was not possible.
pub fn evaluate(
    task: &Task,
    setting: &Setting,
    store: &mut Store,
    progress: &mut dyn FnMut(f64),
) -> Result<Judged, String> {
    let begun = Instant::now();
    if let Kind::Inject(inject) = &task.trial.kind {
        return crate::redteam::inject::judge::evaluate(inject, task, setting, store, progress);
    }
    let inputs = store
        .inputs(&task.source, task.other.as_ref(), (task.window, task.segment_s), &task.trial.kind)
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
    let source = Frames::new(inputs.segment.info.clone(), inputs.segment.frames.iter().cloned());
    let mut scene = scene_with(Box::new(source), &condition, inputs.resources).map_err(|e| e.to_string())?;
    let info = scene.info().clone();
    let hours = setting.hours.map_or_else(String::new, |h| format!(" mean-time-between-false-alerts={h}"));
    let running = RunningPipeline::launch(&format!(
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
    let mut drain = || batch::drain(&bus, &mut collector).map_err(PipelineError::into_reason);
    let (mut size, mut last_report) = ((0, 0), Instant::now());
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
        if last_report.elapsed() > Duration::from_millis(500) {
            last_report = Instant::now();
            progress(frame.pts_ns as f64 / 1e9);
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
