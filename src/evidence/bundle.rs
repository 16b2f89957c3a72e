//! Writing: a folder that appears complete or not at all, and its line in the log.

use super::alert_report::{self, AlertReport, RunInfo};
use super::case::Case;
use super::error::Error;
use super::files::{EVIDENCE, PARTIAL, PLOT, POLICY, SCHEMA, TRACES};
use super::hash_chain::{Ground, Record};
use super::log::{self, Log, private};
use super::{plot, traces};
use crate::analysis::judgement::verdict::AlertKind;
use crate::inference::Digest;
use crate::provenance::report::SourceReport;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The bundle's folder in the evidence directory; cleared alerts have none.
    pub bundle: Option<String>,
    /// Number and digest of the log's new line.
    pub line: u64,
    pub digest: String,
    /// What was not as it should be, for a person.
    pub notes: Vec<String>,
}

/// Makes the directory if it is not there, and sees whether it can be written to.
pub fn prepare(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(Error::io("make the directory", dir))?;
    log::open_file(dir).map(drop)
}

/// A session's name as part of a folder's.
fn plain(session_id: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = session_id.chars().take(40).map(keep).collect();
    if name.trim_matches('-').is_empty() { "session".to_owned() } else { name.trim_matches('-').to_owned() }
}

/// The longest session name that a record holds, characters.
const MAX_SESSION: usize = 256;

/// Writes a raised alert's bundle and the line of any alert. Waits for the disk, and for others who write to the same
/// directory.
pub fn write(dir: &Path, case: &Case) -> Result<Written, Error> {
    let mut written = Written::default();
    // Drawn and put together before the lock is taken.
    let files = match case.alert.kind {
        AlertKind::Raised => files(case, &mut written.notes)?,
        AlertKind::Cleared => Vec::new(),
    };
    let digests = files.iter().map(|(n, bytes)| (n.clone(), Digest::of(bytes).to_string()));
    let digests: BTreeMap<String, String> = digests.collect();
    let log = Log::lock(dir)?;
    if let Some(torn) = log.torn() {
        written.notes.push(format!("a line that was not finished was moved to `{}`", torn.file));
    }
    if log.damaged {
        let what = "the last line of the log was changed by somebody; `deepfake evidence verify` says more";
        written.notes.push(what.to_owned());
    }
    written.line = log.next();
    if !files.is_empty() {
        let ms = case.running_time.unwrap_or(case.alert.pts) / 1_000_000;
        let name = format!("{}-{ms:09}-{:06}", plain(&case.session_id), log.next());
        written.bundle = Some(place(dir, &name, &files)?);
    }
    let record = Record {
        // Filled in by the log.
        line: 0,
        previous: String::new(),
        torn: None,
        time: case.time.clone(),
        session_id: case.session_id.chars().take(MAX_SESSION).collect(),
        kind: case.alert.kind,
        ground: case.ground,
        epoch: case.alert.epoch,
        pts: case.alert.pts,
        running_time: case.running_time,
        track_id: case.alert.track_id,
        statistic: case.alert.statistic,
        threshold: case.alert.threshold,
        bundle: written.bundle.clone(),
        files: digests,
    };
    written.digest = log.append(record)?;
    Ok(written)
}

/// All files of a bundle.
fn files(case: &Case, notes: &mut Vec<String>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut files = vec![(TRACES.to_owned(), traces::write_traces(&case.recording)?)];
    match plot::draw(case) {
        Ok(png) => files.push((PLOT.to_owned(), png)),
        // The numbers are the evidence; a picture of them can be drawn again.
        Err(e) => notes.push(e.to_string()),
    }
    if let (Ground::Policy, Some(text)) = (case.ground, &case.policy) {
        files.push((POLICY.to_owned(), text.as_bytes().to_vec()));
    }
    for face in &case.faces {
        let name = format!("face-{}-{:09}.png", face.track_id, face.pts / 1_000_000);
        if let Ok(png) = plot::encode((face.side, face.side), &face.pixels) {
            files.push((name, png));
        }
    }
    let report = AlertReport {
        schema: SCHEMA,
        session_id: case.session_id.clone(),
        ground: case.ground,
        alert: case.alert.clone(),
        decision: case.decision.clone(),
        running_time: case.running_time,
        stream_time: case.stream_time,
        ran: RunInfo::clone(&case.ran),
        config_sha256: alert_report::config_digest(&case.config)?,
        config: case.config.clone(),
        policy_sha256: case.policy.as_ref().map(|p| Digest::of(p.as_bytes()).to_string()),
        sources: case.sources.iter().map(|s| SourceReport::clone(s)).collect(),
        timeline: traces::timeline(&case.recording)?,
        files: files.iter().map(|(n, bytes)| (n.clone(), Digest::of(bytes).to_string())).collect(),
    };
    let mut text = serde_json::to_vec(&report)?;
    text.push(b'\n');
    files.push((EVIDENCE.to_owned(), text));
    Ok(files)
}

/// How many names are tried for a bundle, if there are folders from a log that was removed.
const TRIES: u32 = 100;

/// Writes the files into a new folder. Returns its name.
fn place(dir: &Path, name: &str, files: &[(String, Vec<u8>)]) -> Result<String, Error> {
    let names = (1..=TRIES).map(|n| if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
    for name in names {
        let (complete, partial) = (dir.join(&name), dir.join(format!("{name}{PARTIAL}")));
        if complete.symlink_metadata().is_ok() {
            continue;
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&partial) {
            Ok(()) => {}
            // Left by a crash: kept for a person to look at.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(Error::io("make", partial)(e)),
        }
        let result = fill(&partial, files)
            .and_then(|()| std::fs::rename(&partial, &complete).map_err(Error::io("make", complete)))
            .and_then(|()| sync(dir));
        if result.is_err() {
            // What is half written takes room that the next one may need.
            let _ = std::fs::remove_dir_all(&partial);
        }
        return result.map(|()| name);
    }
    let what = format!("there are {TRIES} bundles of this name already; move them away");
    Err(Error::Unreadable { path: dir.join(name), what })
}

fn fill(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
    for (name, bytes) in files {
        let path = dir.join(name);
        let mut options = private();
        let file = options.write(true).create_new(true).open(&path);
        let mut file = file.map_err(Error::io("make", path.clone()))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", path))?;
    }
    sync(dir)
}

/// Makes names survive a loss of power.
fn sync(dir: &Path) -> Result<(), Error> {
    let synced = std::fs::File::open(dir).and_then(|d| d.sync_all());
    if cfg!(unix) { synced.map_err(Error::io("write", dir)) } else { Ok(()) }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
