//! What every message carries.

use crate::analysis::judgement::verdict::SCHEMA_VERSION;
use crate::structure::{Error, NONE, array, c_text, check_version, field, time};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// See the module. Start from `default()` and set what is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The application's name for the call; may be empty.
    pub session_id: String,
    /// See [`epoch`](crate::analysis::judgement::verdict::Verdict::epoch).
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

/// A structure with the header's fields.
pub(super) fn with_header(name: &'static str, header: &Header) -> gst::Structure {
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

/// Reads what [`with_header`] wrote, from a structure of that name.
pub(super) fn read_header(s: &gst::StructureRef, name: &'static str) -> Result<Header, Error> {
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
