//! Names of the files in an evidence directory, and the version of what is in them.

/// Names of the files in a bundle.
pub const EVIDENCE: &str = "evidence.json";
pub const TRACES: &str = "traces.jsonl";
pub const PLOT: &str = "traces.png";
pub const POLICY: &str = "policy.toml";
/// The log's name in the evidence directory.
pub const LOG: &str = "alerts.jsonl";
/// What a bundle's folder ends with until it is complete.
pub const PARTIAL: &str = ".partial";

/// Version of `evidence.json` and `traces.jsonl`.
pub const SCHEMA: u32 = 1;

/// Whether that is the name of a file or folder of ours: no path, nothing hidden, plain characters.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=120).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}
