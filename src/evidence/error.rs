//! Why evidence was not written, or cannot be read.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

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
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
