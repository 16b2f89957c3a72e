//! Checking: the chain, every digest, every bundle's own sums. What is wrong is named; nothing is changed.

use super::alert_report::{self, AlertReport};
use super::error::Error;
use super::files::{EVIDENCE, LOG, PARTIAL, POLICY, SCHEMA, TRACES, is_plain_name};
use super::hash_chain::{Ground, Record};
use super::{log, traces};
use crate::analysis::bundle::{Replay, replay};
use crate::analysis::judgement::cusum;
use crate::analysis::judgement::verdict::AlertKind;
use crate::inference::Digest;
use crate::provenance::policy::Policy;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No file that is read into memory is longer, bytes.
const MAX_FILE: u64 = 256 << 20;
/// Findings that are kept; there is no end to what may be wrong.
const MAX_FINDINGS: usize = 1000;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, or the line of the log.
    pub place: String,
    pub what: String,
}

/// What a directory is worth.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub lines: u64,
    pub bundles: usize,
    /// Digest of the log's last line: who keeps it elsewhere can tell later whether lines were taken off the end.
    pub head: String,
    /// Everything that was changed, is missing, or does not follow from the readings.
    pub findings: Vec<Finding>,
    /// What a person should know but is nobody's doing.
    pub notes: Vec<String>,
}

/// What a bundle is worth.
#[derive(Clone, Debug)]
pub struct Examined {
    /// `None` if it cannot be read.
    pub alert_report: Option<AlertReport>,
    pub replay: Replay,
    pub findings: Vec<Finding>,
}

impl Report {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place: place.into(), what: what.into() });
        }
    }
}

/// A plain file's bytes. Links are not followed: what they lead to is not evidence.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let meta = path.symlink_metadata().map_err(|e| format!("cannot be read: {e}"))?;
    if !meta.is_file() {
        return Err("is not a file".to_owned());
    }
    if meta.len() > MAX_FILE {
        return Err(format!("has {} bytes, more than the {MAX_FILE} that are read", meta.len()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    Ok(bytes)
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Result<BTreeSet<String>, Error> {
    let failed = || Error::io("read the directory", dir);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir).map_err(failed())? {
        names.insert(entry.map_err(failed())?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Checks a whole evidence directory. `head`: the digest of a line that must be in the log. An error means that it cannot
/// be examined at all.
pub fn verify(dir: &Path, head: Option<&str>) -> Result<Report, Error> {
    let mut report = Report::default();
    let mut records = Vec::new();
    let mut seen_head = false;
    let mut faults_of_lines = Vec::new();
    let (chain, torn) = log::read(dir, |line, record, faults| {
        faults_of_lines.extend(faults.into_iter().map(|f| (line, f)));
        if let Some(record) = record {
            seen_head |= head.is_some_and(|h| h == record.previous);
            records.push((line, record));
        }
    })?;
    let last = chain.head().to_owned();
    for (line, fault) in faults_of_lines {
        report.find(format!("{LOG}, line {line}"), fault);
    }
    if !torn.is_empty() {
        let what = format!("the last {} bytes are no whole line: a crash, or somebody cut it", torn.len());
        report.find(format!("{LOG}, line {}", chain.lines() + 1), what);
    }
    if head.is_some_and(|h| !seen_head && h != last) {
        report.find(LOG, "no line has the digest that was asked for: lines were changed or taken away");
    }
    report.lines = chain.lines();
    report.head = last;
    let mut known = BTreeSet::new();
    for (line, record) in &records {
        let place = format!("{LOG}, line {line}");
        if let Some(torn) = &record.torn {
            known.insert(torn.file.clone());
            let good = is_plain_name(&torn.file)
                && read(&dir.join(&torn.file)).is_ok_and(|b| Digest::of(&b).to_string() == torn.sha256);
            if good {
                report.notes.push(format!(
                    "{place}: a line before it was not finished; it is kept in `{}`",
                    torn.file
                ));
            } else {
                report.find(&torn.file, "the unfinished line is missing or was changed");
            }
        }
        match (&record.bundle, record.kind) {
            (Some(name), AlertKind::Raised) if is_plain_name(name) => {
                if !known.insert(name.clone()) {
                    report.find(&place, format!("the bundle `{name}` belongs to another line already"));
                    continue;
                }
                report.bundles += 1;
                let findings = examine_recorded(dir, name, record);
                for finding in findings {
                    report.find(finding.place, finding.what);
                }
            }
            (None, AlertKind::Cleared) => {}
            _ => report.find(&place, "a raised alert has a bundle of a plain name, a cleared one has none"),
        }
    }
    for name in names(dir)? {
        if known.contains(&name) || name == LOG {
            continue;
        }
        if name.ends_with(PARTIAL) {
            report.notes.push(format!("`{name}` was never finished (a crash, or it is being written)"));
        } else if name.starts_with("torn-") || dir.join(&name).join(EVIDENCE).exists() {
            report.find(&name, "no line of the log speaks of it: the line was taken away, or never written");
        } else {
            report.notes.push(format!("`{name}` is none of the log's"));
        }
    }
    Ok(report)
}

/// The log's records in their order, `None` for one that cannot be read. Checks no digests of files.
pub fn records(dir: &Path, mut each: impl FnMut(u64, Option<&Record>)) -> Result<(), Error> {
    log::read(dir, |line, record, _| each(line, record.as_ref())).map(drop)
}

/// A bundle against its line in the log, and by itself.
fn examine_recorded(dir: &Path, name: &str, record: &Record) -> Vec<Finding> {
    let path = dir.join(name);
    let mut findings = Vec::new();
    let mut find = |file: &str, what: &str| {
        findings.push(Finding { place: format!("{name}/{file}"), what: what.to_owned() });
    };
    if !path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
        find("", "the bundle is missing");
        return findings;
    }
    for (file, digest) in &record.files {
        match Some(file).filter(|f| is_plain_name(f)).map(|f| read(&path.join(f))) {
            None => find(file, "is no plain name"),
            Some(Err(what)) => find(file, &what),
            Some(Ok(bytes)) if Digest::of(&bytes).to_string() != *digest => {
                find(file, "was changed: its digest is not that in the log");
            }
            Some(Ok(_)) => {}
        }
    }
    match names(&path) {
        Ok(names) => {
            names.iter().filter(|n| !record.files.contains_key(*n)).for_each(|n| find(n, "was added"));
        }
        Err(e) => find("", &e.to_string()),
    }
    let examined = examine(&path);
    if let Some(alert_report) = &examined.alert_report {
        let a = &alert_report.alert;
        let same = (a.kind, a.epoch, a.pts, a.track_id, alert_report.ground)
            == (record.kind, record.epoch, record.pts, record.track_id, record.ground)
            && a.statistic.to_bits() == record.statistic.to_bits()
            && a.threshold.to_bits() == record.threshold.to_bits()
            && alert_report.running_time == record.running_time
            && alert_report.session_id.starts_with(&record.session_id);
        if !same {
            find(EVIDENCE, "its alert is not the one in the log");
        }
    }
    findings
        .extend(examined.findings.into_iter().map(|f| Finding { place: format!("{name}/{}", f.place), ..f }));
    findings
}

/// A bundle by itself: its digests, and whether its readings lead to its alert once more.
pub fn examine(bundle: &Path) -> Examined {
    let mut out = Examined { alert_report: None, replay: Replay::default(), findings: Vec::new() };
    let parsed = read(&bundle.join(EVIDENCE))
        .and_then(|b| serde_json::from_slice::<AlertReport>(&b).map_err(|e| format!("cannot be read: {e}")));
    let mut findings = Vec::new();
    let mut find = |file: &str, what: String| findings.push(Finding { place: file.to_owned(), what });
    let alert_report = match parsed {
        Ok(alert_report) if alert_report.schema == SCHEMA => alert_report,
        Ok(alert_report) => {
            find(EVIDENCE, format!("schema {}, this program reads {}", alert_report.schema, SCHEMA));
            return Examined { findings, ..out };
        }
        Err(what) => {
            find(EVIDENCE, what);
            return Examined { findings, ..out };
        }
    };
    let mut files = BTreeMap::new();
    for (file, digest) in &alert_report.files {
        match Some(file).filter(|f| is_plain_name(f)).map(|f| read(&bundle.join(f))) {
            None => find(file, "is no plain name".to_owned()),
            Some(Err(what)) => find(file, what),
            Some(Ok(bytes)) => {
                if Digest::of(&bytes).to_string() != *digest {
                    find(file, format!("was changed: its digest is not that in {EVIDENCE}"));
                }
                files.insert(file.as_str(), bytes);
            }
        }
    }
    if alert_report::config_digest(&alert_report.config).ok().as_ref() != Some(&alert_report.config_sha256) {
        find(EVIDENCE, "the configuration was changed: its digest is another one".to_owned());
    }
    match files.get(TRACES).map(|text| traces::read_traces(text, bundle)) {
        None => find(TRACES, "is missing".to_owned()),
        Some(Err(e)) => find(TRACES, e.to_string()),
        Some(Ok(recording)) => {
            let found = |what: String| Finding { place: EVIDENCE.to_owned(), what };
            findings.extend(threshold_faults(&alert_report, recording.threshold).into_iter().map(found));
            out.replay = replay(&recording);
            let differences = out.replay.differences.iter();
            findings.extend(
                differences.map(|d| Finding {
                    place: TRACES.to_owned(),
                    what: format!("at {} ns: {}", d.pts, d.what),
                }),
            );
            match traces::timeline(&recording) {
                Ok(timeline) => {
                    findings.extend(timeline_fault(&alert_report.timeline, &timeline).map(found));
                }
                Err(e) => findings.push(found(e.to_string())),
            }
            findings.extend(alert_fault(&alert_report, &out.replay).map(found));
        }
    }
    if alert_report.ground == Ground::Policy {
        let text = files.get(POLICY).map(|b| String::from_utf8_lossy(b).into_owned());
        let place = POLICY.to_owned();
        findings.extend(
            policy_faults(&alert_report, text).into_iter().map(|what| Finding { place: place.clone(), what }),
        );
    }
    Examined { alert_report: Some(alert_report), findings, ..out }
}

fn threshold_faults(alert_report: &AlertReport, recorded: f64) -> Vec<String> {
    let mut faults = Vec::new();
    let t = &alert_report.ran.threshold;
    if t.nats.to_bits() != recorded.to_bits() {
        faults.push(format!("the threshold is {} and the traces were judged with {recorded}", t.nats));
    }
    if alert_report.ground == Ground::Statistic && alert_report.alert.threshold.to_bits() != t.nats.to_bits()
    {
        faults.push(format!("the alert's threshold is {}, not {}", alert_report.alert.threshold, t.nats));
    }
    // The logarithm may differ in its last digit from one machine to another.
    let wanted = match t.hypotheses {
        // The analysis did not start; the policy alone raised alerts.
        0 => 0.0,
        n => cusum::threshold(t.mean_time_between_false_alerts, n),
    };
    if (wanted - t.nats).abs() > 1e-9 || !t.nats.is_finite() {
        let hours = t.mean_time_between_false_alerts;
        faults.push(format!("one false alert in {hours} hours asks for {wanted} nats, not {}", t.nats));
    }
    let set = alert_report.config.get("mean-time-between-false-alerts").and_then(serde_json::Value::as_f64);
    if set != Some(t.mean_time_between_false_alerts) {
        faults.push("the configuration asks for another mean time between false alerts".to_owned());
    }
    faults
}

/// Where the written time line is not the one that follows from the traces.
fn timeline_fault(written: &serde_json::Value, follows: &serde_json::Value) -> Option<String> {
    if written == follows {
        return None;
    }
    let (Some(a), Some(b)) = (written.as_array(), follows.as_array()) else {
        return Some("the time line is no list".to_owned());
    };
    let at = a.iter().zip(b).find(|(a, b)| a != b).and_then(|(_, b)| b.get("pts")).and_then(|p| p.as_u64());
    Some(match at {
        Some(pts) => format!("the time line is not the one that follows from the traces, at {pts} ns"),
        None => format!("the time line has {} frames, {} follow from the traces", a.len(), b.len()),
    })
}

/// Whether the replay ends in the alert that was raised.
fn alert_fault(alert_report: &AlertReport, replay: &Replay) -> Option<String> {
    if alert_report.ground == Ground::Policy {
        return None;
    }
    let alert = &alert_report.alert;
    let again = replay.alerts.iter().rev().find(|a| a.pts == alert.pts && a.track_id == alert.track_id);
    match again {
        None => Some(format!("the traces raise no alert at {} ns", alert.pts)),
        Some(a) if a.statistic.to_bits() != alert.statistic.to_bits() => {
            Some(format!("the traces lead to the statistic {}, not {}", a.statistic, alert.statistic))
        }
        Some(a) if a != alert => Some("the alert's evidence is not what the traces lead to".to_owned()),
        Some(_) => None,
    }
}

/// Asks the policy once more about every source.
fn policy_faults(alert_report: &AlertReport, text: Option<String>) -> Vec<String> {
    let Some(text) = text else { return vec!["is missing".to_owned()] };
    let mut faults = Vec::new();
    if alert_report.policy_sha256 != Some(Digest::of(text.as_bytes()).to_string()) {
        faults.push("is not the policy that was in force".to_owned());
    }
    match Policy::parse(&text, POLICY) {
        Err(e) => faults.push(e.to_string()),
        Ok(policy) => {
            for source in &alert_report.sources {
                if policy.violation(source) != source.violation {
                    faults.push(format!("says something else of the source `{}`", source.identity.element));
                }
            }
            let broken = alert_report.sources.iter().filter_map(|s| s.violation.as_deref());
            let reason = alert_report.alert.evidence.first().map_or("", |e| e.reason.as_str());
            if !broken.into_iter().any(|why| reason.ends_with(why)) {
                faults.push("no source breaks the rule that the alert speaks of".to_owned());
            }
        }
    }
    faults
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
