//! The results as they come: a line of JSON for every recording.

use super::error::Error;
use super::json_lines::{self, Line, Lines};
use super::record::{Record, SCHEMA_VERSION};
use std::path::Path;

impl Line for Record {
    const VERSION: u32 = SCHEMA_VERSION;
    const OPTION: &'static str = "--json";

    fn version(&self) -> u32 {
        self.schema_version
    }

    fn key(&self) -> &str {
        &self.clip
    }
}

/// A file of results that grows.
#[derive(Debug)]
pub struct Results(Lines<Record>);

impl Results {
    /// Opens `path` for more results, and gives those that it has. Without `resume` it must have none.
    ///
    /// # Errors
    /// If the file cannot be used or holds something else.
    pub fn open(path: &Path, resume: bool) -> Result<(Self, Vec<Record>), Error> {
        if !resume && std::fs::metadata(path).is_ok_and(|m| m.len() > 0) {
            return Err(Error::Exists(path.into()));
        }
        let (lines, records) = Lines::open(path)?;
        Ok((Self(lines), records))
    }

    /// Adds a result; it is in the file when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, record: &Record) -> Result<(), Error> {
        Ok(self.0.add(record)?)
    }
}

/// The results in a file, the last of each recording, in the order of the first.
///
/// # Errors
/// If it cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Vec<Record>, Error> {
    Ok(json_lines::read(path)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::batch::{Outcome, Scanned, Settings};

    fn record(clip: &str, score: f64) -> Record {
        Record {
            schema_version: SCHEMA_VERSION,
            clip: clip.into(),
            bytes: None,
            settings: Settings::default(),
            label: None,
            outcome: Outcome::Scanned(Box::new(Scanned { score, ..Scanned::default() })),
        }
    }

    #[test]
    fn results_are_found_again_and_a_half_line_is_not_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let (mut results, before) = Results::open(&path, false).unwrap();
        assert!(before.is_empty());
        let (a, b, again) = (record("a\n\"\u{2028}", 1.5), record("b", 0.0), record("b", 3.0));
        for r in [&a, &b] {
            results.add(r).unwrap();
        }
        let mut text = std::fs::read(&path).unwrap();
        let whole = text.len();
        text.extend_from_slice(&serde_json::to_vec(&record("c", 0.0)).unwrap()[..40]);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap(), [a.clone(), b.clone()]);
        assert!(matches!(Results::open(&path, false), Err(Error::Exists(_))));
        let (mut results, before) = Results::open(&path, true).unwrap();
        assert_eq!(before, [a.clone(), b]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole as u64);
        results.add(&again).unwrap();
        assert_eq!(read(&path).unwrap(), [a, again], "the last result counts");
    }

    #[test]
    fn something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "first\nsecond\n").unwrap();
        let error = Results::open(&path, true).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        let old = serde_json::to_string(&Record { schema_version: 99, ..record("a", 0.0) }).unwrap();
        std::fs::write(&path, old + "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("99"));
    }
}
