//! From results to what `evaluation` counts, and to the JSON that a script reads.

use super::network_evaluation::{self, ModelEvaluation};
use super::record::{Ground, Outcome, Record};
use crate::analysis::judgement::decision::Decision;
use crate::evaluation::intervals::Rate;
use crate::evaluation::{Area, Clip, Evaluation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What an attack is called whose manifest does not say more.
const ATTACK: &str = "attack";

/// The scanned recordings that have a label.
pub fn clips(records: &[Record]) -> Vec<Clip> {
    records.iter().filter_map(clip).collect()
}

pub(super) fn clip(record: &Record) -> Option<Clip> {
    let (label, scanned) = (record.label.as_ref()?, record.scanned()?);
    let attack = label.attack?;
    // An alert may be about the stream, without a face: then something was claimed too.
    let claimed = scanned.ground == Ground::Judged || scanned.alerted;
    Some(Clip {
        attack,
        kind: label.attack_type.clone().unwrap_or_else(|| if attack { ATTACK.into() } else { String::new() }),
        score: if scanned.fused.is_finite() { scanned.fused } else { 0.0 },
        alerted: scanned.alerted,
        risk: claimed.then_some(scanned.worst_risk.clamp(0.0, 1.0)),
        pair: label.pair_id.clone(),
        identities: label.identity_group.clone(),
        onset: label.onset_s,
        alerts: scanned.alerts.iter().map(|a| a.at_s).collect(),
    })
}

/// Every network that watches a face by itself, by its name.
pub fn model_evaluations(records: &[Record]) -> BTreeMap<String, ModelEvaluation> {
    network_evaluation::evaluations(records, clip)
}

/// The numbers of every attack type and of the pairs, of the whole analysis and of each network, and what was said of each
/// recording.
pub fn eval_json(
    evaluation: &Evaluation,
    models: &BTreeMap<String, ModelEvaluation>,
    records: &[Record],
) -> Value {
    let mut all = numbers(evaluation);
    all["not_judged"] = json!(evaluation.not_judged);
    all["calibration"] = json!(evaluation.reliability);
    all["delays"] = json!(evaluation.delays);
    let without = records.iter().flat_map(|r| r.settings.without.split(',')).filter(|n| !n.is_empty());
    all["without"] = json!(without.collect::<BTreeSet<_>>());
    let models = models.iter().map(|(name, m)| {
        let mut one = numbers(&m.evaluation);
        one["signal"] = json!(m.signal);
        one["family"] = json!(m.family);
        one["calibrated"] = json!(m.calibrated);
        one["not_scored"] = json!(m.not_scored);
        (name.clone(), one)
    });
    all["models"] = Value::Object(models.collect());
    all["decisions"] = json!(decisions(records));
    all["clips"] = records.iter().map(clip_json).collect();
    all
}

/// How many recordings of each kind of attack, and genuine ones, ended in each decision.
pub fn decisions(records: &[Record]) -> BTreeMap<String, BTreeMap<&'static str, usize>> {
    let mut all: BTreeMap<String, BTreeMap<&'static str, usize>> = BTreeMap::new();
    for record in records {
        if let (Some(clip), Some(scanned)) = (clip(record), record.scanned()) {
            let kind = if clip.attack { clip.kind } else { "genuine".to_owned() };
            let counts =
                all.entry(kind).or_insert_with(|| Decision::ALL.iter().map(|d| (d.name(), 0)).collect());
            *counts.entry(scanned.decision.name()).or_default() += 1;
        }
    }
    all
}

fn numbers(evaluation: &Evaluation) -> Value {
    let group = |n_attack: usize,
                 n_genuine: usize,
                 area: Option<&Area>,
                 apcer: Option<&Rate>,
                 bpcer: Option<&Rate>| {
        let interval = area.and_then(|a| a.interval);
        let rate = |r: Option<&Rate>| r.map(|r| r.rate);
        json!({
            "n_genuine": n_genuine, "n_attack": n_attack,
            "auc": area.map(|a| a.auc), "auc_low": interval.map(|i| i.low), "auc_high": interval.map(|i| i.high),
            "apcer": rate(apcer), "apcer_low": apcer.map(|r| r.interval.low), "apcer_high": apcer.map(|r| r.interval.high),
            "bpcer": rate(bpcer), "bpcer_low": bpcer.map(|r| r.interval.low), "bpcer_high": bpcer.map(|r| r.interval.high),
        })
    };
    let e = evaluation;
    let mut groups: BTreeMap<&str, Value> = e
        .kinds
        .iter()
        .map(|k| {
            (
                k.name.as_str(),
                group(k.apcer.of, e.n_genuine, k.area.as_ref(), Some(&k.apcer), e.bpcer.as_ref()),
            )
        })
        .collect();
    let mut pairs = json!({ "n": 0, "auc": null, "accuracy": null });
    if let Some(p) = &e.pairs {
        let all = group(p.n_attack, p.n_genuine, p.area.as_ref(), p.apcer.as_ref(), p.bpcer.as_ref());
        groups.insert("pairs", all.clone());
        pairs = all;
        let i = p.accuracy_interval;
        pairs["n"] = json!(p.n);
        pairs["accuracy"] = json!(p.accuracy);
        pairs["accuracy_low"] = json!(i.map(|i| i.low));
        pairs["accuracy_high"] = json!(i.map(|i| i.high));
        pairs["ties"] = json!(p.ties);
    }
    json!({
        "groups": groups,
        "pairs": pairs,
        "all": group(e.n_attack, e.n_genuine, e.area.as_ref(), e.apcer_all.as_ref(), e.bpcer.as_ref()),
        "eer": e.eer, "bpcer10": e.bpcer10, "bpcer20": e.bpcer20, "bpcer100": e.bpcer100, "acer": e.acer,
        "clusters": e.clusters,
    })
}

fn clip_json(record: &Record) -> Value {
    let label = record.label.as_ref();
    let mut line = json!({
        "clip": record.clip,
        "attack": label.and_then(|l| l.attack),
        "attack_type": label.and_then(|l| l.attack_type.as_ref()),
        "pair_id": label.and_then(|l| l.pair_id.as_ref()),
    });
    line["status"] = json!(record.outcome.status());
    match &record.outcome {
        Outcome::Scanned(s) | Outcome::Damaged(s) => {
            line["note"] = json!(s.note);
            line["ground"] = json!(s.ground);
            line["score"] = json!(s.fused);
            line["change"] = json!(s.score);
            line["decision"] = json!(s.decision);
            line["probability"] = json!(s.posterior.attack);
            line["good_seconds"] = json!(s.good_seconds);
            line["reasons"] = json!(s.reasons);
            line["risk"] = json!(s.worst_risk);
            line["alerted"] = json!(s.alerted);
            line["first_alert_s"] = json!(s.alerts.first().map(|a| a.at_s));
            let scores = s.model_scores.iter().map(|(name, m)| (name.clone(), json!(m.mean_score)));
            line["models"] = Value::Object(scores.collect());
        }
        Outcome::Failed { reason } => {
            line["reason"] = json!(reason);
        }
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::batch::{Label, ModelScore, SCHEMA_VERSION, Scanned, Settings};

    pub fn record(name: &str, kind: Option<&str>, score: f64, alerted: bool) -> Record {
        let scanned = Scanned {
            ground: Ground::Judged,
            score,
            fused: score,
            alerted,
            worst_risk: score / 20.0,
            ..Scanned::default()
        };
        let attack_type = kind.filter(|k| !k.is_empty()).map(Into::into);
        let label = kind.map(|k| Label { attack: Some(!k.is_empty()), attack_type, ..Label::default() });
        Record {
            schema_version: SCHEMA_VERSION,
            clip: name.into(),
            bytes: None,
            settings: Settings::default(),
            label,
            outcome: Outcome::Scanned(Box::new(scanned)),
        }
    }

    #[test]
    fn only_labelled_and_scanned_recordings_count() {
        let failed = Record {
            outcome: Outcome::Failed { reason: "x".into() },
            ..record("d", Some("print"), 0.0, false)
        };
        let unseen = Scanned { ground: Ground::NoFace, ..Scanned::default() };
        let unseen =
            Record { outcome: Outcome::Scanned(Box::new(unseen)), ..record("e", Some("print"), 0.0, false) };
        let whole = record("f", Some("print"), 15.0, true);
        let damaged =
            Record { outcome: Outcome::Damaged(Box::new(whole.scanned().unwrap().clone())), ..whole };
        let all = [record("a", Some(""), 1.0, false), record("b", None, 2.0, false), failed, unseen, damaged];
        let clips = clips(&all);
        assert_eq!(clips.len(), 2);
        assert_eq!(
            (clips[0].risk, clips[1].risk),
            (Some(0.05), None),
            "nothing is claimed of what was not seen"
        );
    }

    #[test]
    fn the_json_has_every_group() {
        let all = [
            record("a", Some(""), 1.0, false),
            record("b", Some("print"), 15.0, true),
            record("c", Some("swap"), 0.0, false),
        ];
        let json = eval_json(&crate::evaluation::evaluate(&clips(&all)), &model_evaluations(&all), &all);
        let print = &json["groups"]["print"];
        assert_eq!(
            (&print["auc"], &print["apcer"], &print["n_attack"], &print["n_genuine"]),
            (&json!(1.0), &json!(0.0), &json!(1), &json!(1))
        );
        assert_eq!((&json["groups"]["swap"]["auc"], &json["pairs"]["n"]), (&json!(0.0), &json!(0)));
        assert_eq!(json["clips"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn every_network_is_evaluated_by_itself() {
        let scored = |name: &str, kind: &str, score: f64, own: Option<f64>| {
            let mut record = record(name, Some(kind), score, false);
            let Outcome::Scanned(s) = &mut record.outcome else { unreachable!() };
            let about = ModelScore { family: "forgery".into(), mean_score: own, ..ModelScore::default() };
            s.model_scores.insert("net".into(), about);
            record.label.as_mut().unwrap().pair_id = Some(name[..1].into());
            record
        };
        let all = [
            scored("a1", "", 5.0, Some(-2.0)),
            scored("a2", "swap", 0.0, Some(1.0)),
            scored("b1", "", 0.0, Some(0.5)),
            scored("b2", "print", 0.0, Some(-3.0)),
            scored("c", "swap", 9.0, None),
            record("unlabelled", None, 0.0, false),
        ];
        let models = model_evaluations(&all);
        let json = eval_json(&crate::evaluation::evaluate(&clips(&all)), &models, &all);
        let net = &json["models"]["net"];
        assert_eq!(
            (&net["groups"]["swap"]["auc"], &net["groups"]["print"]["auc"]),
            (&json!(1.0), &json!(0.0))
        );
        assert_eq!((&net["groups"]["swap"]["n_attack"], &net["not_scored"]), (&json!(1), &json!(1)));
        // Two pairs: the swap above its original, the print below.
        assert_eq!((&net["pairs"]["n"], &net["pairs"]["accuracy"]), (&json!(2), &json!(0.5)));
        // Its own decision is the sign of its score.
        assert_eq!((&net["all"]["apcer"], &net["all"]["bpcer"]), (&json!(0.5), &json!(0.5)));
        assert_eq!(json["clips"][0]["models"], json!({ "net": -2.0 }));
        assert_eq!(json["groups"]["swap"]["n_attack"], json!(2), "the whole analysis counts all");
        let table = crate::batch::models_table(&models);
        assert!(table.contains("net") && table.contains("0.50"), "{table}");
    }
}
