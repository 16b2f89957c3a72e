//! The results as they come: a file with a line of JSON for every recording.

use super::error::Error;
use super::record::{Record, SCHEMA_VERSION};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// No line is longer; a file that has such a line is something else.
const LONGEST: u64 = 16 << 20;

/// A file of results that grows.
#[derive(Debug)]
pub struct Results {
    file: File,
    path: PathBuf,
}

impl Results {
    /// Opens `path` for more results, and gives those that it has. Without `resume` it must have none. A half-written
    /// last line, left by a scan that was killed, is cut off.
    ///
    /// # Errors
    /// If the file cannot be used or holds something else.
    pub fn open(path: &Path, resume: bool) -> Result<(Self, Vec<Record>), Error> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::file(path))?;
        if !resume && file.metadata().map_err(Error::file(path))?.len() > 0 {
            return Err(Error::Exists(path.into()));
        }
        let (records, whole) = parse(&file, path)?;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(Error::file(path))?;
        Ok((Self { file, path: path.into() }, records))
    }

    /// Adds a result; it is in the file when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, record: &Record) -> Result<(), Error> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::file(&self.path))
    }
}

/// The results in a file, the last of each recording, in the order of the first.
///
/// # Errors
/// If it cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Vec<Record>, Error> {
    let file = File::open(path).map_err(Error::file(path))?;
    Ok(parse(&file, path)?.0)
}

/// The results, and how many bytes of whole lines there are.
fn parse(file: &File, path: &Path) -> Result<(Vec<Record>, u64), Error> {
    let mut reader = BufReader::new(file);
    let (mut records, mut whole): (Vec<Record>, u64) = (Vec::new(), 0);
    let mut places = BTreeMap::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line).map_err(Error::file(path))?;
        let wrong = |source| Error::Result { path: path.into(), line: number, source };
        let ended = line.ends_with(b"\n");
        if read == 0 || (!ended && (read as u64) < LONGEST) {
            break;
        }
        let record: Record = serde_json::from_slice(&line).map_err(wrong)?;
        if record.schema_version != SCHEMA_VERSION {
            let found = record.schema_version;
            let text = format!("schema version {found} is not the supported {SCHEMA_VERSION}");
            return Err(wrong(serde::de::Error::custom(text)));
        }
        whole += read as u64;
        let place = *places.entry(record.clip.clone()).or_insert(records.len());
        match records.get_mut(place) {
            Some(earlier) => *earlier = record,
            None => records.push(record),
        }
    }
    Ok((records, whole))
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
