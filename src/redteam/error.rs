//! What can go wrong while an attack is made.

use crate::recorded;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Recorded(#[from] recorded::Error),
    #[error(
        "the recording ends before {wanted:.2} s; choose an earlier start, onset or still, or a longer recording"
    )]
    TooShort { wanted: f64 },
    #[error("`{name}` is {value}; give {allowed}")]
    Parameter { name: &'static str, value: f64, allowed: &'static str },
    #[error(
        "{attack} needs a moving recording, but the source has one picture; use `photo` on a still image"
    )]
    StillSource { attack: &'static str },
    #[error(
        "a loop of {wanted:.1} s of this recording would hold more than {limit_mib} MiB; choose a shorter one"
    )]
    TooMuchMemory { wanted: f64, limit_mib: usize },
    #[error("the output {0} is the input itself; choose another name")]
    OverInput(PathBuf),
    #[error("cannot read or write {path}: {source}; check the folder and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot write the condition as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the faces cannot be found: {0}")]
    Faces(String),
    #[error(
        "there is no face in the recording that could be used; give one that shows a face from the front"
    )]
    NoFace,
    #[error("{attack} needs {what}; give more than one source, or a longer recording")]
    Missing { attack: &'static str, what: &'static str },
    #[error("there is no recording and no picture; name files, or a folder that holds some")]
    NoSource,
    #[error("the generator: {0}")]
    Generator(String),
    #[error("the injection: {0}")]
    Injection(&'static str),
    #[error("the encoder: {0}; `make setup` installs what it needs")]
    Encoder(String),
    #[error("cancelled by the caller")]
    Cancelled,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Refuses a parameter outside `low..=high`, NaN included.
pub(crate) fn within(
    name: &'static str,
    value: f64,
    low: f64,
    high: f64,
    allowed: &'static str,
) -> Result<()> {
    if value >= low && value <= high { Ok(()) } else { Err(Error::Parameter { name, value, allowed }) }
}
