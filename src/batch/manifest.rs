//! Labelled recordings: a CSV file with one line each.
//!
//! Columns by their names in the first line: `path` (or `file`), relative to the manifest; all others may be missing:
//! `label`, `attack_type`, `pair_id`, `identity_group`, `source`, `onset_s` (or `onset`). Further columns are not read.

use super::display_names::without_password;
use super::error::Error;
use super::item::{Item, Source};
use super::record::Label;
use std::collections::BTreeSet;
use std::path::Path;

const GENUINE: [&str; 6] = ["real", "live", "genuine", "bonafide", "bona-fide", "bona fide"];
const ATTACK: [&str; 4] = ["fake", "spoof", "attack", "deepfake"];

/// The recordings of a manifest, in its order.
///
/// # Errors
/// With the number of the line that is wrong.
pub fn read(path: &Path) -> Result<Vec<Item>, Error> {
    let file = std::fs::File::open(path).map_err(Error::file(path))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(file, folder).map_err(|(line, message)| Error::Manifest { path: path.into(), line, message })
}

/// What is wrong, and in which line.
type Wrong = (u64, String);

fn parse(text: impl std::io::Read, folder: &Path) -> Result<Vec<Item>, Wrong> {
    let broken = |e: csv::Error| {
        let line = e.position().map_or(0, csv::Position::line);
        let message = match e.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} columns, but the first line has {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".into(),
            _ => e.to_string(),
        };
        (line, message)
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let head = reader.headers().map_err(broken)?.clone();
    let column = |names: &[&str]| head.iter().position(|h| names.iter().any(|n| h.eq_ignore_ascii_case(n)));
    let place = column(&["path", "file"]);
    let Some(place) = place else {
        return Err((1, "there is no column `path` or `file`; the first line names the columns".into()));
    };
    let (label, kind, pair) = (column(&["label"]), column(&["attack_type"]), column(&["pair_id"]));
    let (group, source) = (column(&["identity_group"]), column(&["source"]));
    let onset = column(&["onset_s", "onset"]);
    let mut items = Vec::new();
    let mut known = BTreeSet::new();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        let get = |at: Option<usize>| at.and_then(|i| row.get(i)).filter(|t| !t.is_empty());
        let name = get(Some(place)).ok_or((line, "the path is empty".to_owned()))?;
        if !known.insert(name.to_owned()) {
            return Err((line, format!("`{name}` is there twice")));
        }
        let attack = get(label).map(|l| attack(l).ok_or_else(|| (line, unknown(l)))).transpose()?;
        let label = Label {
            attack,
            attack_type: get(kind).filter(|k| !k.eq_ignore_ascii_case("none")).map(Into::into),
            pair_id: get(pair).map(Into::into),
            identity_group: get(group).map(Into::into),
            source: get(source).map(Into::into),
            onset_s: get(onset).map(|t| seconds(t).ok_or_else(|| (line, not_seconds(t)))).transpose()?,
        };
        items.push(Item {
            source: Source::named(name.as_ref(), folder),
            name: without_password(name),
            label: Some(label),
        });
    }
    if items.is_empty() {
        return Err((1, "it names no recording".into()));
    }
    Ok(items)
}

fn attack(label: &str) -> Option<bool> {
    let label = label.to_ascii_lowercase().replace('_', "-");
    if ATTACK.contains(&label.as_str()) {
        return Some(true);
    }
    GENUINE.contains(&label.as_str()).then_some(false)
}

fn unknown(label: &str) -> String {
    format!("the label `{label}` is unknown; genuine: {}; attack: {}", GENUINE.join(", "), ATTACK.join(", "))
}

fn seconds(text: &str) -> Option<f64> {
    text.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0)
}

fn not_seconds(text: &str) -> String {
    format!("the onset `{text}` is not a number of seconds")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Item>, Wrong> {
        parse(text.as_bytes(), Path::new("/data"))
    }

    #[test]
    fn columns_go_by_their_names() {
        let text = "\u{feff}label,FILE,note,attack_type,pair_id,onset_s\n\
            real,a.mp4,\"x, y\",none,p1,\n\
            spoof, b/c.mp4 ,,\"print\ned\",p1,2.5\n\
            ,d.mp4,,,,\n";
        let items = read(text).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[1].source, Source::File("/data/b/c.mp4".into()));
        let labels: Vec<Label> = items.into_iter().map(|i| i.label.unwrap()).collect();
        assert_eq!((labels[0].attack, labels[0].attack_type.as_deref()), (Some(false), None));
        assert_eq!((labels[1].attack, labels[1].onset_s), (Some(true), Some(2.5)));
        assert_eq!(labels[2], Label::default());
        assert_eq!(read("path\nx.mp4\n").unwrap()[0].name, "x.mp4");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = |text: &str, line: u64, word: &str| {
            let (l, message) = read(text).unwrap_err();
            assert!(l == line && message.contains(word), "{l}: {message}");
        };
        wrong("", 1, "path");
        wrong("label\nreal\n", 1, "path");
        wrong("path\n", 1, "names no recording");
        wrong("path,label\na.mp4,real\nb.mp4\n", 3, "1 columns");
        wrong("path,label\na.mp4,perhaps\n", 2, "perhaps");
        wrong("path,label\n\na.mp4,real\n,real\n", 4, "empty");
        wrong("path\na.mp4\na.mp4\n", 3, "twice");
        wrong("path,onset\na.mp4,soon\n", 2, "soon");
        wrong("path,onset\na.mp4,-1\n", 2, "seconds");
        let (line, message) = parse(&b"path\n\xff\xfe\n"[..], Path::new("")).unwrap_err();
        assert!(line == 2 && message.contains("UTF-8"), "{line} {message}");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[\\x00-\\x7f,\"\n]{0,200}", head in prop_oneof![Just("path,label\n"), Just("")]) {
            let _ = read(&format!("{head}{text}"));
        }
    }
}
