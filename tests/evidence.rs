//! Evidence bundles of `deepfakedetect`, and `deepfake evidence` that checks them. Without ONNX Runtime the
//! tests say so and pass.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Rig, element, init, stat};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::AlertKind;
use gstdeepfake::evidence::alert_report::AlertReport;
use gstdeepfake::evidence::verify::{examine, verify};
use gstdeepfake::message::{DeepfakeMessage, EvidenceMessage};
use gstreamer as gst;
use std::fs;
use std::path::Path;
use std::process::Command;

const CAPS: &str = "video/x-raw,format=I420,width=160,height=120,framerate=25/1";
/// An alert soon.
const SOON: (&str, &str) = ("mean-time-between-false-alerts", "0.01");

/// Lively frames, then the same picture for a while: a freeze, alerted.
fn freeze(rig: &mut Rig, settled: bool) {
    for n in 0..400 {
        let mut frame =
            if n < 60 { rig.noise() } else { common::frames::noise(&rig.info, 1_000, gst::ClockTime::ZERO) };
        if n >= 60 {
            let pts = rig.pts(rig.made);
            frame.get_mut().unwrap().set_pts(pts);
            rig.made += 1;
        }
        if settled {
            rig.pass_settled(frame)
        } else {
            rig.pass(frame)
        };
    }
}

fn rig(dir: &Path, more: &[(&str, &str)]) -> Option<Rig> {
    let mut properties = vec![("mode", "sync"), ("session-id", "call 7"), SOON];
    properties.push(("evidence-dir", dir.to_str().unwrap()));
    properties.extend(more);
    Some(Rig::around(element(&properties)?, CAPS))
}

fn told(rig: &mut Rig) -> (Vec<EvidenceMessage>, Vec<String>) {
    let warnings = rig.drain();
    let told = rig.messages.iter().filter_map(|m| match m {
        DeepfakeMessage::Evidence(e) => Some(e.clone()),
        _ => None,
    });
    (told.collect(), warnings)
}

fn intact(dir: &Path, lines: u64) {
    let report = verify(dir, None).unwrap();
    assert_eq!((report.lines, &report.findings), (lines, &vec![]), "{report:?}");
}

fn program(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deepfake"));
    let output = command.arg("evidence").args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn files(bundle: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(bundle).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_alert_leaves_a_bundle_that_replays_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut rig) = rig(dir.path(), &[("evidence-seconds", "5")]) else { return };
    freeze(&mut rig, false);
    let (told, warnings) = told(&mut rig);
    assert_eq!((told.len(), warnings), (1, vec![]));
    assert_eq!((stat(&rig.element, "evidence-written"), stat(&rig.element, "evidence-failed")), (1, 0));
    let alert = rig.messages.iter().find_map(|m| match m {
        DeepfakeMessage::Alert(a) => Some(a.clone()),
        _ => None,
    });
    let alert = alert.unwrap();
    let bundle = Path::new(&told[0].bundle);
    assert!(bundle.starts_with(dir.path()));
    assert_eq!(files(bundle), ["evidence.json", "traces.jsonl", "traces.png"], "no picture but the plot");
    let text = fs::read_to_string(bundle.join("evidence.json")).unwrap();
    let alert_report: AlertReport = serde_json::from_str(&text).unwrap();
    assert_eq!(alert_report.alert, alert.alert);
    assert_eq!(
        (alert_report.running_time, alert_report.session_id.as_str()),
        (alert.header.running_time, "call 7")
    );
    let own: Vec<String> = rig
        .element
        .list_properties()
        .iter()
        .filter(|s| s.owner_type() == rig.element.type_() && s.flags().contains(glib::ParamFlags::WRITABLE))
        .map(|s| s.name().to_owned())
        .collect();
    assert!(
        own.len() > 20 && own.iter().all(|name| alert_report.config.contains_key(name)),
        "{:?}",
        alert_report.config
    );
    assert_eq!(alert_report.config["mode"], "sync");
    assert!(!alert_report.ran.models.is_empty() && alert_report.ran.models.values().all(|d| d.len() == 64));
    let moments = alert_report.timeline.as_array().unwrap();
    let spans = |i: usize| moments[i]["pts"].as_u64().unwrap();
    let (first, last) = (spans(0), spans(moments.len() - 1));
    assert_eq!(last, alert.alert.pts);
    assert!((4_000_000_000..=5_000_000_000).contains(&(last - first)), "{first} {last}");
    // Authenticity alone: numbers and reasons.
    assert!(!text.contains("embedding") && !text.contains("landmark"));

    intact(dir.path(), 1);
    let examined = examine(bundle);
    assert_eq!(examined.findings, vec![]);
    let raised: Vec<_> = examined.replay.alerts.iter().filter(|a| a.kind == AlertKind::Raised).collect();
    assert_eq!(raised, [&alert.alert], "bit for bit");

    let at = dir.path().to_str().unwrap();
    let (code, text) = program(&["verify", at, "--head", &told[0].digest]);
    assert!(code == Some(0) && text.contains("intact") && text.contains(&told[0].digest), "{text}");
    let (code, text) = program(&["replay", bundle.to_str().unwrap()]);
    assert!(code == Some(0) && text.contains(&format!("alert raised at {} ns", alert.alert.pts)), "{text}");
    assert!(text.contains(&alert.alert.statistic.to_string()), "{text}");
    let (code, text) = program(&["show", at]);
    assert!(code == Some(0) && text.contains("freeze"), "{text}");

    let traces = bundle.join("traces.jsonl");
    let good = fs::read_to_string(&traces).unwrap();
    fs::write(&traces, good.replacen("\"impulse\":0.0", "\"impulse\":0.5", 1)).unwrap();
    let (code, text) = program(&["verify", at]);
    assert!(code == Some(1) && text.contains("traces.jsonl") && text.contains("was changed"), "{text}");
    assert!(text.contains("adds"), "{text}");
    let (code, text) = program(&["verify", at, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(code == Some(1) && report["findings"][0]["place"].as_str().unwrap().contains("traces.jsonl"));
    assert_eq!(program(&["replay", bundle.to_str().unwrap(), "--json"]).0, Some(1));
    assert_eq!(program(&["verify", "/nowhere"]).0, Some(2));
    assert_eq!(program(&["replay", "/nowhere"]).0, Some(2));
    assert_eq!(program(&["verify", at, "--head", "x"]).0, Some(2));
}

#[test]
fn the_same_video_leaves_the_same_evidence() {
    let runs: Vec<_> = (0..2)
        .map_while(|_| {
            let dir = tempfile::tempdir().unwrap();
            let mut rig = rig(dir.path(), &[])?;
            freeze(&mut rig, false);
            let told = told(&mut rig).0;
            let read = |name: &str| fs::read(Path::new(&told[0].bundle).join(name)).unwrap();
            Some(["traces.jsonl", "traces.png"].map(read))
        })
        .collect();
    assert!(runs.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn live_bundles_come_from_a_thread_that_is_joined() {
    let dir = tempfile::tempdir().unwrap();
    let live = [
        ("mode", "live"),
        ("report-interval", "1"),
        ("evidence-thumbnails", "true"),
        ("provenance", "false"),
    ];
    let Some(mut rig) = rig(dir.path(), &live) else { return };
    freeze(&mut rig, true);
    // Stopping waits for what is still to be written.
    rig.element.set_state(gst::State::Null).unwrap();
    assert_eq!(stat(&rig.element, "evidence-written"), 1);
    let told = told(&mut rig).0;
    let names = files(Path::new(&told[0].bundle));
    let faces = names.iter().filter(|n| n.starts_with("face-") && n.ends_with(".png")).count();
    assert!((1..=8).contains(&faces), "{names:?}");
    intact(dir.path(), 1);
}

#[test]
fn a_restart_and_a_new_epoch_go_on_with_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut first) = rig(dir.path(), &[]) else { return };
    freeze(&mut first, false);
    first.element.emit_by_name::<()>("reset", &[]);
    freeze(&mut first, false);
    // Raised, cleared by the reset, raised again; of the second one only what came after the reset is told.
    let told = told(&mut first).0;
    let kinds: Vec<_> = told.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [AlertKind::Raised, AlertKind::Cleared, AlertKind::Raised]);
    assert_eq!(told[1].bundle, "");
    let examined = examine(Path::new(&told[2].bundle));
    let alert_report = examined.alert_report.unwrap();
    let epochs = |m: &serde_json::Value| m["frame"]["epoch"].as_u64();
    assert!(
        alert_report.timeline.as_array().unwrap().iter().all(|m| epochs(m) == Some(alert_report.alert.epoch))
    );
    drop(first);
    let mut second = rig(dir.path(), &[("session-id", "call 8")]).unwrap();
    freeze(&mut second, false);
    intact(dir.path(), 4);
}

#[test]
fn two_elements_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let ran: Vec<bool> = std::thread::scope(|scope| {
        let run = |session: &'static str| {
            let dir = dir.path();
            scope.spawn(move || {
                let Some(mut rig) = rig(dir, &[("session-id", session)]) else { return false };
                freeze(&mut rig, false);
                rig.element.emit_by_name::<()>("reset", &[]);
                freeze(&mut rig, false);
                true
            })
        };
        let all = [run("a"), run("b")];
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    if ran.contains(&true) {
        intact(dir.path(), 6);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for bad in [file.path().to_str().unwrap(), file.path().join("x").to_str().unwrap(), "/proc/evidence"] {
        let Some(element) = element(&[("evidence-dir", bad)]) else { return };
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        assert!(element.set_state(gst::State::Paused).is_err(), "{bad}");
        let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("no error on the bus");
        let gst::MessageView::Error(e) = message.view() else { unreachable!() };
        assert_eq!(e.error().kind::<gst::ResourceError>(), Some(gst::ResourceError::OpenWrite));
        let text = e.error().to_string();
        assert!(text.contains(bad) && text.contains("Set evidence-dir"), "{text}");
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_disk_that_fails_later_stops_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("evidence");
    let Some(mut rig) = rig(&dir, &[]) else { return };
    fs::remove_dir_all(&dir).unwrap();
    fs::write(&dir, "in the way").unwrap();
    freeze(&mut rig, false);
    let (told, warnings) = told(&mut rig);
    assert_eq!((told.len(), warnings.len()), (0, 1));
    assert!(
        warnings[0].contains("evidence of an alert is lost") && warnings[0].contains("writable"),
        "{warnings:?}"
    );
    assert_eq!((stat(&rig.element, "evidence-failed"), stat(&rig.element, "frames-seen")), (1, 400));
}

#[test]
fn nothing_is_written_unless_it_is_asked_for() {
    init();
    let Some(mut rig) = Rig::new(&[("mode", "sync"), SOON]) else { return };
    assert_eq!(rig.element.property::<Option<String>>("evidence-dir"), None);
    freeze(&mut rig, false);
    assert_eq!(told(&mut rig).0, vec![]);
    assert_eq!(stat(&rig.element, "evidence-written"), 0);
    assert!(
        rig.messages.iter().any(|m| matches!(m, DeepfakeMessage::Alert(_))),
        "there was an alert all the same"
    );
}
