//! `deepfake demo` from the outside: what it makes, prints and returns, and that it does nothing twice.
#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use gstdeepfake::demo::{Kind, plan};
use gstdeepfake::detect::Mode;
use gstreamer as gst;
use gstreamer::prelude::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the networks are there; says so if not.
fn models() -> bool {
    let there = root().join("models/fetched/face-mesh-v2.onnx").exists();
    if !there {
        eprintln!("SKIPPED: no models; run `make models`");
    }
    there
}

/// A recording without any face.
fn recording(folder: &Path, name: &str, seconds: u32) -> PathBuf {
    gst::init().unwrap();
    let path = folder.join(format!("{name}.mp4"));
    let line = format!(
        "videotestsrc pattern=ball num-buffers={} ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 \
         ! x264enc threads=1 tune=zerolatency ! mp4mux ! filesink location={}",
        seconds * 25,
        path.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.unwrap().type_(), gst::MessageType::Eos);
    path
}

fn command(clips: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deepfake"));
    command.arg("demo").arg("--clips").arg(clips).arg("--out").arg(out).stdin(Stdio::null());
    command.env("DEEPFAKE_MODEL_DIR", root().join("models"));
    command
}

fn run(clips: &Path, out: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(clips, out).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_plan_has_three_attacks_of_each_recording() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "long", 24);
    recording(folder.path(), "short", 8);
    let names = |p: &gstdeepfake::demo::Plan| p.cases.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let all = plan(folder.path(), None, false, None).unwrap();
    assert_eq!(
        names(&all),
        ["long", "short", "long-photo", "long-loop", "long-splice", "short-photo", "short-loop"]
    );
    assert_eq!(all.left_out.len(), 1, "{:?}", all.left_out);
    let live: Vec<_> = all.cases.iter().filter(|c| c.mode == Mode::Live).map(|c| c.kind).collect();
    assert_eq!(live, [Kind::Splice], "one clip shows the pace of a call");
    let quick = plan(folder.path(), None, true, None).unwrap();
    assert_eq!(names(&quick), ["long", "short", "long-photo", "long-loop", "long-splice"]);
    assert!(quick.cases.iter().all(|c| c.mode == Mode::Sync));
    let live = plan(folder.path(), Some(Mode::Live), false, Some("short")).unwrap();
    assert_eq!(names(&live), ["short", "short-photo", "short-loop"]);
    assert!(live.cases.iter().all(|c| c.mode == Mode::Live));
    let error = plan(folder.path(), None, false, Some("nobody")).unwrap_err().to_string();
    assert!(error.contains("long-splice"), "{error}");
}

#[test]
fn wrong_use_is_refused_with_a_reason() {
    let (clips, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (code, _, text) = run(clips.path(), out.path(), &[]);
    assert!(code == Some(2) && text.contains("make clips"), "{code:?} {text}");
    let (code, _, text) = run(clips.path(), clips.path(), &[]);
    assert!(code == Some(2) && text.contains("another folder"), "{code:?} {text}");
    let (code, _, text) = run(&clips.path().join("none"), out.path(), &[]);
    assert!(code == Some(2) && text.contains("none"), "{code:?} {text}");
    let (code, _, _) = run(clips.path(), out.path(), &["--mode", "sideways"]);
    assert_eq!(code, Some(2));
    std::fs::write(clips.path().join("broken.mp4"), b"this is no recording").unwrap();
    let (code, _, text) = run(clips.path(), out.path(), &[]);
    assert!(code == Some(2) && text.contains("broken.mp4"), "{code:?} {text}");
}

/// Without a face nothing can be alerted but the loop: the photo is missed, and that is said.
#[test]
fn a_miss_is_shown_and_a_second_run_makes_nothing_anew() {
    if !models() {
        return;
    }
    let (clips, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    recording(clips.path(), "call", 6);
    let (code, text, errors) = run(clips.path(), out.path(), &["--only", "call-photo"]);
    assert_eq!(code, Some(1), "{text}{errors}");
    assert!(text.contains("WRONG") && text.contains("FAIL: 0 of 1"), "{text}");
    assert!(text.contains("no-face"), "{text}");
    assert!(out.path().join("call-photo.mp4").metadata().unwrap().len() > 10_000);
    let attack = out.path().join("clips/call-photo.mp4");
    let made = attack.metadata().unwrap().modified().unwrap();
    let lines = std::fs::read_to_string(out.path().join("verdicts.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().all(|l| l["clip"] == "call-photo" && l["session_id"] == "call-photo"));
    assert!(lines.len() > 14, "a verdict a second: {}", lines.len());
    assert_eq!(lines.last().unwrap()["type"], "deepfake-summary");

    let (code, text, _) = run(clips.path(), out.path(), &["--only", "call-photo"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("there already"), "{text}");
    assert_eq!(attack.metadata().unwrap().modified().unwrap(), made);
}

#[test]
fn a_genuine_clip_passes_and_leaves_an_annotated_file() {
    if !models() {
        return;
    }
    let (clips, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = recording(clips.path(), "call", 4);
    for mode in ["sync", "live"] {
        // By name alone, its attacks would be judged too.
        let begun = Instant::now();
        let plan =
            plan(clips.path(), Some(if mode == "live" { Mode::Live } else { Mode::Sync }), false, None);
        let case = plan.unwrap().cases.remove(0);
        gstdeepfake::register_static().unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let options = gstdeepfake::demo::Options { profile: "economy", stop: &stop };
        let output = out.path().join(format!("{mode}.mp4"));
        let mut heard = 0;
        let played = gstdeepfake::demo::play(&case, &source, &output, options, &mut |_, _| {
            heard += 1;
            Ok(())
        });
        let played = played.unwrap();
        assert!(heard >= 5 && played.alerts.is_empty() && played.frames_analysed > 10, "{heard} {played:?}");
        assert!(gstdeepfake::demo::judge(&case, None, &played).right);
        assert!(output.exists() && !output.with_extension("mp4.partial").exists());
        if mode == "live" {
            assert!(begun.elapsed() >= Duration::from_millis(3800), "at the pace of the clock");
        }
    }
}

#[test]
fn an_interruption_ends_cleanly() {
    if !models() {
        return;
    }
    let (clips, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    recording(clips.path(), "call", 4);
    let mut child = command(clips.path(), out.path())
        .args(["--mode", "live", "--only", "call-loop"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It is at work when the unfinished file is there.
    let begun = Instant::now();
    while !out.path().join("call-loop.mp4.partial").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let kill = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(70));
    assert!(!out.path().join("call-loop.mp4.partial").exists(), "nothing unfinished is left");
    assert!(!out.path().join("call-loop.mp4").exists());
}
