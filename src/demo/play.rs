//! One clip through a real pipeline: decoded, judged, drawn on, and written to an annotated file.

use super::error::Error;
use super::plan::Case;
use crate::detect::Mode;
use crate::message::{self, DeepfakeMessage};
use gst::prelude::*;
use gstreamer as gst;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a pipeline may say nothing before it counts as hung.
const STALL: Duration = Duration::from_secs(60);
/// How often an interruption is looked for.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// What holds for every clip.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Value of the element's property `profile`.
    pub profile: &'a str,
    /// Set from outside to stop early.
    pub stop: &'a AtomicBool,
}

/// An alert that was raised, seconds of the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct RaisedAlert {
    /// Of the frame that decided.
    pub at: f64,
    /// From that frame's turn in the pipeline to the message; 0 where no clock paces the stream.
    pub delay: f64,
    /// The signal that added most.
    pub signal: String,
}

/// What came of a clip.
#[derive(Clone, Debug, Default)]
pub struct Played {
    pub alerts: Vec<RaisedAlert>,
    pub worst_state: Option<crate::analysis::judgement::verdict::State>,
    pub worst_risk: f64,
    pub frames_analysed: u64,
    /// Of the stream, seconds.
    pub duration: f64,
    pub wall: Duration,
}

/// Stops when it goes out of scope, and takes an unfinished file away.
struct Running {
    pipeline: gst::Pipeline,
    partial: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// Plays `file` and writes it, annotated, to `output`. `on_message` gets every message of the element, with the delay of
/// [`RaisedAlert::delay`].
///
/// # Errors
/// What the pipeline reports; a pipeline that hangs; [`Error::Interrupted`] after a stop. No output file is left then.
pub fn play(
    case: &Case,
    file: &Path,
    output: &Path,
    options: Options<'_>,
    on_message: &mut dyn FnMut(&DeepfakeMessage, f64) -> Result<(), Error>,
) -> Result<Played, Error> {
    let begun = Instant::now();
    let running = build(case, file, output, options.profile)?;
    let pipeline = &running.pipeline;
    let failed = |message: String| Error::Failed { clip: case.name.clone(), message };
    let bus = pipeline.bus().ok_or_else(|| failed("the pipeline has no bus".into()))?;
    // A refused change of state has its reason on the bus.
    let refused = pipeline.set_state(gst::State::Playing).is_err();
    let mut played = Played::default();
    let mut quiet_since = Instant::now();
    loop {
        if options.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let Some(message) = bus.timed_pop(POLL) else {
            if refused || quiet_since.elapsed() > STALL {
                return Err(Error::Stalled {
                    clip: case.name.clone(),
                    seconds: quiet_since.elapsed().as_secs(),
                });
            }
            continue;
        };
        quiet_since = Instant::now();
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => {
                let detail = e.debug().and_then(|d| d.lines().nth(1).map(|l| l.trim().to_owned()));
                let detail = detail.filter(|d| !d.is_empty()).map_or_else(String::new, |d| format!(" ({d})"));
                return Err(failed(format!("{}{detail}", e.error())));
            }
            gst::MessageView::Warning(w) => eprintln!("warning: {}", w.error()),
            _ => match message::parse(&message) {
                Some(Ok(m)) => {
                    let delay = delay(case.mode, pipeline, &m);
                    note(&mut played, &m, delay);
                    on_message(&m, delay)?;
                }
                Some(Err(error)) => return Err(failed(format!("a message is not understood: {error}"))),
                None => {}
            },
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
    std::fs::rename(&running.partial, output)
        .map_err(|source| Error::File { path: output.into(), source })?;
    played.wall = begun.elapsed();
    Ok(played)
}

fn seconds(ns: Option<u64>) -> f64 {
    ns.unwrap_or_default() as f64 / 1e9
}

fn delay(mode: Mode, pipeline: &gst::Pipeline, message: &DeepfakeMessage) -> f64 {
    let then = message.header().running_time;
    match (mode, then, pipeline.current_running_time()) {
        (Mode::Live, Some(then), Some(now)) => seconds(Some(now.nseconds().saturating_sub(then))),
        _ => 0.0,
    }
}

fn note(played: &mut Played, message: &DeepfakeMessage, delay: f64) {
    match message {
        DeepfakeMessage::Alert(m)
            if m.alert.kind == crate::analysis::judgement::verdict::AlertKind::Raised =>
        {
            played.alerts.push(RaisedAlert {
                at: seconds(m.header.stream_time.or(Some(m.alert.pts))),
                delay,
                signal: m.alert.evidence.first().map(|e| e.signal.clone()).unwrap_or_default(),
            });
        }
        DeepfakeMessage::Summary(m) => {
            played.worst_state = Some(m.worst_state);
            played.worst_risk = m.worst_risk;
            played.frames_analysed = m.frames_analysed;
            played.duration = seconds(m.duration);
        }
        _ => {}
    }
}

fn build(case: &Case, file: &Path, output: &Path, profile: &str) -> Result<Running, Error> {
    let wrong = |e: &dyn std::fmt::Display| Error::Build(e.to_string());
    let (mode, pace) = match case.mode {
        Mode::Live => ("live", "! clocksync"),
        Mode::Sync => ("sync", ""),
    };
    let line = format!(
        "filesrc name=file ! decodebin caps=\"video/x-raw(ANY)\" expose-all-streams=false ! videoconvert name=convert \
         ! videoflip video-direction=auto {pace} ! deepfakedetect name=detect mode={mode} profile={profile} \
         ! deepfakeoverlay ! queue max-size-buffers=8 max-size-bytes=0 max-size-time=0 ! videoconvert \
         ! x264enc tune=zerolatency speed-preset=veryfast pass=quant quantizer=23 key-int-max=50 \
         ! h264parse ! mp4mux faststart=true ! filesink name=out"
    );
    let pipeline = gst::parse::launch(&line)
        .map_err(|e| wrong(&e))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| wrong(&"the line makes no pipeline"))?;
    let partial = output.with_extension("mp4.partial");
    let named = |name| pipeline.by_name(name).ok_or_else(|| wrong(&format!("no element `{name}`")));
    named("file")?.set_property("location", file);
    named("out")?.set_property("location", &partial);
    named("detect")?.set_property("session-id", &case.name);
    if let Some(until) = case.until
        && let Some(pad) = named("convert")?.static_pad("sink")
    {
        let until = gst::ClockTime::from_nseconds((until * 1e9) as u64);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if info.buffer().and_then(|b| b.pts()).is_none_or(|pts| pts < until) {
                return gst::PadProbeReturn::Ok;
            }
            // What comes after meets the end of the stream, and so the decoder stops.
            pad.send_event(gst::event::Eos::new());
            gst::PadProbeReturn::Remove
        });
    }
    Ok(Running { pipeline, partial })
}
