//! PipeWire, where it can be run without a desktop: the daemon, a session manager and a virtual camera of our own.

use crate::common::root;
use gstdeepfake::analysis::provenance::Class;
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
    let output = Command::new("dbus-run-session")
        .args(["--", "bash"])
        .arg(root().join("tests/provenance/pipewire.sh"))
        .arg(env!("CARGO_BIN_EXE_deepfake-source"))
        .output()
        .unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) || complaints.contains("no element \"pipewiresrc\"") {
        eprintln!("SKIPPED: PipeWire cannot be run here: {complaints}");
        return;
    }
    // A virtual camera is unwelcome without a policy.
    assert_eq!(output.status.code(), Some(3), "{said}\n{complaints}");
    let report: SourceReport = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(report.class, Class::Virtual, "{report:?}");
    assert!(report.injection > 3.0, "{report:?}");
    assert_eq!(report.device["program"], "gst-launch-1.0");
}
