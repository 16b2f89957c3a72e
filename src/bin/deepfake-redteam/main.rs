//! `deepfake-redteam`: attacks made from genuine recordings, and how many of them the detector misses.

mod adapt;
mod render;
mod run;
mod splice;

use clap::{Parser, Subcommand};
use gstdeepfake::redteam::Kind;
use std::process::ExitCode;

/// Attack the detector with what can be made from genuine recordings.
///
/// Everything made here is procedural: it tests the detector's physics, and says nothing about any generator of fakes.
/// Only record and use people who agreed to it.
#[derive(Debug, Parser)]
#[command(name = "deepfake-redteam", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try the conditions of a catalogue on recordings, and report which attacks were missed.
    Run(Box<run::Run>),
    /// Look for the parameters of a family that the detector sees least of.
    Adapt(adapt::Adapt),
    /// Render one attack to an MP4 file, with a .json beside it that says what it holds.
    Render(Box<render::Render>),
    Splice(splice::Splice),
    /// List the attacks and their default parameters.
    List {
        /// As JSON, one attack a line.
        #[arg(long)]
        json: bool,
    },
    /// Do what standard input asks for; this program starts itself so.
    #[command(hide = true)]
    Worker,
}

fn list(json: bool) -> Result<(), Box<dyn std::error::Error>> {
    for kind in Kind::all() {
        let attack = kind.as_attack();
        if json {
            println!("{}", serde_json::to_string(&kind)?);
        } else {
            let family = serde_json::to_value(attack.family())?;
            println!("{:9} {:13} {}", attack.name(), family.as_str().unwrap_or_default(), kind.summary());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Adapt(args) => adapt::adapt(&args),
        Command::Render(args) => render::render(&args),
        Command::Splice(args) => splice::splice(&args),
        Command::List { json } => match list(json) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("deepfake-redteam: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Worker => run::worker(),
    }
}
