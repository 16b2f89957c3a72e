//! Why a demonstration could not be run to its end.

use crate::{recorded, redteam};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("there are no recordings in {0}; run `make clips`, or name a folder with .mp4 files")]
    NoClips(PathBuf),
    #[error("cannot read or write {path}: {source}; check the folder and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("results must not go where the recordings are ({0}); choose another folder for --out")]
    OverClips(PathBuf),
    #[error("no clip is named `{name}`; there are: {known}")]
    UnknownClip { name: String, known: String },
    #[error(transparent)]
    Recorded(#[from] recorded::Error),
    #[error(transparent)]
    Render(#[from] redteam::Error),
    #[error("the pipeline cannot be built: {0}; `make setup` installs the GStreamer plugins that it needs")]
    Build(String),
    #[error("{clip}: {message}")]
    Failed { clip: String, message: String },
    #[error("{clip}: nothing was heard of the pipeline for {seconds} s; the recording may be damaged")]
    Stalled { clip: String, seconds: u64 },
    #[error("a message of the element cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("interrupted")]
    Interrupted,
}
