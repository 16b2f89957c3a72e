//! The signed history (C2PA) of a recording that is scanned.

use super::record::Scanned;
use super::settings::Settings;
use crate::analysis::source::provenance::Outcome;
use crate::analysis::source::signed::judge;
use crate::provenance::signed::{check_anchors, read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The certificates that the settings name.
///
/// # Errors
/// Why they cannot be used.
pub fn anchors(settings: &Settings) -> Result<Option<String>, String> {
    let Some(path) = &settings.trust_anchors else { return Ok(None) };
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    check_anchors(&text).map_err(|e| failed(&e))?;
    Ok(Some(text))
}

/// Keeps what a recording's history says, with a note where it is worth one.
///
/// # Errors
/// Why the certificates cannot be used; a history that cannot be read is a note.
pub fn look(path: &Path, settings: &Settings, scanned: &mut Scanned) -> Result<(), String> {
    let read = read(path, anchors(settings)?.as_deref(), &AtomicBool::new(false));
    let note = match &read {
        Ok(signed) => Some(judge(signed)).filter(|f| f.outcome == Outcome::Found).map(|f| f.reason),
        Err(error) => Some(format!("the file's signature: {error}")),
    };
    scanned.signed = read.ok();
    let notes: Vec<String> = scanned.note.take().into_iter().chain(note).collect();
    scanned.note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(())
}
