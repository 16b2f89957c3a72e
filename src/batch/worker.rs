//! One recording scanned by a process of its own; see [`super::process`].

use super::item::{Item, Source};
use super::process::answer;
use super::scan::scan;
use super::settings::Settings;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    name: String,
    source: Source,
    settings: Settings,
}

impl Request {
    pub fn new(item: &Item, settings: Settings) -> Self {
        Self { name: item.name.clone(), source: item.source.clone(), settings }
    }
}

/// The process's side: scans what is asked for until there is no more input.
///
/// # Errors
/// If input or output break off.
pub fn serve(input: impl BufRead, output: impl Write) -> std::io::Result<()> {
    answer(input, output, &mut |r: Request, progress| scan(&r.name, &r.source, &r.settings, progress))
}
