//! Injected feeds, each really sent into a process and judged by where it comes from.

use crate::program::{recording, redteam, rows};
use gstdeepfake::redteam::run::{Trial, load, parse};
use gstdeepfake::redteam::{Attack, Content, Inject, Kind, Times, Way};

#[test]
fn every_way_in_is_tried_and_no_camera_is_suspected() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    recording(&at.join("a.mp4"), 6, 1000);
    // `--quick` leaves the longest out.
    let call =
        ["run", "a.mp4", "--family", "injection", "--family", "camera", "--quick", "--results", "r.jsonl"];
    let (code, text) = redteam(at, &[&call[..], &["--report", "r.html", "--since", "none.json"]].concat());
    assert!(code == Some(2) && text.contains("none.json"), "{text}");
    let (code, text) = redteam(at, &[&call[..], &["--report", "r.html"]].concat());
    assert_eq!(code, Some(0), "{text}");
    let all = rows(&at.join("r.jsonl"));
    assert!(all.len() >= 20, "{text}");
    for row in &all {
        let judged = row.judged().unwrap_or_else(|| panic!("{row:?}"));
        let name = row.condition.split('/').nth(1).unwrap();
        assert!(row.family.is_of_source() && judged.analysed > 0, "{row:?}");
        if !row.is_attack() {
            assert!(!judged.alerted && judged.frames > 50, "{row:?}");
            continue;
        }
        // What is opened as what it is cannot hide it; a lie about a camera leaves traces, or not.
        let open = ["application", "pipeline", "shared-memory", "file", "test-pattern"].contains(&name);
        let old = ["rtp-of-yesterday", "rtp-live-with-old-reports"].contains(&name);
        assert!(judged.alerted || !(open || old || name == "camera-hurried"), "{row:?}");
        assert!(!open || judged.signal == "element", "{row:?}");
        assert!(!old || judged.signal == "rtcp-time", "{row:?}");
        assert!(!judged.alerted || judged.delay().is_some_and(|d| d < 10.5), "{row:?}");
    }
    assert!(text.contains("all injected feeds") && text.contains("all simulated cameras"), "{text}");
    let page = std::fs::read_to_string(at.join("r.html")).unwrap();
    assert!(page.contains("Injected feeds") && !page.contains("id=\"controls\""), "{text}");
}

#[test]
fn injections_of_the_catalogue_are_what_they_say() {
    let all = load(None).unwrap();
    let of = |t: &&Trial| t.family.is_of_source();
    for trial in all.iter().filter(of) {
        let Kind::Inject(inject) = &trial.kind else { panic!("{trial:?}") };
        let genuine = inject.content == Content::Simulated && inject.times == Times::Camera;
        assert!(trial.is_attack() || genuine, "{trial:?}");
        assert_eq!(trial.name.starts_with("camera/"), !trial.is_attack(), "{trial:?}");
    }
    assert!(all.iter().filter(of).count() >= 20);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let wrong = |inject: Inject| inject.check().unwrap_err().to_string();
    assert!(wrong(Inject { report_age: 9, ..Inject::default() }).contains("report-age"));
    assert!(wrong(Inject { light: f64::NAN, ..Inject::default() }).contains("light"));
    let coded = Inject { content: Content::Coded, ..Inject::default() };
    assert!(wrong(coded.clone()).contains("camera"));
    assert!(Inject { way: Way::Camera, ..coded }.check().is_ok());
    let text = "schema-version = 1\n[channel.small]\nlines = 120\n[[family]]\nname = \"a\"\nchannels = [\"small\"]\n\
                [[family.variant]]\nname = \"b\"\nabout = \"x\"\nkind = { attack = \"inject\" }\n";
    let error = parse("mine.toml", text).unwrap_err().to_string();
    assert!(error.contains("line 6") && error.contains("its own way in"), "{error}");
}
