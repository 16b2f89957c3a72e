//! `deepfake completions`: what a shell completes.

use crate::Run;
use crate::common::fail;
use clap::Args;
use clap_complete::{Shell, generate};
use std::io::Write;
use std::process::ExitCode;

/// Print the completions of a shell.
///
/// `make install` puts them where bash, zsh and fish look for them. Without an installation, for bash:
/// source <(deepfake completions bash)
#[derive(Debug, Args)]
pub struct Completions {
    shell: Shell,
}

impl Run for Completions {
    fn run(self) -> ExitCode {
        let mut script = Vec::new();
        generate(self.shell, &mut crate::cli(), "deepfake", &mut script);
        match std::io::stdout().write_all(&script) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail("completions", error, 2),
        }
    }
}
