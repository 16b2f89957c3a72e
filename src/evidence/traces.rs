//! The readings as they were weighed (`traces.jsonl`), and the time line that follows from them.

use super::error::Error;
use super::files::{SCHEMA, TRACES};
use crate::analysis::bundle::{Entry, Frame, Recording, Standing};
use crate::analysis::judgement::step::FamilySum;
use crate::analysis::judgement::verdict::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// One analysed frame of the time line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Moment {
    pts: u64,
    /// `None` where the analysis failed in mid-frame.
    frame: Option<Frame>,
    judges: Vec<JudgeState>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct JudgeState {
    track_id: Option<u32>,
    face_quality: Option<f64>,
    statistic: f64,
    risk: f64,
    state: State,
    sums: Vec<FamilySum>,
    signals: BTreeMap<String, SignalReading>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct SignalReading {
    rate: f64,
    impulse: f64,
    weight: f64,
    gain: f64,
    llr: f64,
    quality: f64,
    reason: String,
    features: Vec<f64>,
}

/// The time line that follows from a recording: a frame's verdict, and what each judge was given and concluded.
pub fn timeline(recording: &Recording) -> Result<Value, Error> {
    let mut moments: Vec<Moment> = Vec::new();
    for entry in &recording.entries {
        let pts = entry.pts();
        if moments.last().is_none_or(|m| m.pts != pts || m.frame.is_some()) {
            moments.push(Moment { pts, frame: None, judges: Vec::new() });
        }
        let Some(moment) = moments.last_mut() else { continue };
        match entry.as_ref() {
            Entry::Frame(frame) => moment.frame = Some(frame.clone()),
            Entry::Ended { .. } => {}
            Entry::Step(step) => {
                let signals = step.said.iter().map(|s| {
                    let reading = SignalReading {
                        rate: s.rate,
                        impulse: s.impulse,
                        weight: s.weight,
                        gain: s.gain,
                        llr: s.llr,
                        quality: s.quality,
                        reason: s.reason.clone(),
                        features: s.features.clone(),
                    };
                    (s.signal.to_string(), reading)
                });
                moment.judges.push(JudgeState {
                    track_id: step.track_id,
                    face_quality: step.face_quality,
                    statistic: step.after.statistic,
                    risk: step.after.risk,
                    state: step.after.state,
                    sums: step.after.sums.clone(),
                    signals: signals.collect(),
                });
            }
        }
    }
    Ok(serde_json::to_value(moments)?)
}

/// The first line of `traces.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Head {
    schema: u32,
    threshold: f64,
    base: Vec<Standing>,
}

/// A recording as text, one entry a line.
pub fn write_traces(recording: &Recording) -> Result<Vec<u8>, Error> {
    let (threshold, base) = (recording.threshold, recording.base.clone());
    let mut text = serde_json::to_vec(&Head { schema: SCHEMA, threshold, base })?;
    for entry in &recording.entries {
        text.push(b'\n');
        serde_json::to_writer(&mut text, entry.as_ref())?;
    }
    text.push(b'\n');
    Ok(text)
}

/// Reads what [`write_traces`] wrote; an error names the line.
pub fn read_traces(text: &[u8], dir: &Path) -> Result<Recording, Error> {
    let fault = |line: usize, what: String| Error::Unreadable {
        path: dir.join(TRACES),
        what: format!("line {}: {what}", line + 1),
    };
    let text = text.strip_suffix(b"\n").ok_or_else(|| fault(0, "the last line has no end".to_owned()))?;
    let mut lines = text.split(|b| *b == b'\n').enumerate();
    let (_, first) = lines.next().unwrap_or_default();
    let head: Head = serde_json::from_slice(first).map_err(|e| fault(0, e.to_string()))?;
    if head.schema != SCHEMA {
        return Err(fault(0, format!("schema {}, this program reads {SCHEMA}", head.schema)));
    }
    let thresholds = head.base.iter().map(|s| s.judge.threshold()).chain([head.threshold]);
    if thresholds.into_iter().any(|t| !t.is_finite() || t < 0.0) {
        return Err(fault(0, "a threshold is a number of nats, 0 or more".to_owned()));
    }
    let entries = lines.map(|(i, line)| {
        serde_json::from_slice::<Entry>(line).map(Arc::new).map_err(|e| fault(i, e.to_string()))
    });
    Ok(Recording { threshold: head.threshold, base: head.base, entries: entries.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn traces_of_any_kind_are_no_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_traces(&text, Path::new("x"));
        }
    }

    #[test]
    fn a_fault_is_placed() {
        let empty = Recording { threshold: 13.5, ..Recording::default() };
        let text = String::from_utf8(write_traces(&empty).unwrap()).unwrap();
        assert_eq!(read_traces(text.as_bytes(), Path::new("b")).unwrap().threshold, 13.5);
        let error = read_traces(format!("{text}{{}}\n").as_bytes(), Path::new("b")).unwrap_err().to_string();
        assert!(error.contains("b/traces.jsonl") && error.contains("line 2"), "{error}");
        for bad in ["-1.0", "1e999"] {
            assert!(read_traces(text.replace("13.5", bad).as_bytes(), Path::new("b")).is_err(), "{bad}");
        }
        let error = read_traces(text.replace("\"schema\":1", "\"schema\":2").as_bytes(), Path::new("b"));
        assert!(error.unwrap_err().to_string().contains("schema 2"));
    }
}
