//! In pipelines: parallel streams, seeks, removal while playing, the end from a bus handler; and GStreamer's own
//! launcher with the plugin's file.

use crate::common::child::{in_child, is_child, launch_element, run, tool, wait_for_threads};
use crate::common::{PATIENCE, init, onnxruntime};
use gst::prelude::*;
use gstdeepfake::message::{self, DeepfakeMessage, SummaryMessage};
use gstdeepfake::meta;
use gstreamer as gst;
use std::sync::mpsc;
use std::time::Duration;

const SOURCE: &str =
    "videotestsrc pattern=ball name=source ! video/x-raw,width=320,height=240,framerate=30/1";

fn pipeline(source: &str, properties: &str, rest: &str) -> Option<gst::Pipeline> {
    let library = onnxruntime()?;
    init();
    let line = format!("{source} ! {} name=d {properties} ! {rest}", launch_element(&library));
    Some(gst::parse::launch(&line).unwrap().downcast().unwrap())
}

/// Waits for the end; all summaries.
fn to_the_end(pipeline: &gst::Pipeline) -> Vec<SummaryMessage> {
    let mut summaries = Vec::new();
    let bus = pipeline.bus().unwrap();
    loop {
        let popped = bus.timed_pop(PATIENCE).expect("the end never came");
        match popped.view() {
            gst::MessageView::Eos(_) => return summaries,
            gst::MessageView::Error(e) => panic!("{} {:?}", e.error(), e.debug()),
            _ => {}
        }
        if let Some(Ok(DeepfakeMessage::Summary(s))) = message::parse(&popped) {
            summaries.push(s);
        }
    }
}

macro_rules! in_own_process {
    ($($name:ident / $child:ident => $body:expr;)+) => { $(
        #[test]
        fn $name() {
            in_child(concat!("pipelines::", stringify!($child)));
        }
        #[test]
        #[ignore = "run in a child process"]
        fn $child() {
            if is_child() {
                $body;
                wait_for_threads("deepfake-worker", 0);
            }
        }
    )+ };
}

in_own_process! {
    two_and_sixteen_streams_run_side_by_side / child_parallel => parallel();
    it_can_be_taken_out_while_playing / child_removal => removal();
    a_bus_handler_may_stop_the_pipeline / child_handler => stopped_by_handler();
    a_seek_starts_a_new_epoch / child_seek => seek();
}

fn parallel() {
    for count in [2u64, 16] {
        let source = format!("{SOURCE} ! identity");
        let run = |n: u64| {
            let mode = if n % 4 == 3 { "mode=sync" } else { "" };
            let pipeline = pipeline(&source, mode, "fakesink").unwrap();
            pipeline.by_name("source").unwrap().set_property("num-buffers", 60i32);
            pipeline.set_state(gst::State::Playing).unwrap();
            pipeline
        };
        let all: Vec<_> = (0..count).map(run).collect();
        for pipeline in &all {
            let summaries = to_the_end(pipeline);
            assert_eq!(summaries.len(), 1);
            assert_eq!(summaries[0].frames_seen, 60);
            let skipped: u64 = summaries[0].frames_skipped.values().sum();
            assert_eq!(summaries[0].frames_sampled, summaries[0].frames_analysed + skipped);
            pipeline.set_state(gst::State::Null).unwrap();
        }
    }
    // Two in one pipeline: the second one's verdict is the one that stays.
    let library = onnxruntime().unwrap();
    let two = format!("{} name=second mode=sync ! fakesink", launch_element(&library));
    let pipeline = pipeline(SOURCE, "", &two).unwrap();
    pipeline.by_name("source").unwrap().set_property("num-buffers", 30i32);
    pipeline.set_state(gst::State::Playing).unwrap();
    assert_eq!(to_the_end(&pipeline).len(), 2);
    pipeline.set_state(gst::State::Null).unwrap();
}

fn removal() {
    for _ in 0..20 {
        let pipeline = pipeline(SOURCE, "", "identity name=after ! fakesink").unwrap();
        let detect = pipeline.by_name("d").unwrap();
        let after = pipeline.by_name("after").unwrap();
        let upstream = detect.static_pad("sink").unwrap().peer().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let (told, tell) = mpsc::channel();
        let seen = told.clone();
        after.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let marked = info.buffer().is_some_and(|b| meta::read(b).is_some());
            let _ = seen.send(marked);
            gst::PadProbeReturn::Ok
        });
        let wait = Duration::from_secs(60);
        while !tell.recv_timeout(wait).unwrap() {}
        let (weak, target) = (pipeline.downgrade(), after.clone());
        let (gone, is_gone) = mpsc::channel();
        upstream.add_probe(gst::PadProbeType::IDLE, move |pad, _| {
            let pipeline = weak.upgrade().unwrap();
            let detect = pipeline.by_name("d").unwrap();
            pad.unlink(&detect.static_pad("sink").unwrap()).unwrap();
            detect.unlink(&target);
            pipeline.remove(&detect).unwrap();
            pad.link(&target.static_pad("sink").unwrap()).unwrap();
            // The element is stopped by whoever took it out, not from within the stream.
            gone.send(detect).unwrap();
            gst::PadProbeReturn::Remove
        });
        let detect_again = is_gone.recv_timeout(wait).unwrap();
        assert_eq!(detect_again, detect);
        detect.set_state(gst::State::Null).unwrap();
        while tell.recv_timeout(wait).unwrap() {}
        wait_for_threads("deepfake-worker", 0);
        let weak = detect.downgrade();
        // Its messages hold it.
        while pipeline.bus().unwrap().pop().is_some() {}
        drop((detect, detect_again));
        assert!(weak.upgrade().is_none(), "somebody still holds the element");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn stopped_by_handler() {
    for _ in 0..5 {
        let pipeline = pipeline(SOURCE, "report-interval=1", "fakesink").unwrap();
        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let (quit, weak) = (main.clone(), pipeline.downgrade());
        context
            .with_thread_default(|| {
                let _guard = pipeline
                    .bus()
                    .unwrap()
                    .add_watch_local(move |_, message| {
                        if message::parse(message).is_some() {
                            weak.upgrade().unwrap().set_state(gst::State::Null).unwrap();
                            quit.quit();
                            return glib::ControlFlow::Break;
                        }
                        glib::ControlFlow::Continue
                    })
                    .unwrap();
                pipeline.set_state(gst::State::Playing).unwrap();
                main.run();
            })
            .unwrap();
        assert_eq!(pipeline.current_state(), gst::State::Null);
    }
}

fn seek() {
    let pipeline = pipeline(SOURCE, "mode=sync", "fakesink name=sink").unwrap();
    pipeline.set_state(gst::State::Paused).unwrap();
    let (change, state, _) = pipeline.state(PATIENCE);
    assert!(change.is_ok() && state == gst::State::Paused);
    let detect = pipeline.by_name("d").unwrap();
    let epoch = || detect.property::<gst::Structure>("verdict").get::<u64>("epoch").unwrap();
    let mut last = epoch();
    for second in [30, 2, 60] {
        pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::from_seconds(second)).unwrap();
        let (change, _, _) = pipeline.state(PATIENCE);
        change.unwrap();
        let verdict = detect.property::<gst::Structure>("verdict");
        assert_eq!(epoch(), last + 1, "once a seek");
        let analysed: u64 = verdict.get("analysed-pts").unwrap();
        assert_eq!(analysed / 1_000_000_000, second, "{verdict}");
        last = epoch();
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn the_launcher_runs_it_and_ends_with_0() {
    let (Some(library), Some(mut launch)) = (onnxruntime(), tool("gst-launch-1.0")) else { return };
    let source = "videotestsrc num-buffers=60 ! video/x-raw,format=NV12,width=320,height=240,framerate=30/1";
    let line =
        format!("-m {source} ! {} ! deepfakeoverlay ! videoconvert ! fakesink", launch_element(&library));
    launch.args(line.split_ascii_whitespace());
    let (ok, text) = run(launch, Duration::from_secs(120));
    assert!(ok, "{text}");
    assert!(text.contains("deepfake-summary") && text.contains("frames-seen=(guint64)60"), "{text}");
    assert!(!text.contains("CRITICAL") && !text.contains("WARNING"), "{text}");
}

#[test]
fn the_launcher_says_what_is_missing() {
    let Some(mut launch) = tool("gst-launch-1.0") else { return };
    launch.args("videotestsrc ! deepfakedetect model-dir=/nowhere/at/all ! fakesink".split(' '));
    let (ok, text) = run(launch, Duration::from_secs(120));
    assert!(!ok && text.contains("make models") && text.contains("/nowhere/at/all"), "{text}");
}
