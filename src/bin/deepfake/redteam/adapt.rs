//! `deepfake redteam adapt`: looks for the parameters of a family that the detector sees least of.

use super::fail;
use crate::common::INTERRUPTED;
use clap::Args;
use gstdeepfake::batch::interruption;
use gstdeepfake::redteam::run::{Plan, Search, Setting, Store, Task, Trial, evaluate, load, report, sources};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

#[derive(Debug, Args)]
pub struct Adapt {
    /// Genuine recordings, or folders of them; NAME=PATH says who it shows.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// Where to begin [default: the catalogue that is built in].
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// The family of the catalogue whose attacks are varied.
    #[arg(long, value_name = "NAME")]
    family: String,
    /// How often the detector may be asked.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tries: u32,
    /// The same seed makes the same search.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of a try, seconds.
    #[arg(long, value_name = "S", default_value_t = 8.0)]
    seconds: f64,
}

pub fn adapt(args: &Adapt) -> ExitCode {
    args.search().unwrap_or_else(|e| fail(e, 2))
}

impl Adapt {
    fn search(&self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        gstdeepfake::register_static()?;
        let stop = interruption()?;
        let all = load(self.catalogue.as_deref())?;
        let named = |t: &Trial| t.name.split('/').next() == Some(&self.family);
        // The ways are not searched: the attacker does not choose them.
        let mut family: Vec<Trial> = all.into_iter().filter(named).collect();
        family.retain(|t| t.name.ends_with("/clean") || t.first);
        let Some(mut search) = Search::new(&family, self.seed, self.tries as usize) else {
            return Err("that family has nothing to vary; `run --list` prints the families".into());
        };
        let sources = sources(&self.sources)?;
        let setting = Setting { profile: "balanced".into(), hours: None, picture: false };
        let mut store = Store::default();
        let bar = ProgressBar::with_draw_target(Some(u64::from(self.tries)), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} tries [{bar:30}] {eta:>4} left, {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let mut failed = 0u32;
        while let Some(tried) = search.ask().filter(|_| !stop.load(Ordering::Relaxed)) {
            let trials = [tried.0.clone()];
            let plan = Plan {
                trials: &trials,
                sources: &sources,
                seconds: self.seconds,
                // All tries on the same piece of the first recording that suits: what differs is the parameters.
                seed: self.seed,
                budget: Some(1),
                shard: (1, 1),
            };
            let tasks = plan.tasks();
            let task: &Task = tasks.first().ok_or("no recording is long enough; give a longer one")?;
            match evaluate(task, &setting, &mut store, &mut |_| {}) {
                Ok(judged) => search.tell(tried, &judged),
                Err(reason) => {
                    failed += 1;
                    bar.suspend(|| anstream::eprintln!("a try failed: {reason}"));
                }
            }
            bar.inc(1);
            if let Some((score, ..)) = search.best() {
                bar.set_message(format!("lowest statistic {score:.1} nats"));
            }
        }
        bar.finish_and_clear();
        let (all, fair) = search.evasions();
        let Some((score, trial, text)) = search.best() else { return Err("every try failed".into()) };
        anstream::println!(
            "evaded (95 %): {} of all tries, {} of those drawn by chance; {failed} failed",
            report::percent(all.as_ref()),
            report::percent(fair.as_ref())
        );
        anstream::println!("lowest statistic: {score:.1} nats, from {}\n\n{text}", trial.name);
        Ok(if stop.load(Ordering::Relaxed) { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }
}
