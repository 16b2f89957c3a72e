//! What a person sees while a clip is judged: one line a second, alerts as they come.

use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::verdict::{AlertKind, Condition, State, Verdict};
use crate::message::{AlertMessage, SummaryMessage, VerdictMessage};
use anstyle::{AnsiColor, Style};

const BAR: usize = 20;

fn style(state: State) -> Style {
    let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
    match state {
        State::Unknown => Style::new().dimmed(),
        State::Live => colour(AnsiColor::Green),
        State::Suspect => colour(AnsiColor::Yellow),
        State::Attack => colour(AnsiColor::Red).bold(),
    }
}

fn seconds(ns: Option<u64>) -> f64 {
    ns.unwrap_or_default() as f64 / 1e9
}

/// The reason that a person should see first: the strongest for an attack as soon as one is suspected.
fn top(verdict: &Verdict) -> Option<&Evidence> {
    let faces = verdict.tracks.iter().max_by(|a, b| a.risk.total_cmp(&b.risk));
    let all = faces.into_iter().flat_map(|t| &t.evidence).chain(&verdict.stream_evidence);
    if verdict.state >= State::Suspect {
        all.max_by(|a, b| a.llr.total_cmp(&b.llr))
    } else {
        all.max_by(|a, b| a.llr.abs().total_cmp(&b.llr.abs()))
    }
}

/// Time, state, risk, and why.
pub fn verdict_line(message: &VerdictMessage) -> String {
    let v = &message.verdict;
    let at = seconds(message.header.stream_time.or(v.analysed_pts));
    let (s, dim) = (style(v.state), Style::new().dimmed());
    let full = ((v.risk * BAR as f64).round() as usize).min(BAR);
    let bar = "#".repeat(full) + &"-".repeat(BAR - full);
    let why = top(v).map_or_else(String::new, |e| format!("{}: {}", e.signal, e.reason));
    let ground = match v.condition {
        Condition::Analysed => String::new(),
        other => format!("({other}) "),
    };
    format!(
        "{at:7.1} s  {s}{:8}{s:#} [{s}{bar}{s:#}] {:3.0} %  {dim}{ground}{why}{dim:#}",
        v.state.name(),
        v.risk * 100.0
    )
}

/// An alert with its evidence.
pub fn alert_line(message: &AlertMessage, delay: f64) -> String {
    let a = &message.alert;
    let at = seconds(message.header.stream_time.or(Some(a.pts)));
    let whom = a.track_id.map_or_else(|| "the stream".into(), |id| format!("face {id}"));
    let delay =
        if delay > 0.0 { format!(" ({:.0} ms behind the frame)", delay * 1e3) } else { String::new() };
    let why: Vec<String> = a
        .evidence
        .iter()
        .filter(|e| !e.reason.is_empty())
        .take(3)
        .map(|e| format!("{} {:+.1}: {}", e.signal, e.llr, e.reason))
        .collect();
    let (s, word) = match a.kind {
        AlertKind::Raised => (style(State::Attack), "ALERT RAISED"),
        AlertKind::Cleared => (style(State::Live), "alert cleared"),
    };
    format!("{at:7.1} s  {s}{word}{s:#} for {whom}{delay}: {}", why.join("; "))
}

/// The account at the end of a clip.
pub fn summary_line(message: &SummaryMessage) -> String {
    let s = style(message.worst_state);
    format!(
        "{:7.1} s  end: {} of {} frames analysed, {} alerts, worst {s}{}{s:#} {:.0} %",
        seconds(message.header.timestamp),
        message.frames_analysed,
        message.frames_seen,
        message.alerts,
        message.worst_state,
        message.worst_risk * 100.0,
    )
}
