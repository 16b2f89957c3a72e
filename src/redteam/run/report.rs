//! The report of a run: one HTML file that needs nothing else, and a table for the terminal.

use super::baseline::Change;
use super::row::Row;
use super::tally::{Tallies, Tally};
use crate::batch::printable;
use crate::evaluation::intervals::Rate;
use crate::report::{self, is_picture, plots};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What goes into a report.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub rows: &'a [Row],
    pub tallies: &'a Tallies,
    pub change: Option<&'a Change>,
    /// When it was made, and how fast, for people.
    pub made: &'a str,
    pub speed: &'a str,
}

const MISSED: &str = "missed: APCER";
const ALARMED: &str = "alarmed: BPCER";

#[derive(Serialize)]
struct Page {
    style: &'static str,
    version: &'static str,
    made: String,
    speed: String,
    cards: Vec<(String, &'static str, &'static str)>,
    facts: Vec<(&'static str, String)>,
    sections: Vec<Section>,
    pictures: Vec<Picture>,
    failures: Vec<(String, String, usize)>,
    change: Option<Changed>,
}

#[derive(Serialize)]
struct Section {
    id: &'static str,
    title: &'static str,
    what: &'static str,
    /// The last line is the sum of the others.
    sum: bool,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    about: String,
    trials: String,
    rate: String,
    bar: String,
    time: String,
    signals: String,
    notes: String,
    procedural: bool,
    class: &'static str,
}

#[derive(Serialize)]
struct Picture {
    name: String,
    uri: String,
    class: &'static str,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Changed {
    sentence: String,
    rows: Vec<(String, &'static str, String)>,
}

pub fn percent(rate: Option<&Rate>) -> String {
    let shown = |r: &Rate| {
        let (low, high) = (r.interval.low * 100.0, r.interval.high * 100.0);
        format!("{:.1} % ({low:.0} to {high:.0})", r.rate * 100.0)
    };
    rate.map_or_else(|| "-".into(), shown)
}

fn time(t: &Tally) -> String {
    match (t.median_s, t.p95_s) {
        (Some(median), Some(p95)) => format!("{median:.1} s, {p95:.1} s"),
        _ => String::new(),
    }
}

fn signals(t: &Tally) -> String {
    let shown = t.signals.iter().take(3).map(|(s, n)| format!("{} {n}", printable(s)));
    shown.collect::<Vec<_>>().join(", ")
}

fn notes(t: &Tally) -> String {
    let all = [(t.failed, "failed"), (t.unjudged, "not judged"), (t.early, "alerted early")];
    let some = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    some.collect::<Vec<_>>().join(", ")
}

fn class(t: &Tally) -> &'static str {
    match t.errors {
        None => "unseen",
        Some(r) if r.count == 0 => "quiet",
        Some(r) if r.count == r.of => "attack",
        Some(_) => "suspect",
    }
}

fn line(t: &Tally) -> Result<Line, report::Error> {
    Ok(Line {
        name: printable(&t.name).into_owned(),
        about: printable(&t.about).into_owned(),
        trials: t.errors.map_or(0, |r| r.of).to_string(),
        rate: percent(t.errors.as_ref()),
        bar: t.errors.as_ref().map(plots::bar).transpose()?.unwrap_or_default(),
        time: time(t),
        signals: signals(t),
        notes: notes(t),
        procedural: t.procedural,
        class: class(t),
    })
}

/// The report as HTML. What comes from outside is escaped.
///
/// # Errors
/// If a plot or the page cannot be made, which is a mistake in this program.
pub fn html(input: &Input<'_>) -> Result<String, report::Error> {
    let t = input.tallies;
    let lines = |all: &[Tally]| all.iter().map(line).collect::<Result<Vec<_>, _>>();
    let mut families = lines(&t.families)?;
    families.push(line(&t.all_attacks)?);
    let summed = |all: &[Tally], sum: &Tally| -> Result<Vec<Line>, report::Error> {
        let mut all = lines(all)?;
        if !all.is_empty() {
            all.push(line(sum)?);
        }
        Ok(all)
    };
    let count = |r: &Tally| r.errors.map_or((0, 0), |r| (r.count, r.of));
    let ((missed, attacks), (alarmed, honest)) = (count(&t.all_attacks), count(&t.all_controls));
    let sources: std::collections::BTreeSet<&str> = input.rows.iter().map(|r| r.source.as_str()).collect();
    let threshold = t.all_attacks.threshold.max(t.all_controls.threshold);
    let source = t.all_injections.threshold.max(t.all_cameras.threshold);
    let threshold = match (threshold > 0.0, source > 0.0) {
        (true, true) => format!("{threshold:.1} nats; {source:.1} for where a feed comes from"),
        (false, _) => format!("{source:.1} nats for where a feed comes from"),
        _ => format!("{threshold:.1} nats"),
    };
    let mut models: Vec<&str> =
        input.rows.iter().filter_map(|r| r.judged()).flat_map(|j| &j.models).map(String::as_str).collect();
    models.sort_unstable();
    models.dedup();
    let failed = t.failures.iter().map(|f| f.2).sum::<usize>();
    let mut sections = vec![
        Section { id: "families", title: "Families", what: MISSED, sum: true, lines: families },
        Section {
            id: "controls",
            title: "Controls, which must not alarm",
            what: ALARMED,
            sum: true,
            lines: summed(&t.controls, &t.all_controls)?,
        },
        Section {
            id: "injections",
            title: "Injected feeds, judged by where they come from",
            what: MISSED,
            sum: true,
            lines: summed(&t.injections, &t.all_injections)?,
        },
        Section {
            id: "cameras",
            title: "Simulated cameras, which must not be taken for injections",
            what: ALARMED,
            sum: true,
            lines: summed(&t.cameras, &t.all_cameras)?,
        },
        Section {
            id: "attacks",
            title: "Attacks, worst first",
            what: MISSED,
            sum: false,
            lines: lines(&t.attacks)?,
        },
    ];
    sections.retain(|s| !s.lines.is_empty());
    let bad = |n: usize| if n > 0 { "attack some" } else { "" };
    let mut cards = vec![
        (t.attacks.len().to_string(), "attack conditions", ""),
        (format!("{missed} of {attacks}"), "attacks missed", bad(missed)),
        (format!("{alarmed} of {honest}"), "controls alarmed", bad(alarmed)),
        (failed.to_string(), "could not be run", if failed > 0 { "failed some" } else { "" }),
    ];
    let (unseen, injected) = count(&t.all_injections);
    if injected > 0 {
        cards.insert(3, (format!("{unseen} of {injected}"), "injected feeds missed", bad(unseen)));
    }
    let page = Page {
        style: report::STYLE,
        version: env!("CARGO_PKG_VERSION"),
        made: input.made.into(),
        speed: input.speed.into(),
        cards,
        facts: vec![
            ("recordings", sources.iter().map(|s| printable(s).into_owned()).collect::<Vec<_>>().join(", ")),
            ("alert threshold", threshold),
            ("models", printable(&models.join(", ")).into_owned()),
        ],
        sections,
        pictures: pictures(input),
        failures: t
            .failures
            .iter()
            .map(|(c, r, n)| (printable(c).into_owned(), printable(r).into_owned(), *n))
            .collect(),
        change: input.change.map(changed),
    };
    report::page("redteam.html", include_str!("redteam.html"), page)
}

/// One picture a condition, in the order of the tables.
fn pictures(input: &Input<'_>) -> Vec<Picture> {
    let mut by: BTreeMap<&str, &str> = BTreeMap::new();
    for row in input.rows {
        if let Some(uri) = row.judged().and_then(|j| j.picture.as_deref()).filter(|u| is_picture(u)) {
            by.entry(&row.condition).or_insert(uri);
        }
    }
    let t = input.tallies;
    let all = t.attacks.iter().chain(&t.controls).chain(&t.injections).chain(&t.cameras);
    all.filter_map(|t| {
        let verdict = match (class(t), t.attack) {
            ("quiet", true) => "caught",
            ("attack", true) => "missed",
            ("quiet", false) => "no alert",
            ("attack", false) => "alarmed",
            ("unseen", _) => "not run",
            _ => "in part",
        };
        let uri = (*by.get(t.name.as_str())?).to_owned();
        Some(Picture { name: printable(&t.name).into_owned(), uri, class: class(t), verdict })
    })
    .collect()
}

fn changed(c: &Change) -> Changed {
    let flip = |what| {
        move |f: &super::baseline::Flip| {
            (printable(&f.condition).into_owned(), what, format!("{:.1} to {:.1} nats", f.before, f.now))
        }
    };
    let mut rows: Vec<_> = c.worse.iter().map(flip("worse")).collect();
    rows.extend(c.broken.iter().map(|k| (printable(k).into_owned(), "does not run any more", String::new())));
    rows.extend(c.better.iter().map(flip("better")));
    Changed { sentence: sentence(c), rows }
}

fn sentence(c: &Change) -> String {
    format!(
        "{} evaluations are in the baseline too: {} worse, {} better, {} do not run any more (exact McNemar test: p = {:.3})",
        c.compared,
        c.worse.len(),
        c.better.len(),
        c.broken.len(),
        c.p
    )
}

/// What changed, for the terminal.
pub fn change_text(c: &Change) -> String {
    let mut text = sentence(c);
    for (name, what, how) in changed(c).rows {
        let _ = write!(text, "\n  {what}: {name} {how}");
    }
    text
}

/// The families and the worst conditions, for the terminal.
pub fn table(t: &Tallies, worst: usize) -> String {
    let mut rows: Vec<[String; 6]> =
        vec![["", "trials", "wrong (95 %)", "median, p95", "caught by", ""].map(String::from)];
    let row = |t: &Tally| {
        let trials = t.errors.map_or(0, |r| r.of).to_string();
        [printable(&t.name).into_owned(), trials, percent(t.errors.as_ref()), time(t), signals(t), notes(t)]
    };
    rows.extend(t.families.iter().map(row));
    rows.push(row(&t.all_attacks));
    rows.push(row(&t.all_controls));
    let apart = [&t.all_injections, &t.all_cameras];
    rows.extend(apart.into_iter().filter(|t| t.errors.is_some() || t.failed > 0).map(row));
    let bad = |t: &&Tally| t.errors.is_some_and(|r| r.count > 0);
    let mut below: Vec<[String; 6]> = t.controls.iter().filter(bad).map(row).collect();
    below.extend(t.cameras.iter().chain(&t.injections).filter(bad).map(row));
    below.extend(t.attacks.iter().filter(bad).take(worst).map(row));
    if !below.is_empty() {
        rows.push(["worst:", "", "", "", "", ""].map(String::from));
        rows.extend(below);
    }
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut shown = String::new();
        for (cell, w) in row.iter().zip(widths) {
            let _ = write!(shown, "{cell:w$}  ");
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text.push_str(
        "APCER of attacks, BPCER of controls; all attacks are procedural, none is made by a generator. Injected feeds \
         and simulated cameras are judged by where they come from.\n",
    );
    text
}
