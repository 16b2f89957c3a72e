//! A recording to scan, and where it is.

use super::display_names::is_uri;
use super::record::Label;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where a recording is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    // A path may be any bytes, JSON's texts may not.
    #[serde(with = "bytes")]
    File(PathBuf),
    Uri(String),
}

impl Source {
    /// A URI, or a path relative to `folder`.
    pub fn named(name: &OsStr, folder: &Path) -> Self {
        match name.to_str().filter(|n| is_uri(n)) {
            Some(uri) => Self::Uri(uri.into()),
            None => Self::File(folder.join(name)),
        }
    }

    /// Length of the file, if it is one.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
            Self::Uri(_) => None,
        }
    }
}

mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(to)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(OsString::from_vec(Vec::deserialize(from)?).into())
    }
}

/// A recording to scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// For people and for the results.
    pub name: String,
    pub source: Source,
    pub label: Option<Label>,
}
