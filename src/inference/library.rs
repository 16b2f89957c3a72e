//! Finding the file of ONNX Runtime, and checking it before it is loaded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::digest::Digest;
use super::elf;
use super::error::{Error, ErrorKind};
use super::manifest::{LibraryEntry, Manifest};

/// Environment variable that names the library (the one that `ort` reads, too).
pub const ENV_VAR: &str = "ORT_DYLIB_PATH";
/// Name of the library in the manifest.
pub const NAME: &str = "onnxruntime";

const FILE_STEM: &str = "libonnxruntime.so";

/// Who named the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A setting of the element or program.
    Explicit,
    /// [`ENV_VAR`].
    Environment,
    /// The manifest of the model directory.
    Manifest,
    /// A system directory.
    System,
}

impl Origin {
    /// Whether the user asked for this very file, as opposed to finding it where it usually is.
    pub fn is_demand(self) -> bool {
        matches!(self, Self::Explicit | Self::Environment)
    }
}

/// A library that exists and looks like one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Library {
    /// Absolute path without symbolic links.
    pub path: PathBuf,
    /// Who named it.
    pub origin: Origin,
}

/// Finds ONNX Runtime.
///
/// The first of these that applies: `explicit`; the environment variable [`ENV_VAR`]; the manifest's library for
/// this machine, if it has been fetched; the newest `libonnxruntime.so*` of the system's library directories.
/// A file that was named is the only one tried; one from the manifest must have the manifest's digest.
///
/// # Errors
/// `LibraryMissing` (listing what was tried) or `LibraryCorrupt`.
pub fn find(explicit: Option<&Path>, manifest: Option<&Manifest>) -> Result<Library, Error> {
    let env = std::env::var_os(ENV_VAR).filter(|v| !v.is_empty()).map(PathBuf::from);
    find_among(explicit, env.as_deref(), manifest, &system_dirs())
}

fn find_among(
    explicit: Option<&Path>,
    env: Option<&Path>,
    manifest: Option<&Manifest>,
    dirs: &[PathBuf],
) -> Result<Library, Error> {
    if let Some(path) = explicit {
        return examine(path, Origin::Explicit);
    }
    if let Some(path) = env {
        return examine(path, Origin::Environment);
    }
    let mut tried = Vec::new();
    if let Some((manifest, entry)) = manifest.and_then(|m| m.library(NAME).map(|l| (m, l))) {
        let path = manifest.dir().join(&entry.file);
        if path.exists() {
            let library = examine(&path, Origin::Manifest)?;
            verify(&library.path, entry)?;
            return Ok(library);
        }
        tried.push(format!("`{}`", path.display()));
    }
    for dir in dirs {
        if let Some(path) = newest_in(dir) {
            return examine(&path, Origin::System);
        }
        tried.push(format!("`{}/{FILE_STEM}*`", dir.display()));
    }
    let what = format!("no ONNX Runtime library; tried {}", tried.join(", "));
    Err(Error::new(ErrorKind::LibraryMissing, what))
}

fn examine(path: &Path, origin: Origin) -> Result<Library, Error> {
    let named = match origin {
        Origin::Environment => format!("the library `{}` (from {ENV_VAR})", path.display()),
        _ => format!("the library `{}`", path.display()),
    };
    let path = path.canonicalize().map_err(|e| {
        Error::new(ErrorKind::LibraryMissing, format!("{named} cannot be opened: {e}")).caused_by(e)
    })?;
    if !path.is_file() {
        return Err(Error::new(ErrorKind::LibraryCorrupt, format!("{named} is not a regular file")));
    }
    elf::check_shared_library(&path)
        .map_err(|why| Error::new(ErrorKind::LibraryCorrupt, format!("{named} {why}")))?;
    Ok(Library { path, origin })
}

/// A file as it was when its digest was taken: path, time of the last change, length.
type Seen = (PathBuf, SystemTime, u64);

/// The digests already taken: a library has tens of megabytes, which need be read only once.
static VERIFIED: Mutex<Option<HashMap<Seen, Digest>>> = Mutex::new(None);

fn verify(path: &Path, entry: &LibraryEntry) -> Result<(), Error> {
    let corrupt = |what: String| {
        Error::new(ErrorKind::LibraryCorrupt, format!("the library `{}` {what}", path.display()))
    };
    let unreadable = |e: std::io::Error| corrupt(format!("cannot be read: {e}")).caused_by(e);
    let metadata = path.metadata().map_err(unreadable)?;
    if metadata.len() != entry.size {
        return Err(corrupt(format!(
            "has {} bytes, its manifest says {}: the download was cut short or it is another version",
            metadata.len(),
            entry.size
        )));
    }
    let key = (path.to_path_buf(), metadata.modified().map_err(unreadable)?, metadata.len());
    let known =
        VERIFIED.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|v| v.get(&key).copied());
    let digest = match known {
        Some(digest) => digest,
        None => {
            let mut file = std::fs::File::open(path).map_err(unreadable)?;
            let digest = Digest::of_reader(&mut file).map_err(unreadable)?;
            let mut verified = VERIFIED.lock().unwrap_or_else(PoisonError::into_inner);
            verified.get_or_insert_default().insert(key, digest);
            digest
        }
    };
    if digest != entry.sha256 {
        return Err(corrupt(format!("has the digest {digest}, its manifest says {}", entry.sha256)));
    }
    Ok(())
}

fn system_dirs() -> Vec<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/local/lib", &multiarch, "/usr/lib64", "/usr/lib"].map(PathBuf::from).into()
}

/// The file with the highest version number in its name; plain `libonnxruntime.so` if there is no other.
fn newest_in(dir: &Path) -> Option<PathBuf> {
    let version = |path: &Path| -> Option<Vec<u32>> {
        let rest = path.file_name()?.to_str()?.strip_prefix(FILE_STEM)?;
        if rest.is_empty() {
            return Some(Vec::new());
        }
        rest.strip_prefix('.')?.split('.').map(|n| n.parse().ok()).collect()
    };
    let files = std::fs::read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter_map(|path| Some((version(&path)?, path))).max().map(|(_, path)| path)
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
