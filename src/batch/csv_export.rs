//! One line a recording, for a spreadsheet.

use super::error::Error;
use super::record::{Outcome, Record};
use std::path::Path;

const HEAD: [&str; 25] = [
    "clip",
    "status",
    "label",
    "attack_type",
    "pair_id",
    "identity_group",
    "ground",
    "alerted",
    "first_alert_s",
    "signal",
    "reason",
    "score",
    "threshold",
    "worst_risk",
    "worst_state",
    "decision",
    "probability",
    "fused",
    "decision_reason",
    "duration_s",
    "frames_analysed",
    "wall_s",
    "note",
    "source",
    "source_findings",
];

/// Writes `records` to `path`.
///
/// # Errors
/// If it cannot be written.
pub fn write_csv(path: &Path, records: &[Record]) -> Result<(), Error> {
    let file = std::fs::File::create(path).map_err(Error::file(path))?;
    write(file, records).map_err(|e| Error::file(path)(std::io::Error::other(e)))
}

fn write(to: impl std::io::Write, records: &[Record]) -> csv::Result<()> {
    let mut out = csv::Writer::from_writer(to);
    out.write_record(HEAD)?;
    for record in records {
        let label = record.label.clone().unwrap_or_default();
        let attack = label.attack.map_or("", |a| if a { "attack" } else { "genuine" });
        let text = |t: Option<String>| plain(t.as_deref().unwrap_or_default());
        let mut row = vec![
            plain(&record.clip),
            record.outcome.status().into(),
            attack.into(),
            text(label.attack_type),
            text(label.pair_id),
            text(label.identity_group),
        ];
        match &record.outcome {
            Outcome::Scanned(s) | Outcome::Damaged(s) => {
                let first = s.alerts.first();
                row.extend([
                    s.ground.name().into(),
                    s.alerted.to_string(),
                    first.map_or_else(String::new, |a| format!("{:.3}", a.at_s)),
                    first.map_or_else(String::new, |a| plain(&a.signal)),
                    plain(first.map(|a| a.reason.as_str()).unwrap_or_default()),
                    s.score.to_string(),
                    format!("{:.3}", s.threshold),
                    format!("{:.3}", s.worst_risk),
                    s.worst_state.to_string(),
                    s.decision.to_string(),
                    format!("{:.5}", s.posterior.attack),
                    format!("{:.3}", s.fused),
                    plain(s.reasons.first().map(String::as_str).unwrap_or_default()),
                    format!("{:.3}", s.duration_s),
                    s.frames_analysed.to_string(),
                    s.wall_s.to_string(),
                    plain(s.note.as_deref().unwrap_or_default()),
                    s.source.as_ref().map_or_else(String::new, |n| n.class.to_string()),
                    plain(&s.source.as_ref().map_or_else(String::new, |n| n.reasons().join("; "))),
                ]);
            }
            Outcome::Failed { reason } => {
                row.resize(10, String::new());
                row.push(plain(reason));
                row.resize(HEAD.len(), String::new());
            }
        }
        out.write_record(&row)?;
    }
    out.flush()?;
    Ok(())
}

/// A spreadsheet would run what begins like a formula, and a name comes from outside.
fn plain(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::batch::evaluation::tests::record;

    #[test]
    fn every_row_has_every_column_and_none_is_a_formula() {
        let failed = Record {
            outcome: Outcome::Failed { reason: "gone, \"all\"".into() },
            ..record("=1+1", None, 0.0, false)
        };
        let mut text = Vec::new();
        write(&mut text, &[record("a,b", Some("print"), 3.5, true), failed]).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let column = |name: &str| HEAD.iter().position(|h| *h == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(
            (&rows[0][0], &rows[0][column("score")], &rows[0][column("alerted")]),
            ("a,b", "3.5", "true")
        );
        assert_eq!((&rows[1][0], &rows[1][column("reason")]), ("'=1+1", "gone, \"all\""));
    }
}
