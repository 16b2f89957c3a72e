//! What a run found, to compare later ones with.

use super::row::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Raised when a field changes its meaning.
const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    pub schema_version: u32,
    /// The program that wrote it.
    pub version: String,
    /// By key: was the detector wrong, and how high was the statistic.
    pub evaluations: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub condition: String,
    pub attack: bool,
    pub wrong: bool,
    pub score: f64,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    #[error("cannot read or write {path}: {source}; check the place and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is no baseline: {message}; name a file that --save-baseline wrote")]
    Form { path: PathBuf, message: String },
}

/// What changed since.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// Evaluations in both.
    pub compared: usize,
    /// Right before and wrong now, and the other way round.
    pub worse: Vec<Flip>,
    pub better: Vec<Flip>,
    /// Judged before, and failed now: key and reason.
    pub broken: Vec<String>,
    /// Exact McNemar test: whether so many may be chance.
    pub p: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    pub condition: String,
    pub attack: bool,
    pub before: f64,
    pub now: f64,
}

impl Change {
    /// Whether anything that was right is wrong, or does not run any more.
    pub fn regressed(&self) -> bool {
        !self.worse.is_empty() || !self.broken.is_empty()
    }
}

impl Baseline {
    pub fn of(rows: &[Row]) -> Self {
        let entry = |row: &Row| {
            let judged = row.judged()?;
            // Digits beyond these are a matter of the machine.
            let score = (judged.score * 10.0).round() / 10.0;
            let entry = Entry {
                condition: row.condition.clone(),
                attack: row.is_attack(),
                wrong: row.wrong()?,
                score,
            };
            Some((row.key.clone(), entry))
        };
        Self {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            evaluations: rows.iter().filter_map(entry).collect(),
        }
    }

    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let text = std::fs::read(path).map_err(|source| BaselineError::File { path: path.into(), source })?;
        let form = |message: String| BaselineError::Form { path: path.into(), message };
        let read: Self = serde_json::from_slice(&text).map_err(|e| form(e.to_string()))?;
        if read.schema_version != SCHEMA_VERSION {
            return Err(form(format!("its schema version is {}, not {SCHEMA_VERSION}", read.schema_version)));
        }
        Ok(read)
    }

    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let failed = |source| BaselineError::File { path: path.into(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|e| failed(e.into()))?;
        text.push('\n');
        std::fs::write(path, text).map_err(failed)
    }

    pub fn compare(&self, rows: &[Row]) -> Change {
        let mut change = Change::default();
        for row in rows {
            let Some(before) = self.evaluations.get(&row.key) else { continue };
            change.compared += 1;
            let (Some(wrong), Some(judged)) = (row.wrong(), row.judged()) else {
                change.broken.push(row.key.clone());
                continue;
            };
            if wrong == before.wrong {
                continue;
            }
            let flip = Flip {
                condition: row.condition.clone(),
                attack: before.attack,
                before: before.score,
                now: judged.score,
            };
            if wrong { change.worse.push(flip) } else { change.better.push(flip) }
        }
        change.p =
            crate::evaluation::compare::mcnemar_exact(change.better.len() as u64, change.worse.len() as u64);
        change
    }
}
