//! Every file in `pipelines/` is run here, without a screen, a camera or a network.
#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use gstreamer as gst;
use gstreamer::prelude::*;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo puts what it builds for this test.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf()
}

/// A folder with the plugin (and nothing else), a registry of its own, and a recording.
struct Stage {
    folder: tempfile::TempDir,
    recording: PathBuf,
}

/// `None` after saying why the pipelines cannot run here.
fn stage() -> Option<&'static Stage> {
    static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
    STAGE
        .get_or_init(|| {
            let skip = |why: &str| {
                eprintln!("SKIPPED: {why}");
                None
            };
            if !root().join("models/fetched/face-mesh-v2.onnx").exists() {
                return skip("no models; run `make models`");
            }
            if Command::new("gst-launch-1.0").arg("--version").output().is_err() {
                return skip("no gst-launch-1.0; install gstreamer1.0-tools");
            }
            let folder = tempfile::tempdir().unwrap();
            let plugins = folder.path().join("plugins");
            std::fs::create_dir(&plugins).unwrap();
            let name = "libgstdeepfake.so";
            std::fs::copy(target().join("deps").join(name), plugins.join(name)).unwrap();
            let recording = folder.path().join("a call.mp4");
            play(&format!(
                "{} ! x264enc threads=1 tune=zerolatency ! mp4mux ! filesink location=\"{}\"",
                ball(75),
                recording.display()
            ));
            Some(Stage { folder, recording })
        })
        .as_ref()
}

fn ball(frames: u32) -> String {
    format!(
        "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format=I420,width=160,height=120,framerate=25/1"
    )
}

/// Runs a launch line to its end.
fn play(line: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.expect("no end").type_(), gst::MessageType::Eos, "{line}");
}

impl Stage {
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("GST_PLUGIN_PATH", self.folder.path().join("plugins"))
            .env("GST_REGISTRY", self.folder.path().join("registry"))
            .env("DEEPFAKE_MODEL_DIR", root().join("models"))
            // Other people's plugins and bindings warn at their start; that is not this project's to mend.
            .env_remove("G_DEBUG")
            .stdin(Stdio::null());
        command
    }

    fn script(&self, name: &str) -> Command {
        self.command(root().join("pipelines").join(name))
    }

    fn example(&self, name: &str) -> PathBuf {
        let path = target().join("examples").join(name);
        assert!(
            path.exists(),
            "{} is not built: run `cargo build --examples --all-features`",
            path.display()
        );
        path
    }
}

/// Runs to the end; standard output, and the exit status with everything for a message.
fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    let all = format!("{command:?}\n{out}\n{err}");
    (status.code(), out, all)
}

#[test]
fn every_file_is_covered() {
    let covered = [
        "annotate.sh",
        "call-centre.sh",
        "lib.sh",
        "python/read_verdict.py",
        // Run by tests/redteam_run.rs.
        "redteam_ray.py",
        "rust/challenge.rs",
        "rust/kyc.rs",
        "rust/scan.rs",
        "scan.sh",
        "webcam.sh",
    ];
    let pipelines = root().join("pipelines");
    let mut found = Vec::new();
    let mut folders = vec![pipelines.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("__pycache__") => {}
                true => folders.push(path),
                false => found.push(path.strip_prefix(&pipelines).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    assert_eq!(found, covered, "a file in pipelines/ needs a run in tests/pipelines.rs");
}

#[test]
fn every_script_explains_itself() {
    let Some(stage) = stage() else { return };
    for name in ["annotate.sh", "call-centre.sh", "scan.sh", "webcam.sh"] {
        let (code, out, all) = finish(stage.script(name).arg("--help"));
        assert!(code == Some(0) && out.contains(&format!("Usage: {name}")), "{all}");
    }
    for name in ["annotate.sh", "scan.sh"] {
        let (code, _, all) = finish(&mut stage.script(name));
        assert!(code == Some(2) && all.contains("Usage"), "{all}");
    }
}

#[test]
fn webcam() {
    let Some(stage) = stage() else { return };
    let mut command = stage.script("webcam.sh");
    command.env("SOURCE", "videotestsrc num-buffers=30").env("SINK", "fakesink");
    let (code, _, all) = finish(&mut command);
    assert_eq!(code, Some(0), "{all}");
}

#[test]
fn call_centre() {
    let Some(stage) = stage() else { return };
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = stage
        .script("call-centre.sh")
        .arg(port.to_string())
        .arg("call-17")
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The call goes on until the receiver has said something: how long it takes to start is the machine's affair.
    let sender = format!(
        "{} ! x264enc threads=1 tune=zerolatency key-int-max=10 ! rtph264pay config-interval=-1 \
         ! udpsink host=127.0.0.1 port={port}",
        ball(1500)
    );
    gst::init().unwrap();
    let sender = gst::parse::launch(&sender).unwrap();
    sender.set_state(gst::State::Playing).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    // As Ctrl-C does: to all of the script.
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    sender.set_state(gst::State::Null).unwrap();
    child.wait().unwrap();
    assert!(first.starts_with("deepfake-verdict") && first.contains("call-17"), "{first}");
    assert!(rest.iter().any(|l| l.starts_with("deepfake-summary")), "{rest:?}");
}

#[test]
fn annotate() {
    let Some(stage) = stage() else { return };
    let output = stage.folder.path().join("drawn on.mp4");
    let (code, _, all) = finish(stage.script("annotate.sh").arg(&stage.recording).arg(&output));
    assert_eq!(code, Some(0), "{all}");
    let frames = gstdeepfake::recorded::Reader::open(&output).unwrap().filter(|f| f.is_ok()).count();
    assert_eq!(frames, 75);
}

#[test]
fn scan() {
    let Some(stage) = stage() else { return };
    let mut command = stage.script("scan.sh");
    command.env("SCAN", stage.example("scan")).arg(&stage.recording);
    let (code, out, all) = finish(&mut command);
    assert_eq!(code, Some(0), "{all}");
    let lines: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "deepfake-summary");
    assert_eq!(last["frames_seen"], 75);
    assert!(lines.iter().all(|l| l["file"] == stage.recording.to_str().unwrap()));
    assert_eq!(lines[0]["verdict"]["condition"], "no-face");

    let mut command = stage.script("scan.sh");
    command.env("SCAN", stage.example("scan")).arg("/nowhere.mp4").arg(&stage.recording);
    let (code, out, all) = finish(&mut command);
    assert!(code == Some(2) && all.contains("/nowhere.mp4") && !out.is_empty(), "{all}");
}

/// Nobody is in the picture: neither accepted nor rejected.
#[test]
fn kyc() {
    let Some(stage) = stage() else { return };
    let (code, out, all) = finish(stage.command(stage.example("kyc")).arg(&stage.recording).arg("20"));
    assert!(code == Some(3) && out.contains("no-face") && out.contains("decision: insufficient"), "{all}");
    let (code, _, all) = finish(stage.command(stage.example("kyc")).arg("/nowhere.mp4"));
    assert!(code == Some(2) && all.contains("error:"), "{all}");
}

/// Nobody is in the picture: nobody is asked. Whoever is recorded does not hear what is asked.
#[test]
fn challenge() {
    let Some(stage) = stage() else { return };
    let program = stage.example("challenge");
    let (code, out, all) = finish(stage.command(&program).arg(&stage.recording).arg("blink"));
    assert!(code == Some(3) && out.contains("nobody"), "{all}");
    let clip = root().join("models/fetched/clips/cap13_edit2.mp4");
    if !clip.exists() {
        eprintln!("SKIPPED: no clip; run `make clips`");
        return;
    }
    let (code, out, all) = finish(stage.command(&program).arg(&clip).arg("hand"));
    assert!(matches!(code, Some(1 | 3)) && out.contains("pass your hand"), "{all}");
    assert!(out.contains("failed: ") || out.contains("not-seen: "), "{all}");
    let (code, out, all) = finish(stage.command(&program).arg(&clip).arg("dance").arg("5"));
    assert!(code == Some(3) && out.contains("no challenge `dance`"), "{all}");
}

#[test]
fn read_verdict() {
    let Some(stage) = stage() else { return };
    let python = "/usr/bin/python3";
    let gi = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";
    if !Command::new(python).args(["-c", gi]).output().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: no GStreamer for Python; install python3-gi and gir1.2-gstreamer-1.0");
        return;
    }
    let program = root().join("pipelines/python/read_verdict.py");
    let launch = format!("{} ! deepfakedetect name=detect mode=sync ! fakesink", ball(30));
    let uri = gst::glib::filename_to_uri(&stage.recording, None).unwrap();
    let recording = stage.recording.to_str().unwrap();
    for arguments in [vec![recording], vec!["--uri", &uri], vec!["--frames", "--launch", &launch]] {
        let mut command = stage.command(python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(&program).args(&arguments);
        let (code, out, all) = finish(&mut command);
        assert_eq!(code, Some(0), "{all}");
        assert!(out.contains("verdict at ") && out.contains("summary: "), "{all}");
        let frames = out.lines().filter(|l| l.starts_with("frame ")).count();
        assert_eq!(frames, if arguments.len() == 3 { 30 } else { 0 }, "{all}");
    }
    let (code, _, all) = finish(stage.command(python).arg(&program).arg("/nowhere.mp4"));
    assert!(code == Some(1) && all.contains("error:"), "{all}");
}
