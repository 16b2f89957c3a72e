//! The log of alerts as a hash chain: the form of a line, and what is wrong with a row of them. Arithmetic, no files.
//!
//! A line is `{"sha256":"...","record":{...}}`: the digest is that of the record's text, and the record holds the digest of
//! the whole line before it. Whoever changes a line changes a digest that two lines carry; whoever takes one out leaves a
//! line that follows nothing. Only the newest lines can be taken away unseen, unless their digest is known elsewhere.

use crate::analysis::judgement::verdict::AlertKind;
use crate::inference::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the first line follows.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// No line is longer, bytes.
pub const MAX_LINE: usize = 64 << 10;

/// What raised or cleared an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// The statistic crossed the threshold, or sank.
    #[default]
    Statistic,
    /// A source broke a rule of the policy.
    Policy,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// Counts from 1.
    pub line: u64,
    /// Digest of the line before, or [`NOTHING`].
    pub previous: String,
    /// When it was written, UTC, as RFC 3339 has it: by the machine's clock.
    pub time: String,
    pub session_id: String,
    pub kind: AlertKind,
    pub ground: Ground,
    pub epoch: u64,
    pub pts: u64,
    pub running_time: Option<u64>,
    pub track_id: Option<u32>,
    pub statistic: f64,
    pub threshold: f64,
    /// The bundle's folder; cleared alerts have none.
    pub bundle: Option<String>,
    /// Digests of all its files.
    pub files: BTreeMap<String, String>,
    /// What had to be cut off before this line was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
}

/// The beginning of a line that was never finished, as it is kept in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Torn {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

const BEFORE: &str = "{\"sha256\":\"";
const BETWEEN: &str = "\",\"record\":";
const AFTER: &str = "}";
const GAP: &str = "that one was changed, or a line was taken out or put in";

/// The record as a line, without its end.
pub fn seal(record: &Record) -> serde_json::Result<String> {
    let text = serde_json::to_string(record)?;
    Ok(format!("{BEFORE}{}{BETWEEN}{text}{AFTER}", Digest::of(text.as_bytes())))
}

/// Reads a line; the error says what is wrong with it.
pub fn open(line: &[u8]) -> Result<Record, String> {
    const FORM: &str = "it is not a line of this log: it was changed, or written by something else";
    let text = std::str::from_utf8(line).map_err(|_| FORM)?;
    let rest = text.strip_prefix(BEFORE).ok_or(FORM)?;
    let (digest, rest) = rest.split_once(BETWEEN).ok_or(FORM)?;
    let record = rest.strip_suffix(AFTER).ok_or(FORM)?;
    let digest: Digest = digest.parse().map_err(|_| FORM)?;
    if Digest::of(record.as_bytes()) != digest {
        return Err("its digest is not that of its record: it was changed".to_owned());
    }
    serde_json::from_str(record).map_err(|e| format!("its record cannot be read: {e}"))
}

/// Reads a log line by line.
#[derive(Clone, Debug)]
pub struct Chain {
    lines: u64,
    head: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { lines: 0, head: NOTHING.to_owned() }
    }
}

impl Chain {
    /// Takes the next line (without its end); its record, if it can be read, and what is wrong with it.
    pub fn follow(&mut self, line: &[u8]) -> (Option<Record>, Vec<String>) {
        self.lines += 1;
        let previous = std::mem::replace(&mut self.head, Digest::of(line).to_string());
        match open(line) {
            Err(what) => (None, vec![what]),
            Ok(record) => {
                let mut faults = Vec::new();
                if record.previous != previous {
                    faults.push(format!("it does not follow the line before: {GAP}"));
                }
                if record.line != self.lines {
                    faults.push(format!("it says that it is line {}", record.line));
                }
                (Some(record), faults)
            }
        }
    }

    /// Lines so far.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Digest of the newest line.
    pub fn head(&self) -> &str {
        &self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn record(chain: &Chain, statistic: f64) -> Record {
        Record {
            line: chain.lines() + 1,
            previous: chain.head().to_owned(),
            time: "2026-01-02T03:04:05Z".into(),
            session_id: "call \"7\" é".into(),
            kind: AlertKind::Raised,
            ground: Ground::Statistic,
            epoch: 1,
            pts: 80_000_000,
            running_time: Some(80_000_000),
            track_id: Some(3),
            statistic,
            threshold: 13.5,
            bundle: Some("call-7".into()),
            files: BTreeMap::from([("evidence.json".into(), NOTHING.into())]),
            torn: None,
        }
    }

    fn lines(count: usize) -> Vec<Vec<u8>> {
        let mut chain = Chain::default();
        let mut all = Vec::new();
        for i in 0..count {
            let line = seal(&record(&chain, 13.6 + i as f64)).unwrap().into_bytes();
            assert_eq!(chain.follow(&line).1, Vec::<String>::new());
            all.push(line);
        }
        all
    }

    fn faults(lines: &[Vec<u8>]) -> Vec<(u64, String)> {
        let mut chain = Chain::default();
        let mut all = Vec::new();
        for line in lines {
            let (_, faults) = chain.follow(line);
            all.extend(faults.into_iter().map(|f| (chain.lines(), f)));
        }
        all
    }

    #[test]
    fn removed_swapped_and_repeated_lines_show() {
        let good = lines(5);
        assert_eq!(faults(&good), vec![]);
        for i in 0..4 {
            let mut bad = good.clone();
            bad.remove(i);
            assert_eq!(faults(&bad)[0].0, i as u64 + 1);
            let mut bad = good.clone();
            bad.swap(i, i + 1);
            assert!(!faults(&bad).is_empty());
            let mut bad = good.clone();
            bad.insert(i, good[i].clone());
            assert!(!faults(&bad).is_empty());
        }
        // A line that is changed with its own digest is betrayed by the one after it.
        let mut bad = good.clone();
        let forged = Record { statistic: 99.0, ..open(&bad[2]).unwrap() };
        bad[2] = seal(&forged).unwrap().into_bytes();
        assert_eq!(faults(&bad)[0].0, 4);
    }

    proptest! {
        #[test]
        fn any_changed_byte_of_any_line_shows(at in 0usize..3, place in any::<prop::sample::Index>(), with in any::<u8>()) {
            let good = lines(3);
            let mut bad = good.clone();
            let i = place.index(bad[at].len());
            prop_assume!(bad[at][i] != with);
            bad[at][i] = with;
            let found = faults(&bad);
            prop_assert!(found.iter().any(|(line, _)| *line == at as u64 + 1), "{found:?}");
        }

        #[test]
        fn bytes_of_any_kind_are_no_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&line).is_err());
        }
    }
}
