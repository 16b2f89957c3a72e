//! What the subcommands share.

use clap::ValueEnum;
use gstdeepfake::analysis::engine::profile::Profile;
use std::fmt::Display;
use std::process::ExitCode;

/// Exit status after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// The profiles by the names that the element gives them.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ProfileName {
    Economy,
    Balanced,
    Thorough,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Economy => Self::Economy,
            ProfileName::Balanced => Self::Balanced,
            ProfileName::Thorough => Self::Thorough,
        }
    }
}

/// Says why a subcommand ends as it does.
pub fn fail(subcommand: &str, reason: impl Display, status: u8) -> ExitCode {
    complain(subcommand, reason);
    ExitCode::from(status)
}

/// Says what went wrong while a subcommand goes on.
pub fn complain(subcommand: &str, reason: impl Display) {
    anstream::eprintln!("deepfake {subcommand}: {reason}");
}
