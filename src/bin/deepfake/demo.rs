//! `deepfake demo`: the plugin at its work. Judges recorded calls, and attacks made from them on the spot.

use crate::Run;
use crate::common::{INTERRUPTED, ProfileName, fail};
use clap::{Args, ValueEnum};
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::demo::{
    self, Case, Error, Finding, Kind, LIMIT_S, Options, alert_line, judge, play, summary_line, verdict_line,
};
use gstdeepfake::detect::Mode;
use gstdeepfake::message::DeepfakeMessage;
use gstdeepfake::redteam::render_file;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Judge recorded calls, and attacks made from them, and say which were judged right.
///
/// For every recording in --clips three attacks are made (a photo in a moving hand, a loop, a call that turns into a
/// photo), once; a later run finds them. Each clip goes through a GStreamer pipeline with deepfakedetect and
/// deepfakeoverlay. Exit status: 0 if genuine clips stay without an alert and every attack is alerted (with --strict: in
/// time), 1 if not, 2 if the run was not possible, 130 after Ctrl-C.
#[derive(Debug, Args)]
pub struct Demo {
    /// Folder with genuine recordings (.mp4, .mov, .mkv, .webm).
    #[arg(long, value_name = "DIR")]
    clips: PathBuf,
    /// Where results go: <clip>.mp4 with the verdict drawn in, verdicts.jsonl, and the attacks in clips/.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// live: at the pace of the clock, analysis beside the stream. sync: as fast as it goes, every run the same
    /// [default: sync, but one clip live].
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// How thoroughly to analyse.
    #[arg(long, value_enum, default_value_t = ProfileName::Balanced)]
    profile: ProfileName,
    /// Only the clip of that name, or the recording of that name with its attacks.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// 20 s of each recording, attacks from one recording only, nothing at the pace of the clock.
    #[arg(long)]
    quick: bool,
    /// A late alert is a failure.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    Live,
    Sync,
}

/// A line of verdicts.jsonl.
#[derive(Serialize)]
struct Line<'a> {
    clip: &'a str,
    #[serde(flatten)]
    message: &'a DeepfakeMessage,
}

impl Run for Demo {
    fn run(self) -> ExitCode {
        match clips(&self) {
            Ok(findings) if findings.iter().all(|f| f.right && (f.in_time || !self.strict)) => {
                ExitCode::SUCCESS
            }
            Ok(_) => ExitCode::FAILURE,
            Err(Error::Interrupted) => {
                eprintln!();
                fail("demo", "interrupted", INTERRUPTED)
            }
            Err(error) => fail("demo", error, 2),
        }
    }
}

fn clips(args: &Demo) -> Result<Vec<Finding>, Error> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::File { path, source }
    };
    gstdeepfake::register_static().map_err(|e| Error::Build(e.to_string()))?;
    let stop = gstdeepfake::batch::interruption()
        .map_err(|e| Error::Build(format!("Ctrl-C cannot be listened to: {e}")))?;
    let mode = args.mode.map(|m| if matches!(m, ModeName::Live) { Mode::Live } else { Mode::Sync });
    let rendered = args.out.join("clips");
    for folder in [&args.out, &rendered] {
        let same =
            |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
        if same(folder, &args.clips) {
            return Err(Error::OverClips(args.clips.clone()));
        }
    }
    let plan = demo::plan(&args.clips, mode, args.quick, args.only.as_deref())?;
    std::fs::create_dir_all(&rendered).map_err(failed(&rendered))?;
    for left_out in &plan.left_out {
        anstream::println!("left out: {left_out}");
    }
    let files =
        plan.cases.iter().map(|case| render(case, &rendered, &stop)).collect::<Result<Vec<_>, _>>()?;
    let lines = args.out.join("verdicts.jsonl");
    let mut json = BufWriter::new(File::create(&lines).map_err(failed(&lines))?);
    let mut findings = Vec::new();
    let mut interrupted = None;
    for (case, (file, onset)) in plan.cases.iter().zip(&files) {
        let output = args.out.join(format!("{}.mp4", case.name));
        let mode = if case.mode == Mode::Live { "live, at the pace of the clock" } else { "sync" };
        anstream::println!("\n== {} ({}: {}; {mode})", case.name, case.kind.name(), case.kind.explanation());
        let mut next = 0;
        let options = Options { profile: Profile::from(args.profile).name(), stop: &stop };
        let result = play(case, file, &output, options, &mut |message, delay| {
            show(message, delay, &mut next);
            serde_json::to_writer(&mut json, &Line { clip: &case.name, message })?;
            json.write_all(b"\n").map_err(failed(&lines))
        });
        match result {
            Ok(played) => {
                anstream::println!(
                    "           {:.1} s of wall time, drawn into {}",
                    played.wall.as_secs_f64(),
                    output.display()
                );
                findings.push(judge(case, *onset, &played));
            }
            Err(Error::Interrupted) => {
                interrupted = Some(Error::Interrupted);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    json.flush().map_err(failed(&lines))?;
    anstream::println!("\n{}", demo::table(&findings, plan.cases.len()));
    anstream::println!(
        "An alert is in time within {LIMIT_S:.0} s of the onset. A loop's onset is its first repeated frame: there it \
         means within two passes.\nMessages: {}",
        lines.display()
    );
    match interrupted {
        Some(error) => {
            anstream::println!("Interrupted: {} of {} clips were judged.", findings.len(), plan.cases.len());
            Err(error)
        }
        None => Ok(findings),
    }
}

/// One line a second, and every alert.
fn show(message: &DeepfakeMessage, delay: f64, next: &mut u64) {
    match message {
        DeepfakeMessage::Verdict(m) => {
            let now = m.header.stream_time.or(m.header.timestamp).unwrap_or_default();
            if now >= *next {
                // The next whole second.
                *next = (now / 1_000_000_000 + 1) * 1_000_000_000;
                anstream::println!("{}", verdict_line(m));
            }
        }
        DeepfakeMessage::Alert(m) => anstream::println!("{}", alert_line(m, delay)),
        DeepfakeMessage::Summary(m) => anstream::println!("{}", summary_line(m)),
        _ => {}
    }
}

/// The clip's file, made if it is an attack and not there yet, and when its attack begins.
fn render(case: &Case, folder: &Path, stop: &AtomicBool) -> Result<(PathBuf, Option<f64>), Error> {
    let Some(condition) = &case.condition else { return Ok((case.source.clone(), None)) };
    debug_assert!(case.kind != Kind::Genuine);
    let output = folder.join(format!("{}.mp4", case.name));
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("making {msg} [{bar:40}] {percent:>3}% {eta:>4}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(case.name.clone());
    let result = render_file(&case.source, &output, condition, &mut |done, all| {
        bar.set_position((done / all.max(0.001) * 1000.0) as u64);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    match result {
        Ok(made) => {
            let how = if made.reused { "there already" } else { "made" };
            anstream::println!("{}: {how} ({:.1} s)", output.display(), made.record.duration_s);
            Ok((output, made.record.onset_s))
        }
        Err(_) if stop.load(Ordering::Relaxed) => Err(Error::Interrupted),
        Err(error) => Err(error.into()),
    }
}
