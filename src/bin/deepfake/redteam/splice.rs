//! `deepfake redteam splice`: recordings in which a genuine one goes over into an attack on it.

use super::fail;
use crate::common::INTERRUPTED;
use clap::Args;
use gstdeepfake::batch::{interruption, printable, read_manifest};
use gstdeepfake::redteam::{self, ManifestRow, Pair, Unfit, control, join, pairs, write_manifest};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Make recordings that begin genuine and go on as an attack, from the matched pairs of a manifest.
///
/// Pairs are recordings with the same `pair_id`: one genuine, and attacks on it that run in step with it, of the same size
/// and frame rate. Beside the spliced recordings it writes the genuine ones anew, through the same encoder (without loss),
/// and a manifest.csv with the onsets for `deepfake scan`. Exit status: 0 if every pair was spliced, 1 if some could not be
/// (they are listed with the reason), 2 if none could, 130 after Ctrl-C.
#[derive(Debug, Args)]
pub struct Splice {
    /// Labelled recordings (CSV; the columns are those of `deepfake scan`).
    manifest: PathBuf,
    /// The folder to write to; made if it is not there.
    #[arg(long = "out", value_name = "DIR")]
    output: PathBuf,
    /// When the attack takes over, seconds [default: 40 % of the shorter recording, at least 3].
    #[arg(long, value_name = "SECONDS", value_parser = onset)]
    onset: Option<f64>,
    /// Write no progress bar.
    #[arg(long)]
    quiet: bool,
}

fn onset(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=86_400.0).contains(s));
    seconds.ok_or_else(|| "give a number of seconds from 0.1 to 86400".into())
}

pub fn splice(args: &Splice) -> ExitCode {
    args.go().unwrap_or_else(|e| fail(e, 2))
}

impl Splice {
    fn go(&self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        let stop = interruption()?;
        let manifest = self.output.join("manifest.csv");
        let (found, left_out) = pairs(&read_manifest(&self.manifest)?);
        if manifest.exists() {
            return Err(format!("{} is there already; name another folder", manifest.display()).into());
        }
        let failed = |e| format!("cannot make the folder {}: {e}", self.output.display());
        std::fs::create_dir_all(&self.output).map_err(failed)?;
        let bar = if self.quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(Some(found.len() as u64 * PARTS), ProgressDrawTarget::stderr())
        };
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3}% {eta:>4} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        let mut missed = 0;
        let mut miss = |pair: &str, why: &Unfit| {
            missed += 1;
            bar.suspend(|| {
                anstream::println!("not spliced: {}: {}", printable(pair), printable(&why.to_string()))
            });
        };
        left_out.iter().for_each(|l| miss(&l.pair, &l.why));
        let (made, names, controls) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut work = Work { args: self, stop: &stop, bar: &bar, made, names, controls };
        let mut spliced = 0;
        for (number, pair) in found.iter().enumerate() {
            bar.set_message(format!("{}/{} {}", number + 1, found.len(), printable(&pair.id)));
            bar.set_position(number as u64 * PARTS);
            match work.make(pair) {
                Ok(()) => spliced += 1,
                Err(Unfit::Failed(redteam::Error::Cancelled)) => break,
                Err(why) => miss(&pair.id, &why),
            }
        }
        bar.finish_and_clear();
        if stop.load(Ordering::Relaxed) {
            return Ok(fail("interrupted; there is no manifest of what was made so far", INTERRUPTED));
        }
        if spliced == 0 {
            return Err("no pair could be spliced; give a manifest with `pair_id`, `label` and pairs that run in step".into());
        }
        write_manifest(&manifest, &work.made)?;
        anstream::println!(
            "{spliced} spliced, {} genuine controls, {missed} left out: {}",
            work.made.len() - spliced,
            manifest.display()
        );
        Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Steps of the progress bar that a pair takes.
const PARTS: u64 = 1000;

struct Work<'a> {
    args: &'a Splice,
    stop: &'a AtomicBool,
    bar: &'a ProgressBar,
    made: Vec<ManifestRow>,
    /// Names that are taken, and genuine recordings that were written.
    names: BTreeSet<String>,
    controls: BTreeSet<String>,
}

impl Work<'_> {
    fn make(&mut self, pair: &Pair) -> Result<(), Unfit> {
        let name = self.name(pair);
        let begin = self.bar.position();
        // The splice first: without one the control is of no use.
        let (stop, bar) = (self.stop, self.bar);
        let tell = |half: u64, done: f64, all: f64| {
            let part = PARTS as f64 / 2.0 * (done / all.max(0.001)).min(1.0);
            bar.set_position(begin + half * PARTS / 2 + part as u64);
            !stop.load(Ordering::Relaxed)
        };
        let file = format!("{name}-spliced.mp4");
        let output = self.args.output.join(&file);
        let joined = join(pair, self.args.onset, &output, &mut |done, all| tell(0, done, all))?;
        let spliced = pair.spliced_row(file, &joined);
        if !self.controls.contains(&pair.genuine.name) {
            let file = format!("{name}-genuine.mp4");
            let output = self.args.output.join(&file);
            control(&pair.genuine.path, &output, &mut |done, all| tell(1, done, all))?;
            self.controls.insert(pair.genuine.name.clone());
            self.made.push(pair.genuine_row(file));
        }
        self.made.push(spliced);
        Ok(())
    }

    /// A name for the files of this pair: what a pair is called comes from outside.
    fn name(&mut self, pair: &Pair) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
        let base: String = pair.id.chars().take(80).map(plain).collect();
        let mut name = base.clone();
        let mut number = 1;
        while !self.names.insert(name.to_ascii_lowercase()) {
            number += 1;
            name = format!("{base}-{number}");
        }
        name
    }
}
