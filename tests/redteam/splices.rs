//! `deepfake redteam splice`: what it makes of pairs, frame by frame, and what a scan says of that.

use super::program::{recording, redteam};
use crate::common;
use common::program::{self, FPS, noise};
use gstdeepfake::batch::{Label, read_manifest};
use gstdeepfake::recorded::{Codec, Frame, Reader, StreamInfo, Writer};
use serde_json::Value;
use std::path::Path;

const SECONDS: u32 = 12;
const ONSET: u32 = 2;

fn frames(path: &Path) -> Vec<Frame> {
    Reader::open(path).unwrap().map(Result::unwrap).collect()
}

fn same_pictures(a: &[Frame], b: &[Frame]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.data() == b.data())
}

/// Some of its frames come 30 ms late.
fn late(path: &Path) {
    let info = StreamInfo::new(160, 120, (FPS, 1));
    let mut writer = Writer::create(path, &info, Codec::Lossless).unwrap();
    for n in 0..SECONDS * FPS {
        let mut data = noise(u64::from(n) + 1);
        data.resize(data.len() * 3 / 2, 128);
        let pts = info.due_ns(u64::from(n)) + if n % 50 > 40 { 30_000_000 } else { 0 };
        writer.push(&Frame::new(pts, None, 160, 120, data).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// A genuine recording, and an attack on it that shows the same second again and again; and pairs that do not fit.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    recording(&at("real.mp4"), SECONDS, 1000);
    program::recording(&at("fake.mp4"), SECONDS - 1, |n| noise(9000 + u64::from(n % FPS)));
    recording(&at("short.mp4"), 3, 3000);
    late(&at("late.mp4"));
    std::fs::write(at("text.mp4"), "this is no recording").unwrap();
    let rows = [
        "path,label,attack_type,pair_id,identity_group,source",
        "real.mp4,real,,a/b,ann,here",
        "fake.mp4,fake,\"swap, live\",a/b,ann|bob,there",
        "late.mp4,fake,swap,a/b,,",
        "short.mp4,fake,swap,a/b,,",
        "text.mp4,fake,swap,a/b,,",
        "gone.mp4,fake,swap,c,,",
        "other.mp4,real,,,,",
    ];
    std::fs::write(at("labels.csv"), rows.join("\n") + "\n").unwrap();
    folder
}

#[test]
fn a_pair_goes_over_from_genuine_to_attack() {
    let folder = folder();
    let at = folder.path();
    let (code, text) = redteam(at, &["splice", "labels.csv", "--out", "out/new", "--onset", "2"]);
    assert_eq!(code, Some(1), "{text}");
    for says in
        ["1 spliced, 1 genuine controls, 4 left out", "do not run in step", "too short", "cannot be decoded"]
    {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(text.contains("not spliced: c: there is no genuine"), "{text}");

    let out = at.join("out/new");
    let items = read_manifest(&out.join("manifest.csv")).unwrap();
    let names: Vec<&str> = items.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a_b-genuine.mp4", "a_b-spliced.mp4"]);
    let text = |t: &str| Some(t.to_owned());
    let genuine = Label {
        attack: Some(false),
        identity_group: text("ann|pair a/b"),
        source: text("here"),
        ..Label::default()
    };
    let attack = Label {
        attack: Some(true),
        attack_type: text("swap, live, from onset"),
        pair_id: None,
        identity_group: text("ann|bob|pair a/b"),
        source: text("there"),
        onset_s: Some(f64::from(ONSET)),
    };
    assert_eq!(items.into_iter().map(|i| i.label.unwrap()).collect::<Vec<_>>(), [genuine, attack]);
    // What failed left nothing behind.
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 3);

    let [real, fake] = ["real.mp4", "fake.mp4"].map(|n| frames(&at.join(n)));
    assert!(same_pictures(&frames(&out.join("a_b-genuine.mp4")), &real));
    let spliced = frames(&out.join("a_b-spliced.mp4"));
    let switch = (ONSET * FPS) as usize;
    assert_eq!(spliced.len(), fake.len(), "as long as the shorter one");
    assert!(same_pictures(&spliced[..switch], &real[..switch]));
    assert!(same_pictures(&spliced[switch..], &fake[switch..]));
    let info = StreamInfo::new(160, 120, (FPS, 1));
    assert!((0..).zip(&spliced).all(|(n, f)| f.pts_ns.abs_diff(info.due_ns(n)) < 1_000_000), "time goes on");

    let (code, text) = redteam(at, &["splice", "labels.csv", "--out", "out/new"]);
    assert!(code == Some(2) && text.contains("is there already"), "{text}");
    let (code, text) = redteam(at, &["splice", "labels.csv", "--out", "out/late", "--onset", "11"]);
    assert!(code == Some(2) && text.contains("no pair could be spliced"), "{text}");
    let (code, text) = redteam(at, &["splice", "gone.csv", "--out", "out/gone"]);
    assert!(code == Some(2) && text.contains("gone.csv"), "{text}");

    if common::onnxruntime().is_none() {
        return;
    }
    let mut scan = program::deepfake("scan", at);
    scan.args(["out/new/manifest.csv", "--eval-json", "eval.json", "--html", "report.html"]);
    let (code, text) = program::run(scan);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Onset to alert: 0 of 1 attacks missed"), "{text}");
    let eval: Value = serde_json::from_slice(&std::fs::read(at.join("eval.json")).unwrap()).unwrap();
    let delays = &eval["delays"];
    assert_eq!(
        (&delays["clips"], &delays["missed"], &delays["too_early"]),
        (&1.into(), &0.into(), &0.into())
    );
    let delay = delays["p95"].as_f64().unwrap();
    assert!(
        delay > 1.0 && delay < f64::from(SECONDS - ONSET),
        "a loop is one from its second round on: {delay}"
    );
    assert_eq!(eval["groups"]["swap, live, from onset"]["n_attack"], 1);
    let page = std::fs::read_to_string(at.join("report.html")).unwrap();
    assert!(page.contains("0 of 1 attacks were missed"), "{page}");
}
