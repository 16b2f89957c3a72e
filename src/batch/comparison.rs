//! Two runs over the same recordings, compared.

use super::evaluation::clip;
use super::record::Record;
use crate::evaluation::bootstrap::Clusters;
use crate::evaluation::clusters;
use crate::evaluation::compare::{AucChange, Both, auc_change, mcnemar_exact};
use serde::Serialize;
use std::collections::BTreeMap;

/// A recording that was alerted in one run and not in the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    pub clip: String,
    pub attack: Option<bool>,
    /// In the later run.
    pub alerted: bool,
    pub score_before: f64,
    pub score_after: f64,
}

/// Two runs over the same recordings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Recordings that both runs scanned.
    pub clips: usize,
    pub only_before: usize,
    pub only_after: usize,
    pub flips: Vec<Flip>,
    /// Among labelled recordings: right before and wrong now, wrong before and right now; all others: alerted before
    /// only, alerted now only. And the exact McNemar test of the two.
    pub worse: u64,
    pub better: u64,
    pub labelled: bool,
    pub p: f64,
    pub auc: Option<AucChange>,
}

/// Compares by the recordings' names. Labels are those of `after`.
pub fn compare(before: &[Record], after: &[Record]) -> Comparison {
    let earlier: BTreeMap<&str, &Record> =
        before.iter().filter(|r| r.scanned().is_some()).map(|r| (r.clip.as_str(), r)).collect();
    let mut c = Comparison {
        clips: 0,
        only_before: 0,
        only_after: 0,
        flips: Vec::new(),
        worse: 0,
        better: 0,
        labelled: after.iter().any(|r| clip(r).is_some()),
        p: 1.0,
        auc: None,
    };
    let (mut both, mut labelled) = (Vec::new(), Vec::new());
    for record in after {
        let Some(now) = record.scanned() else { continue };
        let Some(then) = earlier.get(record.clip.as_str()).and_then(|r| r.scanned()) else {
            c.only_after += 1;
            continue;
        };
        c.clips += 1;
        let known = clip(record);
        let attack = known.as_ref().map(|k| k.attack);
        if now.alerted != then.alerted {
            let right = if c.labelled { attack.map(|a| a == now.alerted) } else { Some(now.alerted) };
            match right {
                Some(true) => c.better += 1,
                Some(false) => c.worse += 1,
                None => {}
            }
            let (score_before, score_after) = (then.score, now.score);
            c.flips.push(Flip {
                clip: record.clip.clone(),
                attack,
                alerted: now.alerted,
                score_before,
                score_after,
            });
        }
        if let Some(known) = known {
            both.push(Both { attack: known.attack, before: then.score, after: now.score });
            labelled.push(known);
        }
    }
    c.only_before = earlier.len() - c.clips;
    c.p = mcnemar_exact(c.worse, c.better);
    let clusters: Clusters = clusters(&labelled);
    c.auc = auc_change(&both, &clusters);
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::evaluation::tests::record;

    #[test]
    fn changes_are_counted_as_better_and_worse() {
        let before = [
            record("a", Some(""), 1.0, false),
            record("b", Some("print"), 1.0, false),
            record("c", Some("print"), 15.0, true),
            record("old", Some("print"), 15.0, true),
        ];
        let after = [
            record("a", Some(""), 15.0, true),
            record("b", Some("print"), 15.0, true),
            record("c", Some("print"), 15.0, true),
            record("new", Some("print"), 15.0, true),
        ];
        let c = compare(&before, &after);
        assert_eq!((c.clips, c.only_before, c.only_after, c.worse, c.better, c.p), (3, 1, 1, 1, 1, 1.0));
        assert_eq!(c.flips.iter().map(|f| f.clip.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(c.auc.map(|a| (a.before, a.after)), Some((0.75, 0.5)));
        let bare = |r: &[Record]| r.iter().cloned().map(|r| Record { label: None, ..r }).collect::<Vec<_>>();
        let c = compare(&bare(&before), &bare(&after));
        assert_eq!((c.labelled, c.worse, c.better, c.auc), (false, 0, 2, None));
    }
}
