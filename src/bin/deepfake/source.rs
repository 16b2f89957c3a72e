//! `deepfake source`: who made this stream? The provenance report of a device, a file, a URI or a pipeline.

use crate::Run;
use crate::common::complain;
use clap::{Args, ValueEnum};
use gst::prelude::*;
use gstdeepfake::analysis::source::provenance::Outcome;
use gstdeepfake::message::{DeepfakeMessage, parse};
use gstdeepfake::provenance::device::{self, Roots};
use gstdeepfake::provenance::identity::Identity;
use gstdeepfake::provenance::policy::Policy;
use gstdeepfake::provenance::report::SourceReport;
use gstreamer as gst;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Say where a stream comes from, and why.
///
/// SOURCE is a video device (/dev/video0), a file, a URI (rtsp://...), or the beginning of a pipeline
/// ("pipewiresrc ! videoconvert"). It is played for --seconds and watched by the element cameraprovenance. Exit status:
/// 0 if the policy has nothing against the source, 3 if it has, 2 if nothing could be found out.
#[derive(Debug, Args)]
pub struct Source {
    /// Devices, files, URIs or pipelines.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// How long to watch each of them, seconds of wall time.
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
    /// Policy file; without one virtual cameras are unwelcome.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Also look at this machine: kernel modules, firmware, container.
    #[arg(long)]
    environment: bool,
    /// Also move the camera's controls and see whether the pictures answer: visible, and takes 45 seconds.
    #[arg(long)]
    controls: bool,
    /// Only ask the device, do not play it.
    #[arg(long)]
    no_play: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The same as --format json.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One JSON object a line and source.
    Json,
}

/// Why a source could not be looked at.
#[derive(Debug, Error)]
enum Error {
    #[error("{0}")]
    Start(String),
    #[error("{given}: {message}")]
    Source { given: String, message: String },
}

impl Run for Source {
    fn run(self) -> ExitCode {
        let mut code = 0;
        for given in &self.sources {
            match look(&self, given) {
                Ok(reports) => {
                    for report in &reports {
                        show(&self, given, report);
                        if report.violation.is_some() {
                            code = code.max(3);
                        }
                    }
                }
                Err(error) => {
                    complain("source", error);
                    code = 2;
                }
            }
        }
        ExitCode::from(code)
    }
}

/// What a source is given as.
enum Given {
    Device(PathBuf),
    Pipeline(String),
}

fn given(text: &str) -> Given {
    let path = Path::new(text);
    if path.starts_with("/dev") {
        return Given::Device(path.to_path_buf());
    }
    // A property of gst-launch's language: quotes and backslashes inside quotes are escaped.
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    if path.is_file() {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        return Given::Pipeline(format!(
            "filesrc location={} ! decodebin ! video/x-raw(ANY)",
            quoted(&path.to_string_lossy())
        ));
    }
    let is_uri = text
        .split_once("://")
        .is_some_and(|(s, _)| s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)));
    if is_uri {
        return Given::Pipeline(format!("uridecodebin uri={} ! video/x-raw(ANY)", quoted(text)));
    }
    Given::Pipeline(text.to_owned())
}

fn look(args: &Source, text: &str) -> Result<Vec<SourceReport>, Error> {
    gstdeepfake::register_static().map_err(|e| Error::Start(e.to_string()))?;
    let policy = args.policy.as_deref().map_or_else(Policy::built_in, Policy::load);
    let policy = policy.map_err(|e| Error::Start(e.to_string()))?;
    let source = given(text);
    let played = match &source {
        Given::Device(_) if args.no_play => Ok(Vec::new()),
        Given::Device(node) => play(args, &format!("v4l2src device=\"{}\"", node.display())),
        Given::Pipeline(description) => play(args, description),
    };
    match (source, played) {
        (_, Ok(reports)) if !reports.is_empty() => Ok(reports),
        // A device that cannot be played (in use, fed by nobody yet) can still be asked.
        (Given::Device(node), played) => {
            if let Err(message) = played {
                complain("source", format!("{text}: cannot be played: {message}"));
            }
            Ok(vec![ask(&node, &policy)])
        }
        (_, Ok(_)) => {
            Err(Error::Source { given: text.into(), message: "no frame came within the time".into() })
        }
        (_, Err(message)) => Err(Error::Source { given: text.into(), message }),
    }
}

/// The report of a device from what its driver and the device tree say.
fn ask(node: &Path, policy: &Policy) -> SourceReport {
    let found = device::inspect(node, &Roots::default());
    let identity = Identity {
        factory: "v4l2src".into(),
        properties: BTreeMap::from([("device".to_owned(), node.display().to_string())]),
        ..Identity::default()
    };
    let mut findings = identity.findings();
    findings.extend(found.findings);
    let mut report = SourceReport::new(identity, found.facts.texts(), findings);
    report.violation = policy.violation(&report);
    report
}

/// Plays the description's stream and returns the last report of every source.
fn play(args: &Source, description: &str) -> Result<Vec<SourceReport>, String> {
    let text = format!("{description} ! cameraprovenance name=watched-end ! fakesink sync=false");
    let pipeline = gst::parse::launch(&text).map_err(|e| e.to_string())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "this is no pipeline".to_owned())?;
    let watcher = pipeline.by_name("watched-end").ok_or("the watching element is gone")?;
    watcher.set_property("probe-environment", args.environment);
    watcher.set_property("probe-controls", args.controls);
    if let Some(policy) = &args.policy {
        watcher.set_property("policy", policy.to_string_lossy().as_ref());
    }
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let mut reports: BTreeMap<String, SourceReport> = BTreeMap::new();
    let (mut failure, mut ended) = (None, false);
    let started = pipeline.set_state(gst::State::Playing).is_ok();
    let until = Instant::now() + Duration::from_secs_f64(args.seconds.clamp(0.1, 86_400.0));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = gst::ClockTime::try_from(left).unwrap_or_default();
        let Some(message) = bus.timed_pop(wait) else { break };
        if let Some(Ok(DeepfakeMessage::Provenance(m))) = parse(&message) {
            reports.insert(m.source.identity.element.clone(), m.source);
        }
        match message.view() {
            gst::MessageView::Error(e) => {
                failure = Some(e.error().to_string());
                break;
            }
            gst::MessageView::Eos(_) => ended = true,
            _ => {}
        }
        // A stream may be over before all is known of it.
        if ended && !reports.is_empty() && !reports.values().any(SourceReport::is_pending) {
            break;
        }
        if !started && left.is_zero() {
            break;
        }
    }
    // The newest numbers, also those that were not worth a message.
    for value in watcher.property::<gst::Array>("sources").iter() {
        let message = value.get::<gst::Structure>().ok();
        let message =
            message.and_then(|s| gstdeepfake::message::ProvenanceMessage::try_from(s.as_ref()).ok());
        if let Some(m) = message {
            reports.insert(m.source.identity.element.clone(), m.source);
        }
    }
    // Nothing can be done about a pipeline that does not stop.
    let _ = pipeline.set_state(gst::State::Null);
    match failure {
        Some(failure) if reports.is_empty() => Err(failure),
        _ => Ok(reports.into_values().collect()),
    }
}

fn show(args: &Source, given: &str, report: &SourceReport) {
    if args.json || args.format == Format::Json {
        match serde_json::to_string(report) {
            Ok(line) => anstream::println!("{line}"),
            Err(error) => complain("source", error),
        }
        return;
    }
    use anstyle::{AnsiColor, Style};
    let (bold, red) = (Style::new().bold(), Style::new().fg_color(Some(AnsiColor::Red.into())).bold());
    let identity = &report.identity;
    anstream::println!(
        "{bold}{given}{bold:#}\n  class      {bold}{}{bold:#} ({:.0} %), evidence of injection {:+.1} nats",
        report.class,
        100.0 * report.confidence,
        report.injection
    );
    let inside = if identity.inside.is_empty() {
        String::new()
    } else {
        format!(" in {}", identity.inside.join(", "))
    };
    anstream::println!("  source     {}{inside}", identity.factory);
    for (name, value) in identity.properties.iter().chain(&report.device) {
        anstream::println!("  {name:<10} {value}");
    }
    if let Some(why) = &report.violation {
        anstream::println!("  {red}policy     {why}{red:#}");
    }
    anstream::println!("\n  {:<20} {:>7} {:<12} {:>9}  reason", "check", "weight", "class", "injection");
    for f in &report.findings {
        match f.outcome {
            Outcome::Found => anstream::println!(
                "  {:<20} {:>+7.1} {:<12} {:>+9.1}  {}",
                f.check,
                f.weight,
                f.class.map_or("-", |c| c.name()),
                f.injection,
                f.reason
            ),
            other => anstream::println!(
                "  {:<20} {:>7} {:<12} {:>9}  {} ({other})",
                f.check,
                "-",
                "-",
                "-",
                f.reason
            ),
        }
    }
    anstream::println!("");
}
