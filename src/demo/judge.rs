//! Whether the element said what it should have said.

use super::plan::{Case, Kind, LIMIT_S};
use super::play::{Played, RaisedAlert};
use crate::detect::Mode;
use anstyle::{AnsiColor, Style};

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub clip: String,
    pub kind: &'static str,
    pub mode: &'static str,
    pub verdict: String,
    pub expected: String,
    /// Seconds from the onset of the attack to the alert.
    pub time_to_alert: Option<f64>,
    /// The attack was alerted, or the genuine clip was not.
    pub right: bool,
    /// And so within [`LIMIT_S`] of the onset.
    pub in_time: bool,
}

/// Compares. `onset` is when the attack begins, seconds; none for a genuine recording.
pub fn judge(case: &Case, onset: Option<f64>, played: &Played) -> Finding {
    let finding = |verdict: String, expected: String, time_to_alert: Option<f64>, right| Finding {
        clip: case.name.clone(),
        kind: case.kind.name(),
        mode: if case.mode == Mode::Live { "live" } else { "sync" },
        verdict,
        expected,
        in_time: right && time_to_alert.is_none_or(|t| t <= LIMIT_S),
        time_to_alert,
        right,
    };
    let said = |a: &RaisedAlert| format!("alert at {:.1} s ({})", a.at, a.signal);
    let worst = played.worst_state.map_or_else(String::new, |s| format!(", worst {s}"));
    let none = || format!("no alert{worst} {:.0} %", played.worst_risk * 100.0);
    let first = played.alerts.first();
    if case.kind == Kind::Genuine {
        return finding(first.map_or_else(none, said), "no alert".into(), None, first.is_none());
    }
    let Some(onset) = onset else {
        // The record beside the rendered file says so; then nothing can be expected.
        return finding(first.map_or_else(none, said), "an attack in the clip".into(), None, false);
    };
    let expected = format!("alert at {onset:.1} to {:.1} s", onset + LIMIT_S);
    match first {
        None => finding(none(), expected, None, false),
        // What is alerted while the clip is still genuine is a false alert, not an early success.
        Some(a) if a.at < onset => finding(format!("false {}", said(a)), expected, None, false),
        Some(a) => {
            let time = a.at + a.delay - onset;
            finding(said(a), expected, Some(time), true)
        }
    }
}

/// The table for a person, with the outcome as its last line. `planned`: how many clips there are; those that were not
/// reached are not as expected.
pub fn table(findings: &[Finding], planned: usize) -> String {
    let head = ["clip", "kind", "mode", "expected", "verdict", "onset to alert", "result"].map(String::from);
    let rows: Vec<[String; 7]> = findings
        .iter()
        .map(|f| {
            [
                f.clip.clone(),
                f.kind.into(),
                f.mode.into(),
                f.expected.clone(),
                f.verdict.clone(),
                f.time_to_alert.map_or_else(|| "-".into(), |t| format!("{t:.2} s")),
                match (f.right, f.in_time) {
                    (true, true) => "ok".into(),
                    (true, false) => "LATE".into(),
                    (false, _) => "WRONG".into(),
                },
            ]
        })
        .collect();
    let width = |i: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|r| r.get(i));
        cells.map(|c| c.chars().count()).max().unwrap_or_default()
    };
    let (good, late, bad, bold) = (
        Style::new().fg_color(Some(AnsiColor::Green.into())),
        Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
        Style::new().bold(),
    );
    let line = |row: &[String; 7], style: Style| {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(i, c)| {
                if i + 1 == row.len() {
                    format!("{style}{c}{style:#}")
                } else {
                    format!("{c:w$}", w = width(i))
                }
            })
            .collect();
        cells.join("  ")
    };
    let mut text = line(&head, bold) + "\n";
    for (row, f) in rows.iter().zip(findings) {
        let style = match (f.right, f.in_time) {
            (true, true) => good,
            (true, false) => late,
            (false, _) => bad,
        };
        text += &line(row, style);
        text += "\n";
    }
    let right = findings.iter().filter(|f| f.right).count();
    let slow = findings.iter().filter(|f| f.right && !f.in_time).count();
    let (style, word) = if right == planned { (good, "PASS") } else { (bad, "FAIL") };
    text += &format!("\n{style}{word}{style:#}: {right} of {planned} clips judged right");
    if slow > 0 {
        text += &format!("; {late}{slow} of them LATE{late:#}: later than the {LIMIT_S:.0} s aimed at");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(kind: Kind) -> Case {
        Case {
            name: "clip".into(),
            kind,
            source: "clip.mp4".into(),
            condition: None,
            mode: Mode::Sync,
            until: None,
        }
    }

    fn played(alerts: &[(f64, f64)]) -> Played {
        let raised = |&(at, delay): &(f64, f64)| RaisedAlert { at, delay, signal: "loop".into() };
        Played { alerts: alerts.iter().map(raised).collect(), ..Played::default() }
    }

    #[test]
    fn a_genuine_clip_must_stay_without_an_alert() {
        assert!(judge(&case(Kind::Genuine), None, &played(&[])).right);
        assert!(!judge(&case(Kind::Genuine), None, &played(&[(7.0, 0.0)])).right);
    }

    #[test]
    fn an_attack_must_be_alerted_in_time_and_not_before_it_begins() {
        let found = |alerts: &[(f64, f64)]| judge(&case(Kind::Loop), Some(3.0), &played(alerts));
        assert!(found(&[(5.9, 0.0)]).in_time);
        assert_eq!(found(&[(5.5, 0.25)]).time_to_alert, Some(2.75));
        let late = found(&[(5.9, 0.2)]);
        assert!(late.right && !late.in_time, "the delay of a live stream counts");
        assert!(!found(&[(6.1, 0.0)]).in_time);
        let missed = found(&[]);
        assert!(!missed.right && !missed.in_time);
        let early = found(&[(1.0, 0.0), (4.0, 0.0)]);
        assert!(!early.right && !early.in_time && early.verdict.starts_with("false alert"), "{early:?}");
    }

    #[test]
    fn the_table_ends_with_the_outcome() {
        let good = judge(&case(Kind::Genuine), None, &played(&[]));
        let bad = judge(&case(Kind::Photo), Some(0.0), &played(&[]));
        assert!(table(std::slice::from_ref(&good), 2).contains("FAIL"), "a clip was not reached");
        assert!(table(std::slice::from_ref(&good), 1).contains("PASS"));
        let text = table(&[good, bad], 2);
        assert!(text.contains("WRONG") && text.contains("FAIL"), "{text}");
        assert!(text.trim_end().ends_with("1 of 2 clips judged right"), "{text}");
        let late = judge(&case(Kind::Loop), Some(3.0), &played(&[(9.0, 0.0)]));
        let text = table(&[late], 1);
        assert!(text.contains("LATE") && text.contains("PASS") && text.contains("1 of 1"), "{text}");
    }
}
