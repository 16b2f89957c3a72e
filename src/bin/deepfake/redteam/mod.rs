//! `deepfake redteam`: attacks made from genuine recordings, and how many of them the detector misses.

mod adapt;
mod render;
mod run;
mod splice;

use crate::common;
use clap::{Args, Subcommand};
use gstdeepfake::redteam::Kind;
use std::process::ExitCode;

/// Attack the detector with what can be made from genuine recordings.
///
/// Everything made here is procedural: it tests the detector's physics, and says nothing about any generator of fakes.
/// Only record and use people who agreed to it.
#[derive(Debug, Args)]
pub struct Redteam {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try the conditions of a catalogue on recordings, and report which attacks were missed.
    ///
    /// Exit status: 0, or 1 if --since finds something wrong that was right; 2 if the run was not possible, 130 after
    /// Ctrl-C.
    Run(Box<run::Run>),
    /// Look for the parameters of a family that the detector sees least of.
    ///
    /// Exit status: 0 if the search came to its end, 2 if it was not possible, 130 after Ctrl-C.
    Adapt(adapt::Adapt),
    /// Render one attack to an MP4 file, with a .json beside it that says what it holds.
    ///
    /// Exit status: 0 if the file is there, 1 if it could not be made, 2 if the call was wrong.
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

/// Says why it ends as it does.
fn fail(reason: impl std::fmt::Display, status: u8) -> ExitCode {
    common::fail("redteam", reason, status)
}

impl crate::Run for Redteam {
    fn run(self) -> ExitCode {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Adapt(args) => adapt::adapt(&args),
            Command::Render(args) => render::render(&args),
            Command::Splice(args) => splice::splice(&args),
            Command::List { json } => match list(json) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(error, 1),
            },
            Command::Worker => run::worker(),
        }
    }
}
