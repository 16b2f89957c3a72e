//! The machine: opt-in, because it speaks of the host rather than of the stream, and only where the camera is.

use crate::analysis::source::provenance::{Class, Finding};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Files that are read are cut to this many bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Kernel modules that make cameras out of programs.
const CAMERA_MODULES: [&str; 6] = ["v4l2loopback", "akvcam", "vivid", "vcam", "dummy_hcd", "vhci_hcd"];
/// Makers of virtual machines, as firmware names them.
const MACHINES: [&str; 9] =
    ["qemu", "kvm", "vmware", "virtualbox", "innotek", "xen", "bochs", "parallels", "amazon ec2"];

fn read(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The checks `host-modules`, `host-machine` and `host-container`, of the system under `root` (`/`).
pub fn findings(root: &Path) -> Vec<Finding> {
    vec![modules(root), machine(root), container(root)]
}

fn modules(root: &Path) -> Finding {
    let Some(text) = read(&root.join("proc/modules")) else {
        return Finding::not_readable("host-modules", "the list of kernel modules cannot be read");
    };
    let loaded: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|name| CAMERA_MODULES.contains(name))
        .collect();
    if loaded.is_empty() {
        return Finding::nothing("host-modules", "no kernel module for virtual cameras is loaded");
    }
    // That one could be used does not say that it is: people who blur their background have one too.
    let reason = format!("kernel modules for virtual cameras are loaded: {}", loaded.join(", "));
    Finding::of("host-modules", Class::Virtual, 0.5, reason).injected(0.7)
}

fn machine(root: &Path) -> Finding {
    let dmi = root.join("sys/class/dmi/id");
    let texts: Vec<String> =
        ["sys_vendor", "product_name"].iter().filter_map(|f| read(&dmi.join(f))).collect();
    if texts.is_empty() {
        return Finding::not_readable("host-machine", "the firmware's description cannot be read");
    }
    let text = texts.join(" ").to_lowercase();
    match MACHINES.iter().find(|m| text.contains(**m)) {
        Some(name) => {
            Finding::of("host-machine", Class::Physical, -0.5, format!("a virtual machine ({name})"))
                .injected(0.5)
        }
        None => Finding::nothing("host-machine", "the firmware names no virtual machine"),
    }
}

fn container(root: &Path) -> Finding {
    let marks = [".dockerenv", "run/.containerenv"];
    if marks.iter().any(|m| root.join(m).exists()) {
        // Services run in containers; people's video calls seldom do.
        return Finding::of("host-container", Class::Physical, -0.3, "inside a container").injected(0.2);
    }
    Finding::nothing("host-container", "no mark of a container")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::source::provenance::Outcome;

    #[test]
    fn a_machine_is_described_by_its_files() {
        let root = tempfile::tempdir().unwrap();
        let all = |outcome| findings(root.path()).iter().filter(|f| f.outcome == outcome).count();
        assert_eq!((all(Outcome::NotReadable), all(Outcome::Nothing)), (2, 1));
        std::fs::create_dir_all(root.path().join("proc")).unwrap();
        std::fs::create_dir_all(root.path().join("sys/class/dmi/id")).unwrap();
        std::fs::write(root.path().join("proc/modules"), "v4l2loopback 49152 0 - Live\nsnd 1 0\n").unwrap();
        std::fs::write(root.path().join("sys/class/dmi/id/sys_vendor"), "QEMU\n").unwrap();
        std::fs::write(root.path().join(".dockerenv"), "").unwrap();
        let found = findings(root.path());
        assert!(found.iter().all(|f| f.outcome == Outcome::Found && f.injection > 0.0), "{found:?}");
        assert!(found[0].reason.contains("v4l2loopback") && !found[0].reason.contains("snd"));
    }
}
