//! Tests that need a process of their own: this program again with one ignored test, or GStreamer's tools with the
//! plugin's file.

use super::{face_models, onnxruntime};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Set in child processes, so that `--include-ignored` does not run their tests in the parent.
pub const MARK: &str = "DEEPFAKE_TEST_CHILD";

pub fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the ignored test `name` (its full path) in a process of its own; it must pass and end with 0.
pub fn in_child(name: &str) {
    if onnxruntime().is_none() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", name, "--nocapture"])
        .env(MARK, "1")
        .env("G_DEBUG", "fatal_warnings");
    let (ok, text) = run(command, Duration::from_secs(240));
    assert!(ok && text.contains("1 passed"), "{name}:\n{text}");
    if text.contains("SKIPPED") {
        eprintln!("{text}");
    }
}

/// Runs a program to its end; whether it succeeded, and all that it wrote. Ends it at the limit.
pub fn run(mut command: Command, limit: Duration) -> (bool, String) {
    let out = tempfile::NamedTempFile::new().unwrap();
    // Both write to one file; appending keeps them from overwriting each other.
    let append = || std::fs::OpenOptions::new().append(true).open(out.path()).unwrap();
    command.stdin(Stdio::null()).stdout(append()).stderr(append());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        // The standard library can wait for a child for ever or not at all.
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let text = std::fs::read_to_string(out.path()).unwrap_or_default();
    match status {
        Some(status) => (status.success(), format!("{text}\n{status}")),
        None => (false, format!("{text}\nended after {limit:?}")),
    }
}

/// Threads of this process with that name.
fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|t| std::fs::read_to_string(t.unwrap().path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

/// Waits until so many threads of this process have that name: a thread takes its name after it has begun, and its
/// entry goes a moment after it was joined.
pub fn wait_for_threads(name: &str, count: usize) {
    let start = Instant::now();
    while threads_named(name) != count {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} threads `{name}`, not {count}",
            threads_named(name)
        );
        std::thread::yield_now();
    }
}

struct Home {
    dir: tempfile::TempDir,
    plugins: PathBuf,
}

/// A folder with the plugin's file and a registry, shared by all tests of this program.
static HOME: LazyLock<Option<Home>> = LazyLock::new(|| {
    // Built beside the crate that this program is linked with.
    let here = std::env::current_exe().unwrap().canonicalize().unwrap();
    let plugin = here.parent()?.join("libgstdeepfake.so");
    if !plugin.is_file() || Command::new("gst-inspect-1.0").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no GStreamer tools or no plugin file");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::os::unix::fs::symlink(&plugin, plugins.join("libgstdeepfake.so")).unwrap();
    Some(Home { dir, plugins })
});

/// One of GStreamer's tools, seeing this build of the plugin; `None` after saying that the test is skipped.
pub fn tool(name: &str) -> Option<Command> {
    let home = HOME.as_ref()?;
    let mut command = Command::new(name);
    command
        .env("GST_PLUGIN_PATH", &home.plugins)
        .env("GST_REGISTRY", home.dir.path().join("registry.bin"))
        .env("GST_INSPECT_NO_COLORS", "1")
        .env("LC_ALL", "C")
        .env("G_DEBUG", "fatal_warnings");
    Some(command)
}

/// The element with the small networks, for a launch line.
pub fn launch_element(library: &Path) -> String {
    format!("deepfakedetect model-dir={} onnxruntime-library={}", face_models().display(), library.display())
}
