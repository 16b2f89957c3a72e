//! Processor time that one 720p30 stream with one face costs, by profile, with the real networks and a real clip
//! scaled up; with the table of stages. `cargo bench --features tools --bench stream`; `BENCH_SECONDS` of the clip
//! (20 by default; the clip starts again at its end, as a new stream).
//!
//! Prints numbers and asserts nothing.

#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used)]

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

#[path = "../tests/common/mod.rs"]
mod common;

const CAPS: &str = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1,pixel-aspect-ratio=1/1";

/// Processor time of this thread so far, ms. What /proc tells is behind by up to a tick, as long as an analysis.
fn thread_time() -> f64 {
    #[repr(C)]
    struct Time {
        seconds: std::ffi::c_long,
        nanos: std::ffi::c_long,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: std::ffi::c_int, time: *mut Time) -> std::ffi::c_int;
    }
    const CLOCK_THREAD_CPUTIME_ID: std::ffi::c_int = 3;
    let mut time = Time { seconds: 0, nanos: 0 };
    // SAFETY: `time` is a `struct timespec` of this platform, and outlives the call.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.seconds as f64 * 1e3 + time.nanos as f64 / 1e6
}

fn decoder(clip: &std::path::Path) -> (gst::Pipeline, gst_app::AppSink) {
    let line = format!(
        "filesrc location={} ! decodebin ! videoconvert ! videoscale add-borders=true ! videorate ! {CAPS} !
         appsink name=sink sync=false max-buffers=8",
        clip.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    (pipeline, sink)
}

fn run(profile: &str, models: &std::path::Path, clip: &std::path::Path, seconds: u64) {
    let library = common::onnxruntime().unwrap();
    let element = gst::ElementFactory::make("deepfakedetect")
        .property("model-dir", models.to_str().unwrap())
        .property("onnxruntime-library", library.to_str().unwrap())
        .property_from_str("profile", profile)
        // In the stream: this thread's time is then the analysis' time and the streaming probe's.
        .property_from_str("mode", "sync")
        .build()
        .unwrap();
    let mut rig = common::Rig::around(element, CAPS);
    let wanted = seconds * 30;
    let (mut pushed, mut spent, mut faces) = (0, 0.0, 0);
    while pushed < wanted {
        let (pipeline, sink) = decoder(clip);
        while pushed < wanted {
            let Ok(sample) = sink.pull_sample() else { break };
            let mut buffer = sample.buffer_owned().unwrap();
            drop(sample);
            buffer.make_mut().set_pts(rig.pts(pushed));
            let before = thread_time();
            rig.h.push(buffer).unwrap();
            spent += thread_time() - before;
            let out = rig.h.try_pull().unwrap();
            faces += u64::from(!common::verdict(&out).tracks.is_empty());
            pushed += 1;
        }
        pipeline.set_state(gst::State::Null).unwrap();
        rig.element.emit_by_name::<()>("reset", &[]);
    }
    let sampled = common::stat(&rig.element, "frames-sampled");
    println!(
        "{profile:<9} {:6.1} ms of processor a second of stream; {:.1} analyses a second, a face in {} % of frames",
        spent / seconds as f64,
        sampled as f64 / seconds as f64,
        faces * 100 / pushed
    );
    let stats: gst::Structure = rig.element.property("stats");
    let stages: gst::Structure = stats.get("stages").unwrap();
    println!("    stage            runs   p50 us   p99 us   ms a second (wall)");
    for (name, value) in stages.iter() {
        let stage = value.get::<gst::Structure>().unwrap();
        let [count, p50, p99, total] =
            ["count", "p50-us", "p99-us", "total-us"].map(|f| stage.get::<u64>(f).unwrap());
        println!("    {name:<14} {count:6} {p50:8} {p99:8}   {:8.2}", total as f64 / 1000.0 / seconds as f64);
    }
}

fn main() {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let Some(_) = common::onnxruntime() else { return };
    let Some((models, clip)) = common::real_models_and_clip("cap13_edit2.mp4") else { return };
    common::init();
    println!("{}, scaled to 1280x720, 30 a second, {seconds} s", clip.file_name().unwrap().display());
    for profile in ["economy", "balanced", "thorough"] {
        run(profile, &models, &clip, seconds);
    }
}
