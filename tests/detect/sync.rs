//! `mode=sync`: the same video gives the same verdicts, messages and metadata, run after run.

use crate::common::{PATIENCE, Rig, init, onnxruntime, real_models_and_clip, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::Verdict;
use gstdeepfake::message::{self, DeepfakeMessage};
use gstdeepfake::meta;
use gstreamer as gst;
use std::sync::{Arc, Mutex};

/// Everything that one run says, as text with all digits.
#[derive(Debug, Default, PartialEq)]
struct Said {
    verdicts: Vec<String>,
    messages: Vec<String>,
}

fn one_line(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).unwrap()
}

/// Noise, a frozen stretch, darkness, noise again, a flush in between.
fn generated(profile: &str) -> Option<Said> {
    let mut rig = Rig::new(&[
        ("mode", "sync"),
        ("profile", profile),
        ("report-interval", "200000000"),
        ("mean-time-between-false-alerts", "0.01"),
        // Must not matter: the budget would make the result depend on the machine.
        ("cpu-budget", "1"),
    ])?;
    let mut said = Said::default();
    let mut frozen = None;
    for n in 0..400 {
        let mut frame = match n {
            100..250 => frozen.get_or_insert_with(|| rig.noise()).copy(),
            250..300 => rig.black(),
            _ => rig.noise(),
        };
        let pts = rig.pts(n);
        frame.get_mut().unwrap().set_pts(pts);
        if n == 350 {
            rig.element.emit_by_name::<()>("reset", &[]);
        }
        let out = rig.pass(frame);
        said.verdicts.push(format!("{:?} {}", meta::age(&out), one_line(&verdict(&out))));
    }
    rig.eos();
    rig.drain();
    said.messages = rig.messages.iter().map(|m| m.to_json().unwrap()).collect();
    Some(said)
}

#[test]
fn generated_video_gives_the_same_twice() {
    for profile in ["economy", "balanced"] {
        let Some(first) = generated(profile) else { return };
        let second = generated(profile).unwrap();
        assert_eq!(first, second);
        assert_eq!(first.verdicts.len(), 400);
        let kinds = |kind| first.messages.iter().filter(|m| m.contains(kind)).count();
        assert!(kinds("\"type\":\"deepfake-verdict\"") > 20, "{}", kinds("deepfake-verdict"));
        assert_eq!(kinds("\"type\":\"deepfake-summary\""), 1);
        let states = |condition: &str| first.verdicts.iter().filter(|v| v.contains(condition)).count();
        assert!(states("no-face") > 20 && states("\"tracks\":[{") > 100);
    }
}

/// A clip through a decoder, the first seconds of it.
fn recorded(models: &std::path::Path, clip: &std::path::Path, library: &std::path::Path) -> Said {
    init();
    let line = format!(
        "filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=I420 ! identity name=end !
         deepfakedetect name=d mode=sync model-dir={} onnxruntime-library={} report-interval=100000000 !
         fakesink name=sink signal-handoffs=true",
        clip.display(),
        models.display(),
        library.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().static_pad("src").unwrap();
    end.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let late = info.buffer().and_then(|b| b.pts()).is_some_and(|p| p > gst::ClockTime::from_seconds(10));
        if late {
            // The first such buffer ends the stream; nothing is let through after it.
            pad.push_event(gst::event::Eos::new());
            return gst::PadProbeReturn::Drop;
        }
        gst::PadProbeReturn::Ok
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = pipeline.by_name("sink").unwrap();
    let keep = Arc::clone(&seen);
    sink.connect("handoff", false, move |values| {
        let buffer = values[1].get::<gst::Buffer>().unwrap();
        keep.lock().unwrap().push(format!("{:?} {}", buffer.pts(), one_line(&verdict(&buffer))));
        None
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let mut said = Said::default();
    loop {
        let message = bus.timed_pop(PATIENCE * 3).expect("the clip never ends");
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => panic!("{} {:?}", e.error(), e.debug()),
            _ => {}
        }
        if let Some(m) = message::parse(&message) {
            let m: DeepfakeMessage = m.unwrap();
            said.messages.push(m.to_json().unwrap());
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    said.verdicts = std::mem::take(&mut *seen.lock().unwrap());
    said
}

#[test]
fn a_recorded_clip_gives_the_same_twice() {
    let Some(library) = onnxruntime() else { return };
    let Some((models, clip)) = real_models_and_clip("cap13_edit2.mp4") else { return };
    let first = recorded(&models, &clip, &library);
    assert!(first.verdicts.len() > 100, "{}", first.verdicts.len());
    let faces = first.verdicts.iter().filter(|v| v.contains("\"tracks\":[{")).count();
    assert!(faces * 10 > first.verdicts.len() * 8, "a face in {faces} of {}", first.verdicts.len());
    assert!(first.messages.iter().any(|m| m.contains("deepfake-summary")));
    assert_eq!(recorded(&models, &clip, &library), first);
}
