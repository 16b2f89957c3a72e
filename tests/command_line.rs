//! The command line of `deepfake`: its help is the map of all subcommands, and man pages and completions know them too.
#![cfg(feature = "tools")]
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::BTreeSet;
use std::process::Command;

const SUBCOMMANDS: [&str; 9] =
    ["scan", "source", "evidence", "demo", "redteam", "trace", "calibrate", "completions", "man"];

/// Exit status, standard output and standard error.
fn deepfake(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_deepfake")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_help_has_a_line_for_every_subcommand() {
    let (code, help, _) = deepfake(&["--help"]);
    assert_eq!(code, Some(0));
    for name in SUBCOMMANDS {
        let line = help.lines().find(|l| l.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no line for {name} in\n{help}"));
        assert!(line.len() > 30 && line.chars().count() <= 100, "{line}");
        let (code, own, _) = deepfake(&[name, "--help"]);
        assert!(code == Some(0) && own.contains(&format!("Usage: deepfake {name}")), "{own}");
        assert!(!own.contains("worker"), "what only the program itself calls is not shown: {own}");
    }
    let (code, none, help) = deepfake(&[]);
    assert!(code == Some(2) && none.is_empty() && help.contains("redteam"), "{help}");
}

#[test]
fn a_wrong_call_is_refused_with_the_name_of_the_subcommand() {
    let (code, _, text) = deepfake(&["scna"]);
    assert!(code == Some(2) && text.contains("'scan'"), "what was meant is proposed: {text}");
    let (code, _, text) = deepfake(&["scan"]);
    assert!(code == Some(2) && text.contains("Usage: deepfake scan"), "{text}");
    let (code, _, text) = deepfake(&["scan", "a.mp4", "--compare", "/nowhere.jsonl"]);
    assert!(code == Some(2) && text.starts_with("deepfake scan: "), "{text}");
    let (code, _, text) = deepfake(&["redteam", "run", "/nowhere.mp4"]);
    assert!(code == Some(2) && text.starts_with("deepfake redteam: "), "{text}");
    let render = ["redteam", "render", "--attack", "photo", "--in", "a.png", "--out", "photo.json"];
    let (code, _, text) = deepfake(&render);
    assert!(code == Some(2) && text.contains("must not end in .json"), "{text}");
}

#[test]
fn there_is_a_man_page_for_every_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let (code, _, text) = deepfake(&["man", "--out", pages.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    let names: BTreeSet<String> =
        pages.read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let of = |name: &str| names.contains(&format!("deepfake{name}.1"));
    assert!(of("") && SUBCOMMANDS.iter().all(|s| of(&format!("-{s}"))), "{names:?}");
    assert!(of("-redteam-run") && of("-evidence-verify"), "{names:?}");
    assert!(!of("-redteam-worker"), "{names:?}");
    let page = std::fs::read_to_string(pages.join(["deepfake", "scan.1"].join("-"))).unwrap();
    assert!(page.contains("Exit status") && page.contains("jobs"), "{page}");
    let (code, _, text) = deepfake(&["man", "--out", "/dev/null/pages"]);
    assert!(code == Some(2) && text.starts_with("deepfake man: /dev/null/pages"), "{text}");
}

#[test]
fn shells_complete_every_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, text) = deepfake(&["completions", shell]);
        assert_eq!(code, Some(0), "{text}");
        for name in SUBCOMMANDS.iter().chain(&["splice", "replay", "eval-json"]) {
            assert!(script.contains(name), "{shell}: no {name}");
        }
    }
    assert_eq!(deepfake(&["completions", "none"]).0, Some(2));
}
