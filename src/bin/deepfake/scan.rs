//! `deepfake scan`: recorded streams in, verdicts and a report out.

use crate::Run;
use crate::common::{INTERRUPTED, ProfileName, fail};
use clap::Args;
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::judgement::decision::Decision;
use gstdeepfake::batch::{
    self, Comparison, Error, Event, Item, Outcome, Record, Results, SCHEMA_VERSION, Settings,
};
use gstdeepfake::evaluation::{Evaluation, evaluate};
use gstdeepfake::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Scan recorded streams: verdicts, a report, error rates where there are labels.
///
/// Runs the element deepfakedetect over them, faster than real time.
///
/// With labels (a manifest) it tells error rates and curves as well. A recording that cannot be scanned is listed with
/// its reason and stops nothing; one that is damaged in the middle is judged up to there. Exit status: 0 if all were
/// scanned to their ends, 1 if some failed, 2 if the scan was not possible,
/// 3 if all were scanned and --fail-on found what it looks for, 130 after Ctrl-C.
#[derive(Debug, Args)]
pub struct Scan {
    /// Files, folders (walked for video files), manifests (.csv with a column `path` or `file`, and perhaps label,
    /// attack_type, pair_id, identity_group, onset_s), URIs (rtsp://..., file://...).
    #[arg(required_unless_present = "worker")]
    inputs: Vec<OsString>,
    /// Recordings at a time [default: one a core].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// How thoroughly to analyse.
    #[arg(long, value_enum, default_value_t = ProfileName::Balanced)]
    profile: ProfileName,
    /// Presets of the operating points [default: the element's, call].
    #[arg(long, value_enum)]
    purpose: Option<PurposeName>,
    /// Exit with 3 if any recording ends in this decision, or in a worse one.
    #[arg(long, value_enum, value_name = "DECISION")]
    fail_on: Option<FailOn>,
    /// The operating point: hours of genuine video of one stream per false alert [default: the element's, 100].
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    mean_time_between_false_alerts: Option<f64>,
    /// Manifests (or folders with a manifest.toml) of further networks that watch a face, separated by colons: they run,
    /// and are evaluated one by one.
    #[arg(long, value_name = "PATHS", default_value = "")]
    extra_models: String,
    /// Count nothing of this signal's evidence, to measure what the others do without it; again, or with commas, for
    /// several. Names are those of the evidence; a wrong one lists them.
    #[arg(long, value_name = "SIGNAL", value_delimiter = ',')]
    without: Vec<String>,
    /// Certificates (PEM) under which the signers of recordings with a signed history (C2PA) are trusted.
    #[cfg(feature = "c2pa")]
    #[arg(long, value_name = "FILE")]
    trust_anchors: Option<PathBuf>,
    /// Look at no more than the first seconds of each stream [default: all of a file, 60 of a URI].
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<f64>,
    /// Results as they come, a line of JSON for each recording.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Go on with the results in --json: what was scanned to its end is not scanned again.
    #[arg(long, requires = "json")]
    resume: bool,
    /// A report for people: one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A line for each recording, for a spreadsheet.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The numbers of labelled recordings as JSON.
    #[arg(long, value_name = "FILE")]
    eval_json: Option<PathBuf>,
    /// Say what changed since the results in this file (an earlier --json), and whether it may be chance.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Keep the first analysed frame of each recording, small, in results and report. It shows people's faces.
    #[arg(long)]
    thumbnails: bool,
    /// Scan what standard input asks for; this program starts itself so.
    #[arg(long, hide = true)]
    worker: bool,
}

/// The element's purposes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PurposeName {
    Call,
    Kyc,
    Forensic,
}

impl PurposeName {
    const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Kyc => "kyc",
            Self::Forensic => "forensic",
        }
    }
}

/// Decisions that may be looked for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FailOn {
    Insufficient,
    Refer,
    Reject,
}

impl From<FailOn> for Decision {
    fn from(least: FailOn) -> Self {
        match least {
            FailOn::Insufficient => Self::Insufficient,
            FailOn::Refer => Self::Refer,
            FailOn::Reject => Self::Reject,
        }
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let wrong = || format!("give a number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|n| range.contains(n)).ok_or_else(wrong)
}

fn hours(text: &str) -> Result<f64, String> {
    number(text, 0.01..=1e6)
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, 0.1..=1e6)
}

impl Run for Scan {
    fn run(self) -> ExitCode {
        if self.worker {
            return worker();
        }
        match recordings(&self) {
            Ok(Done { failed: 0, found: false }) => ExitCode::SUCCESS,
            Ok(Done { failed: 0, found: true }) => ExitCode::from(3),
            Ok(_) => ExitCode::FAILURE,
            Err(Error::Interrupted) => fail("scan", "interrupted", INTERRUPTED),
            Err(error) => fail("scan", error, 2),
        }
    }
}

/// The side of a process that scans.
fn worker() -> ExitCode {
    let done = gstdeepfake::register_static()
        .map_err(|e| e.to_string())
        .and_then(|()| batch::serve(std::io::stdin().lock(), std::io::stdout()).map_err(|e| e.to_string()));
    done.map_or_else(
        |e| {
            eprintln!("{e}");
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    )
}

/// How many recordings failed, and whether one ended in a decision that was looked for.
struct Done {
    failed: usize,
    found: bool,
}

fn recordings(args: &Scan) -> Result<Done, Error> {
    gstdeepfake::register_static().map_err(|e| Error::Analysis(e.to_string()))?;
    let stop =
        batch::interruption().map_err(|e| Error::Analysis(format!("Ctrl-C cannot be listened to: {e}")))?;
    let settings = Settings {
        profile: Profile::from(args.profile).name().into(),
        purpose: args.purpose.map_or_else(String::new, |p| p.name().into()),
        hours: args.mean_time_between_false_alerts,
        seconds: args.seconds,
        thumbnails: args.thumbnails,
        extra_models: args.extra_models.clone(),
        without: without(&args.without),
        #[cfg(feature = "c2pa")]
        trust_anchors: args.trust_anchors.clone(),
        #[cfg(not(feature = "c2pa"))]
        trust_anchors: None,
    };
    // What is wrong with the call is told before hours of work.
    let items = batch::items(&args.inputs)?;
    for path in [&args.html, &args.csv, &args.eval_json].into_iter().flatten() {
        OpenOptions::new().create(true).append(true).open(path).map_err(Error::file(path))?;
    }
    let earlier = args.compare.as_deref().map(batch::read_results).transpose()?;
    let (mut results, known) =
        match args.json.as_deref().map(|p| Results::open(p, args.resume)).transpose()? {
            Some((results, known)) => (Some(results), known),
            None => (None, Vec::new()),
        };

    let known: BTreeMap<&str, &Record> = known.iter().map(|r| (r.clip.as_str(), r)).collect();
    let mut records: Vec<Option<Record>> = items
        .iter()
        .map(|item| {
            let done = known.get(item.name.as_str()).filter(|r| is_done(r, item, &settings))?;
            // Labels may have been put right since.
            Some(Record { label: item.label.clone(), ..Record::clone(done) })
        })
        .collect();
    let todo: Vec<(usize, Item)> =
        items.iter().cloned().enumerate().filter(|(i, _)| matches!(records.get(*i), Some(None))).collect();
    if todo.len() < items.len() {
        anstream::println!("{} of {} recordings are scanned already", items.len() - todo.len(), items.len());
    }
    if !todo.is_empty() {
        batch::check(&settings).map_err(Error::Analysis)?;
    }
    let (video, wall) = scan(args, &settings, &todo, &stop, &mut |index, record| {
        if let Some(results) = &mut results {
            results.add(&record)?;
        }
        if let Some(slot) = records.get_mut(index) {
            *slot = Some(if args.html.is_some() { record } else { without_timeline(record) });
        }
        Ok(())
    })?;
    let interrupted = stop.load(Ordering::Relaxed);
    let records: Vec<Record> = records.into_iter().flatten().collect();
    anstream::println!("\n{}", batch::totals(&records, video, wall));
    if !settings.without.is_empty() {
        anstream::println!("Not the whole detector: without {}.", settings.without.replace(',', ", "));
    }
    let speed = if wall > 0.0 && video > 0.0 {
        format!("{video:.0} s of video in {wall:.0} s, {:.1} times real time", video / wall)
    } else {
        String::new()
    };
    write(args, &records, earlier.as_deref(), &speed)?;
    if interrupted {
        return Err(Error::Interrupted);
    }
    let bad = |r: &&Record| {
        let decided = r.judged().map(|s| s.decision);
        decided.zip(args.fail_on).is_some_and(|(decision, least)| decision >= least.into())
    };
    let failed = records.iter().filter(|r| r.scanned().is_none()).count();
    Ok(Done { failed, found: records.iter().any(|r| bad(&r)) })
}

/// Nobody looks at the time lines of thousands of recordings but a report.
fn without_timeline(mut record: Record) -> Record {
    if let Outcome::Scanned(scanned) | Outcome::Damaged(scanned) = &mut record.outcome {
        (scanned.timeline, scanned.thumbnail) = (Vec::new(), None);
    }
    record
}

/// The same names in any order are the same settings.
fn without(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

/// Whether an earlier result stands: scanned, the same file, the same way.
fn is_done(record: &Record, item: &Item, settings: &Settings) -> bool {
    record.scanned().is_some() && record.bytes == item.source.bytes() && record.settings == *settings
}

/// Returns seconds of video and of wall time.
fn scan(
    args: &Scan,
    settings: &Settings,
    todo: &[(usize, Item)],
    stop: &AtomicBool,
    keep: &mut dyn FnMut(usize, Record) -> Result<(), Error>,
) -> Result<(f64, f64), Error> {
    if todo.is_empty() {
        return Ok((0.0, 0.0));
    }
    let program = std::env::current_exe().map_err(|e| Error::Analysis(e.to_string()))?;
    let start = || {
        let mut command = Command::new(&program);
        command.args(["scan", "--worker"]);
        command
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    let bar = ProgressBar::with_draw_target(Some(todo.len() as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} recordings [{bar:30}] {eta:>4} left, {msg}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    let begun = Instant::now();
    let (mut done, mut under_way) = (0.0, BTreeMap::new());
    let items: Vec<Item> = todo.iter().map(|(_, item)| item.clone()).collect();
    let result = batch::run(&items, jobs, &start, settings, stop, &mut |event| {
        match event {
            Event::At { index, seconds } => {
                under_way.insert(index, seconds);
            }
            Event::Done { index, outcome } => {
                under_way.remove(&index);
                if let Some(s) = outcome.judged() {
                    done += s.duration_s;
                }
                if let Some((place, item)) = todo.get(index) {
                    let record = Record {
                        schema_version: SCHEMA_VERSION,
                        clip: item.name.clone(),
                        bytes: item.source.bytes(),
                        settings: settings.clone(),
                        label: item.label.clone(),
                        outcome,
                    };
                    bar.suspend(|| anstream::println!("{}", batch::clip_line(&record)));
                    keep(*place, record)?;
                }
                bar.inc(1);
            }
        }
        let seconds = done + under_way.values().sum::<f64>();
        bar.set_message(format!("{:.1} times real time", seconds / begun.elapsed().as_secs_f64().max(0.001)));
        Ok(())
    });
    bar.finish_and_clear();
    result.map(|()| (done, begun.elapsed().as_secs_f64()))
}

/// What was asked for besides the results.
fn write(args: &Scan, records: &[Record], earlier: Option<&[Record]>, speed: &str) -> Result<(), Error> {
    let clips = batch::clips(records);
    let evaluation: Option<Evaluation> = (!clips.is_empty()).then(|| evaluate(&clips));
    if let Some(evaluation) = &evaluation {
        anstream::println!("\n{}", batch::evaluation_table(evaluation).trim_end());
        anstream::println!("\n{}", batch::decision_table(records).trim_end());
    }
    let models = batch::model_evaluations(records);
    if !models.is_empty() {
        anstream::println!("\n{}", batch::models_table(&models).trim_end());
    }
    let comparison: Option<Comparison> = earlier.map(|before| batch::compare(before, records));
    if let Some(comparison) = &comparison {
        anstream::println!("\n{}", batch::comparison_table(comparison).trim_end());
    }
    if let Some(path) = &args.eval_json {
        let whole = evaluation.clone().unwrap_or_else(|| evaluate(&[]));
        let numbers = batch::eval_json(&whole, &models, records);
        let mut text = serde_json::to_string_pretty(&numbers)?;
        text.push('\n');
        save(path, text.as_bytes())?;
    }
    if let Some(path) = &args.csv {
        batch::write_csv(path, records)?;
    }
    if let Some(path) = &args.html {
        let now = gstreamer::glib::DateTime::now_utc().and_then(|t| t.format("%Y-%m-%d %H:%M UTC"));
        let made = now.map(|t| t.to_string()).unwrap_or_default();
        let (evaluation, comparison) = (evaluation.as_ref(), comparison.as_ref());
        let page = report::render(&report::Input { records, evaluation, comparison, made: &made, speed })?;
        save(path, page.as_bytes())?;
    }
    Ok(())
}

fn save(path: &std::path::Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::File::create(path).and_then(|mut f| f.write_all(bytes)).map_err(Error::file(path))
}
