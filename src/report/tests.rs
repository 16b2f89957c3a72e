//! The page as a browser and a hostile recording would have it.
#![allow(clippy::unwrap_used)]

use super::{Input, render};
use crate::analysis::judgement::verdict::{Condition, State};
use crate::batch::{
    AlertNote, Ground, Label, Moment, Outcome, Record, SCHEMA_VERSION, Scanned, Settings, clips, compare,
};
use crate::evaluation::evaluate;
use crate::provenance::recorded::SourceNote;
use proptest::prelude::*;

const HOSTILE: &str = "\"><script>alert('x')</script>&amp;{{ 7*7 }}\u{1b}[2J\u{202e}\u{0}.mp4";

fn moment(at: u32) -> Moment {
    let at_s = f64::from(at) * 0.1;
    let risk = (at_s / 8.0).min(1.0);
    let state = if risk >= 1.0 {
        State::Attack
    } else if risk > 0.4 {
        State::Suspect
    } else {
        State::Live
    };
    let condition = if at < 10 { Condition::NoFace } else { Condition::Analysed };
    let llr = [("blink", (at_s * 0.7).sin() * 2.0), ("planarity", risk * 6.0 - 2.0), (HOSTILE, 1.0)];
    Moment { at_s, state, condition, risk, llr: llr.map(|(n, v)| (n.to_owned(), v)).into() }
}

fn record(name: &str, kind: Option<&str>, score: f64) -> Record {
    let alerted = score >= 13.5;
    let note = AlertNote {
        at_s: 8.0,
        onset_s: Some(3.0),
        track_id: Some(1),
        statistic: score,
        signal: "planarity".into(),
        reason: format!("flat {HOSTILE}"),
        cleared_s: None,
    };
    let scanned = Scanned {
        ground: if score < 0.0 { Ground::NoFace } else { Ground::Judged },
        score: score.max(0.0),
        threshold: 13.5,
        alerted,
        alerts: if alerted { vec![note] } else { Vec::new() },
        worst_risk: (score / 13.5).clamp(0.0, 1.0),
        duration_s: 12.0,
        timeline: (0..120).map(moment).collect(),
        thumbnail: Some(format!("data:image/jpeg;base64,{HOSTILE}")),
        ..Scanned::default()
    };
    let label = kind.map(|k| Label {
        attack: Some(!k.is_empty()),
        attack_type: Some(k.into()),
        pair_id: Some("p".into()),
        ..Label::default()
    });
    Record {
        schema_version: SCHEMA_VERSION,
        clip: name.into(),
        bytes: None,
        settings: Settings::default(),
        label,
        outcome: Outcome::Scanned(Box::new(scanned)),
    }
}

fn records() -> Vec<Record> {
    let mut all = vec![
        record(HOSTILE, Some(""), 0.3),
        record("b.mp4", Some(HOSTILE), 14.0),
        record("c.mp4", Some("print"), -1.0),
        record("d.mp4", Some(""), 6.0),
        record("e.mp4", None, 2.0),
    ];
    let reason = format!("cannot be decoded: {HOSTILE}");
    all.push(Record { outcome: Outcome::Failed { reason }, ..record("f.mp4", None, 0.0) });
    let source =
        SourceNote { described: [("encoder".to_owned(), HOSTILE.to_owned())].into(), ..Default::default() };
    let damaged = Scanned {
        note: Some(format!("damaged after 8.0 s: {HOSTILE}")),
        source: Some(source),
        ..record("g.mp4", None, 1.0).scanned().unwrap().clone()
    };
    all.push(Record { outcome: Outcome::Damaged(Box::new(damaged)), ..record("g.mp4", None, 0.0) });
    all
}

fn page(records: &[Record]) -> String {
    let evaluation = evaluate(&clips(records));
    let comparison = compare(records, records);
    let (evaluation, comparison) = (Some(&evaluation), Some(&comparison));
    render(&Input { records, evaluation, comparison, made: "2026-01-01 12:00 UTC", speed: "5 times" })
        .unwrap()
}

fn parse(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(page, options).unwrap_or_else(|e| panic!("{e}\n{page}"))
}

#[test]
fn it_is_well_formed_and_needs_nothing_else() {
    let page = page(&records());
    let document = parse(&page);
    let mut pictures = 0;
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(!matches!(name, "script" | "link" | "iframe" | "object" | "base"), "{name}");
        pictures += usize::from(name == "svg");
        for a in node.attributes() {
            assert!(!a.name().starts_with("on"), "{}", a.name());
            if matches!(a.name(), "src" | "href" | "srcset" | "data" | "action" | "poster") {
                assert!(
                    a.value().starts_with('#') || a.value().starts_with("data:image/jpeg;base64,"),
                    "{a:?}"
                );
            }
        }
    }
    assert!(pictures > 8, "curves, bars and time lines: {pictures}");
    let style: String =
        document.descendants().filter(|n| n.has_tag_name("style")).filter_map(|n| n.text()).collect();
    assert!(style.contains("prefers-color-scheme") && !style.contains("url(") && !style.contains("@import"));
    let text: String = document.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect();
    for said in
        ["Against the labels", "Could not be scanned", "Against an earlier run", "no face", "Reliability"]
    {
        assert!(text.contains(said), "{said}");
    }
    assert_eq!(text.matches("damaged after 8.0 s").count(), 2, "among the failures and beside its time line");
    assert!(text.contains("Source: unknown, encoder ") && page.contains("badge failed"));
    let links = document.descendants().filter_map(|n| n.attribute("href")?.strip_prefix('#'));
    for link in links {
        assert!(document.descendants().any(|n| n.attribute("id") == Some(link)), "{link}");
    }
}

#[test]
fn a_hostile_name_stays_text() {
    let page = page(&records());
    let document = parse(&page);
    let shown = "\"><script>alert('x')</script>&amp;{{ 7*7 }}\u{fffd}[2J\u{fffd}\u{fffd}.mp4";
    assert!(document.descendants().any(|n| n.is_text() && n.text() == Some(shown)), "it is shown as it is");
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{1b}'));
    assert!(!page.contains("<img"), "what is no picture is not shown");
}

#[test]
fn a_report_of_nothing_is_a_page_too() {
    let input = Input { records: &[], evaluation: None, comparison: None, made: "", speed: "" };
    parse(&render(&input).unwrap());
    let still = Scanned { timeline: vec![moment(0)], ..Scanned::default() };
    let still = Record { outcome: Outcome::Scanned(Box::new(still)), ..record("x", None, 0.0) };
    parse(&render(&Input { records: &[still], ..input }).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_name_and_number_makes_a_page(name in ".{0,20}", score in prop_oneof![-1.0f64..20.0, Just(f64::NAN)], kind in ".{0,8}") {
        parse(&page(&[record(&name, Some(&kind), score), record("genuine.mp4", Some(""), 1.0)]));
    }
}

/// A real browser has nothing to complain of.
#[test]
fn a_browser_shows_it() {
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|b| std::process::Command::new(b).arg("--version").output().is_ok_and(|o| o.status.success()));
    let Some(browser) = browser else {
        eprintln!("SKIPPED: no Chromium; install the package chromium");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, picture) = (folder.path().join("report.html"), folder.path().join("page.png"));
    std::fs::write(&file, page(&records())).unwrap();
    let output = std::process::Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--window-size=390,900",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && picture.metadata().unwrap().len() > 5_000, "{log}");
    let complaints: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
