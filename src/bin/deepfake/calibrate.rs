//! `deepfake calibrate`: thresholds of decisions from a user's own genuine sessions.

use crate::Run;
use crate::common::fail;
use clap::Args;
use gstdeepfake::batch::{Error, Sessions, read_results};
use std::path::PathBuf;
use std::process::ExitCode;

/// Learn from your own genuine sessions how much evidence is normal.
///
/// Reads the results of `deepfake scan manifest.csv --json results.jsonl` and writes a file for the element's property
/// `calibration`: decisions are then held against what genuine sessions of yours amount to. The manifest needs the column
/// `label`, and `identity_group` with who is in a recording: of each person one session counts, the one that looks worst.
/// Attacks in it are not fitted to; how many would be caught is printed. Exit status: 0 if both thresholds can be told, 3
/// if there are too few people for one of them (the file is written, and theory stands in for what is missing), 2 if the
/// call was wrong.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// Results of scans.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Whose sessions these are, for people who read the file.
    #[arg(long, value_name = "TEXT", default_value = "")]
    data: String,
    /// Share of genuine sessions that may be referred.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    max_false_refer: f64,
    /// Share of genuine sessions that may be rejected.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    max_false_reject: f64,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|n| (1e-6..=0.5).contains(n))
        .ok_or_else(|| "give a share from 0.000001 to 0.5".into())
}

impl Run for Calibrate {
    fn run(self) -> ExitCode {
        match calibrate(&self) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(3),
            Err(error) => fail("calibrate", error, 2),
        }
    }
}

/// Whether both thresholds can be told.
fn calibrate(args: &Calibrate) -> Result<bool, Error> {
    let mut records = Vec::new();
    for path in &args.results {
        records.extend(read_results(path)?);
    }
    let sessions = Sessions::of(&records, &args.data);
    let people = sessions.genuine.statistics.len();
    if people == 0 {
        return Err(Error::Analysis(
            "no genuine recording with a face good enough to judge; give results of a labelled manifest"
                .into(),
        ));
    }
    let text = toml::to_string(&sessions.genuine).map_err(|e| Error::Analysis(e.to_string()))?;
    std::fs::write(&args.out, text).map_err(Error::file(&args.out))?;
    println!(
        "{} genuine recordings of {people} people ({} more could not be judged)",
        sessions.recordings, sessions.left_out
    );
    let mut whole = true;
    for (word, share) in [("refer", args.max_false_refer), ("reject", args.max_false_reject)] {
        let Some(threshold) = sessions.genuine.threshold(share) else {
            whole = false;
            println!(
                "{word}, {} % of genuine sessions: {} more people are needed to tell; {:.2} nats by theory until then",
                100.0 * share,
                sessions.lacking(share),
                -(share / 2.0).ln()
            );
            continue;
        };
        println!("{word}, {} % of genuine sessions: above {threshold:.2} nats", 100.0 * share);
        for (kind, rate) in sessions.caught(threshold) {
            let (low, high) = (100.0 * rate.interval.low, 100.0 * rate.interval.high);
            println!("  {kind}: {} of {} above it ({low:.0} to {high:.0} %)", rate.count, rate.of);
        }
    }
    println!("deepfakedetect calibration={}", args.out.display());
    Ok(whole)
}
