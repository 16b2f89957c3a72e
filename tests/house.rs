//! The rooms of `src/analysis` depend one way: a room imports only rooms that stand above it in `ROOMS`, no circle of
//! imports within a room is longer than two files, and nothing in it reaches for GStreamer, ONNX Runtime, a clock, a
//! thread or a file. In the other folders of `src`, too, no circle of imports is longer than two files. No source
//! file is longer than 400 lines.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// In the order of dependence; ARCHITECTURE.md says what is in them.
const ROOMS: [&str; 10] = [
    "pixels",
    "face",
    "evidence",
    "networks",
    "signals",
    "source",
    "judgement",
    "challenge",
    "bundle",
    "engine",
];
/// What `analysis` must do without.
const OUTSIDE: [&str; 9] = [
    "gstreamer",
    "glib",
    "ort",
    "std::fs",
    "std::net",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "rand",
];
/// Folders of `src` whose circles of imports are not looked for outside of `src/analysis`, which has its own test.
const UNCHECKED: [&str; 1] = ["analysis"];
const MOST_LINES: usize = 400;

/// A file below a folder (`src/analysis`, or `src`): its path there without `.rs`, such as `face/mesh` or `face/mod`, and
/// its text.
type File = (String, String);
/// Which file imports which others.
type Imports = BTreeMap<String, BTreeSet<String>>;
/// The modules that `src/analysis` and `src` are.
const ANALYSIS: [&str; 2] = ["crate", "analysis"];
const CRATE: [&str; 1] = ["crate"];

/// The paths that a text imports or names, each as its parts; braces are resolved, `self` and `*` left out.
fn paths(text: &str) -> Vec<Vec<String>> {
    let code: String = text
        .lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .map(|l| format!("{}\n", l.split(" // ").next().unwrap()))
        .collect();
    let mut found = Vec::new();
    for start in ["crate::", "super::", "std::", "gstreamer", "glib", "ort::", "rand::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            expand(&mut Vec::new(), &mut code[at..].chars().peekable(), &mut found);
        }
    }
    found
}

/// Reads one path, with its braces if it has some.
fn expand(
    prefix: &mut Vec<String>,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    found: &mut Vec<Vec<String>>,
) {
    let depth = prefix.len();
    let mut word = String::new();
    loop {
        match rest.peek() {
            Some(c) if c.is_alphanumeric() || *c == '_' => word.push(rest.next().unwrap()),
            Some(':') => {
                rest.next();
                if rest.peek() != Some(&':') {
                    break;
                }
                rest.next();
                prefix.push(std::mem::take(&mut word));
                if rest.peek() == Some(&'{') {
                    rest.next();
                    loop {
                        while rest.peek().is_some_and(|c| c.is_whitespace() || *c == ',') {
                            rest.next();
                        }
                        match rest.peek() {
                            None => break,
                            Some('}') => {
                                rest.next();
                                break;
                            }
                            Some(c) if c.is_alphanumeric() || *c == '_' => expand(prefix, rest, found),
                            // `*`, or no list of imports after all.
                            Some(_) => {
                                rest.next();
                            }
                        }
                    }
                    prefix.truncate(depth);
                    return;
                }
            }
            _ => break,
        }
    }
    let mut path = prefix.clone();
    if !word.is_empty() && word != "self" {
        path.push(word);
    }
    found.push(path);
    prefix.truncate(depth);
}

/// The file that a path in `file` leads to, if it leads into the folder that is the module `root`.
fn target(file: &str, path: &[String], files: &BTreeSet<&str>, root: &[&str]) -> Option<String> {
    let mut at: Vec<&str> = file.split('/').collect();
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut rest = names.as_slice();
    if let Some(tail) = rest.strip_prefix(root) {
        (at, rest) = (Vec::new(), tail);
    } else if rest.first() == Some(&"super") {
        // A file's own module is its path; that of `mod.rs` is its folder.
        if at.last() == Some(&"mod") {
            at.pop();
        }
        while let ["super", tail @ ..] = rest {
            at.pop()?;
            rest = tail;
        }
    } else {
        return None;
    }
    for name in rest {
        at.push(name);
        let here = at.join("/");
        if files.contains(here.as_str()) {
            return Some(here);
        }
        if !files.iter().any(|f| f.starts_with(&format!("{here}/"))) {
            at.pop();
            break;
        }
    }
    at.push("mod");
    Some(at.join("/"))
}

fn is_test(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap();
    name == "tests" || name.ends_with("_tests") || name.starts_with("simulation")
}

/// The text without its tests, which stand at a file's end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap().split("#[cfg(test)]\n#[allow").next().unwrap()
}

/// Imports between these files, without those of tests; `root` is the module that their folder is.
fn imports(files: &[File], root: &[&str]) -> Imports {
    let names: BTreeSet<&str> = files.iter().map(|f| f.0.as_str()).collect();
    let mut graph = Imports::new();
    for (file, text) in files.iter().filter(|f| !is_test(&f.0)) {
        let found = paths(without_tests(text)).into_iter().filter_map(|p| target(file, &p, &names, root));
        graph.insert(file.clone(), found.filter(|to| to != file && !is_test(to)).collect());
    }
    graph
}

/// Everything that is wrong with these files of `src/analysis`.
fn faults(files: &[File]) -> Vec<String> {
    let names: BTreeSet<&str> = files.iter().map(|f| f.0.as_str()).collect();
    let place = |file: &str| ROOMS.iter().position(|r| Some(*r) == file.split('/').next());
    let mut faults = Vec::new();
    for (file, text) in files.iter().filter(|f| f.0 != "mod") {
        let Some(own) = place(file) else {
            faults.push(format!("{file} lies in no room"));
            continue;
        };
        // A module inside a file (its tests) says `super` of the file itself.
        for path in paths(text).into_iter().filter(|p| p.first().is_some_and(|s| s == "crate")) {
            let Some(to) = target(file, &path, &names, &ANALYSIS) else {
                faults.push(format!("{file} imports {}, which is outside of the analysis", path.join("::")));
                continue;
            };
            if place(&to).is_none_or(|other| other > own) {
                faults.push(format!("{file} imports {to}, which stands below it"));
            }
        }
        let code = without_tests(text);
        for path in paths(code) {
            let path_text = path.join("::");
            if OUTSIDE.iter().any(|o| path_text == *o || path_text.starts_with(&format!("{o}::")))
                && !is_test(file)
            {
                faults.push(format!("{file} reaches for {path_text}"));
            }
        }
    }
    let mut graph = imports(files, &ANALYSIS);
    // Between rooms the order rules out circles.
    graph.iter_mut().for_each(|(file, to)| to.retain(|t| place(t) == place(file)));
    faults.extend(circles(&graph));
    faults
}

/// Files that import each other, directly or by way of others, where they are more than two.
fn circles(graph: &Imports) -> Vec<String> {
    let reach = |from: &String| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(file) = todo.pop() {
            for next in graph.get(file).into_iter().flatten() {
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        seen
    };
    let all: BTreeMap<&String, BTreeSet<&String>> = graph.keys().map(|f| (f, reach(f))).collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &all {
        let back = |other: &&&String| all.get(**other).is_some_and(|r| r.contains(file));
        let mut circle: Vec<String> = reached.iter().filter(back).map(|f| (*f).clone()).collect();
        circle.sort();
        if circle.len() > 2 {
            found.insert(format!("a circle of imports: {}", circle.join(", ")));
        }
    }
    found.into_iter().collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn source() -> (PathBuf, Vec<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    (root, found)
}

/// The files below `src`, or below a folder of it.
fn files(folder: &str) -> Vec<File> {
    let (root, found) = source();
    let root = root.join(folder);
    let below = |p: &PathBuf| {
        let name = p.strip_prefix(&root).ok()?.with_extension("");
        Some((name.to_str()?.replace('\\', "/"), std::fs::read_to_string(p).unwrap()))
    };
    found.iter().filter_map(below).collect()
}

fn analysis() -> Vec<File> {
    files("analysis")
}

/// The files of `src` in which circles are looked for.
fn checked() -> Vec<File> {
    let mut all = files("");
    all.retain(|(file, _)| !UNCHECKED.iter().any(|folder| file.starts_with(&format!("{folder}/"))));
    all
}

#[test]
fn rooms_depend_one_way() {
    let files = analysis();
    assert!(files.len() > 60, "{}", files.len());
    let faults = faults(&files);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_circle_of_imports_is_long() {
    let files = checked();
    assert!(files.len() > 70, "{}", files.len());
    let circles = circles(&imports(&files, &CRATE));
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_file_is_long() {
    let (root, found) = source();
    let lines = |p: &PathBuf| std::fs::read_to_string(p).unwrap_or_default().lines().count();
    let long: Vec<String> = found
        .iter()
        .filter(|p| lines(p) > MOST_LINES)
        .map(|p| format!("{}: {}", p.strip_prefix(&root).unwrap().display(), lines(p)))
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {}", long.join(", "));
}

/// The walk finds what it is for.
#[test]
fn an_import_against_the_order_is_found() {
    let house = |extra: &[(&str, &str)]| {
        let mut files: Vec<File> = analysis();
        files.extend(extra.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())));
        faults(&files)
    };
    for (file, text, said) in [
        (
            "face/new",
            "use crate::analysis::signals::FaceSignal;\n",
            "face/new imports signals/mod, which stands below",
        ),
        (
            "pixels/new",
            "use crate::analysis::{face::mesh::{FaceMesh, Pose}, pixels};\n",
            "pixels/new imports face/mesh, which",
        ),
        (
            "source/new",
            "fn f() -> u8 {\n    crate::analysis::judgement::cusum::g()\n}\n",
            "source/new imports judgement/cusum",
        ),
        ("attic/new", "", "attic/new lies in no room"),
        ("face/new", "use crate::detect::Mode;\n", "outside of the analysis"),
        ("face/new", "use std::time::{Duration, Instant};\n", "face/new reaches for std::time::Instant"),
        ("face/new", "use std::fs;\n", "face/new reaches for std::fs"),
        ("face/new", "use ort::session::Session;\n", "face/new reaches for ort"),
    ] {
        let faults = house(&[(file, text)]);
        assert!(faults.iter().any(|f| f.contains(said)), "{file} {text}: {faults:?}");
    }
    let circle = [
        ("face/a", "use super::b::B;\n"),
        ("face/b", "use crate::analysis::face::c::C;\n"),
        ("face/c", "use super::a::A;\n"),
    ];
    assert!(house(&circle).iter().any(|f| f.contains("face/a, face/b, face/c")));
    let pair = [("face/a", "use super::b::B;\n"), ("face/b", "use super::a::A;\n")];
    assert_eq!(house(&pair), house(&[]));
}

/// Outside of the analysis circles are found within a folder and across folders.
#[test]
fn a_circle_outside_of_the_analysis_is_found() {
    let mut files = checked();
    let circle = [
        ("overlay/a", "use super::b;\n"),
        ("overlay/b", "use crate::{lock::lock, message::a::A};\n"),
        ("message/a", "fn f() {\n    crate::overlay::a::g()\n}\n"),
        ("overlay/c", "use super::a;\n#[cfg(test)]\nmod tests {\n    use crate::overlay::d;\n}\n"),
        ("overlay/d", "use super::c;\n"),
    ];
    files.extend(circle.map(|(f, t)| (f.to_owned(), t.to_owned())));
    let found = circles(&imports(&files, &CRATE));
    assert_eq!(found, ["a circle of imports: message/a, overlay/a, overlay/b"]);
}
