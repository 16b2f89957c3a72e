//! What `gst-inspect-1.0` says of the elements, against texts that were read by a person. With
//! `UPDATE_SNAPSHOTS=1` the texts are written anew.

use crate::common::child::{run, tool};
use crate::common::root;
use std::time::Duration;

/// Only what this plugin says itself, in a form that is the same for all versions of GStreamer: from the pads on,
/// without inherited properties, without the layout, the numbers of enum values, or addresses.
fn our_part(text: &str) -> String {
    let mut lines = Vec::new();
    let mut section = "";
    let mut skip = false;
    for line in text.lines() {
        let heading = !line.is_empty() && !line.starts_with(' ');
        if heading {
            section = line.trim_end_matches([':', ' ']);
            skip = false;
        }
        let wanted = section.starts_with("Factory Details")
            || section.starts_with("Pad Templates")
            || section.starts_with("Element Properties")
            || section.starts_with("Element Actions")
            || section.starts_with("Element Signals");
        let indent = line.len() - line.trim_start().len();
        // A property's own line is indented by two; what follows belongs to it.
        if section.starts_with("Element Properties") && indent == 2 {
            let name = line.split_whitespace().next().unwrap_or_default();
            skip = ["name", "parent", "qos"].contains(&name);
        }
        if wanted && !skip && !line.trim().is_empty() {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(format!("{}{words}", if heading { "" } else { "  " }));
        }
    }
    lines.join("\n") + "\n"
}

fn matches_snapshot(element: &str) {
    let Some(mut inspect) = tool("gst-inspect-1.0") else { return };
    inspect.arg(element);
    let (ok, text) = run(inspect, Duration::from_secs(120));
    assert!(ok, "{text}");
    let found = our_part(&text);
    let path = root().join("tests/snapshots").join(format!("{element}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "{}: if this is meant, run with UPDATE_SNAPSHOTS=1", path.display());
}

#[test]
fn deepfakedetect_is_described() {
    matches_snapshot("deepfakedetect");
}

#[test]
fn deepfakeoverlay_is_described() {
    matches_snapshot("deepfakeoverlay");
}

#[test]
fn cameraprovenance_is_described() {
    matches_snapshot("cameraprovenance");
}

#[test]
fn the_plugin_is_described() {
    let Some(mut inspect) = tool("gst-inspect-1.0") else { return };
    inspect.arg("deepfake");
    let (ok, text) = run(inspect, Duration::from_secs(120));
    assert!(ok, "{text}");
    let version = env!("CARGO_PKG_VERSION");
    for wanted in [
        version,
        "MIT",
        "deepfakedetect: Deepfake detector",
        "deepfakeoverlay:",
        "cameraprovenance:",
        "3 elements",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is not in:\n{text}");
    }
}
