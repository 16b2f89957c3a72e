//! PipeWire, where it can be run without a desktop: the daemon, a session manager and a virtual camera of our own.

use crate::common::root;
use gstdeepfake::analysis::source::provenance::Class;
use gstdeepfake::provenance::report::SourceReport;
use std::process::Command;

fn installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

#[test]
fn a_programs_stream_that_calls_itself_a_camera_is_virtual() {
    let needed = ["pipewire", "wireplumber", "pw-dump", "dbus-run-session", "gst-launch-1.0"];
    if !needed.iter().all(|name| installed(name)) {
        eprintln!("SKIPPED: needs {} (Debian packages pipewire-bin, wireplumber, dbus)", needed.join(", "));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(feeds) = super::variants::feeds(folder.path()) else { return };
    let says = [
        "node.description=HDCam",
        "node.description=HD-Pro-Webcam-C920,device.product.name=C920",
        // As a driver's node says it.
        "node.description=C920,device.api=v4l2,media.role=Camera",
        "node.description=C920,device.api=libcamera",
    ];
    for ((what, feed, _), says) in feeds.iter().zip(says) {
        let Some(report) = judged(feed, says) else { return };
        assert_eq!(report.class, Class::Virtual, "{what}, {says}: {report:?}");
        assert!(report.injection > 3.0, "{what}, {says}: {report:?}");
        assert_eq!(report.device["program"], "gst-launch-1.0");
    }
}

/// What is said of a PipeWire camera of our own; `None` where PipeWire cannot be run.
fn judged(feed: &str, says: &str) -> Option<SourceReport> {
    let output = Command::new("dbus-run-session")
        .args(["--", "bash"])
        .arg(root().join("tests/provenance/pipewire.sh"))
        .args([env!("CARGO_BIN_EXE_deepfake"), feed, says])
        .output()
        .unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) || complaints.contains("no element \"pipewiresrc\"") {
        eprintln!("SKIPPED: PipeWire cannot be run here: {complaints}");
        return None;
    }
    // A virtual camera is unwelcome without a policy.
    assert_eq!(output.status.code(), Some(3), "{said}\n{complaints}");
    Some(serde_json::from_str(said.lines().last().unwrap()).unwrap())
}
