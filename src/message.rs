//! What the elements post on the bus, as types: `deepfake-verdict`, `deepfake-alert`,
//! `deepfake-evidence`, `deepfake-provenance`, `deepfake-challenge` and `deepfake-summary`.
//!
//! An application calls [`parse`] on every bus message. `docs/metadata.md` describes the fields.

use crate::analysis::judgement::verdict::{Alert, AlertKind, SCHEMA_VERSION, State, Verdict};
use crate::provenance::report::SourceReport;
pub use crate::structure::Error;
use crate::structure::{
    NONE, array, c_text, check_version, evidence_array, field, named, read_evidence, read_verdict, time,
    write_verdict,
};
use gst::prelude::*;
use gstreamer as gst;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod challenge;

pub use challenge::{CHALLENGE, ChallengeMessage};

/// Name of [`VerdictMessage`]'s structure.
pub const VERDICT: &str = "deepfake-verdict";
/// Name of [`AlertMessage`]'s structure.
pub const ALERT: &str = "deepfake-alert";
/// Name of [`SummaryMessage`]'s structure.
pub const SUMMARY: &str = "deepfake-summary";
/// Name of [`ProvenanceMessage`]'s structure.
pub const PROVENANCE: &str = "deepfake-provenance";
/// Name of [`EvidenceMessage`]'s structure.
pub const EVIDENCE: &str = "deepfake-evidence";

/// What every message carries. Start from `default()` and set what is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The application's name for the call; may be empty.
    pub session_id: String,
    /// See [`Verdict::epoch`].
    pub epoch: u64,
    /// PTS of the buffer the message speaks of, ns.
    pub timestamp: Option<u64>,
    /// The same moment as running time and as stream time, ns.
    pub running_time: Option<u64>,
    pub stream_time: Option<u64>,
    /// The models in use: `name@sha256:` and the first 16 hexadecimal digits.
    pub model_digests: Vec<String>,
    /// Signals that counted for nothing, because `ignore-signals` asked for it: a measurement, not the full detector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_signals: Vec<String>,
    /// The execution provider that runs them (`cpu`, `cuda`, ...); empty when none runs.
    pub provider: String,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            session_id: String::new(),
            epoch: 0,
            timestamp: None,
            running_time: None,
            stream_time: None,
            model_digests: Vec::new(),
            ignored_signals: Vec::new(),
            provider: String::new(),
        }
    }
}

/// The verdict, on change and every `report-interval`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VerdictMessage {
    #[serde(flatten)]
    pub header: Header,
    pub verdict: Verdict,
}

impl VerdictMessage {
    /// `header` takes the verdict's epoch and schema version.
    pub fn new(header: Header, verdict: Verdict) -> Self {
        let header = Header { epoch: verdict.epoch, schema_version: verdict.schema_version, ..header };
        Self { header, verdict }
    }
}

/// An alert was raised or cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AlertMessage {
    #[serde(flatten)]
    pub header: Header,
    pub alert: Alert,
}

impl AlertMessage {
    /// `header` takes the alert's epoch.
    pub fn new(header: Header, alert: Alert) -> Self {
        Self { header: Header { epoch: alert.epoch, ..header }, alert }
    }
}

/// The account of a whole stream, at its end.
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
    /// Stream time spent in each state, ns.
    pub time_in_state: BTreeMap<State, u64>,
    /// How many challenges were `issued`, `passed`, `failed`, ...; empty where there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challenges: BTreeMap<String, u32>,
}

/// What is known of a source of the stream: once it is known, and again when that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProvenanceMessage {
    #[serde(flatten)]
    pub header: Header,
    pub source: SourceReport,
}

impl ProvenanceMessage {
    pub fn new(header: Header, source: SourceReport) -> Self {
        Self { header, source }
    }
}

/// The evidence of an alert lies on the disk (only with `evidence-dir`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvidenceMessage {
    #[serde(flatten)]
    pub header: Header,
    /// Of the alert.
    pub kind: AlertKind,
    /// The bundle's folder; empty for a cleared alert, of which the log alone tells.
    pub bundle: String,
    /// Number of the log's new line, and its SHA-256: kept elsewhere, it betrays later whether lines were taken away.
    pub line: u64,
    pub digest: String,
}

impl EvidenceMessage {
    pub fn new(header: Header, kind: AlertKind, bundle: String, (line, digest): (u64, String)) -> Self {
        Self { header, kind, bundle, line, digest }
    }
}

/// Any message of this plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum DeepfakeMessage {
    #[serde(rename = "deepfake-verdict")]
    Verdict(VerdictMessage),
    #[serde(rename = "deepfake-alert")]
    Alert(AlertMessage),
    #[serde(rename = "deepfake-summary")]
    Summary(SummaryMessage),
    #[serde(rename = "deepfake-provenance")]
    Provenance(ProvenanceMessage),
    #[serde(rename = "deepfake-challenge")]
    Challenge(ChallengeMessage),
    #[serde(rename = "deepfake-evidence")]
    Evidence(EvidenceMessage),
}

impl DeepfakeMessage {
    pub fn header(&self) -> &Header {
        match self {
            Self::Verdict(m) => &m.header,
            Self::Alert(m) => &m.header,
            Self::Summary(m) => &m.header,
            Self::Provenance(m) => &m.header,
            Self::Challenge(m) => &m.header,
            Self::Evidence(m) => &m.header,
        }
    }

    /// The element message to post, with `src` as its sender.
    pub fn to_gst(&self, src: &impl IsA<gst::Object>) -> gst::Message {
        let structure = match self {
            Self::Verdict(m) => gst::Structure::from(m),
            Self::Alert(m) => gst::Structure::from(m),
            Self::Summary(m) => gst::Structure::from(m),
            Self::Provenance(m) => gst::Structure::from(m),
            Self::Challenge(m) => gst::Structure::from(m),
            Self::Evidence(m) => gst::Structure::from(m),
        };
        gst::message::Element::builder(structure).src(src).build()
    }

    /// One line of JSON. Numbers that JSON has no form for (NaN, infinity) become `null`.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

macro_rules! into_message {
    ($($variant:ident($t:ty)),+) => { $(
        impl From<$t> for DeepfakeMessage {
            fn from(m: $t) -> Self { Self::$variant(m) }
        }
    )+ };
}
into_message!(
    Verdict(VerdictMessage),
    Alert(AlertMessage),
    Summary(SummaryMessage),
    Provenance(ProvenanceMessage),
    Challenge(ChallengeMessage),
    Evidence(EvidenceMessage)
);

/// Reads a bus message: `None` if it is not one of this plugin's (or of a kind this version does not know),
/// an error if it is but cannot be understood.
pub fn parse(message: &gst::MessageRef) -> Option<Result<DeepfakeMessage, Error>> {
    let gst::MessageView::Element(element) = message.view() else { return None };
    let structure = element.structure()?;
    Some(match structure.name().as_str() {
        VERDICT => VerdictMessage::try_from(structure).map(Into::into),
        ALERT => AlertMessage::try_from(structure).map(Into::into),
        SUMMARY => SummaryMessage::try_from(structure).map(Into::into),
        PROVENANCE => ProvenanceMessage::try_from(structure).map(Into::into),
        CHALLENGE => ChallengeMessage::try_from(structure).map(Into::into),
        EVIDENCE => EvidenceMessage::try_from(structure).map(Into::into),
        _ => return None,
    })
}

pub(crate) fn with_header(name: &'static str, header: &Header) -> gst::Structure {
    let ignored = header.ignored_signals.iter().map(|s| c_text(s));
    gst::Structure::builder(name)
        .field("schema-version", header.schema_version)
        .field("session-id", c_text(&header.session_id))
        .field("epoch", header.epoch)
        .field("timestamp", header.timestamp.unwrap_or(NONE))
        .field("running-time", header.running_time.unwrap_or(NONE))
        .field("stream-time", header.stream_time.unwrap_or(NONE))
        .field("model-digests", gst::Array::new(header.model_digests.iter().map(|d| c_text(d))))
        .field_if("ignored-signals", gst::Array::new(ignored), !header.ignored_signals.is_empty())
        .field("provider", c_text(&header.provider))
        .build()
}

pub(crate) fn read_header(s: &gst::StructureRef, name: &'static str) -> Result<Header, Error> {
    if s.name() != name {
        return Err(Error::Name { expected: name, found: s.name().to_string() });
    }
    Ok(Header {
        schema_version: check_version(s)?,
        session_id: field::<&str>(s, "session-id")?.to_owned(),
        epoch: field(s, "epoch")?,
        timestamp: time(s, "timestamp")?,
        running_time: time(s, "running-time")?,
        stream_time: time(s, "stream-time")?,
        model_digests: array(s, "model-digests", |v| {
            v.get::<String>().map_err(|e| Error::Type { field: "model-digests", detail: e.to_string() })
        })?,
        ignored_signals: if s.has_field("ignored-signals") {
            array(s, "ignored-signals", |v| {
                v.get::<String>().map_err(|e| Error::Type { field: "ignored-signals", detail: e.to_string() })
            })?
        } else {
            Vec::new()
        },
        provider: field::<&str>(s, "provider")?.to_owned(),
    })
}

impl From<&VerdictMessage> for gst::Structure {
    fn from(m: &VerdictMessage) -> Self {
        let mut s = with_header(VERDICT, &m.header);
        write_verdict(&mut s, &m.verdict);
        s
    }
}

impl TryFrom<&gst::StructureRef> for VerdictMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        Ok(Self { header: read_header(s, VERDICT)?, verdict: read_verdict(s)? })
    }
}

impl From<&AlertMessage> for gst::Structure {
    fn from(m: &AlertMessage) -> Self {
        let mut s = with_header(ALERT, &m.header);
        s.set("kind", m.alert.kind.name());
        s.set("pts", m.alert.pts);
        s.set("onset-pts", m.alert.onset_pts.unwrap_or(NONE));
        // No number stands for "no track", so the field is left out.
        s.set_if_some("track-id", m.alert.track_id);
        s.set("statistic", m.alert.statistic);
        s.set("threshold", m.alert.threshold);
        s.set("evidence", evidence_array(&m.alert.evidence));
        s
    }
}

impl TryFrom<&gst::StructureRef> for AlertMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        let header = read_header(s, ALERT)?;
        let alert = Alert {
            kind: named(s, "kind", AlertKind::from_name)?,
            epoch: header.epoch,
            pts: field(s, "pts")?,
            onset_pts: time(s, "onset-pts")?,
            track_id: if s.has_field("track-id") { Some(field(s, "track-id")?) } else { None },
            statistic: field(s, "statistic")?,
            threshold: field(s, "threshold")?,
            evidence: read_evidence(s, "evidence")?,
        };
        Ok(Self { header, alert })
    }
}

impl From<&EvidenceMessage> for gst::Structure {
    fn from(m: &EvidenceMessage) -> Self {
        let mut s = with_header(EVIDENCE, &m.header);
        s.set("kind", m.kind.name());
        s.set("bundle", c_text(&m.bundle));
        s.set("line", m.line);
        s.set("digest", c_text(&m.digest));
        s
    }
}

impl TryFrom<&gst::StructureRef> for EvidenceMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        Ok(Self {
            header: read_header(s, EVIDENCE)?,
            kind: named(s, "kind", AlertKind::from_name)?,
            bundle: field::<&str>(s, "bundle")?.to_owned(),
            line: field(s, "line")?,
            digest: field::<&str>(s, "digest")?.to_owned(),
        })
    }
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
            time_in_state: times
                .iter()
                .map(|(name, value)| Ok((state(name.as_str())?, number(value, "time-in-state")?)))
                .collect::<Result<_, Error>>()?,
            challenges,
        })
    }
}
