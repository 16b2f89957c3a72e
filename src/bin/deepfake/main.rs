//! `deepfake`: what is done with recordings and cameras at a desk, one subcommand each. Every subcommand has a file or
//! folder of its own; to add one, write its file and a line of `SUBCOMMANDS`.

mod calibrate;
mod common;
mod completions;
mod demo;
mod evidence;
mod man;
mod redteam;
mod scan;
mod source;
mod trace;

use clap::{ArgMatches, Args, Command};
use std::fmt::Write;
use std::process::ExitCode;

/// What the file of a subcommand holds: its arguments, whose description is its help, and what it does with them.
trait Run: Args {
    fn run(self) -> ExitCode;
}

/// A subcommand as the program sees it.
struct Subcommand {
    name: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches) -> Result<ExitCode, clap::Error>,
}

const fn subcommand<R: Run>(name: &'static str) -> Subcommand {
    Subcommand { name, arguments: R::augment_args, run: |given| Ok(R::from_arg_matches(given)?.run()) }
}

/// All subcommands, in the groups and in the order of `deepfake --help`.
const SUBCOMMANDS: &[(&str, &[Subcommand])] = &[
    (
        "Judge recordings and cameras",
        &[
            subcommand::<scan::Scan>("scan"),
            subcommand::<source::Source>("source"),
            subcommand::<evidence::Evidence>("evidence"),
        ],
    ),
    (
        "Test the detector",
        &[
            subcommand::<demo::Demo>("demo"),
            subcommand::<redteam::Redteam>("redteam"),
            subcommand::<trace::Trace>("trace"),
        ],
    ),
    (
        "Set up",
        &[
            subcommand::<calibrate::Calibrate>("calibrate"),
            subcommand::<completions::Completions>("completions"),
            subcommand::<man::Man>("man"),
        ],
    ),
];

const ABOUT: &str = "Tell whether the face in a video call is a real person in front of a real camera.";
const EXIT_STATUS: &str = "\
Exit status: 0 if nothing was found wrong and nothing failed, 2 if the call was wrong or the work not
possible, 130 after Ctrl-C. `deepfake COMMAND --help` tells what others mean, and all options.

For live streams there are the GStreamer elements deepfakedetect, deepfakeoverlay and cameraprovenance.";

/// The whole command line.
fn cli() -> Command {
    let all = SUBCOMMANDS.iter().flat_map(|(_, group)| group.iter());
    let cli = Command::new("deepfake")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXIT_STATUS)
        .max_term_width(100)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(all.map(|s| (s.arguments)(Command::new(s.name))));
    let map = map(&cli);
    let header = cli.get_styles().get_header();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{map}{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    cli.help_template(template)
}

/// The subcommands in groups, a line each: clap itself has no groups of subcommands.
fn map(cli: &Command) -> String {
    let (header, literal) = (cli.get_styles().get_header(), cli.get_styles().get_literal());
    let mut text = String::new();
    for (title, group) in SUBCOMMANDS {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for name in group.iter().map(|s| s.name) {
            let about = cli.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<11}{literal:#}  {about}");
        }
        text.push('\n');
    }
    text
}

fn main() -> ExitCode {
    let mut cli = cli();
    let matches = cli.get_matches_mut();
    let mut all = SUBCOMMANDS.iter().flat_map(|(_, group)| group.iter());
    let chosen = matches.subcommand().and_then(|(name, given)| Some((all.find(|s| s.name == name)?, given)));
    match chosen.map(|(subcommand, given)| (subcommand.run)(given)) {
        Some(Ok(code)) => code,
        Some(Err(error)) => error.format(&mut cli).exit(),
        // The command line is refused before.
        None => ExitCode::from(2),
    }
}
