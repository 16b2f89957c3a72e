//! The documentation says what is so: its tables of properties are those of the elements, its code is code that runs.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn enum_nick(spec: &glib::ParamSpecEnum) -> String {
    spec.enum_class().value(spec.default_value_as_i32()).unwrap().nick().to_owned()
}

/// Type and default as the README writes them.
fn described(spec: &glib::ParamSpec) -> (&'static str, String) {
    let value = spec.default_value();
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecEnum>() {
        return ("enum", enum_nick(spec));
    }
    match spec.value_type() {
        glib::Type::BOOL => ("boolean", value.get::<bool>().unwrap().to_string()),
        glib::Type::U32 => ("uint", value.get::<u32>().unwrap().to_string()),
        glib::Type::U64 => ("uint64", value.get::<u64>().unwrap().to_string()),
        glib::Type::F64 => ("double", value.get::<f64>().unwrap().to_string()),
        glib::Type::STRING => ("string", String::new()),
        t if t == gst::Structure::static_type() => ("structure", String::new()),
        t => panic!("a property of the new type {t}"),
    }
}

#[test]
fn every_property_is_in_the_table() {
    gstdeepfake::register_static().unwrap();
    let readme = read("docs/elements.md");
    let mut rows = 0;
    for name in ["deepfakedetect", "deepfakeoverlay"] {
        let element = gst::ElementFactory::make(name).build().unwrap();
        let own = element.list_properties();
        for spec in own.iter().filter(|s| s.owner_type() == element.type_()) {
            let row = readme.lines().find(|l| l.starts_with(&format!("| `{}` |", spec.name())));
            let row =
                row.unwrap_or_else(|| panic!("docs/elements.md has no row for {name}'s `{}`", spec.name()));
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let (kind, default) = described(spec);
            assert_eq!(cells[2], kind, "{row}");
            // `unset` and `empty` are both no text.
            let said = if kind == "string" { "" } else { cells[4] };
            assert_eq!(said, default, "{row}");
            let flags = spec.flags();
            let changes = if !flags.contains(glib::ParamFlags::WRITABLE) {
                "read only"
            } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) {
                "PLAYING"
            } else {
                "READY"
            };
            assert_eq!(cells[5], changes, "{row}");
            if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
                let range = format!("{}-{}", spec.minimum(), spec.maximum());
                assert!(cells[3].starts_with(&range), "{row}: {range}");
            }
            if let Some(spec) = spec.downcast_ref::<glib::ParamSpecEnum>() {
                let nicks: Vec<_> = spec.enum_class().values().iter().map(|v| v.nick().to_owned()).collect();
                assert_eq!(cells[3], nicks.join(", "), "{row}");
            }
            rows += 1;
        }
    }
    assert_eq!(rows, 41, "properties came or went");
}

/// The code blocks of that language in the documentation of the elements.
fn blocks(language: &str) -> Vec<String> {
    let readme = read("docs/elements.md");
    let begin = format!("```{language}\n");
    readme.split(&begin).skip(1).map(|b| b.split("```").next().unwrap().to_owned()).collect()
}

/// Every line of the code that is shown stands, in this order, in a program that the tests run.
#[test]
fn the_code_is_that_of_the_applications() {
    for (language, path, comment) in
        [("rust", "pipelines/rust/kyc.rs", "//"), ("python", "pipelines/python/read_verdict.py", "#")]
    {
        let program = read(path);
        let blocks = blocks(language);
        assert_eq!(blocks.len(), 1);
        let wanted = blocks[0].lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(comment));
        // The bus is shown before the pads, the program has them in another order: each part by itself.
        let mut at = 0;
        let lines: Vec<&str> = program.lines().map(str::trim).collect();
        for line in wanted {
            let next = lines[at..].iter().position(|l| *l == line).map(|i| at + i + 1);
            let anywhere = lines.iter().position(|l| *l == line).map(|i| i + 1);
            at = next.or(anywhere).unwrap_or_else(|| panic!("{path} has no line `{line}`"));
        }
    }
}

#[test]
fn the_json_is_a_message() {
    let text = read("docs/metadata.md");
    let json = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let message: gstdeepfake::message::DeepfakeMessage = serde_json::from_str(json).unwrap();
    assert!(matches!(message, gstdeepfake::message::DeepfakeMessage::Alert(_)));
}

const DOCUMENTS: [(&str, &str); 14] = [
    ("", "README.md"),
    ("", "ARCHITECTURE.md"),
    ("", "CONTRIBUTING.md"),
    ("models/", "README.md"),
    ("docs/", "camera-lab.md"),
    ("docs/", "challenges.md"),
    ("docs/", "decisions.md"),
    ("docs/", "elements.md"),
    ("docs/", "evaluation.md"),
    ("docs/", "evidence.md"),
    ("docs/", "performance.md"),
    ("docs/", "provenance.md"),
    ("docs/", "redteam.md"),
    ("docs/", "signals.md"),
];

/// What the documents link to exists.
#[test]
fn links_lead_somewhere() {
    for (folder, document) in DOCUMENTS {
        let text = read(&format!("{folder}{document}"));
        for link in text.split("](").skip(1).filter_map(|l| l.split(')').next()) {
            let local = link.split('#').next().unwrap_or_default();
            if !local.is_empty() && !local.contains("://") {
                assert!(
                    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(local).exists(),
                    "{document}: {link}"
                );
            }
        }
    }
}
