//! Every network that watches a face by itself: what it would have said of labelled recordings alone.

use super::record::Record;
use crate::evaluation::{Clip, Evaluation, evaluate};
use std::collections::BTreeMap;

/// One network on its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEvaluation {
    /// Name of its evidence.
    pub signal: String,
    pub family: String,
    pub calibrated: bool,
    /// Labelled recordings in which it never looked at a face. They do not count.
    pub not_scored: usize,
    pub evaluation: Evaluation,
}

/// Evaluates each network on the recordings that `clip` can make something of, by the network's name. The score of a
/// recording is the mean of its attack logits; where that is above 0, the network counts as having raised an alert.
pub(super) fn evaluations(
    records: &[Record],
    clip: impl Fn(&Record) -> Option<Clip>,
) -> BTreeMap<String, ModelEvaluation> {
    let scanned = || records.iter().filter_map(|r| Some((r.scanned()?, clip(r)?)));
    let mut all = BTreeMap::new();
    for (of, _) in scanned() {
        for (name, about) in &of.model_scores {
            all.entry(name.clone()).or_insert_with(|| about.clone());
        }
    }
    let by_name = all.into_iter().map(|(name, about)| {
        let mut clips = Vec::new();
        let mut not_scored = 0;
        for (of, clip) in scanned() {
            let score = of.model_scores.get(&name).and_then(|s| s.mean_score).filter(|s| s.is_finite());
            let Some(score) = score else {
                not_scored += 1;
                continue;
            };
            let risk = Some(1.0 / (1.0 + (-score).exp()));
            clips.push(Clip { score, alerted: score > 0.0, risk, alerts: Vec::new(), ..clip });
        }
        let evaluation = evaluate(&clips);
        let (signal, family, calibrated) = (about.signal, about.family, about.calibrated);
        (name, ModelEvaluation { signal, family, calibrated, not_scored, evaluation })
    });
    by_name.collect()
}
