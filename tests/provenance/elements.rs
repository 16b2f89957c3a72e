//! What the elements do with what they find out.

use super::{Heard, pipeline};
use crate::common::child::launch_element;
use crate::common::{PATIENCE, face_models, init, onnxruntime, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::AlertKind;
use gstdeepfake::analysis::source::provenance::Class;
use gstreamer as gst;
use std::path::{Path, PathBuf};

const LIVE: &str = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=25/1";

fn policy(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("policy.toml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn buffers_pass_untouched() {
    init();
    let Some(pipeline) = pipeline(
        "videotestsrc num-buffers=40 name=in ! video/x-raw,width=64,height=48,framerate=25/1 \
         ! cameraprovenance name=p ! fakesink name=out signal-handoffs=true",
    ) else {
        return;
    };
    let passed = |name: &str, pad: &str| {
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let record = std::sync::Arc::clone(&seen);
        pipeline.by_name(name).unwrap().static_pad(pad).unwrap().add_probe(
            gst::PadProbeType::BUFFER,
            move |_, info| {
                let buffer = info.buffer().unwrap();
                let bytes = buffer.map_readable().unwrap().to_vec();
                record.lock().unwrap().push((buffer.pts(), buffer.as_ptr() as usize, bytes));
                gst::PadProbeReturn::Ok
            },
        );
        seen
    };
    let (before, after) = (passed("p", "sink"), passed("p", "src"));
    pipeline.set_state(gst::State::Playing).unwrap();
    assert!(Heard::listen(&pipeline, |_| false).eos);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(before.lock().unwrap().len(), 40);
    assert!(*before.lock().unwrap() == *after.lock().unwrap(), "a buffer was changed, copied or lost");
}

#[test]
fn an_unwelcome_source_raises_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), "schema = 1\n[deny]\nclasses = [\"synthetic\"]\n");
    let line = format!("{LIVE} ! cameraprovenance session-id=c7 policy={} ! fakesink", file.display());
    let pipeline = pipeline(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let heard = Heard::listen(&pipeline, |h| !h.alerts.is_empty());
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None, "the video goes on");
    let alert = &heard.alerts[0];
    assert_eq!((alert.alert.kind, alert.header.session_id.as_str()), (AlertKind::Raised, "c7"));
    assert_eq!(alert.alert.evidence[0].signal, "policy");
    assert!(alert.alert.evidence[0].reason.contains("synthetic are denied"), "{:?}", alert.alert);
    assert!(heard.reports.iter().any(|r| r.violation.is_some()));
}

#[test]
fn the_summary_counts_a_policys_alert() {
    let Some(library) = onnxruntime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), "schema = 1\n[deny]\nclasses = [\"synthetic\"]\n");
    let line = format!(
        "{LIVE} ! {} model-dir={} policy={} ! fakesink",
        launch_element(&library),
        face_models().display(),
        file.display()
    );
    let pipeline = pipeline(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let heard = Heard::listen(&pipeline, |h| !h.alerts.is_empty());
    // An event that is sent to a pipeline on its way to PLAYING keeps it from getting there.
    pipeline.state(PATIENCE).0.unwrap();
    pipeline.send_event(gst::event::Eos::new());
    let ended = Heard::listen(&pipeline, |_| false);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!((heard.error, ended.error), (None, None));
    let summary = ended.summary.expect("no summary");
    assert_eq!(summary.alerts as usize, heard.alerts.len() + ended.alerts.len());
}

#[test]
fn a_policy_may_end_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let text = "schema = 1\non-violation = \"block\"\n[allow]\nclasses = [\"physical\"]\n";
    let file = policy(folder.path(), text);
    let mut lines = vec![format!("{LIVE} ! cameraprovenance policy={} ! fakesink", file.display())];
    if let Some(library) = onnxruntime() {
        lines.push(format!("{LIVE} ! {} policy={} ! fakesink", launch_element(&library), file.display()));
    }
    for line in lines {
        let pipeline = pipeline(&line).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let heard = Heard::listen(&pipeline, |_| false);
        pipeline.set_state(gst::State::Null).unwrap();
        let error = heard.error.unwrap();
        assert!(error.contains("policy ends this stream") && error.contains("synthetic"), "{error}");
    }
}

#[test]
fn a_broken_policy_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path(), "schema = 1\n[deny]\nclasses = [\"virtul\"]\n");
    let pipeline =
        pipeline(&format!("{LIVE} ! cameraprovenance policy={} ! fakesink", file.display())).unwrap();
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let error = Heard::listen(&pipeline, |_| false).error.unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.contains("policy.toml, line 3") && error.contains("virtul"), "{error}");
}

#[test]
fn the_detector_carries_the_source_on_its_buffers() {
    let Some(library) = onnxruntime() else { return };
    let line = format!(
        "{LIVE} ! {} model-dir={} ! appsink name=out",
        launch_element(&library),
        face_models().display()
    );
    let pipeline = pipeline(&line).unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    // Two seconds of video at most: the source is known at the first evaluation.
    let source = (0..250).find_map(|_| {
        let sample = out.try_pull_sample(PATIENCE).expect("the stream ended");
        verdict(sample.buffer().unwrap()).source
    });
    pipeline.set_state(gst::State::Null).unwrap();
    let source = source.expect("no buffer told of its source");
    assert_eq!(source.class, Class::Synthetic);
    assert!(source.confidence > 0.9, "{source:?}");
}

#[test]
fn it_starts_and_stops_and_leaves_no_thread() {
    init();
    let Some(pipeline) = pipeline(&format!("{LIVE} ! cameraprovenance name=p ! fakesink")) else { return };
    for _ in 0..30 {
        pipeline.set_state(gst::State::Playing).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
    }
    let element = pipeline.by_name("p").unwrap();
    assert!(element.property::<gst::Array>("sources").is_empty(), "nothing is watched any more");
    drop((element, pipeline));
}
