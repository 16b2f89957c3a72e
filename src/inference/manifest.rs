//! `manifest.toml`: which files belong to a model directory, and what goes in and comes out of each network.
//!
//! The file is outside input: all that is used later (paths, sizes, shapes) is checked here, once.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::digest::Digest;
use super::error::{Error, ErrorKind};
use super::face_signal;
use super::model_entry::digest;
use super::unknown_keys;

pub use super::model_entry::{ModelEntry, Opposite};
pub use super::role::Role;
pub use super::tensors::{DType, Preprocessing, TensorSpec};

/// File name of the manifest in a model directory.
pub const FILE_NAME: &str = "manifest.toml";
/// The one schema this version reads.
pub const SCHEMA: i64 = 1;

const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const MAX_MODEL_BYTES: u64 = 512 << 20;
const MAX_LIBRARY_BYTES: u64 = 4 << 30;
const MAX_RANK: usize = 8;
const MAX_ELEMENTS: i64 = 1 << 28;

/// One shared library that `make models` fetches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LibraryEntry {
    /// `onnxruntime`.
    pub name: String,
    /// Version of the library.
    pub version: String,
    /// Machine, as in `std::env::consts::ARCH`.
    pub arch: String,
    /// Path, relative to the model directory.
    pub file: PathBuf,
    /// Digest of the file.
    #[serde(deserialize_with = "digest")]
    pub sha256: Digest,
    /// Size of the file, bytes.
    pub size: u64,
}

#[derive(Deserialize)]
struct Raw {
    schema: i64,
    #[serde(default)]
    model: Vec<ModelEntry>,
    #[serde(default)]
    library: Vec<LibraryEntry>,
}

/// A checked manifest and the directory it speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    file: PathBuf,
    dir: PathBuf,
    models: Vec<ModelEntry>,
    libraries: Vec<LibraryEntry>,
}

impl Manifest {
    /// Reads and checks `dir/manifest.toml`.
    ///
    /// # Errors
    /// `ManifestMissing` if there is no such file, `ManifestInvalid` (naming the line or the field) otherwise.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        Self::read(dir, &dir.join(FILE_NAME))
    }

    /// Reads and checks a manifest of any name; of a directory, its `manifest.toml`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::load(path);
        }
        Self::read(path.parent().unwrap_or(Path::new("")), path)
    }

    fn read(dir: &Path, path: &Path) -> Result<Self, Error> {
        let unreadable = |e: std::io::Error| {
            let kind = match e.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    ErrorKind::ManifestMissing
                }
                _ => ErrorKind::ManifestInvalid,
            };
            Error::new(kind, format!("cannot read `{}`: {e}", path.display())).caused_by(e)
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MAX_MANIFEST_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(invalid(path, format!("is larger than {MAX_MANIFEST_BYTES} bytes")));
        }
        Self::parse_as(dir, path, &text)
    }

    /// As [`load`](Self::load), from text; `dir` is what the paths are relative to.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, Error> {
        Self::parse_as(dir, &dir.join(FILE_NAME), text)
    }

    fn parse_as(dir: &Path, path: &Path, text: &str) -> Result<Self, Error> {
        // The schema comes first: of a later one, only its number may be understood.
        #[derive(Deserialize)]
        struct Schema {
            schema: i64,
        }
        let schema: Schema = toml::from_str(text).map_err(|e| unparsable(path, text, &e))?;
        if schema.schema != SCHEMA {
            return Err(invalid(
                path,
                format!("has `schema` {}, this version reads {SCHEMA}", schema.schema),
            ));
        }
        let raw: Raw = toml::from_str(text).map_err(|e| unparsable(path, text, &e))?;
        debug_assert_eq!(raw.schema, SCHEMA);
        check(&raw).map_err(|what| invalid(path, what))?;
        check_keys(&raw, text).map_err(|what| invalid(path, what))?;
        Ok(Self {
            file: path.to_path_buf(),
            dir: dir.to_path_buf(),
            models: raw.model,
            libraries: raw.library,
        })
    }

    /// The directory that the paths are relative to.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All networks, in the order of the file.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The network with this name.
    pub fn model(&self, name: &str) -> Result<&ModelEntry, Error> {
        self.models.iter().find(|m| m.name == name).ok_or_else(|| self.missing(&format!("model `{name}`")))
    }

    /// The network with this role (the first one, for [`Role::Test`]).
    ///
    /// # Errors
    /// `ModelMissing` if the manifest has none.
    pub fn model_by_role(&self, role: &Role) -> Result<&ModelEntry, Error> {
        let found = self.models.iter().find(|m| m.role == *role);
        found.ok_or_else(|| self.missing(&format!("model with the role `{role}`")))
    }

    /// The library of this name for the machine this code runs on.
    pub fn library(&self, name: &str) -> Option<&LibraryEntry> {
        self.libraries.iter().find(|l| l.name == name && l.arch == std::env::consts::ARCH)
    }

    /// All networks that watch a face.
    pub fn face_signals(&self) -> impl Iterator<Item = &ModelEntry> {
        self.models.iter().filter(|m| m.role == Role::FaceSignal)
    }

    pub(super) fn missing(&self, what: &str) -> Error {
        Error::new(ErrorKind::ModelMissing, format!("`{}` has no {what}", self.file.display()))
    }
}

fn check(raw: &Raw) -> Result<(), String> {
    let mut names = HashSet::new();
    let mut roles = HashSet::new();
    for (index, model) in raw.model.iter().enumerate() {
        let at = format!("model {} (`{}`)", index + 1, model.name);
        if model.name.trim().is_empty() {
            return Err(format!("{at}: `name` is empty"));
        }
        if !names.insert(&model.name) {
            return Err(format!("{at}: `name` is used twice"));
        }
        if !model.role.may_repeat() && !roles.insert(&model.role) {
            return Err(format!("{at}: `role` {} is used twice", model.role));
        }
        check_file(&at, &model.file, model.size, MAX_MODEL_BYTES)?;
        for (what, tensors) in [("input", &model.inputs), ("output", &model.outputs)] {
            check_tensors(&format!("{at}, {what}"), tensors)?;
        }
        if let Some(what) = model.preprocessing.as_ref().and_then(Preprocessing::fault) {
            return Err(format!("{at}: {what}"));
        }
        if model.role == Role::FaceSignal {
            let checked =
                face_signal::describe(model).and_then(|spec| face_signal::opposite(model, &spec, 0));
            checked.map_err(|what| format!("{at}: {what}"))?;
        }
    }
    for (index, library) in raw.library.iter().enumerate() {
        let at = format!("library {} (`{}`)", index + 1, library.name);
        check_file(&at, &library.file, library.size, MAX_LIBRARY_BYTES)?;
    }
    Ok(())
}

/// The typed reading leaves out what it does not know, so the text is read once more.
fn check_keys(raw: &Raw, text: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Tables {
        #[serde(default)]
        model: Vec<toml::Table>,
    }
    let tables: Tables = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    for (index, (model, table)) in raw.model.iter().zip(&tables.model).enumerate() {
        if let Some(what) = unknown_keys::find(model, table) {
            return Err(format!("model {} (`{}`): {what}", index + 1, model.name));
        }
    }
    Ok(())
}

fn check_file(at: &str, file: &Path, size: u64, max: u64) -> Result<(), String> {
    // A manifest may come with a foreign model directory: it must not reach out of it.
    if file.as_os_str().is_empty() || !file.components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(format!("{at}: `file` must be a path inside the model directory"));
    }
    if size == 0 || size > max {
        return Err(format!("{at}: `size` {size} is not in 1..={max}"));
    }
    Ok(())
}

fn check_tensors(at: &str, tensors: &[TensorSpec]) -> Result<(), String> {
    if tensors.is_empty() {
        return Err(format!("{at}: there is none"));
    }
    let mut names = HashSet::new();
    for tensor in tensors {
        if !names.insert(&tensor.name) {
            return Err(format!("{at} `{}`: `name` is used twice", tensor.name));
        }
        let elements = tensor.shape.iter().try_fold(1_i64, |product, &d| match d {
            -1 => Some(product),
            1.. => product.checked_mul(d).filter(|&p| p <= MAX_ELEMENTS),
            _ => None,
        });
        if tensor.shape.len() > MAX_RANK || elements.is_none() {
            return Err(format!("{at} `{}`: `shape` {:?} makes no sense", tensor.name, tensor.shape));
        }
    }
    Ok(())
}

fn invalid(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ManifestInvalid, format!("`{}` {what}", path.display()))
}

fn unparsable(path: &Path, text: &str, e: &toml::de::Error) -> Error {
    let line =
        e.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let at = line.map_or_else(String::new, |line| format!("line {line}: "));
    invalid(path, format!("cannot be parsed: {at}{}", e.message())).caused_by(e.clone())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
