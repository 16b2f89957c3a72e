//! What the page shows of one recording.

use super::error::Error;
use super::html::is_picture;
use super::timeline;
use crate::analysis::judgement::verdict::State;
use crate::batch::{Ground, Record, Scanned, printable};
use crate::provenance::recorded::SourceNote;
use plotters::style::RGBColor;
use serde::Serialize;
use std::collections::BTreeMap;

/// Time lines that are drawn at most: those of the recordings that stand first. More would make a page that no
/// browser likes.
pub(super) const TIMELINES: usize = 300;

#[derive(Serialize)]
pub(super) struct Clip {
    pub id: usize,
    name: String,
    pub label: String,
    result: String,
    class: &'static str,
    decision: &'static str,
    score: String,
    why: String,
    thumbnail: Option<String>,
    facts: String,
    source: String,
    alerts: Vec<String>,
    pub timeline: Option<String>,
    signals: Vec<(String, String)>,
}

/// The word for a recording, and its class in the style sheet.
fn result(record: &Record, s: &Scanned) -> (String, &'static str) {
    match (s.alerted, s.ground) {
        (true, _) => ("alert".into(), "attack"),
        _ if record.scanned().is_none() => (record.outcome.status().into(), "failed"),
        (false, Ground::Judged) if s.worst_state == State::Suspect => ("suspect".into(), "suspect"),
        // "live" would be read as "safe"; it stands among the facts.
        (false, Ground::Judged) => ("no alert".into(), "quiet"),
        (false, ground) => (ground.name().into(), "unseen"),
    }
}

/// The recording that stands at `index`; its time line is drawn if it is among the first.
pub(super) fn clip(
    index: usize,
    name: String,
    record: &Record,
    s: &Scanned,
    palette: &BTreeMap<&str, RGBColor>,
) -> Result<Clip, Error> {
    let label = record.label.clone().unwrap_or_default();
    let label = match (label.attack, label.attack_type) {
        (Some(true), Some(kind)) => printable(&kind).into_owned(),
        (Some(true), None) => "attack".into(),
        (Some(false), _) => "genuine".into(),
        (None, _) => String::new(),
    };
    let (result, class) = result(record, s);
    let drawn = index < TIMELINES;
    let first = s.alerts.first();
    let why = first.map_or_else(String::new, |a| format!("at {:.1} s: {}, {}", a.at_s, a.signal, a.reason));
    let mut facts = format!(
        "{:.1} s, {} frames analysed, {} of them with evidence of a face; state at the end: {}; change \
         detection {:.1} of {:.1} nats; decision: {}, {}",
        s.duration_s,
        s.frames_analysed,
        s.frames_judged,
        s.state,
        s.score,
        s.threshold,
        s.decision,
        s.reasons.join("; ")
    );
    for (reason, n) in &s.frames_skipped {
        facts += &format!("; {n} frames skipped ({reason})");
    }
    if let Some(note) = &s.note {
        facts += &format!("; {note}");
    }
    let alerts = s.alerts.iter().map(|a| {
        let whom = a.track_id.map_or_else(|| "the stream".into(), |id| format!("face {id}"));
        let until = a.cleared_s.map_or_else(|| "to the end".into(), |c| format!("cleared at {c:.1} s"));
        let onset = a.onset_s.map_or_else(String::new, |o| format!(" (begun at about {o:.1} s)"));
        format!("{:.1} s{onset}, {whom}: {}, {}; {until}", a.at_s, a.signal, a.reason)
    });
    let signals = if drawn { timeline::signals(s, palette) } else { Vec::new() };
    Ok(Clip {
        id: index + 1,
        name,
        label,
        result,
        class,
        score: format!("{:.1}", s.fused),
        decision: s.decision.name(),
        why: printable(&why).into_owned(),
        // It comes from a file of results, which anybody may have written.
        thumbnail: s.thumbnail.clone().filter(|t| is_picture(t)),
        facts: printable(&facts).into_owned(),
        source: s.source.as_ref().map_or_else(String::new, |n| printable(&source(n)).into_owned()),
        alerts: alerts.map(|a| printable(&a).into_owned()).collect(),
        timeline: if drawn { timeline::draw(s, &signals)? } else { None },
        signals: signals.into_iter().map(|(n, c)| (printable(n).into_owned(), timeline::hex(c))).collect(),
    })
}

/// Where it comes from, in a line.
fn source(note: &SourceNote) -> String {
    let mut text = note.class.to_string();
    for (what, how) in &note.described {
        text += &format!(", {what} {how}");
    }
    for reason in note.reasons() {
        text += &format!("; {reason}");
    }
    text
}
