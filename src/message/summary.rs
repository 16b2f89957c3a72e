//! `deepfake-summary`: the counts of a whole stream, at its end.

use super::header::{Header, read_header, with_header};
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::verdict::State;
use crate::structure::{Error, NONE, field, named, time};
use gstreamer as gst;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of [`SummaryMessage`]'s structure.
pub const SUMMARY: &str = "deepfake-summary";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SummaryMessage {
    #[serde(flatten)]
    pub header: Header,
    /// Buffers that passed.
    pub frames_seen: u64,
    /// Of these, chosen for analysis.
    pub frames_sampled: u64,
    /// Of these, analysed to the end.
    pub frames_analysed: u64,
    /// Sampled but not analysed, by reason (lower-case letters, digits and hyphens).
    pub frames_skipped: BTreeMap<String, u64>,
    /// Of the stream, ns.
    pub duration: Option<u64>,
    /// Alerts raised.
    pub alerts: u32,
    /// PTS of the first raised alert, ns.
    pub first_alert_pts: Option<u64>,
    pub worst_state: State,
    pub worst_risk: f64,
    /// At the end.
    pub state: State,
    /// What the session ended in, and the probability of an attack then, 0..1.
    #[serde(default)]
    pub decision: Decision,
    #[serde(default)]
    pub probability: f64,
    /// Stream time spent in each state, ns.
    pub time_in_state: BTreeMap<State, u64>,
    /// How many challenges were `issued`, `passed`, `failed`, ...; empty where there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challenges: BTreeMap<String, u32>,
}

/// A field name that GStreamer can print and parse again.
fn field_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).collect();
    // Field names begin with a letter.
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("x{name}") }
}

impl From<&SummaryMessage> for gst::Structure {
    fn from(m: &SummaryMessage) -> Self {
        let mut skipped = gst::Structure::new_empty("frames-skipped");
        for (reason, count) in &m.frames_skipped {
            skipped.set(field_name(reason).as_str(), *count);
        }
        let mut times = gst::Structure::new_empty("time-in-state");
        for (state, time) in &m.time_in_state {
            times.set(state.name(), *time);
        }
        let mut s = with_header(SUMMARY, &m.header);
        s.set("frames-seen", m.frames_seen);
        s.set("frames-sampled", m.frames_sampled);
        s.set("frames-analysed", m.frames_analysed);
        s.set("frames-skipped", skipped);
        s.set("duration", m.duration.unwrap_or(NONE));
        s.set("alerts", m.alerts);
        s.set("first-alert-pts", m.first_alert_pts.unwrap_or(NONE));
        s.set("worst-state", m.worst_state.name());
        s.set("worst-risk", m.worst_risk);
        s.set("state", m.state.name());
        s.set("decision", m.decision.name());
        s.set("probability", m.probability);
        s.set("time-in-state", times);
        if !m.challenges.is_empty() {
            let mut challenges = gst::Structure::new_empty("challenges");
            for (state, count) in &m.challenges {
                challenges.set(field_name(state).as_str(), *count);
            }
            s.set("challenges", challenges);
        }
        s
    }
}

impl TryFrom<&gst::StructureRef> for SummaryMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        let number = |value: &glib::SendValue, field: &'static str| {
            value.get::<u64>().map_err(|e| Error::Type { field, detail: e.to_string() })
        };
        let skipped = field::<&gst::StructureRef>(s, "frames-skipped")?;
        let times = field::<&gst::StructureRef>(s, "time-in-state")?;
        let state = |name: &str| {
            State::from_name(name)
                .ok_or_else(|| Error::Value { field: "time-in-state", value: name.to_owned() })
        };
        let challenges = match s.has_field("challenges") {
            true => field::<&gst::StructureRef>(s, "challenges")?
                .iter()
                .map(|(name, value)| {
                    let count = value
                        .get::<u32>()
                        .map_err(|e| Error::Type { field: "challenges", detail: e.to_string() })?;
                    Ok((name.to_string(), count))
                })
                .collect::<Result<_, Error>>()?,
            false => BTreeMap::new(),
        };
        Ok(Self {
            header: read_header(s, SUMMARY)?,
            frames_seen: field(s, "frames-seen")?,
            frames_sampled: field(s, "frames-sampled")?,
            frames_analysed: field(s, "frames-analysed")?,
            frames_skipped: skipped
                .iter()
                .map(|(name, value)| Ok((name.to_string(), number(value, "frames-skipped")?)))
                .collect::<Result<_, Error>>()?,
            duration: time(s, "duration")?,
            alerts: field(s, "alerts")?,
            first_alert_pts: time(s, "first-alert-pts")?,
            worst_state: named(s, "worst-state", State::from_name)?,
            worst_risk: field(s, "worst-risk")?,
            state: named(s, "state", State::from_name)?,
            decision: if s.has_field("decision") {
                named(s, "decision", Decision::from_name)?
            } else {
                Decision::default()
            },
            probability: if s.has_field("probability") { field(s, "probability")? } else { 0.0 },
            time_in_state: times
                .iter()
                .map(|(name, value)| Ok((state(name.as_str())?, number(value, "time-in-state")?)))
                .collect::<Result<_, Error>>()?,
            challenges,
        })
    }
}
