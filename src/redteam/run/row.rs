//! What is kept of an evaluation: one line of the results.

use super::super::Family;
use crate::batch::{Ground, Scanned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;
/// No line is longer.
const LONGEST: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub schema_version: u32,
    /// Names the work; see `Task::key`.
    pub key: String,
    pub condition: String,
    pub family: Family,
    pub about: String,
    /// Made by rule: never to be quoted as a result on a generator of fakes.
    pub procedural: bool,
    pub source: String,
    pub seed: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    Judged(Box<Judged>),
    Failed { reason: String },
}

/// What the element said. Times are seconds of the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// When the attack begins; none of a control.
    pub onset_s: Option<f64>,
    pub alerted: bool,
    /// The first alert that stands at the onset or comes after it, and why; the first at all of a control.
    pub alert_s: Option<f64>,
    pub signal: String,
    pub reason: String,
    /// There was an alert before anything was wrong.
    pub early: bool,
    pub score: f64,
    pub threshold: f64,
    pub ground: Ground,
    pub frames: u64,
    pub analysed: u64,
    pub duration_s: f64,
    pub wall_s: f64,
    /// The loudest that each signal spoke for an attack, nats.
    pub signals: BTreeMap<String, f64>,
    pub models: Vec<String>,
    /// A small picture as a `data:` URI, if asked for.
    pub picture: Option<String>,
}

/// Rounded time stamps may put an onset a little after its alert.
const SLACK: f64 = 0.1;

impl Judged {
    pub fn of(scanned: Scanned, onset_s: Option<f64>, picture: Option<String>) -> Self {
        let onset = onset_s.unwrap_or(0.0);
        let stands = |cleared: Option<f64>| cleared.is_none_or(|c| c > onset);
        let after = scanned.alerts.iter().find(|a| a.at_s + SLACK >= onset || stands(a.cleared_s));
        let early = onset_s.is_some() && scanned.alerts.iter().any(|a| a.at_s + SLACK < onset);
        let mut signals = BTreeMap::new();
        for (name, llr) in scanned.timeline.iter().flat_map(|m| &m.llr) {
            let loudest = signals.entry(name.clone()).or_insert(*llr);
            if llr > loudest {
                *loudest = *llr;
            }
        }
        Self {
            onset_s,
            alerted: after.is_some(),
            alert_s: after.map(|a| a.at_s),
            signal: after.map(|a| a.signal.clone()).unwrap_or_default(),
            reason: after.map(|a| a.reason.clone()).unwrap_or_default(),
            early,
            score: scanned.score,
            threshold: scanned.threshold,
            ground: scanned.ground,
            frames: scanned.frames_seen,
            analysed: scanned.frames_analysed,
            duration_s: scanned.duration_s,
            wall_s: scanned.wall_s,
            signals,
            models: scanned.models,
            picture,
        }
    }

    /// From the onset to the alert; none without both, or if the alert came first.
    pub fn delay(&self) -> Option<f64> {
        let delay = self.alert_s? - self.onset_s?;
        (delay + SLACK >= 0.0).then_some(delay.max(0.0))
    }
}

impl Row {
    pub fn judged(&self) -> Option<&Judged> {
        match &self.outcome {
            Outcome::Judged(j) => Some(j),
            Outcome::Failed { .. } => None,
        }
    }

    pub fn is_attack(&self) -> bool {
        self.family != Family::Control
    }

    /// Whether the detector was wrong; `None` if it was not asked.
    pub fn wrong(&self) -> Option<bool> {
        self.judged().map(|j| j.alerted != self.is_attack())
    }
}

/// Why results cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    #[error("cannot read or write {path}: {source}; check the place and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}, line {line} is no result of this program: {message}; name the file that --results wrote"
    )]
    Line { path: PathBuf, line: usize, message: String },
}

/// A file of results that grows.
#[derive(Debug)]
pub struct Rows {
    file: File,
    path: PathBuf,
}

impl Rows {
    /// Opens the results at `path` for more, and gives those that it has, the last of each key. A half-written last
    /// line, left by a run that was killed, is cut off.
    pub fn open(path: &Path) -> Result<(Self, Vec<Row>), RowError> {
        let failed = |source| RowError::File { path: path.into(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let (rows, whole) = parse(&file, path)?;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        Ok((Self { file, path: path.into() }, rows))
    }

    /// Adds a result; it is in the file when this returns.
    pub fn add(&mut self, row: &Row) -> Result<(), RowError> {
        let failed = |source| RowError::File { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(row).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }
}

/// The results, the last of each key, and how many bytes of whole lines there are.
fn parse(file: &File, path: &Path) -> Result<(Vec<Row>, u64), RowError> {
    let mut reader = BufReader::new(file);
    let (mut rows, mut whole): (Vec<Row>, u64) = (Vec::new(), 0);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let failed = |source| RowError::File { path: path.into(), source };
        let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 || (!line.ends_with(b"\n") && (read as u64) < LONGEST) {
            break;
        }
        let wrong = |message: String| RowError::Line { path: path.into(), line: number, message };
        let row: Row = serde_json::from_slice(&line).map_err(|e| wrong(e.to_string()))?;
        if row.schema_version != SCHEMA_VERSION {
            return Err(wrong(format!("schema version {} is not {SCHEMA_VERSION}", row.schema_version)));
        }
        whole += read as u64;
        let place = *places.entry(row.key.clone()).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(earlier) => *earlier = row,
            None => rows.push(row),
        }
    }
    Ok((rows, whole))
}
