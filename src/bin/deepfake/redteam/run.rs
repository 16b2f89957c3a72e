//! `deepfake redteam run`: the conditions of a catalogue, tried on recordings.

use super::fail;
use crate::common::{INTERRUPTED, ProfileName};
use clap::Args;
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::batch::interruption;
use gstdeepfake::batch::json_lines::Lines;
use gstdeepfake::batch::process::{Progress, answer, each};
use gstdeepfake::redteam::run::{
    Baseline, Judged, Outcome, Plan, Row, SCHEMA_VERSION, Setting, Store, Task, Trial, evaluate, load,
    report, sources, tally,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;
use wildmatch::WildMatch;

#[derive(Debug, Args)]
pub struct Run {
    /// Genuine recordings, pictures of faces, or folders of them; NAME=PATH says who it shows.
    #[arg(required_unless_present = "list")]
    sources: Vec<PathBuf>,
    /// What to try [default: the catalogue that is built in].
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Only this family of the catalogue; may be given several times.
    #[arg(long, value_name = "NAME")]
    family: Vec<String>,
    /// Only conditions whose name fits, as `presentation/*/clean`; may be given several times.
    #[arg(long, value_name = "GLOB")]
    condition: Vec<String>,
    /// Print the conditions, one a line, and do nothing.
    #[arg(long)]
    list: bool,
    /// How many evaluations [default: every condition once on every recording].
    #[arg(long, value_name = "N")]
    budget: Option<usize>,
    /// One evaluation of every variant, on the first of its channels: for continuous integration.
    #[arg(long, conflicts_with_all = ["budget", "seconds"])]
    quick: bool,
    /// Evaluations at a time [default: one a core].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Do one part of the work, as 2/8; the results of all parts put one after the other are the whole.
    #[arg(long, value_name = "I/N", value_parser = shard, default_value = "1/1")]
    shard: (usize, usize),
    /// Results as they come, a line of JSON each. What is there is not done again, and counts.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Say what changed since, and end with 1 if anything that was right is wrong.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Write what --since reads.
    #[arg(long, value_name = "FILE")]
    save_baseline: Option<PathBuf>,
    /// A report for people, with a picture of every condition: one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep no pictures: they show the faces of the recordings.
    #[arg(long)]
    no_pictures: bool,
    /// The same seed gives the same attacks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of an evaluation, where the catalogue does not say [default: 8].
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<f64>,
    /// How thoroughly the element analyses.
    #[arg(long, value_enum, default_value_t = ProfileName::Balanced)]
    profile: ProfileName,
    /// The operating point: hours of genuine video per false alert [default: the element's, 100].
    #[arg(long, value_name = "HOURS")]
    mean_time_between_false_alerts: Option<f64>,
    /// Worst conditions in the table.
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
}

const SECONDS: f64 = 8.0;
/// Feeds that are injected at a time, in real time.
const LIVE_JOBS: usize = 8;
/// A quick run leaves longer ones out.
const QUICK_LONGEST: f64 = 16.0;

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let fits = |(i, n): &(usize, usize)| (1..=*n).contains(i) && *n <= 100_000;
    parts.filter(fits).ok_or_else(|| "write it as 2/8: the second of eight parts".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (1.0..=600.0).contains(s)).ok_or_else(|| "give 1 to 600 seconds".into())
}

/// What a process is asked for.
#[derive(Serialize, Deserialize)]
struct Request {
    task: Task,
    setting: Setting,
}

/// The side of a process that does evaluations.
pub fn worker() -> ExitCode {
    let mut store = Store::default();
    let done = gstdeepfake::register_static().map_err(|e| e.to_string()).and_then(|()| {
        answer(std::io::stdin().lock(), std::io::stdout(), &mut |r: Request, tell| {
            evaluate(&r.task, &r.setting, &mut store, tell).map(Box::new)
        })
        .map_err(|e| e.to_string())
    });
    done.map_or_else(|e| fail(e, 2), |()| ExitCode::SUCCESS)
}

pub fn run(args: &Run) -> ExitCode {
    let all = match load(args.catalogue.as_deref()) {
        Ok(all) => all,
        Err(e) => return fail(e, 2),
    };
    let trials: Vec<Trial> = all.into_iter().filter(|t| args.wants(t)).collect();
    if trials.is_empty() {
        return fail("no condition has that name; --list prints them all", 2);
    }
    if args.list {
        trials.iter().for_each(|t| println!("{}", t.name));
        return ExitCode::SUCCESS;
    }
    match args.go(&trials) {
        Ok(code) => code,
        Err(e) => fail(e, 2),
    }
}

impl Run {
    fn wants(&self, trial: &Trial) -> bool {
        let family = trial.name.split('/').next().unwrap_or_default();
        let named = self.condition.is_empty()
            || self.condition.iter().any(|g| WildMatch::new(g).matches(&trial.name));
        let quick = !self.quick || (trial.first && trial.seconds.is_none_or(|s| s <= QUICK_LONGEST));
        quick && named && (self.family.is_empty() || self.family.iter().any(|f| f == family))
    }

    fn setting(&self) -> Setting {
        let profile = Profile::from(self.profile).name();
        Setting { profile: profile.into(), hours: self.mean_time_between_false_alerts, picture: false }
    }

    fn go(&self, trials: &[Trial]) -> Result<ExitCode, Box<dyn std::error::Error>> {
        gstdeepfake::register_static()?;
        let stop = interruption()?;
        let setting = self.setting();
        let baseline = self.since.as_deref().map(Baseline::read).transpose()?;
        let sources = sources(&self.sources)?;
        let plan = Plan {
            trials,
            sources: &sources,
            seconds: self.seconds.unwrap_or(SECONDS),
            seed: self.seed,
            budget: self.budget.or(self.quick.then_some(trials.len())),
            shard: self.shard,
        };
        let tasks = plan.tasks();
        if tasks.is_empty() && self.shard.1 == 1 {
            return Err(
                "no recording is long enough for any condition; give longer ones, or fewer --seconds".into(),
            );
        }
        let (mut file, known) = match self.results.as_deref().map(Lines::<Row>::open).transpose()? {
            Some((file, known)) => (Some(file), known),
            None => (None, Vec::new()),
        };
        let mut rows: BTreeMap<String, Row> = known.into_iter().map(|r| (r.key.clone(), r)).collect();
        // What failed may do better this time.
        let done = |t: &&Task| rows.get(&t.key(&setting)).is_some_and(|r| r.judged().is_some());
        let planned = tasks.len();
        let todo: Vec<Task> = tasks.iter().filter(|t| !done(t)).cloned().collect();
        if todo.len() < planned {
            anstream::eprintln!("{} of {planned} evaluations are done already", planned - todo.len());
        }
        if todo.iter().any(|t| !t.trial.family.is_of_source()) {
            gstdeepfake::batch::check(&gstdeepfake::batch::Settings {
                profile: setting.profile.clone(),
                hours: setting.hours,
                ..Default::default()
            })?;
        }
        let begun = Instant::now();
        self.evaluate(&todo, &setting, &stop, &mut |row| {
            if let Some(file) = &mut file {
                file.add(&row)?;
            }
            rows.insert(row.key.clone(), row);
            Ok(())
        })?;
        let wall = begun.elapsed().as_secs_f64();
        let interrupted = stop.load(Ordering::Relaxed);
        let rows: Vec<Row> = rows.into_values().collect();
        let change = baseline.map(|b| b.compare(&rows));
        let speed = if todo.is_empty() || interrupted {
            String::new()
        } else {
            let hourly = todo.len() as f64 / wall * 3600.0;
            format!("{} evaluations in {wall:.0} s, {hourly:.0} an hour", todo.len())
        };
        let tallies = tally(&rows);
        anstream::println!("{}{speed}", report::table(&tallies, self.worst));
        for (condition, reason, times) in tallies.failures.iter().take(20) {
            anstream::println!(
                "failed {times} times: {condition}: {}",
                gstdeepfake::batch::printable(reason)
            );
        }
        if let Some(change) = &change {
            anstream::println!("{}", report::change_text(change));
        }
        if let Some(path) = &self.save_baseline {
            Baseline::of(&rows).write(path)?;
        }
        if let Some(path) = &self.report {
            let now = gstreamer::glib::DateTime::now_utc().and_then(|t| t.format("%Y-%m-%d %H:%M UTC"));
            let made = now.map(|t| t.to_string()).unwrap_or_default();
            let input = report::Input {
                rows: &rows,
                tallies: &tallies,
                change: change.as_ref(),
                made: &made,
                speed: &speed,
            };
            std::fs::write(path, report::html(&input)?)?;
        }
        if interrupted {
            return Ok(fail("interrupted; the same call with --results goes on", INTERRUPTED));
        }
        Ok(if change.is_some_and(|c| c.regressed()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn evaluate(
        &self,
        todo: &[Task],
        setting: &Setting,
        stop: &AtomicBool,
        keep: &mut dyn FnMut(Row) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        if todo.is_empty() {
            return Ok(());
        }
        let program = std::env::current_exe()?;
        let start = || {
            let mut command = Command::new(&program);
            command.args(["redteam", "worker"]);
            command
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bar = ProgressBar::with_draw_target(Some(todo.len() as u64), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{pos}/{len} evaluations [{bar:30}] {eta:>4} left, {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(500));
        let wanted = self.first_of_each(todo);
        let request = |number: &usize| {
            let task = todo.get(*number)?.clone();
            Some(Request { task, setting: Setting { picture: wanted.contains(number), ..setting.clone() } })
        };
        let begun = Instant::now();
        let (mut done, mut wrong, mut failed) = (0u32, 0u32, 0u32);
        let jobs = self.jobs.map_or(cores, usize::from);
        // Injected feeds take their time, but hardly a processor: they run beside the others.
        let (live, busy): (Vec<usize>, Vec<usize>) =
            (0..todo.len()).partition(|i| todo.get(*i).is_some_and(|t| t.trial.family.is_of_source()));
        let parts = [(busy, jobs), (live, jobs.max(LIVE_JOBS))];
        let result = std::thread::scope(|scope| {
            let (sender, heard) = sync_channel(parts.len());
            for (part, jobs) in parts.iter().filter(|(part, _)| !part.is_empty()) {
                let (sender, start, request) = (sender.clone(), &start, &request);
                let pool = move || {
                    let request = |index: usize| part.get(index).and_then(request);
                    // Nobody hears what comes after an error; that ends the pool.
                    let _ = each(part.len(), *jobs, start, &request, stop, &mut |p: Progress<
                        Box<Judged>,
                    >| {
                        match p {
                            Progress::Done { index, result } => {
                                sender.send((part.get(index).copied(), result))
                            }
                            Progress::At { .. } => Ok(()),
                        }
                    });
                };
                std::thread::Builder::new().name("redteam-pool".into()).spawn_scoped(scope, pool)?;
            }
            drop(sender);
            for (number, result) in heard {
                let Some(task) = number.and_then(|n| todo.get(n)) else { continue };
                let row = row(task, setting, result);
                done += 1;
                wrong += u32::from(row.wrong() == Some(true));
                failed += u32::from(row.wrong().is_none());
                bar.inc(1);
                keep(row)?;
                let hourly = f64::from(done) / begun.elapsed().as_secs_f64().max(0.001) * 3600.0;
                bar.set_message(format!("{hourly:.0} an hour, {wrong} wrong, {failed} failed"));
            }
            Ok(())
        });
        bar.finish_and_clear();
        result
    }

    /// The evaluations of which a picture is kept: one a condition.
    fn first_of_each(&self, todo: &[Task]) -> std::collections::BTreeSet<usize> {
        let mut seen = std::collections::BTreeSet::new();
        let wanted = self.report.is_some() && !self.no_pictures;
        let first = todo.iter().enumerate().filter(|(_, t)| wanted && seen.insert(t.trial.name.as_str()));
        first.map(|(i, _)| i).collect()
    }
}

fn row(task: &Task, setting: &Setting, result: Result<Box<Judged>, String>) -> Row {
    Row {
        schema_version: SCHEMA_VERSION,
        key: task.key(setting),
        condition: task.trial.name.clone(),
        family: task.trial.family,
        about: task.trial.about.clone(),
        // A generator of the user's own may be anything.
        procedural: !matches!(task.trial.kind, gstdeepfake::redteam::Kind::Generator(_)),
        source: task.source.name.clone(),
        seed: task.seed,
        outcome: result.map_or_else(|reason| Outcome::Failed { reason }, Outcome::Judged),
    }
}
