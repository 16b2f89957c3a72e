//! `deepfake scan` from the outside, with the small networks of `tests/fixtures/face` and made recordings.
#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod common;

use common::frames::random_bytes;
use common::program::{self, FPS, noise};
use gstdeepfake::analysis::source::provenance::Class;
use gstdeepfake::batch::{self, Event, Ground, Item, Label, Outcome, Record, Settings, Source};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Writes grey noise, `picture` telling which noise frame n shows; `None` is near black, without a face.
fn recording(path: &Path, seconds: u32, picture: impl Fn(u32) -> Option<u32>) {
    program::recording(path, seconds, |n| match picture(n) {
        Some(seed) => noise(u64::from(seed) + 1),
        None => vec![16 + random_bytes(u64::from(n) + 1, 1)[0] % 6; 160 * 120],
    });
}

/// A folder with recordings: one without repetition, one second again and again, one without a face, and one that is
/// none. `None` after saying that the test is skipped.
fn folder() -> Option<tempfile::TempDir> {
    common::onnxruntime()?;
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("a genuine.mp4"), 6, Some);
    recording(&folder.path().join("b loop.mp4"), 14, |n| Some(n % FPS));
    recording(&folder.path().join("c empty.mp4"), 3, |_| None);
    std::fs::write(folder.path().join("d broken.mp4"), b"this is no recording").unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"not looked at").unwrap();
    Some(folder)
}

/// A raw recording (YUV4MPEG2) of grey noise, one second again and again, whose header of one frame is overwritten.
fn damaged(path: &Path, seconds: u32, damaged_after: u32) {
    let mut bytes = format!("YUV4MPEG2 W160 H120 F{FPS}:1 Ip A1:1 C420jpeg\n").into_bytes();
    for n in 0..seconds * FPS {
        bytes.extend_from_slice(if n == damaged_after * FPS {
            b"\x00\xff\x00\xff\x00\n"
        } else {
            b"FRAME\n"
        });
        bytes.extend(noise(u64::from(n % FPS) + 1));
        bytes.extend([128; 160 * 120 / 2]);
    }
    std::fs::write(path, bytes).unwrap();
}

fn command(at: &Path) -> Command {
    program::deepfake("scan", at)
}

/// Exit status, and all that was written.
fn scan(at: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(at);
    command.args(arguments);
    program::run(command)
}

fn by_name<'a>(records: &'a [Record], name: &str) -> &'a Record {
    records.iter().find(|r| r.clip == name).unwrap_or_else(|| panic!("no `{name}` in {records:?}"))
}

#[test]
fn a_folder_is_scanned_and_a_bad_file_stops_nothing() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let all =
        ["--json", "out.jsonl", "--html", "report.html", "--csv", "out.csv", "--jobs", "2", "--thumbnails"];
    let (code, text) = scan(at, &[&["."], &all[..]].concat());
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("FAILED  ./d broken.mp4")
            && text.contains("4 recordings: 1 alerted, 1 no face, 1 failed"),
        "{text}"
    );
    assert!(text.contains("times real time"), "{text}");

    let records = batch::read_results(&at.join("out.jsonl")).unwrap();
    assert_eq!(records.len(), 4);
    let looped = by_name(&records, "./b loop.mp4").scanned().unwrap();
    assert!(looped.alerted && looped.score >= looped.threshold, "{looped:?}");
    assert_eq!(looped.alerts[0].signal, "loop");
    assert!((13.0..14.0).contains(&looped.duration_s) && looped.frames_seen == 14 * 25, "{looped:?}");
    let genuine = by_name(&records, "./a genuine.mp4").scanned().unwrap();
    assert!(
        !genuine.alerted && genuine.ground == Ground::Judged && genuine.timeline.len() > 50,
        "{genuine:?}"
    );
    assert!(genuine.thumbnail.as_ref().is_some_and(|t| t.starts_with("data:image/jpeg;base64,/9j/")));
    let empty = by_name(&records, "./c empty.mp4").scanned().unwrap();
    assert_eq!((empty.ground, empty.alerted, empty.frames_judged), (Ground::NoFace, false, 0));

    let page = std::fs::read_to_string(at.join("report.html")).unwrap();
    for shown in ["a genuine.mp4", "d broken.mp4", "no face", "Over time", "<img"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(std::fs::read_to_string(at.join("out.csv")).unwrap().lines().count(), 5);
}

#[test]
fn a_scan_goes_on_where_it_was_broken_off() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let call = ["a genuine.mp4", "c empty.mp4", "d broken.mp4", "--json", "out.jsonl"];
    assert_eq!(scan(at, &call).0, Some(1));
    let json = at.join("out.jsonl");
    let whole = std::fs::read(&json).unwrap();
    // Killed while the last line was written; whichever came last is scanned anew.
    std::fs::write(&json, &whole[..whole.len() - 20]).unwrap();
    let (code, text) = scan(at, &call);
    assert!(code == Some(2) && text.contains("--resume"), "{text}");
    recording(&at.join("d broken.mp4"), 2, |_| None);
    let (code, text) = scan(at, &[&call[..], &["--resume"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("of 3 recordings are scanned already"), "{text}");
    let records = batch::read_results(&json).unwrap();
    assert!(records.len() == 3 && records.iter().all(|r| r.scanned().is_some()), "{records:?}");
    let (code, text) = scan(at, &[&call[..], &["--resume"]].concat());
    assert!(code == Some(0) && text.contains("3 of 3 recordings are scanned already"), "{text}");
    // Another file of that name, and another profile, are scanned anew.
    recording(&at.join("c empty.mp4"), 2, |_| None);
    let (_, text) = scan(at, &[&call[..], &["--resume"]].concat());
    assert!(text.contains("2 of 3 recordings"), "{text}");
    let (_, text) = scan(at, &[&call[..], &["--resume", "--profile", "economy"]].concat());
    assert!(!text.contains("scanned already"), "{text}");
}

/// What was judged before the damage is kept, and the recording still counts as failed.
#[test]
fn a_recording_is_judged_up_to_its_damage() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    damaged(&at.join("late.y4m"), 16, 14);
    damaged(&at.join("early.y4m"), 4, 2);
    damaged(&at.join("first.y4m"), 2, 0);
    let call = [
        "late.y4m",
        "early.y4m",
        "first.y4m",
        "--json",
        "out.jsonl",
        "--csv",
        "out.csv",
        "--html",
        "r.html",
        "--eval-json",
        "eval.json",
    ];
    let (code, text) = scan(at, &call);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("3 recordings: 1 alerted, 3 failed (2 judged as far as they go)"), "{text}");
    assert!(text.contains("DAMAGED") && text.contains("FAILED  first.y4m"), "{text}");
    let records = batch::read_results(&at.join("out.jsonl")).unwrap();
    let late = by_name(&records, "late.y4m");
    assert!(late.scanned().is_none() && matches!(late.outcome, Outcome::Damaged(_)), "{late:?}");
    let judged = late.judged().unwrap();
    let note = judged.note.as_deref().unwrap();
    let seconds = |note: &str| -> f64 {
        note.strip_prefix("damaged after ").unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    assert!((13.5..=14.0).contains(&seconds(note)) && note.contains("YUV4MPEG"), "{note}");
    assert!(judged.alerted && judged.alerts[0].signal == "loop", "{judged:?}");
    assert!(judged.timeline.len() > 50 && judged.frames_seen == 14 * u64::from(FPS), "{judged:?}");
    let early = by_name(&records, "early.y4m").judged().unwrap();
    assert!(!early.alerted, "{early:?}");
    assert!((1.5..=2.0).contains(&seconds(early.note.as_deref().unwrap())), "{early:?}");
    assert!(matches!(by_name(&records, "first.y4m").outcome, Outcome::Failed { .. }));
    let table = std::fs::read_to_string(at.join("out.csv")).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[1].starts_with("late.y4m,damaged,") && rows[1].contains(note), "{rows:?}");
    assert!(rows[3].starts_with("first.y4m,failed,"), "{rows:?}");
    let eval: Value = serde_json::from_slice(&std::fs::read(at.join("eval.json")).unwrap()).unwrap();
    assert_eq!(
        (&eval["clips"][0]["status"], &eval["clips"][0]["alerted"]),
        (&"damaged".into(), &true.into())
    );
    let page = std::fs::read_to_string(at.join("r.html")).unwrap();
    assert_eq!(page.matches(note).count(), 2, "in the list of failures and beside its time line");
    // Like what failed, it is tried again, here with another file in its place.
    recording(&at.join("late.y4m"), 2, Some);
    let (code, text) = scan(at, &[&call[..], &["--resume"]].concat());
    assert!(code == Some(1) && !text.contains("scanned already"), "{text}");
    let records = batch::read_results(&at.join("out.jsonl")).unwrap();
    assert!(records.len() == 3 && by_name(&records, "late.y4m").scanned().is_some(), "{records:?}");
    assert!(by_name(&records, "early.y4m").judged().is_some());
}

/// A real container, cut off: its demuxer ends as if nothing were wrong, and the header's promise tells.
#[test]
fn a_recording_that_is_cut_off_says_so() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    // Its index comes first.
    let whole = std::fs::read(at.join("b loop.mp4")).unwrap();
    std::fs::write(at.join("f.mp4"), &whole[..whole.len() / 2]).unwrap();
    let (code, text) = scan(at, &["f.mp4"]);
    assert!(code == Some(0) && text.contains("cut off: "), "{text}");
}

/// What is said of a recording's source is in the results and the report, and the same whoever else is busy.
#[test]
fn the_source_of_a_recording_is_told() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let names = ["a genuine.mp4", "b loop.mp4", "c empty.mp4"];
    let (code, text) =
        scan(at, &[&names[..], &["--json", "1.jsonl", "--html", "r.html", "--csv", "r.csv"]].concat());
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = scan(at, &[&names[..], &["--json", "2.jsonl", "--jobs", "3"]].concat());
    assert_eq!(code, Some(0), "{text}");
    let [first, second] = ["1.jsonl", "2.jsonl"].map(|f| batch::read_results(&at.join(f)).unwrap());
    for name in names {
        let [one, two] = [&first, &second].map(|r| by_name(r, name).scanned().unwrap().clone());
        let note = one.source.as_ref().unwrap();
        assert_eq!(one.source, two.source, "{name}");
        assert_eq!(note.class, Class::File, "{note:?}");
        assert!(note.described.contains_key("container") && note.described.contains_key("codec"), "{note:?}");
        let of = |check: &str| note.findings.iter().find(|f| f.check == check).unwrap();
        assert!(of("encoder-mark").reason.contains("x264"), "{note:?}");
        let exact = of("timestamps").reason.contains("program made them");
        assert!(exact || name.starts_with('c'), "three seconds are too short: {note:?}");
        // Nothing of it is evidence: a file that is opened as a file is no lie.
        assert!(note.findings.iter().all(|f| f.injection == 0.0), "{note:?}");
        assert!(
            one.timeline.iter().all(|m| !m.llr.keys().any(|k| k == "source" || k == "provenance")),
            "{one:?}"
        );
    }
    let page = std::fs::read_to_string(at.join("r.html")).unwrap();
    assert!(page.contains("Source: file, codec ") && page.contains("x264"), "{}", page.len());
    assert!(std::fs::read_to_string(at.join("r.csv")).unwrap().contains(",file,"));
}

#[test]
fn labels_give_error_rates_and_two_runs_are_compared() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let rows = "file,label,attack_type,pair_id,onset_s\na genuine.mp4,live,none,p,\nb loop.mp4,fake,\"loop, cut\",p,1.0\n\
                c empty.mp4,spoof,absence,,0\n";
    std::fs::write(at.join("manifest.csv"), rows).unwrap();
    let (code, text) =
        scan(at, &["manifest.csv", "--json", "1.jsonl", "--eval-json", "eval.json", "--html", "1.html"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("loop, cut") && text.contains("Onset to alert: 1 of 2 attacks missed"), "{text}");
    let json: Value = serde_json::from_slice(&std::fs::read(at.join("eval.json")).unwrap()).unwrap();
    let group = &json["groups"]["loop, cut"];
    assert_eq!(
        (group["auc"].as_f64(), group["apcer"].as_f64(), group["n_genuine"].as_u64()),
        (Some(1.0), Some(0.0), Some(1))
    );
    assert_eq!(json["groups"]["absence"]["apcer"], 1.0, "what was not seen was not alerted");
    assert_eq!((json["pairs"]["n"].as_u64(), json["pairs"]["accuracy"].as_f64()), (Some(1), Some(1.0)));
    assert_eq!(json["clips"].as_array().unwrap().len(), 3);
    let page = std::fs::read_to_string(at.join("1.html")).unwrap();
    assert!(page.contains("Against the labels") && page.contains("DET curve"));

    // A threshold that no statistic reaches: the loop goes unnoticed.
    let other =
        ["manifest.csv", "--json", "2.jsonl", "--compare", "1.jsonl", "--html", "2.html", "--seconds", "2"];
    let (code, text) = scan(at, &other);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("b loop.mp4 (attack): no longer alerted") && text.contains("p = 1.000"), "{text}");
    assert!(std::fs::read_to_string(at.join("2.html")).unwrap().contains("Against an earlier run"));
}

#[test]
fn a_uri_is_scanned_for_as_long_as_it_is_told() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    std::fs::rename(at.join("a genuine.mp4"), at.join("a.mp4")).unwrap();
    let uri = format!("file://{}/a.mp4", at.display());
    let (code, text) = scan(at, &[&uri, "--seconds", "2", "--json", "out.jsonl"]);
    assert_eq!(code, Some(0), "{text}");
    let records = batch::read_results(&at.join("out.jsonl")).unwrap();
    let scanned = by_name(&records, &uri).scanned().unwrap();
    assert!((1.8..=2.0).contains(&scanned.duration_s), "{}", scanned.duration_s);
    let (code, text) = scan(at, &["rtsp://me:secret@127.0.0.1:9/x", "--json", "live.jsonl"]);
    let kept = std::fs::read_to_string(at.join("live.jsonl")).unwrap();
    assert!(code == Some(1) && text.contains("rtsp://127.0.0.1:9/x"), "{text}");
    assert!(!text.contains("secret") && !kept.contains("secret"), "{text} {kept}");
}

#[test]
fn wrong_use_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let refused = |arguments: &[&str], word: &str| {
        let (code, text) = scan(at, arguments);
        assert!(code == Some(2) && text.contains(word), "{arguments:?}: {code:?} {text}");
    };
    refused(&[], "INPUTS");
    refused(&["."], "no video files");
    refused(&["x.mp4", "--resume"], "--json");
    refused(&["x.mp4", "--profile", "fast"], "balanced");
    refused(&["x.mp4", "--seconds", "0"], "--seconds");
    refused(&["gone.csv"], "gone.csv");
    refused(&["x.mp4", "--compare", "gone.jsonl"], "gone.jsonl");
    refused(&["x.mp4", "--json", "no/folder/x.jsonl"], "no/folder");
    refused(&["x.mp4", "--html", "no/folder/x.html"], "no/folder");
    std::fs::write(at.join("m.csv"), "path,label\na.mp4,real\nb.mp4,perhaps\n").unwrap();
    refused(&["m.csv"], "line 3");
    let output = command(at).arg("x.mp4").env("DEEPFAKE_MODEL_DIR", at).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("manifest.toml"), "{text}");
}

#[test]
fn an_interruption_keeps_what_is_done() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    for n in 0..6 {
        recording(&at.join(format!("{n}.mp4")), 20, Some);
    }
    let mut child = command(at)
        .args([".", "--jobs", "1", "--json", "out.jsonl", "--profile", "thorough"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let json = at.join("out.jsonl");
    let begun = Instant::now();
    while std::fs::metadata(&json).map_or(0, |m| m.len()) == 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let done = batch::read_results(&json).unwrap();
    assert!(!done.is_empty() && done.len() < 10, "{}", done.len());
}

fn items(names: &[&str]) -> Vec<Item> {
    let item = |n: &&str| Item { name: (*n).into(), source: Source::File(PathBuf::from(n)), label: None };
    names.iter().map(item).collect()
}

fn outcomes(script: &str, names: &[&str]) -> Vec<String> {
    let start = || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    let settings = Settings {
        profile: "balanced".into(),
        hours: None,
        seconds: None,
        thumbnails: false,
        ..Settings::default()
    };
    let mut heard = vec![String::new(); names.len()];
    let stop = AtomicBool::new(false);
    batch::run(&items(names), 2, &start, &settings, &stop, &mut |event| {
        if let Event::Done { index, outcome: Outcome::Failed { reason } } = event {
            heard[index] = reason;
        }
        Ok::<_, ()>(())
    })
    .unwrap();
    heard
}

/// Stands in for a decoder that a hostile file brings down.
#[test]
fn a_crash_takes_no_other_recording_along() {
    let script = r#"while read -r line; do case "$line" in
        *bad*) echo "noise on standard output"; echo "first" >&2; echo "double free" >&2; sleep 0.2; kill -SEGV $$;;
        *) echo '{"at":1.0}'; echo '{"failed":"as it should"}';; esac; done"#;
    let heard = outcomes(script, &["1", "bad", "2", "bad too", "3"]);
    for (name, reason) in ["1", "bad", "2", "bad too", "3"].iter().zip(&heard) {
        if name.starts_with("bad") {
            assert!(reason.contains("signal: 11") && reason.ends_with("double free"), "{reason}");
        } else {
            assert_eq!(reason, "as it should");
        }
    }
    assert!(outcomes("exit 3", &["1"])[0].contains("3"));
}

#[test]
fn labels_of_a_manifest_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    std::fs::write(&path, "path,label,identity_group\nx.mp4,spoof,a|b\n").unwrap();
    let items = batch::items(&[path.into()]).unwrap();
    let label = Label { attack: Some(true), identity_group: Some("a|b".into()), ..Label::default() };
    assert_eq!(
        (items[0].label.as_ref(), &items[0].source),
        (Some(&label), &Source::File(folder.path().join("x.mp4")))
    );
}

/// A folder with a network that watches a face, and its manifest.
fn network() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(common::root().join("tests/fixtures/watching/quadrant.onnx")).unwrap();
    std::fs::write(dir.path().join("quadrant.onnx"), &bytes).unwrap();
    let text = format!(
        "schema = 1\n[[model]]\nname = \"quadrant\"\nrole = \"face-signal\"\nfile = \"quadrant.onnx\"\nsha256 = \"{}\"\n\
         size = {}\nfamily = \"forgery\"\nmin-face = 16\n[model.crop]\nkind = \"native\"\nmax-face = 500\n\
         [model.preprocessing]\nlayout = \"nchw\"\ncolour = \"rgb\"\nrange = [-10, 10]\n[[model.input]]\nname = \"face\"\n\
         shape = [-1, 3, 32, 32]\ndtype = \"f32\"\n[[model.output]]\nname = \"logit\"\nmeaning = \"attack-logit\"\n\
         shape = [-1, 1]\ndtype = \"f32\"\n",
        gstdeepfake::inference::Digest::of(&bytes),
        bytes.len()
    );
    std::fs::write(dir.path().join("manifest.toml"), text).unwrap();
    dir
}

#[test]
fn networks_are_evaluated_one_by_one() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    recording(&at.join("dark.mp4"), 3, |n| (n % 2 == 0).then_some(n));
    std::fs::write(
        at.join("manifest.csv"),
        "path,label,attack_type,pair_id\na genuine.mp4,attack,swap,p\ndark.mp4,real,none,p\nc empty.mp4,real,none,\n",
    )
    .unwrap();
    let network = network();
    let extra = network.path().to_str().unwrap();
    let call = ["manifest.csv", "--json", "out.jsonl", "--eval-json", "eval.json", "--extra-models", extra];
    let (code, text) = scan(at, &call);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("model alone") && text.contains("quadrant"), "{text}");
    let eval: Value = serde_json::from_slice(&std::fs::read(at.join("eval.json")).unwrap()).unwrap();
    let net = &eval["models"]["quadrant"];
    assert_eq!(
        (&net["family"], &net["calibrated"], &net["not_scored"]),
        (&"forgery".into(), &false.into(), &1.into())
    );
    assert_eq!((&net["groups"]["swap"]["n_attack"], &net["pairs"]["n"]), (&1.into(), &1.into()));
    for record in batch::read_results(&at.join("out.jsonl")).unwrap() {
        let scanned = record.scanned().unwrap();
        let one = &scanned.model_scores["quadrant"];
        assert_eq!(one.mean_score.is_some(), one.count > 0);
        assert_eq!(one.count > 0, scanned.ground != Ground::NoFace, "{record:?}");
        // Noise of about half brightness, from -10 to 10.
        assert!(one.mean_score.is_none_or(|s| s.abs() < 5.0), "{record:?}");
        assert!(scanned.models.iter().any(|m| m.starts_with("quadrant@sha256:")));
    }
    std::fs::remove_file(network.path().join("manifest.toml")).unwrap();
    let (code, text) = scan(at, &["a genuine.mp4", "--extra-models", extra]);
    assert!(code == Some(2) && text.contains("extra-models"), "{text}");
}

#[test]
fn what_is_left_out_counts_for_nothing_and_is_told() {
    let Some(folder) = folder() else { return };
    let at = folder.path();
    let call = ["b loop.mp4", "--json", "out.jsonl", "--eval-json", "eval.json", "--html", "report.html"];
    let (code, text) = scan(at, &[&call[..], &["--without", "loop,blink", "--without", "loop"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Not the whole detector: without blink, loop."), "{text}");
    let records = batch::read_results(&at.join("out.jsonl")).unwrap();
    assert!(!records[0].scanned().unwrap().alerted && records[0].settings.without == "blink,loop");
    let eval: Value = serde_json::from_slice(&std::fs::read(at.join("eval.json")).unwrap()).unwrap();
    assert_eq!(eval["without"], serde_json::json!(["blink", "loop"]));
    assert!(std::fs::read_to_string(at.join("report.html")).unwrap().contains("without the signals"));
    // Results of another detector are not those of this one.
    let (code, text) = scan(at, &[&call[..], &["--resume"]].concat());
    assert!(code == Some(0) && text.contains("1 recording: 1 alerted"), "{text}");
    let (code, text) = scan(at, &["b loop.mp4", "--without", "loops"]);
    assert!(code == Some(2) && text.contains("`loops`") && text.contains("micro-motion"), "{text}");
}
