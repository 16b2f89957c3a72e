//! `deepfake evidence`: are these bundles as they were written, and do their readings lead to their alerts?

use crate::Run;
use crate::common::fail;
use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};
use gstdeepfake::analysis::judgement::verdict::AlertKind;
use gstdeepfake::evidence::hash_chain::Ground;
use gstdeepfake::evidence::verify::{Examined, Finding, examine, verify};
use gstdeepfake::evidence::{self, LOG};
use gstdeepfake::inference::Digest;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check the evidence that deepfakedetect wrote (its property evidence-dir).
///
/// Exit status: 0 if everything is as it was written and every alert follows from its readings; 1 if something was
/// changed, is missing or does not follow, and every such thing is named; 2 if it could not be examined.
#[derive(Debug, Args)]
pub struct Evidence {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check an evidence directory: the log's chain, the digest of every file, and every bundle as `replay` does.
    Verify {
        /// The directory that evidence-dir named.
        dir: PathBuf,
        /// SHA-256 of a line that must be in the log (the message deepfake-evidence gives it): shows whether newer lines
        /// were taken away.
        #[arg(long, value_name = "SHA256")]
        head: Option<Digest>,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Judge bundles again from their readings, with the code that judged them first.
    Replay {
        /// Folders of bundles.
        #[arg(required = true, value_name = "BUNDLE")]
        bundles: Vec<PathBuf>,
        /// One JSON object a line and bundle instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Say what a bundle, or every bundle of a directory, tells. Checks nothing.
    Show {
        #[arg(value_name = "DIR")]
        path: PathBuf,
    },
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

impl Run for Evidence {
    fn run(self) -> ExitCode {
        let result = match &self.command {
            Command::Verify { dir, head, json } => check(dir, head.map(|h| h.to_string()).as_deref(), *json),
            Command::Replay { bundles, json } => {
                Ok(bundles.iter().map(|b| again(b, *json)).max().unwrap_or_default())
            }
            Command::Show { path } => show(path),
        };
        result.map_or_else(|error| fail("evidence", error, 2), ExitCode::from)
    }
}

/// Text from a file that somebody may have changed, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn list(findings: &[Finding]) {
    for finding in findings {
        anstream::println!("{BAD}{}{BAD:#}: {}", printable(&finding.place), printable(&finding.what));
    }
}

fn check(dir: &Path, head: Option<&str>, json: bool) -> Result<u8, evidence::Error> {
    let report = verify(dir, head)?;
    let good = report.findings.is_empty();
    if json {
        let report = serde_json::to_string(&report)?;
        println!("{report}");
        return Ok(u8::from(!good));
    }
    list(&report.findings);
    for note in &report.notes {
        anstream::println!("note: {}", printable(note));
    }
    let (lines, bundles) = (report.lines, report.bundles);
    if good {
        anstream::println!(
            "{GOOD}intact{GOOD:#}: {lines} lines, {bundles} bundles, every alert follows from its readings"
        );
    } else {
        let count = report.findings.len();
        anstream::println!("{BAD}not intact{BAD:#}: {count} findings in {lines} lines and {bundles} bundles");
    }
    println!("head {}", report.head);
    Ok(u8::from(!good))
}

fn again(bundle: &Path, json: bool) -> u8 {
    let examined = examine(bundle);
    let code = match (&examined.alert_report, examined.findings.is_empty()) {
        (None, _) => 2,
        (_, true) => 0,
        (_, false) => 1,
    };
    let name = bundle.display().to_string();
    if json {
        println!(
            "{}",
            json!({
                "bundle": name,
                "frames": examined.replay.frames,
                "updates": examined.replay.steps,
                "alerts": examined.replay.alerts,
                "findings": examined.findings,
            })
        );
        return code;
    }
    list(&examined.findings);
    for alert in examined.replay.alerts.iter().filter(|a| a.kind == AlertKind::Raised) {
        let (pts, statistic, threshold) = (alert.pts, alert.statistic, alert.threshold);
        let who = alert.track_id.map_or_else(|| "the stream".to_owned(), |id| format!("face {id}"));
        println!("{name}: alert raised at {pts} ns about {who}, {statistic} nats, threshold {threshold}");
    }
    let (frames, steps) = (examined.replay.frames, examined.replay.steps);
    match code {
        0 => anstream::println!(
            "{GOOD}same{GOOD:#}: {name}: {frames} frames, {steps} updates, the same numbers"
        ),
        1 => anstream::println!("{BAD}not the same{BAD:#}: {name}: {} findings", examined.findings.len()),
        _ => anstream::println!("{BAD}unreadable{BAD:#}: {name}"),
    }
    code
}

fn show(path: &Path) -> Result<u8, evidence::Error> {
    if !path.join(LOG).is_file() {
        return Ok(tell(path, &examine(path)));
    }
    let mut code = 0;
    let mut bundles = Vec::new();
    evidence::verify::records(path, |line, record| match record {
        None => {
            println!("line {line} cannot be read");
            code = 1;
        }
        Some(r) => {
            let (kind, at) = (r.kind, r.pts as f64 * 1e-9);
            println!("line {line}: {} {kind} at {at:.2} s, {}", printable(&r.time), printable(&r.session_id));
            bundles.extend(r.bundle.clone());
        }
    })?;
    for name in bundles.iter().filter(|n| evidence::is_plain_name(n)) {
        println!();
        let bundle = path.join(name);
        code = code.max(tell(&bundle, &examine(&bundle)));
    }
    Ok(code)
}

fn tell(bundle: &Path, examined: &Examined) -> u8 {
    println!("{}", bundle.display());
    let Some(alert_report) = &examined.alert_report else {
        list(&examined.findings);
        return 2;
    };
    let alert = &alert_report.alert;
    let who = alert.track_id.map_or_else(|| "the stream".to_owned(), |id| format!("face {id}"));
    println!("  alert at {:.2} s about {who}", alert.pts as f64 * 1e-9);
    match alert_report.ground {
        Ground::Statistic => println!("  {:.2} nats, threshold {:.2}", alert.statistic, alert.threshold),
        Ground::Policy => println!("  by the policy"),
    }
    for e in &alert.evidence {
        println!("  {:+.2} nats {}: {}", e.llr, printable(&e.signal), printable(&e.reason));
    }
    let decision = &alert_report.decision;
    println!("  decision at that moment: {}", decision.decision);
    for reason in &decision.reasons {
        println!("    {}", printable(reason));
    }
    for s in &alert_report.sources {
        println!("  source {} ({:.0} %)", s.class, s.confidence * 100.0);
    }
    println!(
        "  {}, calibration {}",
        printable(&alert_report.ran.plugin),
        printable(&alert_report.ran.calibration.version)
    );
    for (name, digest) in &alert_report.ran.models {
        println!("  {} {}", printable(name), printable(digest));
    }
    println!("  {} frames, files: {}", examined.replay.frames, {
        let names: Vec<String> = alert_report.files.keys().map(|n| printable(n)).collect();
        names.join(", ")
    });
    0
}
