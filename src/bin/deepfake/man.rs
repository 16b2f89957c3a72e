//! `deepfake man`: the help of every command as man pages.

use crate::Run;
use crate::common::fail;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the man pages, one of each command.
///
/// `make install` does it; then `man deepfake`, `man deepfake scan`, `man deepfake redteam run` show them.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write to; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Run for Man {
    fn run(self) -> ExitCode {
        let written = std::fs::create_dir_all(&self.out)
            .and_then(|()| clap_mangen::generate_to(crate::cli(), &self.out));
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail("man", format!("{}: {error}", self.out.display()), 2),
        }
    }
}
