//! Tests that need a process of their own: this program again, with one of the ignored `child_...` tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use gstdeepfake::analysis::face::models::{FaceModels as _, MeshKind, MeshOutput};
use gstdeepfake::inference::{Config, Digest, ErrorKind, FaceModelSet, library, runtime_info};
use ndarray::Array4;

use super::{LIBRARY_VAR, expect, face_config, real_library, root};

fn in_child(test: &str, vars: &[(&str, &Path)]) {
    let Some(library) = real_library() else { return };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", &format!("libraries::{test}"), "--nocapture"])
        .env_remove(library::ENV_VAR);
    command.env(LIBRARY_VAR, library).envs(vars.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{test}:\n{text}");
}

/// The real library, in a child process only: `--include-ignored` must not run these tests in the parent.
fn childs_library() -> Option<PathBuf> {
    std::env::var_os(LIBRARY_VAR).map(PathBuf::from)
}

/// A shared library made of C source; `None` where there is no C compiler.
fn compile(dir: &Path, name: &str, source: &str) -> Option<PathBuf> {
    let (c, so) = (dir.join(format!("{name}.c")), dir.join(format!("lib{name}.so")));
    std::fs::write(&c, source).unwrap();
    let done = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&so).arg(&c).status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED in part: no C compiler");
        return None;
    }
    Some(so)
}

fn stub(version: &str, base: &str) -> String {
    format!(
        "static const void *api(unsigned v) {{ (void)v; return 0; }}
         static const char *version(void) {{ return \"{version}\"; }}
         static struct {{ const void *(*api)(unsigned); const char *(*version)(void); }} base = {{ api, version }};
         void *OrtGetApiBase(void) {{ return {base}; }}"
    )
}

#[test]
fn libraries_that_fail_leave_the_process_usable() {
    in_child("child_failures_then_success", &[]);
}

#[test]
#[ignore = "run in a child process"]
fn child_failures_then_success() {
    let Some(good) = childs_library() else { return };
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = std::fs::read(&good).unwrap();
    let mut cases = vec![
        (dir.path().join("none.so"), ErrorKind::LibraryMissing, "none.so"),
        (dir.path().into(), ErrorKind::LibraryCorrupt, "not a regular file"),
        (put("empty.so", b""), ErrorKind::LibraryCorrupt, "is empty"),
        (put("text.so", &[b'x'; 4096]), ErrorKind::LibraryCorrupt, "no shared library"),
        (put("half.so", &bytes[..bytes.len() / 2]), ErrorKind::LibraryCorrupt, "truncated"),
        (put("head.so", &bytes[..100]), ErrorKind::LibraryCorrupt, "truncated"),
    ];
    let made = [
        ("other", "int nothing;".to_owned(), ErrorKind::LibraryCorrupt, "is not ONNX Runtime"),
        (
            "needs",
            "extern int gone(void); int f(void) { return gone(); }".to_owned(),
            ErrorKind::LibraryCorrupt,
            "needs",
        ),
        ("old", stub("1.10.0", "&base"), ErrorKind::LibraryTooOld, "1.10.0"),
        ("null", stub("1.31.1", "0"), ErrorKind::LibraryCorrupt, "interface"),
    ];
    for (name, source, kind, contains) in made {
        cases.extend(compile(dir.path(), name, &source).map(|path| (path, kind, contains)));
    }
    for _ in 0..2 {
        for (path, kind, contains) in &cases {
            let start = Instant::now();
            let config = face_config(path.clone());
            expect(FaceModelSet::load(&config), *kind, contains);
            assert!(start.elapsed() < Duration::from_secs(1), "{path:?}: {:?}", start.elapsed());
            assert_eq!(runtime_info(), None);
        }
    }
    assert!(FaceModelSet::load(&face_config(good.clone())).is_ok());
    assert_eq!(runtime_info().unwrap().path, good.canonicalize().unwrap());

    // The same file by another name is the same; another file is a conflict; no wish is no conflict.
    let link = dir.path().join("link.so");
    std::os::unix::fs::symlink(&good, &link).unwrap();
    assert!(FaceModelSet::load(&face_config(link)).is_ok());
    let copy = put("libonnxruntime.so.1.31.1", &bytes);
    expect(FaceModelSet::load(&face_config(copy)), ErrorKind::LibraryConflict, "in use by this process");
    assert!(FaceModelSet::load(&Config { library: None, ..face_config(good) }).is_ok());
}

#[test]
fn a_library_that_lies_about_its_version() {
    in_child("child_lying_library", &[]);
}

#[test]
#[ignore = "run in a child process"]
fn child_lying_library() {
    let Some(good) = childs_library() else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(liar) = compile(dir.path(), "liar", &stub("1.31.1", "&base")) else { return };
    let refused = |path: &Path| FaceModelSet::load(&face_config(path.into()));
    expect(refused(&liar), ErrorKind::LibraryCorrupt, "does not have the interface");
    expect(refused(&liar), ErrorKind::LibraryCorrupt, "does not have the interface");
    expect(refused(&good), ErrorKind::LibraryConflict, "did not work");
}

#[test]
fn the_environment_variable_names_the_library() {
    in_child("child_environment_variable", &[(library::ENV_VAR, Path::new("/no/such/library.so"))]);
}

#[test]
#[ignore = "run in a child process"]
fn child_environment_variable() {
    let Some(good) = childs_library() else { return };
    let config = Config { library: None, ..face_config(good.clone()) };
    expect(FaceModelSet::load(&config), ErrorKind::LibraryMissing, "ORT_DYLIB_PATH");
    assert!(FaceModelSet::load(&face_config(good)).is_ok(), "a setting goes before the variable");
}

#[test]
fn the_manifests_library_is_verified_and_used() {
    in_child("child_manifests_library", &[]);
}

#[test]
#[ignore = "run in a child process"]
fn child_manifests_library() {
    let Some(good) = childs_library() else { return };
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("tests/fixtures/face")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let bytes = std::fs::read(&good).unwrap();
    let manifest = dir.path().join("manifest.toml");
    let table = format!(
        "\n[[library]]\nname = \"onnxruntime\"\nversion = \"1.0.0\"\narch = \"{}\"\nfile = \"lib.so.1\"\n\
         sha256 = \"{}\"\nsize = {}\n",
        std::env::consts::ARCH,
        Digest::of(&bytes),
        bytes.len()
    );
    std::fs::write(&manifest, std::fs::read_to_string(&manifest).unwrap() + &table).unwrap();
    let config = Config { model_dir: Some(dir.path().into()), library: None, ..face_config(good) };
    let path = dir.path().join("lib.so.1");
    let mut spoilt = bytes.clone();
    spoilt[bytes.len() / 2] ^= 0xff;
    std::fs::write(&path, &spoilt).unwrap();
    expect(FaceModelSet::load(&config), ErrorKind::LibraryCorrupt, "digest");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    assert!(FaceModelSet::load(&config).is_ok());
    assert_eq!(runtime_info().unwrap().path, path.canonicalize().unwrap());
}

#[test]
fn eight_elements_may_start_at_once() {
    in_child("child_first_loads_at_once", &[]);
}

#[test]
#[ignore = "run in a child process"]
fn child_first_loads_at_once() {
    let Some(good) = childs_library() else { return };
    let (config, barrier) = (face_config(good), Barrier::new(8));
    let load = || {
        barrier.wait();
        FaceModelSet::load(&config).unwrap()
    };
    let sets: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for set in &sets {
        assert!(set.models().zip(sets[0].models()).all(|(a, b)| Arc::ptr_eq(a, b)));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn idle_networks_cost_nothing() {
    in_child("child_idle", &[]);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run in a child process"]
fn child_idle() {
    let Some(good) = childs_library() else { return };
    // User and system time of this process, in ticks of 10 ms.
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
    };
    let mut set = FaceModelSet::load(&Config { threads: 2, ..face_config(good) }).unwrap();
    let input = Array4::from_elem((1, 256, 256, 3), 0.5);
    set.mesh(MeshKind::V2, input.view(), &mut MeshOutput::default()).unwrap();
    let before = ticks();
    std::thread::sleep(Duration::from_millis(500));
    assert!(ticks() - before <= 2, "{} ticks in an idle half second", ticks() - before);
}
