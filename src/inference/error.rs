//! The one error type of this module: what is wrong, of which kind, and which command repairs it.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, coarse enough to act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No ONNX Runtime library where it should be.
    LibraryMissing,
    /// The file is there but is no usable ONNX Runtime (empty, truncated, another library, wrong digest).
    LibraryCorrupt,
    /// ONNX Runtime is older than the API this plugin was built for.
    LibraryTooOld,
    /// This process has already loaded another ONNX Runtime; only one can be used until it ends.
    LibraryConflict,
    /// No directory with a `manifest.toml` was found.
    ManifestMissing,
    /// `manifest.toml` cannot be parsed or says something impossible.
    ManifestInvalid,
    /// The manifest names no such model, or its file is not there.
    ModelMissing,
    /// The file is not the one the manifest speaks of, or is no ONNX model.
    ModelCorrupt,
    /// The model is sound but needs what this ONNX Runtime (or this plugin) cannot do.
    ModelUnsupported,
    /// Names, shapes or element types of the inputs and outputs differ from the manifest or from the role.
    ModelShape,
    /// The requested execution provider is not in this ONNX Runtime, or does not start.
    ProviderUnavailable,
    /// A model was asked for something that its owner did not load.
    NotLoaded,
    /// Running a network failed.
    Inference,
    /// A network gave NaN or infinity.
    NonFinite,
}

impl ErrorKind {
    /// What the user can do about it: one sentence, or nothing where no command helps.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::LibraryMissing => {
                "run `make models` to fetch it, or name the file in the library setting or in ORT_DYLIB_PATH"
            }
            Self::LibraryCorrupt => "delete the file and run `make models`, or name another library",
            Self::LibraryTooOld => "run `make models` to fetch a newer ONNX Runtime",
            Self::LibraryConflict => {
                "use one library for the whole process, and restart the process to change it"
            }
            Self::ManifestMissing => "run `make models`, or name the directory in DEEPFAKE_MODEL_DIR",
            Self::ManifestInvalid => "restore the file from the source tree, then run `make models`",
            Self::ModelMissing => "run `make models` to fetch it",
            Self::ModelCorrupt => "delete the file and run `make models`",
            Self::ModelUnsupported => {
                "run `make models` to fetch the models and the ONNX Runtime that fit together"
            }
            Self::ModelShape => "the model and its manifest do not belong together: run `make models`",
            Self::ProviderUnavailable => {
                "choose another provider, allow the fallback to the CPU, or install an ONNX Runtime with this provider"
            }
            Self::NotLoaded => "ask for this model when the set is loaded",
            Self::Inference | Self::NonFinite => "",
        }
    }
}

/// Why the inference could not be set up or run.
///
/// `Display` is one line: what is wrong, then what mends it. The cause, if a library gave one, is in
/// [`source`](StdError::source); [`detail`](Error::detail) joins all of them in one line.
#[derive(Debug, thiserror::Error)]
#[error("{}", Line(what, remedy))]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    what: String,
    remedy: &'static str,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: one_line(&what.into()), remedy: kind.remedy(), source: None }
    }

    /// About a model that the user named: no command of ours mends its files.
    pub(crate) fn of_extra_model(mut self) -> Self {
        use ErrorKind as K;
        self.remedy = match self.kind {
            K::ManifestMissing => "name a manifest, or a directory with a manifest.toml, in extra-models",
            K::ManifestInvalid | K::ModelShape => "correct the manifest; models/README.md explains its keys",
            K::ModelMissing => {
                "put the file where the manifest in extra-models says, or correct the manifest"
            }
            K::ModelCorrupt => "put the right file in its place, or correct digest and size in the manifest",
            K::ModelUnsupported => "export the model anew, or name a newer ONNX Runtime",
            _ => self.remedy,
        };
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind, to act upon.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the remedy.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// `Display` and all causes in one line, for a debug field.
    pub fn detail(&self) -> String {
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(e) = cause {
            text.push_str(": ");
            text.push_str(&one_line(&e.to_string()));
            cause = e.source();
        }
        text
    }
}

struct Line<'a>(&'a str, &'static str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        match self.1 {
            "" => Ok(()),
            remedy => write!(f, "; {remedy}"),
        }
    }
}

/// Messages of foreign code come with line breaks; a bus message or a log line has room for one.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_remedy_and_cause() {
        let cause = std::io::Error::other("disk\non fire");
        let e = Error::new(ErrorKind::ModelMissing, "cannot read\n  `a.onnx`").caused_by(cause);
        assert_eq!(e.to_string(), "cannot read `a.onnx`; run `make models` to fetch it");
        assert_eq!(e.detail(), "cannot read `a.onnx`; run `make models` to fetch it: disk on fire");
        assert_eq!(e.kind(), ErrorKind::ModelMissing);
    }
}
