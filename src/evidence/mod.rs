//! Evidence bundles: what an alert was raised on, written so that somebody else can check it and judge it again.
//!
//! A bundle is a folder: [`account`] makes its `evidence.json` and `traces.jsonl`, `plot` its picture. `log` appends a line
//! for each alert to `alerts.jsonl`, whose form and arithmetic are in [`chain`]; [`bundle`] leads the writing and [`verify`]
//! is what `deepfake evidence` does. No GStreamer in here. `docs/evidence.md` describes the files.

pub mod account;
pub mod bundle;
pub mod chain;
mod log;
#[cfg(test)]
pub(crate) mod made;
mod plot;
pub mod verify;

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Names of the files in a bundle.
pub const EVIDENCE: &str = "evidence.json";
pub const TRACES: &str = "traces.jsonl";
pub const PLOT: &str = "traces.png";
pub const POLICY: &str = "policy.toml";
/// The log's name in the evidence directory.
pub const LOG: &str = "alerts.jsonl";
/// What a bundle's folder ends with until it is whole.
pub const PARTIAL: &str = ".partial";

/// Why evidence was not written, or cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {what} `{path}`: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "`{path}` is locked by another program for {seconds} s already; end it, or use another directory"
    )]
    Locked { path: PathBuf, seconds: u64 },
    #[error("the evidence has no form as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the plot cannot be drawn: {0}")]
    Plot(String),
    #[error("`{path}`: {what}")]
    Unreadable { path: PathBuf, what: String },
}

impl Error {
    fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

/// Whether that is the name of a file or folder of ours: no path, nothing hidden, plain characters.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=120).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}
