//! The log of alerts on the disk. Whoever writes holds the file's lock, so that several elements and processes can share
//! a directory; a line that a crash left unfinished is moved aside before the chain goes on.

use super::error::Error;
use super::files::LOG;
use super::hash_chain::{self, Chain, MAX_LINE, Record, Torn};
use crate::inference::Digest;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock is waited for. Others hold it for the writing of one bundle.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The log, open and locked until dropped.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    lines: u64,
    head: String,
    /// A line that was cut off, to be named in the next record.
    torn: Option<Torn>,
    /// The last line is not one that this program wrote.
    pub damaged: bool,
}

/// Opens a file that only its owner may read.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens the log, which is made if there is none.
pub fn open_file(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOG);
    private().read(true).append(true).create(true).open(&path).map_err(Error::io("open", path))
}

impl Log {
    /// Locks the log and finds its end.
    pub fn lock(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(LOG);
        let file = open_file(dir)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path, seconds: PATIENCE.as_secs() });
                }
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
            }
        }
        let head = hash_chain::NOTHING.to_owned();
        let mut log = Self { path, file, length: 0, lines: 0, head, torn: None, damaged: false };
        log.find_end(dir)?;
        Ok(log)
    }

    fn find_end(&mut self, dir: &Path) -> Result<(), Error> {
        let failed = |log: &Self| Error::io("read", log.path.clone());
        self.length = self.file.metadata().map_err(failed(self))?.len();
        // A line, and as much again of one that was torn.
        let from = self.length.saturating_sub(2 * MAX_LINE as u64 + 2);
        self.file.seek(SeekFrom::Start(from)).map_err(failed(self))?;
        let mut tail = Vec::new();
        (&self.file).take(self.length - from).read_to_end(&mut tail).map_err(failed(self))?;
        let end = tail.iter().rposition(|b| *b == b'\n');
        if end.is_none() && from > 0 {
            let what = "it is no log of alerts; move it away, or use another directory".to_owned();
            return Err(Error::Unreadable { path: self.path.clone(), what });
        }
        let complete = end.map_or(0, |i| i + 1);
        let torn = tail.split_off(complete);
        if !torn.is_empty() {
            self.set_aside(dir, &torn)?;
        }
        let Some(lines) = tail.strip_suffix(b"\n") else { return Ok(()) };
        let line = lines.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        self.head = Digest::of(line).to_string();
        match hash_chain::open(line) {
            Ok(record) => self.lines = record.line,
            Err(_) => {
                self.damaged = true;
                self.lines = self.count().map_err(failed(self))?;
            }
        }
        Ok(())
    }

    /// Moves what a crash left into a file of its own; nothing of it is lost.
    fn set_aside(&mut self, dir: &Path, torn: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(torn).to_string();
        let name = format!("torn-{}", digest.get(..16).unwrap_or_default());
        let path = dir.join(&name);
        match private().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(torn).and_then(|()| file.sync_all()).map_err(Error::io("write", path))?;
            }
            // The same bytes were torn before: they are there already.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("write", path)(e)),
        }
        self.length -= torn.len() as u64;
        self.file.set_len(self.length).map_err(Error::io("shorten", self.path.clone()))?;
        self.torn = Some(Torn { file: name, bytes: torn.len() as u64, sha256: digest });
        Ok(())
    }

    fn count(&mut self) -> std::io::Result<u64> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut lines = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(lines),
                n => {
                    lines +=
                        buffer.get(..n).unwrap_or_default().iter().filter(|b| **b == b'\n').count() as u64
                }
            }
        }
    }

    /// Number of the line that comes next.
    pub const fn next(&self) -> u64 {
        self.lines + 1
    }

    /// Whether something was cut off.
    pub const fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Appends a record, whose number, predecessor and torn line are filled in. Returns the new line's digest.
    pub fn append(mut self, record: Record) -> Result<String, Error> {
        let record =
            Record { line: self.next(), previous: self.head.clone(), torn: self.torn.take(), ..record };
        let mut line = hash_chain::seal(&record)?.into_bytes();
        let digest = Digest::of(&line).to_string();
        line.push(b'\n');
        if let Err(e) = self.file.write_all(&line).and_then(|()| self.file.sync_all()) {
            // Half a line is worse than none; if this fails too, the next writer sets it aside.
            let _ = self.file.set_len(self.length);
            return Err(Error::io("write", self.path)(e));
        }
        Ok(digest)
    }
}

/// Reads a log from the beginning. `each` gets every complete line's number, record and faults.
pub fn read(
    dir: &Path,
    mut each: impl FnMut(u64, Option<Record>, Vec<String>),
) -> Result<(Chain, Vec<u8>), Error> {
    use std::io::{BufRead, BufReader};
    let path = dir.join(LOG);
    let file = File::open(&path).map_err(Error::io("open", path.clone()))?;
    let mut reader = BufReader::new(file);
    let mut chain = Chain::default();
    loop {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        reader.by_ref().take(limit).read_until(b'\n', &mut line).map_err(Error::io("read", path.clone()))?;
        if line.pop_if(|b| *b == b'\n').is_none() {
            if line.len() > MAX_LINE {
                let what = format!("line {} is longer than {MAX_LINE} bytes", chain.lines() + 1);
                return Err(Error::Unreadable { path, what });
            }
            return Ok((chain, line));
        }
        let (record, faults) = chain.follow(&line);
        each(chain.lines(), record, faults);
    }
}
