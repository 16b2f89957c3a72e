//! The one ONNX Runtime environment of the process.
//!
//! ort keeps the library and the environment in process-wide statics that can be set once. This module keeps the
//! same book, so that a second, different wish is an error and not a silent surprise, and so that a failed
//! attempt leaves the process as it was.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::error::{Error, ErrorKind};
use super::library::{self, Library};
use super::manifest::Manifest;

/// A loaded ONNX Runtime.
#[derive(Debug)]
pub struct Runtime {
    environment: Environment,
    info: RuntimeInfo,
}

/// Which ONNX Runtime this process uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// `1.31.1`; only `1.31` where the file name has no patch level.
    pub version: String,
    /// The library's file, without symbolic links.
    pub path: PathBuf,
}

/// Takes what ONNX Runtime logs (warnings and worse): level and text. May be called from any thread.
pub type LogSink = dyn Fn(LogLevel, &str) + Send + Sync;

static RUNTIME: OnceCell<Runtime> = OnceCell::new();
static LOG_SINK: OnceCell<Box<LogSink>> = OnceCell::new();
/// Held while a library is being loaded. The path is that of the library which `ort` holds for good.
static LOADED: Mutex<Option<PathBuf>> = Mutex::new(None);

impl Runtime {
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Version and path.
    pub fn info(&self) -> &RuntimeInfo {
        &self.info
    }
}

/// Which ONNX Runtime this process uses; `None` before the first successful [`init`].
pub fn runtime_info() -> Option<RuntimeInfo> {
    RUNTIME.get().map(|runtime| runtime.info.clone())
}

/// Sends ONNX Runtime's log to `sink` from now on. Without this call nothing is printed.
///
/// Returns `false` if there is a sink already; the first one stays.
pub fn set_log_sink(sink: Box<LogSink>) -> bool {
    LOG_SINK.set(sink).is_ok()
}

/// Loads ONNX Runtime, or gives the one that is loaded.
///
/// Once a library is loaded, it serves everyone who did not ask for another one by name (with `explicit` or the
/// environment variable): what the manifest or the system offers is then not looked at.
///
/// # Errors
/// All the `Library...` kinds. After a failure a later attempt, with a mended or another file, can succeed; only
/// a library that loads and then does not work binds the process to it (`LibraryConflict` from then on).
pub fn init(explicit: Option<&Path>, manifest: Option<&Manifest>) -> Result<&'static Runtime, Error> {
    let demanded = explicit.is_some() || std::env::var_os(library::ENV_VAR).is_some_and(|v| !v.is_empty());
    if let Some(runtime) = RUNTIME.get()
        && !demanded
    {
        return Ok(runtime);
    }
    let library = library::find(explicit, manifest)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        if runtime.info.path == library.path || !library.origin.is_demand() {
            return Ok(runtime);
        }
        return Err(conflict(&library.path, &runtime.info.path, "is in use by this process"));
    }
    if let Some(bad) = loaded.as_ref().filter(|bad| **bad != library.path) {
        return Err(conflict(&library.path, bad, "was loaded by this process and did not work"));
    }
    let runtime = load(&library, &mut loaded)?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

fn conflict(wanted: &Path, other: &Path, why: &str) -> Error {
    let what = format!("cannot use the library `{}`: `{}` {why}", wanted.display(), other.display());
    Error::new(ErrorKind::LibraryConflict, what)
}

fn load(library: &Library, loaded: &mut Option<PathBuf>) -> Result<Runtime, Error> {
    let path = library.path.as_path();
    let corrupt =
        |why: &str| Error::new(ErrorKind::LibraryCorrupt, format!("the library `{}` {why}", path.display()));
    // ort asserts what a sane library gives; a broken one must not take the process down.
    let opened = catch_unwind(|| ort::init_from(path))
        .map_err(|_| corrupt("exports an ONNX Runtime interface that does not work"))?;
    let builder = opened.map_err(|e| match &e {
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            let what = format!(
                "the library `{}` is ONNX Runtime {version_str}, at least 1.{} is needed",
                path.display(),
                ort::MINOR_VERSION
            );
            Error::new(ErrorKind::LibraryTooOld, what).caused_by(e)
        }
        ort::LoadDynamicError::Dlopen { error, .. } => {
            let why = std::error::Error::source(error).map_or_else(|| error.to_string(), |e| e.to_string());
            corrupt(&format!("cannot be loaded: {why}")).caused_by(e)
        }
        _ => corrupt("is not ONNX Runtime").caused_by(e),
    })?;
    *loaded = Some(path.to_path_buf());

    let logger = Arc::new(|level: LogLevel, _: &str, _: &str, location: &str, message: &str| {
        if level >= LogLevel::Warning
            && let Some(sink) = LOG_SINK.get()
        {
            // The caller is C++: a panic of the sink must end here.
            let _ = catch_unwind(AssertUnwindSafe(|| sink(level, &format!("{location}: {message}"))));
        }
    });
    let build = || {
        let environment =
            builder.with_name("gst-plugin-deepfake").with_telemetry(false).with_logger(logger).build()?;
        environment.set_log_level(LogLevel::Warning);
        Ok::<_, ort::Error>(environment)
    };
    let environment = catch_unwind(AssertUnwindSafe(build))
        .map_err(|_| corrupt("does not have the interface its version promises"))?
        .map_err(|e| corrupt("could not be started").caused_by(e))?;
    let info = RuntimeInfo { version: version(path), path: path.to_path_buf() };
    Ok(Runtime { environment, info })
}

/// The library gives its minor version through ort; the patch level is only in the file's name.
fn version(path: &Path) -> String {
    let minor = ort::util::probe(path).map(|minor| format!("1.{minor}"));
    let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once(".so.")).map(|(_, v)| v);
    match (minor, name) {
        (Some(minor), Some(name)) if name.strip_prefix(&minor).is_some_and(|rest| rest.starts_with('.')) => {
            name.to_owned()
        }
        (Some(minor), _) => minor,
        (None, _) => "unknown".to_owned(),
    }
}
