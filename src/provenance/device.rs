//! A video node of this machine: asks V4L2 and the device tree about it, and has the answers checked.

use super::device_checks::check;
use super::device_facts::DeviceFacts;
use super::{sysfs, v4l2};
use crate::analysis::source::provenance::Finding;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// No more nodes of a directory than this are listed.
const NODES: usize = 256;

/// Where the system keeps its nodes and its device tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    pub dev: PathBuf,
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { dev: "/dev".into(), sys: "/sys".into() }
    }
}

/// A video node, what is known of it and what that says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub node: PathBuf,
    pub facts: DeviceFacts,
    /// One for each of [`CHECKS`](super::device_checks::CHECKS).
    pub findings: Vec<Finding>,
}

/// Asks a node and the device tree. A bare name (`video0`) is looked for in `roots.dev`. What cannot be read becomes
/// a finding that says so, not an error. May take as long as the driver takes to answer.
pub fn inspect(node: &Path, roots: &Roots) -> Device {
    let node = roots.dev.join(node);
    let mut facts = DeviceFacts::default();
    match v4l2::ask(&node) {
        Ok(answer) => facts.v4l2 = Some(answer),
        Err(e) => facts.v4l2_unread = Some(e.to_string()),
    }
    // A node's name is anybody's choice, its number is not. The name serves where the node itself is out of reach.
    let tree = match v4l2::number(&node) {
        Ok((major, minor)) => sysfs::by_number(&roots.sys, major, minor).map_err(|e| e.to_string()),
        Err(e @ v4l2::Unread::NotVideo(_)) => Err(e.to_string()),
        Err(_) => {
            let name = node.file_name().unwrap_or_default().to_string_lossy();
            sysfs::by_name(&roots.sys, &name).map_err(|e| e.to_string())
        }
    };
    match tree {
        Ok(tree) => facts.tree = Some(tree),
        Err(e) => facts.tree_unread = Some(e),
    }
    let findings = check(&facts);
    Device { node, facts, findings }
}

/// The video nodes of this machine, sorted.
pub fn nodes(roots: &Roots) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&roots.dev).into_iter().flatten().take(64 * NODES).flatten();
    let numbered = |name: &str| name.strip_prefix("video").and_then(|n| n.parse::<u32>().ok());
    let mut found: Vec<_> =
        entries.filter_map(|e| Some((numbered(e.file_name().to_str()?)?, e.path()))).collect();
    found.sort();
    found.into_iter().take(NODES).map(|(_, path)| path).collect()
}
