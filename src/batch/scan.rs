//! One recording through a real pipeline: decoded and judged as fast as it goes.

use super::collector::Collector;
use super::item::Source;
use super::pipeline::{PipelineError, RunningPipeline, handle};
use super::record::{ModelScore, Outcome};
use super::settings::Settings;
use crate::analysis::judgement::verdict::Condition;
use crate::lock::lock;
use crate::meta;
use crate::provenance::recorded::Recorded;
use crate::recorded::Reader;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long no frame may come before a pipeline counts as hung.
const STALL: Duration = Duration::from_secs(60);
/// How often [`scan`] reports its progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Width of a thumbnail, pixels.
const THUMBNAIL: i32 = 160;
/// A file that is shorter than it promises by more than this is cut off, seconds; audio may honestly outlast video.
const SHORTFALL: f64 = 2.0;

impl Settings {
    fn element(&self) -> String {
        let purpose = match self.purpose.as_str() {
            "" => String::new(),
            purpose => format!(" purpose={purpose}"),
        };
        let hours = self.hours.map_or_else(String::new, |h| format!(" mean-time-between-false-alerts={h}"));
        // Every verdict is wanted, not only one a second.
        format!(
            "deepfakedetect name=detect mode=sync profile={} report-interval=1{purpose}{hours}",
            self.profile
        )
    }

    /// What a line of text would have to quote.
    fn apply(&self, running: &RunningPipeline) -> Result<gst::Element, String> {
        let element = running.part("detect")?;
        element.set_property("extra-models", &self.extra_models);
        element.set_property("ignore-signals", &self.without);
        Ok(element)
    }
}

/// What the streaming thread counts and keeps.
#[derive(Default)]
struct Seen {
    frames: AtomicU64,
    /// PTS, ns.
    at: AtomicU64,
    first_analysed: Mutex<Option<gst::Sample>>,
}

/// Loads the networks once, so that what is wrong with all recordings is reported before the first.
///
/// # Errors
/// Why the element does not start.
pub fn check(settings: &Settings) -> Result<(), String> {
    #[cfg(feature = "c2pa")]
    super::signature::anchors(settings)?;
    let running = RunningPipeline::launch(&format!("{} ! fakesink", settings.element()))?;
    let element = settings.apply(&running)?;
    match element.set_state(gst::State::Paused) {
        Ok(_) => Ok(()),
        Err(_) => Err(running.first_error().unwrap_or_else(|| "deepfakedetect gives no reason".into())),
    }
}

/// Scans one recording; `name` becomes its session, `progress` is called with the seconds of the stream that are done.
///
/// # Errors
/// In words, what is wrong with the recording, if nothing of it could be judged.
pub fn scan(
    name: &str,
    source: &Source,
    settings: &Settings,
    progress: &mut dyn FnMut(f64),
) -> Result<Outcome, String> {
    let begun = Instant::now();
    // The reader's checks are quicker and clearer than those of a pipeline that waits for a stream.
    let promised = match source {
        Source::File(path) => Reader::open(path).map_err(|e| e.to_string())?.info().duration_ns,
        Source::Uri(_) => None,
    };
    let seen = Arc::new(Seen::default());
    let (running, provenance) = build(name, source, settings, &seen)?;
    settings.apply(&running)?;
    let mut collector = running.start()?;
    let damage = match watch(&running, &seen, &mut collector, progress) {
        Ok(()) => None,
        // With two frames the pipeline plays, and nothing in it waits for anything.
        Err(PipelineError::Stream(reason)) if seen.frames.load(Ordering::Relaxed) > 1 => {
            end(&running, &mut collector)?;
            Some(reason)
        }
        Err(broken) => return Err(broken.into_reason()),
    };
    let _ = running.0.set_state(gst::State::Null);
    let mut scanned = collector.finish(begun.elapsed().as_secs_f64());
    scanned.model_scores = model_scores(running.stats()?.as_ref());
    scanned.source = provenance.note();
    if scanned.frames_seen == 0 {
        let nothing = || "it has no video stream; give a recording with a picture in it".into();
        return Err(damage.unwrap_or_else(nothing));
    }
    if settings.thumbnails {
        scanned.thumbnail = lock(&seen.first_analysed).take().and_then(jpeg);
    }
    if let Some(reason) = damage {
        scanned.note = Some(format!("damaged after {:.1} s: {reason}", scanned.duration_s));
        return Ok(Outcome::Damaged(Box::new(scanned)));
    }
    let promised = promised.map_or(0.0, |ns| ns as f64 / 1e9);
    if settings.seconds.is_none() && promised - scanned.duration_s > SHORTFALL.max(promised / 20.0) {
        let got = scanned.duration_s;
        scanned.note = Some(format!("cut off: {got:.1} s of video, its header promises {promised:.1} s"));
    }
    #[cfg(feature = "c2pa")]
    if let Source::File(path) = source {
        super::signature::look(path, settings, &mut scanned)?;
    }
    Ok(Outcome::Scanned(Box::new(scanned)))
}

/// The account of the networks that watch a face.
fn model_scores(stats: &gst::StructureRef) -> BTreeMap<String, ModelScore> {
    let Ok(all) = stats.get::<gst::Structure>("networks") else { return BTreeMap::new() };
    let named = all.iter().filter_map(|(name, value)| Some((name, value.get::<gst::Structure>().ok()?)));
    named
        .map(|(name, one)| {
            let score = ModelScore {
                signal: one.get("signal").unwrap_or_default(),
                family: one.get("family").unwrap_or_default(),
                calibrated: one.get("calibrated").unwrap_or_default(),
                count: one.get("count").unwrap_or_default(),
                mean_score: one.get("mean-score").ok(),
                mean_face_px: one.get("mean-face-px").ok(),
            };
            (name.to_string(), score)
        })
        .collect()
}

/// Follows the pipeline to its end.
fn watch(
    running: &RunningPipeline,
    seen: &Seen,
    collector: &mut Collector,
    progress: &mut dyn FnMut(f64),
) -> Result<(), PipelineError> {
    let bus = running.bus().map_err(PipelineError::Analysis)?;
    let (mut last_report, mut moved) = (Instant::now(), Instant::now());
    let mut frames = 0;
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_mseconds(100));
        let now = seen.frames.load(Ordering::Relaxed);
        if now != frames {
            (frames, moved) = (now, Instant::now());
        }
        if last_report.elapsed() >= PROGRESS_INTERVAL {
            last_report = Instant::now();
            progress(seen.at.load(Ordering::Relaxed) as f64 / 1e9);
        }
        match message {
            Some(message) if handle(&message, collector)? => return Ok(()),
            None if moved.elapsed() > STALL => {
                return Err(PipelineError::Stream(format!("no frame came for {} s", STALL.as_secs())));
            }
            _ => {}
        }
    }
}

/// Ends a stream whose decoder has given up, so that the detector gives its account of what came until then.
fn end(running: &RunningPipeline, collector: &mut Collector) -> Result<(), String> {
    // Refused where the decoder has ended it already.
    if let Some(inlet) = running.part("convert")?.static_pad("sink") {
        let _ = inlet.send_event(gst::event::Eos::new());
    }
    let bus = running.bus()?;
    while let Some(message) = bus.pop() {
        // One error seldom comes alone; the first is what counts.
        if let Err(PipelineError::Analysis(reason)) = handle(&message, collector) {
            return Err(reason);
        }
    }
    Ok(())
}

fn build(
    name: &str,
    source: &Source,
    settings: &Settings,
    seen: &Arc<Seen>,
) -> Result<(RunningPipeline, Recorded), String> {
    let decode = match source {
        Source::File(_) => "filesrc name=source ! decodebin",
        Source::Uri(_) => "uridecodebin name=source",
    };
    let running = RunningPipeline::launch(&format!(
        "{decode} caps=\"video/x-raw(ANY)\" expose-all-streams=false ! videoconvert name=convert \
         ! videoflip video-direction=auto ! {} ! fakesink sync=false",
        settings.element()
    ))?;
    match source {
        Source::File(path) => {
            running.part("source")?.set_property("location", AsRef::<Path>::as_ref(path));
        }
        Source::Uri(uri) => running.part("source")?.set_property("uri", uri),
    }
    let detect = running.part("detect")?;
    detect.set_property("session-id", name);
    let inlet = running.part("convert")?.static_pad("sink").ok_or("videoconvert has no inlet")?;
    count(&inlet, settings.seconds, Arc::clone(seen));
    let provenance = Recorded::watch(&running.0, &inlet);
    if settings.thumbnails
        && let Some(outlet) = detect.static_pad("src")
    {
        keep_first_analysed(&outlet, Arc::clone(seen));
    }
    Ok((running, provenance))
}

/// Counts frames, and ends the stream when enough of it was seen.
fn count(pad: &gst::Pad, limit: Option<f64>, seen: Arc<Seen>) {
    let limit = limit.map(|s| gst::ClockTime::from_nseconds((s * 1e9) as u64));
    let begun = std::sync::OnceLock::new();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        seen.frames.fetch_add(1, Ordering::Relaxed);
        let Some(pts) = info.buffer().and_then(|b| b.pts()) else { return gst::PadProbeReturn::Ok };
        // A live stream does not begin at nought.
        let passed = pts.saturating_sub(*begun.get_or_init(|| pts));
        seen.at.store(passed.nseconds(), Ordering::Relaxed);
        if limit.is_none_or(|limit| passed < limit) {
            return gst::PadProbeReturn::Ok;
        }
        // What comes after meets the end of the stream, and so the decoder stops.
        pad.send_event(gst::event::Eos::new());
        gst::PadProbeReturn::Remove
    });
}

fn keep_first_analysed(pad: &gst::Pad, seen: Arc<Seen>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let analysed =
            matches!(meta::read(buffer), Some(Ok(v)) if !matches!(v.condition, Condition::NotAnalysed));
        if !analysed {
            return gst::PadProbeReturn::Ok;
        }
        if let Some(caps) = pad.current_caps() {
            let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
            *lock(&seen.first_analysed) = Some(sample);
        }
        gst::PadProbeReturn::Remove
    });
}

/// A small picture as a `data:` URI; none if this machine cannot make one.
pub(crate) fn jpeg(sample: gst::Sample) -> Option<String> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let shape = f64::from(info.height()) / f64::from(info.width().max(1));
    let shape = shape * f64::from(info.par().denom()) / f64::from(info.par().numer().max(1));
    let height = (f64::from(THUMBNAIL) * shape).round().clamp(16.0, 640.0) as i32;
    let caps = gst::Caps::builder("image/jpeg")
        .field("width", THUMBNAIL)
        .field("height", height)
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    let picture = gst_video::convert_sample(&sample, &caps, Some(gst::ClockTime::from_seconds(10))).ok()?;
    let bytes = picture.buffer()?.map_readable().ok()?;
    Some(format!("data:image/jpeg;base64,{}", glib::base64_encode(&bytes)))
}
