//! What a person reads in the terminal.

use super::comparison::Comparison;
use super::display_names::printable;
use super::evaluation::decisions;
use super::network_evaluation::ModelEvaluation;
use super::record::{Ground, Outcome, Record};
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::verdict::State;
use crate::evaluation::intervals::{Interval, Rate};
use crate::evaluation::{Area, Evaluation, Pairs};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::fmt::Write;

fn colour(c: AnsiColor) -> Style {
    Style::new().fg_color(Some(c.into()))
}

/// One recording in one line.
pub fn clip_line(record: &Record) -> String {
    let name = printable(&record.clip);
    match &record.outcome {
        Outcome::Failed { reason } => {
            let s = colour(AnsiColor::Red);
            format!("{s}FAILED{s:#}  {name}: {}", printable(reason))
        }
        Outcome::Scanned(scan) | Outcome::Damaged(scan) => {
            let (style, word) = match (scan.alerted, scan.ground) {
                (true, _) => (colour(AnsiColor::Red).bold(), "ALERT".to_owned()),
                _ if record.scanned().is_none() => (colour(AnsiColor::Red), "DAMAGED".to_owned()),
                (false, Ground::Judged) if scan.worst_state == State::Suspect => {
                    (colour(AnsiColor::Yellow), "suspect".into())
                }
                (false, Ground::Judged) => (Style::new(), "no alert".into()),
                (false, ground) => (Style::new().dimmed(), ground.name().to_owned()),
            };
            let mut line =
                format!("{style}{word:12}{style:#} {name}  {} ({:.1} nats)", scan.decision, scan.fused);
            if let Some(first) = scan.alerts.first() {
                let _ =
                    write!(line, ", at {:.1} s: {} ({})", first.at_s, first.signal, printable(&first.reason));
            }
            if let Some(note) = &scan.note {
                let _ = write!(line, "; {}", printable(note));
            }
            line
        }
    }
}

/// What labelled recordings ended in.
pub fn decision_table(records: &[Record]) -> String {
    let counts = decisions(records);
    let head = ["decision"].into_iter().chain(Decision::ALL.iter().map(|d| d.name()));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for (kind, counts) in &counts {
        let of = |d: &Decision| counts.get(d.name()).copied().unwrap_or_default().to_string();
        rows.push([printable(kind).into_owned()].into_iter().chain(Decision::ALL.iter().map(of)).collect());
    }
    columns(&rows)
}

/// How many of what, and how fast.
pub fn totals(records: &[Record], scanned_now: f64, wall_s: f64) -> String {
    let count = |keep: &dyn Fn(&Record) -> bool| records.iter().filter(|r| keep(r)).count();
    let failed = count(&|r| r.scanned().is_none());
    let damaged = count(&|r| matches!(r.outcome, Outcome::Damaged(_)));
    let alerted = count(&|r| r.judged().is_some_and(|s| s.alerted));
    let plural = if records.len() == 1 { "" } else { "s" };
    let mut text = format!("{} recording{plural}: {alerted} alerted", records.len());
    for ground in Ground::UNJUDGED {
        let n = count(&|r| r.scanned().is_some_and(|s| s.ground == ground));
        if n > 0 {
            let _ = write!(text, ", {n} {}", ground.name());
        }
    }
    let _ = write!(text, ", {failed} failed");
    if damaged > 0 {
        let _ = write!(text, " ({damaged} judged as far as they go)");
    }
    if wall_s > 0.0 && scanned_now > 0.0 {
        let times = scanned_now / wall_s;
        let _ = write!(text, "\n{scanned_now:.0} s of video in {wall_s:.0} s: {times:.1} times real time");
    }
    text
}

fn within(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "-".into(), |i| format!("{:.2}-{:.2}", i.low, i.high))
}

fn area(area: Option<Area>) -> [String; 2] {
    area.map_or_else(|| ["-".into(), "-".into()], |a| [format!("{:.3}", a.auc), within(a.interval)])
}

fn rate(rate: Option<&Rate>) -> [String; 2] {
    let percent = |i: Interval| format!("{:.0}-{:.0} %", i.low * 100.0, i.high * 100.0);
    let shown = |r: &Rate| [format!("{:.1} %", r.rate * 100.0), percent(r.interval)];
    rate.map_or_else(|| ["-".into(), "-".into()], shown)
}

/// Columns as wide as their widest cell, all but the first to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, w)) in row.iter().zip(&widths).enumerate() {
            let _ = if i == 0 { write!(line, "{cell:w$}") } else { write!(line, "  {cell:>w$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The numbers of labelled recordings.
pub fn evaluation_table(e: &Evaluation) -> String {
    let row = |name: &str,
               n_attack: usize,
               n_genuine: usize,
               a: Option<Area>,
               apcer: Option<&Rate>,
               bpcer: Option<&Rate>| {
        let mut cells = vec![printable(name).into_owned(), n_attack.to_string(), n_genuine.to_string()];
        cells.extend(area(a));
        cells.extend(rate(apcer));
        cells.extend(rate(bpcer));
        cells
    };
    let head = ["attack type", "attacks", "genuine", "AUC", "95 %", "APCER", "95 %", "BPCER", "95 %"];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(
        e.kinds
            .iter()
            .map(|k| row(&k.name, k.apcer.of, e.n_genuine, k.area, Some(&k.apcer), e.bpcer.as_ref())),
    );
    rows.push(row("all", e.n_attack, e.n_genuine, e.area, e.apcer_all.as_ref(), e.bpcer.as_ref()));
    if let Some(p) = &e.pairs {
        rows.push(row("pairs", p.n_attack, p.n_genuine, p.area, p.apcer.as_ref(), p.bpcer.as_ref()));
    }
    let mut text = columns(&rows);
    let percent = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{:.1} %", v * 100.0));
    let _ = write!(
        text,
        "\nAt all thresholds: EER {}, BPCER10 {}, BPCER20 {}, BPCER100 {}. In force: ACER {} (worst attack type).\n",
        percent(e.eer),
        percent(e.bpcer10),
        percent(e.bpcer20),
        percent(e.bpcer100),
        percent(e.acer),
    );
    if let Some(p) = &e.pairs {
        let _ = writeln!(
            text,
            "Pairs: the attack scores higher in {} ({}) of {} comparisons, {} ties.",
            percent(Some(p.accuracy)),
            within(p.accuracy_interval),
            p.n,
            p.ties
        );
    }
    if let Some(r) = &e.reliability {
        let _ = writeln!(text, "Risk taken as a probability: ECE {:.3}, Brier {:.3}.", r.ece, r.brier);
    }
    if let Some(d) = &e.delays {
        let seconds = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{v:.2} s"));
        let _ = writeln!(
            text,
            "Onset to alert: {} of {} attacks missed; median {}, 95 % within {}; of those alerted {} and {}. \
             {} alerted before the onset (false).",
            d.missed,
            d.clips,
            seconds(d.median),
            seconds(d.p95),
            seconds(d.median_alerted),
            seconds(d.p95_alerted),
            d.too_early
        );
    }
    let _ = writeln!(
        text,
        "{} independent groups of clips; {} could not be judged and count as not alerted.",
        e.clusters, e.not_judged
    );
    text
}

/// Each network that watches a face by itself, a line each.
pub fn models_table(models: &BTreeMap<String, ModelEvaluation>) -> String {
    let head = ["model alone", "attacks", "genuine", "AUC", "95 %", "pairs: AUC", "95 %", "accuracy", "95 %"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for (name, m) in models {
        let e = &m.evaluation;
        let mut cells = vec![printable(name).into_owned(), e.n_attack.to_string(), e.n_genuine.to_string()];
        cells.extend(area(e.area));
        cells.extend(area(e.pairs.as_ref().and_then(|p| p.area)));
        let accuracy = |p: &Pairs| [format!("{:.3}", p.accuracy), within(p.accuracy_interval)];
        cells.extend(e.pairs.as_ref().map_or_else(|| ["-".into(), "-".into()], accuracy));
        rows.push(cells);
    }
    columns(&rows)
}

/// What changed since another run.
pub fn comparison_table(c: &Comparison) -> String {
    let mut text = format!(
        "{} recordings in both runs, {} only before, {} only now; {} changed:\n",
        c.clips,
        c.only_before,
        c.only_after,
        c.flips.len()
    );
    for f in &c.flips {
        let what = if f.alerted { "now alerted" } else { "no longer alerted" };
        let is = f.attack.map_or("", |a| if a { " (attack)" } else { " (genuine)" });
        let _ = writeln!(
            text,
            "  {}{is}: {what}, {:.1} to {:.1} nats",
            printable(&f.clip),
            f.score_before,
            f.score_after
        );
    }
    let (gained, lost) =
        if c.labelled { ("better", "worse") } else { ("newly alerted", "no longer alerted") };
    let _ = writeln!(text, "{} {gained}, {} {lost}: exact McNemar test p = {:.3}", c.better, c.worse, c.p);
    if let Some(a) = &c.auc {
        let p = a.p.map_or_else(|| "-".into(), |p| format!("{p:.3}"));
        let by = a.after - a.before;
        let interval = a.interval.map_or_else(|| "-".into(), |i| format!("{:+.3} to {:+.3}", i.low, i.high));
        let _ =
            writeln!(text, "AUC {:.3} to {:.3}: {by:+.3} ({interval}), bootstrap p = {p}", a.before, a.after);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::evaluation::tests::record;
    use crate::batch::{clips, compare};
    use crate::evaluation::evaluate;

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let line = clip_line(&record("a\x1b[2Jb\n", None, 0.0, false));
        assert!(line.contains("a\u{fffd}[2Jb\u{fffd}"), "{line:?}");
    }

    #[test]
    fn tables_line_up_and_say_what_counts() {
        let all = [record("a", Some(""), 1.0, false), record("b", Some("a long name"), 15.0, true)];
        let text = evaluation_table(&evaluate(&clips(&all)));
        let rows: Vec<&str> = text.lines().take(3).collect();
        assert!(rows.iter().all(|r| r.chars().count() == rows[0].chars().count()), "{text}");
        assert!(
            text.contains("a long name") && text.contains("0.0 %") && text.contains("ACER 0.0 %"),
            "{text}"
        );
        let text = comparison_table(&compare(&all, &all));
        assert!(text.contains("0 changed") && text.contains("p = 1.000"), "{text}");
        assert!(totals(&all, 20.0, 4.0).contains("5.0 times real time"));
    }
}
