//! `deepfake redteam run` and `adapt` as a user calls them, with the small networks and made recordings.

use crate::common;
use common::program::{self, with_models};
use gstdeepfake::redteam::run::Row;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const CATALOGUE: &str = r#"
schema-version = 1
[channel.clean]
[channel.h264]
codec = "h264"
rate = 300
twice = true
[channel.h264-loss]
codec = "h264"
rate = 300
loss = 10
[channel.vp8-loss]
codec = "vp8"
loss = 10
[channel.vp9]
codec = "vp9"
[channel.av1]
codec = "av1"
[channel.jpeg]
codec = "jpeg"
rate = 60
[channel.other-size]
lines = 60
shown = 240
fps = 10

[[family]]
name = "control"
channels = ["clean", "h264", "h264-loss", "vp8-loss", "vp9", "av1", "jpeg", "other-size"]
[[family.variant]]
name = "clean"
about = "as it is"
kind = { attack = "reencode" }
[[family.variant]]
name = "half-size"
about = "half the size from the middle on"
kind = { attack = "gate", onset = 0.0, smaller = true, of = { attack = "reencode" } }
channels = ["clean"]

[[family]]
name = "attack"
channels = ["clean"]
[[family.variant]]
name = "loop"
about = "again <b>and</b> again"
kind = { attack = "loop", length = 0.5 }
seconds = 8
needs = 2
[[family.variant]]
name = "swap"
about = "another's face"
kind = { attack = "swap" }
[[family.variant]]
name = "impossible"
about = "a loop that is longer than the recording"
kind = { attack = "loop", length = 60.0 }
"#;

/// Grey noise, in which the small detector sees a face.
pub fn recording(path: &Path, seconds: u32, seed: u64) {
    program::recording(path, seconds, |n| program::noise(seed + u64::from(n)));
}

fn folder() -> Option<tempfile::TempDir> {
    common::onnxruntime()?;
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("a.mp4"), 4, 1000);
    recording(&folder.path().join("b.mp4"), 4, 5000);
    std::fs::write(folder.path().join("mine.toml"), CATALOGUE).unwrap();
    Some(folder)
}

pub fn redteam(at: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = program::deepfake("redteam", at);
    command.args(arguments);
    let (code, text) = program::run(command);
    (code, format!("{arguments:?}\n{text}"))
}

const RUN: [&str; 7] = ["run", "a.mp4", "b.mp4", "--catalogue", "mine.toml", "--seconds", "2"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RUN, more].concat()
}

pub fn rows(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn everything_is_tried_once_and_told() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let (code, text) = redteam(at, &with(&["--budget", "10", "--results", "r.jsonl", "--jobs", "2"]));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(rows(&at.join("r.jsonl")).len(), 10);
    // More of the same: what is done is not done again. A half line is what a killed run leaves.
    let mut left = std::fs::read(at.join("r.jsonl")).unwrap();
    left.extend_from_slice(b"{\"schema_version\":1,\"key\"");
    std::fs::write(at.join("r.jsonl"), left).unwrap();
    let whole = ["--results", "r.jsonl", "--report", "r.html", "--save-baseline", "b.json"];
    let (code, text) = redteam(at, &with(&whole));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("10 of 24 evaluations are done already"), "{text}");
    let all = rows(&at.join("r.jsonl"));
    assert_eq!(all.len(), 24, "12 conditions on 2 recordings\n{text}");
    assert_eq!(all.iter().map(|r| &r.key).collect::<BTreeSet<_>>().len(), 24);
    for row in &all {
        let impossible = row.condition.contains("impossible");
        assert_eq!(row.judged().is_none(), impossible, "{row:?}");
        let Some(judged) = row.judged() else { continue };
        assert!(row.procedural && judged.frames > 15 && judged.analysed > 5, "{row:?}");
        // The noise repeats exactly: that is a loop whatever the networks say.
        assert!(!row.condition.contains("loop") || (judged.alerted && judged.signal == "loop"), "{row:?}");
        assert_eq!(judged.onset_s.is_some(), row.is_attack(), "{row:?}");
    }
    assert!(text.contains("failed 2 times: attack/impossible/clean"), "{text}");
    let page = std::fs::read_to_string(at.join("r.html")).unwrap().replace("&#x2f;", "/");
    assert!(page.contains("again &lt;b&gt;and&lt;") && !page.contains("<b>and</b>"), "not escaped");
    assert!(page.contains("attack/loop/clean") && page.contains("data:image/jpeg;base64,"));
    assert!(
        page.matches("procedural</span>").count() >= 3
            && !page.contains("src=\"http")
            && !page.contains("<script")
    );

    // Nothing changed since, and then it is made to have.
    let (code, text) = redteam(at, &with(&["--results", "r.jsonl", "--since", "b.json"]));
    assert!(code == Some(0) && text.contains("0 worse, 0 better"), "{text}");
    let before = std::fs::read_to_string(at.join("b.json")).unwrap();
    assert!(before.contains("\"wrong\": true"), "the swap of noise was caught: this test needs another miss");
    std::fs::write(at.join("b.json"), before.replace("\"wrong\": true", "\"wrong\": false")).unwrap();
    let (code, text) = redteam(at, &with(&["--results", "r.jsonl", "--since", "b.json"]));
    assert!(code == Some(1) && text.contains("worse: "), "{text}");
}

#[test]
fn shards_are_put_together_by_concatenation() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let controls = ["--family", "control", "--condition", "*/clean", "--no-pictures"];
    let mut merged = Vec::new();
    for shard in ["1/2", "2/2"] {
        let file = format!("{}.jsonl", shard.replace('/', "-"));
        let (code, text) =
            redteam(at, &with(&[&controls[..], &["--shard", shard, "--results", &file]].concat()));
        assert_eq!(code, Some(0), "{text}");
        merged.extend(std::fs::read(at.join(file)).unwrap());
    }
    std::fs::write(at.join("all.jsonl"), merged).unwrap();
    let (code, text) = redteam(at, &with(&[&controls[..], &["--results", "all.jsonl"]].concat()));
    assert!(code == Some(0) && text.contains("4 of 4 evaluations are done already"), "{text}");
}

#[test]
fn a_search_asks_and_tells() {
    let Some(folder) = folder() else { return };
    let arguments = [
        "adapt",
        "a.mp4",
        "b.mp4",
        "--catalogue",
        "mine.toml",
        "--family",
        "attack",
        "--tries",
        "4",
        "--seconds",
        "2",
    ];
    let (code, text) = redteam(folder.path(), &arguments);
    assert!(code == Some(0) && text.contains("evaded (95 %)"), "{text}");
    assert!(text.contains("[[family.variant]]") && text.contains("attack = \""), "{text}");
}

#[test]
fn what_cannot_be_done_is_told() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    for (more, says) in [
        (vec!["run", "/nowhere.mp4"], "/nowhere.mp4"),
        (with(&["--condition", "nothing*"]), "no condition has that name"),
        (with(&["--shard", "3/2"]), "write it as"),
        (with(&["--since", "mine.toml"]), "is no baseline"),
        (with(&["--results", "mine.toml"]), "line 1 is no result"),
        (vec!["run", "a.mp4", "--catalogue", "a.mp4"], "a.mp4"),
        (vec!["adapt", "a.mp4", "--family", "control"], "nothing to vary"),
    ] {
        let (code, text) = redteam(at, &more);
        assert!(code == Some(2) && text.contains(says), "{code:?} {text}");
    }
    let (code, text) = redteam(at, &["run", "--list", "--family", "timing"]);
    let named = text.lines().filter(|l| l.starts_with("timing/")).count();
    assert!(code == Some(0) && named > 20, "{text}");
}

/// The job for Ray, on this machine.
#[test]
fn a_ray_job_does_the_shards() {
    let python = std::env::var("RAY_PYTHON").unwrap_or_else(|_| "python3".into());
    if !Command::new(&python).args(["-c", "import ray"]).output().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: no Ray; `pip install ray`, or name a Python that has it in RAY_PYTHON");
        return;
    }
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let mut command = with_models(Command::new(&python), at);
    command
        .env("PROGRAM", env!("CARGO_BIN_EXE_deepfake"))
        .arg(common::root().join("pipelines/redteam_ray.py"))
        .args(["--shards", "3", "--results", "all.jsonl", "--"])
        .args(["a.mp4", "b.mp4", "--catalogue", "mine.toml", "--seconds", "2", "--family", "control"]);
    for name in ["a.mp4", "b.mp4", "mine.toml"] {
        assert!(at.join(name).exists());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    let all = rows(&at.join("all.jsonl"));
    assert_eq!((all.len(), all.iter().map(|r| &r.key).collect::<BTreeSet<_>>().len()), (18, 18), "{text}");
    assert!(all.iter().all(|r| r.judged().is_some()));
}
