//! Why a scan could not be begun or go on. What is wrong with one recording is in its record instead.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("there are no video files in {0}; name a folder, files, a manifest (.csv) or URIs")]
    NoVideo(PathBuf),
    #[error("cannot read or write {path}: {source}; check the place and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}, line {line}: {message}")]
    Manifest { path: PathBuf, line: u64, message: String },
    #[error(transparent)]
    Results(#[from] super::json_lines::LinesError),
    #[error("{0} has results already; go on with --resume, or name another file")]
    Exists(PathBuf),
    #[error("the analysis does not start: {0}")]
    Analysis(String),
    #[error("the report cannot be made: {0}")]
    Report(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("results cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err` on something that was done with the file at `path`.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}
