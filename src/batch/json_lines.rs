//! Results as they come: a file with a line of JSON for each.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// No line is longer; a file that has such a line is something else.
const LONGEST: u64 = 16 << 20;

/// What a line holds.
pub trait Line: Serialize + DeserializeOwned {
    /// The version of its fields that is read.
    const VERSION: u32;
    /// The option that names the file.
    const OPTION: &'static str;
    fn version(&self) -> u32;
    /// Of lines with the same key the last one counts.
    fn key(&self) -> &str;
}

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinesError {
    #[error("cannot read or write {path}: {source}; check the place and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}, line {line} is no result of this program: {message}; name a file that {option} wrote")]
    Line { path: PathBuf, line: usize, message: String, option: &'static str },
}

impl LinesError {
    fn file(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path: path.clone(), source }
    }
}

/// A file of results that grows.
#[derive(Debug)]
pub struct Lines<T> {
    file: File,
    path: PathBuf,
    holds: PhantomData<T>,
}

impl<T: Line> Lines<T> {
    /// Opens `path` for more lines, and gives those that it has. A half-written last line, left by a run that was
    /// killed, is cut off.
    ///
    /// # Errors
    /// If the file cannot be used or holds something else; then it is left as it is.
    pub fn open(path: &Path) -> Result<(Self, Vec<T>), LinesError> {
        let failed = LinesError::file(path);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(&failed)?;
        let (all, complete) = parse(&file, path)?;
        file.set_len(complete).and_then(|()| file.seek(SeekFrom::End(0))).map_err(&failed)?;
        Ok((Self { file, path: path.into(), holds: PhantomData }, all))
    }

    /// Adds a line; it is in the file when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, line: &T) -> Result<(), LinesError> {
        let failed = LinesError::file(&self.path);
        let mut line = serde_json::to_vec(line).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }
}

/// The lines of a file, the last of each key, in the order of the first.
///
/// # Errors
/// If it cannot be read or holds something else.
pub fn read<T: Line>(path: &Path) -> Result<Vec<T>, LinesError> {
    let file = File::open(path).map_err(LinesError::file(path))?;
    Ok(parse(&file, path)?.0)
}

/// The lines, and how many bytes of complete ones there are.
fn parse<T: Line>(file: &File, path: &Path) -> Result<(Vec<T>, u64), LinesError> {
    let mut reader = BufReader::new(file);
    let (mut all, mut complete): (Vec<T>, u64) = (Vec::new(), 0);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read =
            (&mut reader).take(LONGEST).read_until(b'\n', &mut bytes).map_err(LinesError::file(path))?;
        if read == 0 || (!bytes.ends_with(b"\n") && (read as u64) < LONGEST) {
            break;
        }
        let wrong = |message| LinesError::Line { path: path.into(), line, message, option: T::OPTION };
        let one: T = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if one.version() != T::VERSION {
            let found = one.version();
            return Err(wrong(format!("schema version {found} is not the supported {}", T::VERSION)));
        }
        complete += read as u64;
        let place = *places.entry(one.key().to_owned()).or_insert(all.len());
        match all.get_mut(place) {
            Some(earlier) => *earlier = one,
            None => all.push(one),
        }
    }
    Ok((all, complete))
}
