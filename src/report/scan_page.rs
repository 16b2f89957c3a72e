//! What the page shows, as texts: the template only sets them.

use super::error::Error;
use super::html::STYLE;
use super::input::Input;
use super::recording::{Clip, TIMELINES, clip};
use super::{plots, timeline};
use crate::batch::{Comparison, Ground, Outcome, Record, Scanned, printable};
use crate::evaluation::intervals::{Interval, Rate};
use crate::evaluation::{Area, Evaluation};
use serde::Serialize;

#[derive(Serialize)]
pub struct Page {
    style: &'static str,
    title: String,
    version: &'static str,
    made: String,
    speed: String,
    facts: Vec<(String, String)>,
    cards: Vec<Card>,
    clips: Vec<Clip>,
    failed: Vec<(String, String)>,
    left_out: usize,
    labelled: bool,
    numbers: Option<Numbers>,
    comparison: Option<Change>,
}

#[derive(Serialize)]
struct Card {
    number: usize,
    text: &'static str,
    class: &'static str,
}

#[derive(Serialize)]
struct Numbers {
    rows: Vec<Row>,
    sentences: Vec<String>,
    plots: Vec<Plot>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    attacks: String,
    auc: String,
    apcer: String,
    bar: String,
}

#[derive(Serialize)]
struct Plot {
    title: &'static str,
    svg: String,
    caption: String,
}

#[derive(Serialize)]
struct Change {
    sentences: Vec<String>,
    rows: Vec<(String, String, String)>,
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn perhaps(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), percent)
}

fn area(area: Option<Area>) -> String {
    let Some(a) = area else { return "-".into() };
    let within = |i: Interval| format!("{:.3} ({:.2} to {:.2})", a.auc, i.low, i.high);
    a.interval.map_or_else(|| format!("{:.3}", a.auc), within)
}

fn rate(r: Option<&Rate>) -> String {
    let shown = |r: &Rate| {
        format!("{} ({:.0} to {:.0} %)", percent(r.rate), r.interval.low * 100.0, r.interval.high * 100.0)
    };
    r.map_or_else(|| "-".into(), shown)
}

impl Page {
    pub fn of(input: &Input<'_>) -> Result<Self, Error> {
        let mut scanned: Vec<(&Record, &Scanned)> =
            input.records.iter().filter_map(|r| Some((r, r.judged()?))).collect();
        // What needs a look stands first.
        scanned.sort_by(|a, b| {
            let rank = |s: &Scanned| (s.alerted, s.fused);
            let ((aa, sa), (ab, sb)) = (rank(a.1), rank(b.1));
            ab.cmp(&aa).then(sb.total_cmp(&sa)).then_with(|| a.0.clip.cmp(&b.0.clip))
        });
        let folder = common_folder(input.records);
        let name = |r: &Record| printable(r.clip.strip_prefix(folder).unwrap_or(&r.clip)).into_owned();
        let palette = timeline::palette(scanned.iter().map(|(_, s)| *s));
        let clips = scanned.iter().enumerate().map(|(i, (r, s))| clip(i, name(r), r, s, &palette));
        let clips = clips.collect::<Result<Vec<_>, _>>()?;
        let failed = input.records.iter().filter_map(|r| match &r.outcome {
            Outcome::Failed { reason } => Some((name(r), printable(reason).into_owned())),
            Outcome::Damaged(s) => {
                Some((name(r), printable(s.note.as_deref().unwrap_or("damaged")).into_owned()))
            }
            Outcome::Scanned(_) => None,
        });
        let (count, plural) = (input.records.len(), if input.records.len() == 1 { "" } else { "s" });
        Ok(Self {
            style: STYLE,
            title: format!("{count} recording{plural}"),
            version: env!("CARGO_PKG_VERSION"),
            made: input.made.into(),
            speed: input.speed.into(),
            facts: facts(input.records, folder, &scanned),
            cards: cards(input.records, &scanned),
            labelled: clips.iter().any(|c| !c.label.is_empty()),
            left_out: clips.len().saturating_sub(TIMELINES),
            clips,
            failed: failed.collect(),
            numbers: input.evaluation.map(numbers).transpose()?,
            comparison: input.comparison.map(change),
        })
    }
}

/// What the names of all recordings begin with, up to a slash.
fn common_folder(records: &[Record]) -> &str {
    let mut names = records.iter().map(|r| r.clip.as_str());
    let (Some(first), true) = (names.next(), records.len() > 1) else { return "" };
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let length = names.fold(first.len(), |length, name| length.min(shared(first, name)));
    let slash = first.as_bytes().get(..length).and_then(|b| b.iter().rposition(|b| *b == b'/'));
    slash.and_then(|at| first.get(..=at)).unwrap_or_default()
}

/// What held for all recordings, each said once.
fn facts(records: &[Record], folder: &str, scanned: &[(&Record, &Scanned)]) -> Vec<(String, String)> {
    let once = |values: Vec<String>| {
        let mut values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
        values.sort_unstable();
        values.dedup();
        values.join(", ")
    };
    let of = |get: &dyn Fn(&Scanned) -> String| once(scanned.iter().map(|(_, s)| get(s)).collect());
    let seconds: f64 = scanned.iter().map(|(_, s)| s.duration_s).sum();
    let facts = [
        ("folder", printable(folder).into_owned()),
        ("profile", once(records.iter().map(|r| r.settings.profile.clone()).collect())),
        (
            "without the signals",
            once(records.iter().map(|r| printable(&r.settings.without).into_owned()).collect()),
        ),
        ("video", format!("{seconds:.0} s")),
        ("alert threshold", of(&|s| format!("{:.1} nats", s.threshold))),
        ("ran on", of(&|s| s.provider.clone())),
        ("models", once(scanned.iter().flat_map(|(_, s)| s.models.clone()).collect())),
    ];
    facts.into_iter().filter(|f| !f.1.is_empty()).map(|(k, v)| (k.into(), v)).collect()
}

fn cards(records: &[Record], scanned: &[(&Record, &Scanned)]) -> Vec<Card> {
    let whole = scanned.iter().filter(|(r, _)| r.scanned().is_some()).count();
    let count = |keep: &dyn Fn(&Scanned) -> bool| {
        // An alert stands whatever comes after it; that nothing was found says nothing of what could not be read.
        scanned.iter().filter(|(r, s)| keep(s) && (s.alerted || r.scanned().is_some())).count()
    };
    let quiet = |s: &Scanned| !s.alerted && s.ground == Ground::Judged;
    let unseen = |s: &Scanned| !s.alerted && s.ground != Ground::Judged;
    let all = [
        (records.len(), "recordings", ""),
        (count(&|s| s.alerted), "alerted", "attack"),
        (count(&quiet), "judged, no alert", ""),
        (count(&unseen), "could not be judged", "unseen"),
        (records.len() - whole, "failed", "failed"),
    ];
    all.into_iter().map(|(number, text, class)| Card { number, text, class }).collect()
}

fn numbers(e: &Evaluation) -> Result<Numbers, Error> {
    let row = |name: &str, n: usize, a: Option<Area>, apcer: Option<&Rate>| -> Result<Row, Error> {
        Ok(Row {
            name: printable(name).into_owned(),
            attacks: n.to_string(),
            auc: area(a),
            apcer: rate(apcer),
            bar: apcer.map(plots::bar).transpose()?.unwrap_or_default(),
        })
    };
    let mut rows = e
        .kinds
        .iter()
        .map(|k| row(&k.name, k.apcer.of, k.area, Some(&k.apcer)))
        .collect::<Result<Vec<_>, _>>()?;
    rows.push(row("all attacks", e.n_attack, e.area, e.apcer_all.as_ref())?);
    let mut sentences = vec![
        format!(
            "{} genuine recordings, {} attacks, {} independent groups.",
            e.n_genuine, e.n_attack, e.clusters
        ),
        format!("Genuine recordings taken for attacks (BPCER): {}.", rate(e.bpcer.as_ref())),
        format!("ACER (mean of BPCER and the APCER of the worst attack type): {}.", perhaps(e.acer)),
        format!(
            "Over all thresholds: equal error rate {}; BPCER at an APCER of at most 10, 5 and 1 %: {}, {}, {}.",
            perhaps(e.eer),
            perhaps(e.bpcer10),
            perhaps(e.bpcer20),
            perhaps(e.bpcer100)
        ),
    ];
    if e.not_judged > 0 {
        sentences.push(format!(
            "{} recordings could not be judged; they count as not alerted, with what was summed up as their score (0, as a rule).",
            e.not_judged
        ));
    }
    if let Some(p) = &e.pairs {
        let within = p
            .accuracy_interval
            .map_or_else(String::new, |i| format!(" ({:.0} to {:.0} %)", i.low * 100.0, i.high * 100.0));
        sentences.push(format!(
            "Pairs of the same recording, genuine and attacked: the attack scores higher in {}{within} of {} \
             comparisons, {} of them tied; AUC within the pairs {}.",
            percent(p.accuracy),
            p.n,
            p.ties,
            area(p.area)
        ));
    }
    if let Some(d) = &e.delays {
        let seconds = |v: Option<f64>| v.map_or_else(|| "not reached".into(), |v| format!("{v:.2} s"));
        sentences.push(format!(
            "From the onset of the attack to the alert: {} of {} attacks were missed. Of all: median {}, 95 % within {}; \
             of those with an alert: median {}, 95 % within {}. {} were alerted before the onset, which is false.",
            d.missed,
            d.clips,
            seconds(d.median),
            seconds(d.p95),
            seconds(d.median_alerted),
            seconds(d.p95_alerted),
            d.too_early
        ));
    }
    Ok(Numbers { rows, sentences, plots: drawn(e)? })
}

fn drawn(e: &Evaluation) -> Result<Vec<Plot>, Error> {
    let in_force = e.bpcer.zip(e.apcer_all).map(|(b, a)| (b.rate, a.rate));
    let mut all = Vec::new();
    if let Some(roc) = &e.roc {
        let caption = "Red: the alerts as they were raised.".to_owned();
        all.push(Plot { title: "ROC", svg: plots::roc(roc, in_force)?, caption: caption.clone() });
        let caption = caption + " Errors below 0.6 % lie on the edge.";
        all.push(Plot { title: "DET", svg: plots::det(roc, in_force)?, caption });
    }
    if let Some(r) = &e.reliability {
        let caption = format!(
            "The highest risk shown of a recording, taken as a probability: on the line it would be one. Expected \
             calibration error {:.3}, Brier score {:.3}, {} recordings.",
            r.ece, r.brier, r.clips
        );
        all.push(Plot { title: "Reliability", svg: plots::reliability(r)?, caption });
    }
    Ok(all)
}

fn change(c: &Comparison) -> Change {
    let (gained, lost) =
        if c.labelled { ("better", "worse") } else { ("newly alerted", "no longer alerted") };
    let mut sentences = vec![
        format!(
            "{} recordings in both runs, {} only in the earlier, {} only in this one.",
            c.clips, c.only_before, c.only_after
        ),
        format!("{} {gained}, {} {lost}: exact McNemar test p = {:.3}.", c.better, c.worse, c.p),
    ];
    if let Some(a) = &c.auc {
        let p = a.p.map_or_else(|| "-".into(), |p| format!("{p:.3}"));
        let by = a.interval.map_or_else(String::new, |i| format!(" ({:+.3} to {:+.3})", i.low, i.high));
        let step = a.after - a.before;
        sentences.push(format!("AUC {:.3} to {:.3}: {step:+.3}{by}, bootstrap p = {p}.", a.before, a.after));
    }
    let row = |f: &crate::batch::Flip| {
        let is = f.attack.map_or("", |a| if a { "attack" } else { "genuine" });
        let now = if f.alerted { "now alerted" } else { "no longer alerted" };
        (
            printable(&f.clip).into_owned(),
            is.to_owned(),
            format!("{now}, {:.1} to {:.1} nats", f.score_before, f.score_after),
        )
    };
    Change { sentences, rows: c.flips.iter().map(row).collect() }
}
