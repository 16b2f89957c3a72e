//! From evaluations to what is said of every condition.

use super::row::{Judged, Row};
use crate::batch::Ground;
use crate::evaluation::intervals::Rate;
use crate::redteam::attack::Family;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One condition, a family, or all of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    pub name: String,
    pub attack: bool,
    pub family: Option<Family>,
    pub about: String,
    pub procedural: bool,
    /// Attacks missed (APCER) or controls taken for attacks (BPCER); none without a single evaluation.
    pub errors: Option<Rate>,
    /// Different recordings among them: evaluations on the same one are not independent.
    pub sources: usize,
    pub failed: usize,
    /// Attacks with an alert before the attack began.
    pub early: usize,
    /// Could not be judged: no face, or too poor.
    pub unjudged: usize,
    /// From onset to alert, seconds.
    pub median_s: Option<f64>,
    pub p95_s: Option<f64>,
    /// Which signals raised the alert, and how often, most first.
    pub signals: Vec<(String, usize)>,
    /// Median of the highest statistic, and what would have been an alert.
    pub score: Option<f64>,
    pub threshold: f64,
}

impl Tally {
    fn of(name: &str, family: Option<Family>, rows: &[&Row]) -> Self {
        let judged: Vec<&Judged> = rows.iter().filter_map(|r| r.judged()).collect();
        let wrong = rows.iter().filter(|r| r.wrong() == Some(true)).count();
        let delays = sorted(judged.iter().filter_map(|j| j.delay()));
        let mut signals: BTreeMap<&str, usize> = BTreeMap::new();
        for j in judged.iter().filter(|j| j.alerted) {
            *signals.entry(&j.signal).or_default() += 1;
        }
        let mut signals: Vec<(String, usize)> = signals.into_iter().map(|(s, n)| (s.into(), n)).collect();
        signals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self {
            name: name.into(),
            attack: rows.first().is_none_or(|r| r.is_attack()),
            family,
            about: rows.last().map(|r| r.about.clone()).unwrap_or_default(),
            procedural: rows.iter().all(|r| r.procedural),
            errors: Rate::new(wrong, judged.len()),
            sources: rows.iter().map(|r| r.source.as_str()).collect::<BTreeSet<_>>().len(),
            failed: rows.len() - judged.len(),
            early: judged.iter().filter(|j| j.early).count(),
            unjudged: judged.iter().filter(|j| !j.alerted && j.ground != Ground::Judged).count(),
            median_s: quantile(&delays, 0.5),
            p95_s: quantile(&delays, 0.95),
            signals,
            score: quantile(&sorted(judged.iter().map(|j| j.score)), 0.5),
            threshold: judged.first().map_or(0.0, |j| j.threshold),
        }
    }

    /// The more often the detector is wrong, and the less it had to go by, the higher.
    fn badness(&self) -> (f64, f64) {
        let rate = self.errors.map_or(-1.0, |r| r.rate);
        let score = self.score.unwrap_or(0.0);
        (rate, if self.attack { -score } else { score })
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The smallest value that so large a share is not above.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tallies {
    /// Worst first.
    pub attacks: Vec<Tally>,
    pub controls: Vec<Tally>,
    pub families: Vec<Tally>,
    pub all_attacks: Tally,
    pub all_controls: Tally,
    /// Injected feeds and simulated cameras, judged by where they come from: in none of those above.
    pub injections: Vec<Tally>,
    pub cameras: Vec<Tally>,
    pub all_injections: Tally,
    pub all_cameras: Tally,
    /// Every condition's failures, each reason once.
    pub failures: Vec<(String, String, usize)>,
}

/// Counts. Rows are expected to be of one setting of the element.
pub fn tally(rows: &[Row]) -> Tallies {
    let mut conditions: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let mut families: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let mut failures: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in rows {
        conditions.entry(&row.condition).or_default().push(row);
        if row.is_attack() && !row.family.is_of_source() {
            families.entry(row.condition.split('/').next().unwrap_or_default()).or_default().push(row);
        }
        if let super::row::Outcome::Failed { reason } = &row.outcome {
            *failures.entry((row.condition.clone(), reason.clone())).or_default() += 1;
        }
    }
    let is =
        |r: &Row, attack: bool, source: bool| r.is_attack() == attack && r.family.is_of_source() == source;
    let each = |attack: bool, source: bool| {
        let some = conditions.iter().filter(|(_, rows)| rows.first().is_some_and(|r| is(r, attack, source)));
        let mut all: Vec<Tally> =
            some.map(|(name, rows)| Tally::of(name, rows.first().map(|r| r.family), rows)).collect();
        all.sort_by(|a, b| {
            let ((ra, sa), (rb, sb)) = (a.badness(), b.badness());
            rb.total_cmp(&ra).then(sb.total_cmp(&sa)).then_with(|| a.name.cmp(&b.name))
        });
        all
    };
    let all = |name, attack: bool, source: bool| {
        let some: Vec<&Row> = rows.iter().filter(|r| is(r, attack, source)).collect();
        Tally { attack, about: String::new(), ..Tally::of(name, None, &some) }
    };
    Tallies {
        attacks: each(true, false),
        controls: each(false, false),
        families: families
            .iter()
            .map(|(name, rows)| Tally { about: String::new(), ..Tally::of(name, None, rows) })
            .collect(),
        all_attacks: all("all attacks", true, false),
        all_controls: all("all controls", false, false),
        injections: each(true, true),
        cameras: each(false, true),
        all_injections: all("all injected feeds", true, true),
        all_cameras: all("all simulated cameras", false, true),
        failures: failures.into_iter().map(|((c, r), n)| (c, r, n)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{Outcome, SCHEMA_VERSION};
    use super::*;

    fn row(condition: &str, family: Family, alert: Option<f64>, score: f64) -> Row {
        let judged = Judged {
            onset_s: (family != Family::Control).then_some(2.0),
            alerted: alert.is_some(),
            alert_s: alert,
            signal: alert.map(|_| "planarity".into()).unwrap_or_default(),
            score,
            ground: Ground::Judged,
            ..Judged::default()
        };
        Row {
            schema_version: SCHEMA_VERSION,
            key: format!("{condition} {score}"),
            condition: condition.into(),
            family,
            about: "x".into(),
            procedural: true,
            source: "a.mp4".into(),
            seed: 1,
            outcome: Outcome::Judged(Box::new(judged)),
        }
    }

    #[test]
    fn the_worst_comes_first_and_delays_begin_at_the_onset() {
        let a = Family::Forgery;
        let failed =
            Row { outcome: Outcome::Failed { reason: "why".into() }, ..row("f/missed/c", a, None, 9.0) };
        let t = tally(&[
            row("f/caught/c", a, Some(3.0), 20.0),
            row("f/caught/c", a, Some(5.0), 21.0),
            row("f/missed/c", a, None, 1.0),
            failed,
            row("f/half/c", a, Some(2.5), 20.0),
            row("f/half/c", a, None, 3.0),
            row("control/x/c", Family::Control, None, 1.0),
            row("injection/x/c", Family::Injection, None, 0.5),
            row("camera/x/c", Family::Camera, None, 0.0),
        ]);
        let names: Vec<&str> = t.attacks.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["f/missed/c", "f/half/c", "f/caught/c"]);
        assert_eq!((t.attacks[2].median_s, t.attacks[2].p95_s), (Some(1.0), Some(3.0)));
        assert_eq!(t.attacks[2].signals, [("planarity".to_owned(), 2)]);
        assert_eq!((t.attacks[0].failed, t.all_attacks.errors.map(|r| (r.count, r.of))), (1, Some((2, 5))));
        assert_eq!(t.all_controls.errors.map(|r| r.count), Some(0));
        assert_eq!((t.families.len(), t.failures.len()), (1, 1));
        // What is judged otherwise is counted apart.
        assert_eq!(t.all_injections.errors.map(|r| (r.count, r.of)), Some((1, 1)));
        assert_eq!(t.all_cameras.errors.map(|r| (r.count, r.of)), Some((0, 1)));
        assert_eq!((t.injections.len(), t.cameras.len(), t.attacks.len()), (1, 1, 3));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let t = tally(&[]);
        assert!(t.attacks.is_empty() && t.all_attacks.errors.is_none() && !t.all_controls.attack);
    }
}
