//! How a verdict is written into a `gst::Structure` and read back: the one serialisation that buffer
//! metadata and bus messages share. `docs/metadata.md` describes it field by field.
//!
//! Reading trusts nothing: a structure may come from another plugin, another version, or a mistake.

use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::fusion::Posterior;
use crate::analysis::judgement::verdict::{Condition, SCHEMA_VERSION, State, TrackVerdict, Verdict};
use crate::analysis::pixels::rect::NormRect;
use crate::analysis::source::provenance::{Class, Source};
use glib::value::{FromValue, ValueTypeChecker};
use gstreamer as gst;

/// Stands for "no such time" in a u64 field, as `GST_CLOCK_TIME_NONE` does.
pub(crate) const NONE: u64 = u64::MAX;

/// Why a structure could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The structure has another name than the one asked for.
    #[error("structure `{found}` where `{expected}` was expected")]
    Name { expected: &'static str, found: String },
    /// Written by a version whose fields mean something else.
    #[error("schema version {found} is not the supported {SCHEMA_VERSION}")]
    SchemaVersion { found: u32 },
    /// A field that every writer sets is not there.
    #[error("field `{field}` is missing")]
    Missing { field: &'static str },
    /// A field, or an element of an array, has another type.
    #[error("field `{field}` has the wrong type: {detail}")]
    Type { field: &'static str, detail: String },
    /// A name that is none of the field's values.
    #[error("field `{field}` has the unknown value `{value}`")]
    Value { field: &'static str, value: String },
}

/// The field `name`, which must be there and of type `T`.
pub(crate) fn field<'a, T>(s: &'a gst::StructureRef, name: &'static str) -> Result<T, Error>
where
    T: FromValue<'a>,
    <T::Checker as ValueTypeChecker>::Error: std::error::Error,
{
    let value = s.value(name).map_err(|_| Error::Missing { field: name })?;
    value.get::<T>().map_err(|e| Error::Type { field: name, detail: e.to_string() })
}

/// A time in nanoseconds, or `None` for [`NONE`].
pub(crate) fn time(s: &gst::StructureRef, name: &'static str) -> Result<Option<u64>, Error> {
    field::<u64>(s, name).map(|t| (t != NONE).then_some(t))
}

/// A field whose value is one of an enum's names.
pub(crate) fn named<T>(
    s: &gst::StructureRef,
    name: &'static str,
    from_name: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    let value = field::<&str>(s, name)?;
    from_name(value).ok_or_else(|| Error::Value { field: name, value: value.to_owned() })
}

/// Every element of the array `name`, read by `read`.
pub(crate) fn array<T>(
    s: &gst::StructureRef,
    name: &'static str,
    read: impl Fn(&glib::SendValue) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    field::<gst::ArrayRef>(s, name)?.iter().map(read).collect()
}

/// The structure inside an array's element.
pub(crate) fn inner<'a>(
    value: &'a glib::SendValue,
    field: &'static str,
) -> Result<&'a gst::StructureRef, Error> {
    value.get::<&gst::StructureRef>().map_err(|e| Error::Type { field, detail: e.to_string() })
}

/// Checks the version that every structure of ours carries.
pub(crate) fn check_version(s: &gst::StructureRef) -> Result<u32, Error> {
    match field::<u32>(s, "schema-version")? {
        SCHEMA_VERSION => Ok(SCHEMA_VERSION),
        found => Err(Error::SchemaVersion { found }),
    }
}

/// Text as C can hold it: a NUL ends a C string, so it must not be in one.
pub(crate) fn c_text(text: &str) -> String {
    text.replace('\0', " ")
}

fn evidence_structure(e: &Evidence) -> gst::Structure {
    gst::Structure::builder("evidence")
        .field("signal", c_text(&e.signal))
        .field("llr", e.llr)
        .field("quality", e.quality)
        .field("reason", c_text(&e.reason))
        .build()
}

pub(crate) fn evidence_array(evidence: &[Evidence]) -> gst::Array {
    gst::Array::new(evidence.iter().map(evidence_structure))
}

pub(crate) fn read_evidence(s: &gst::StructureRef, name: &'static str) -> Result<Vec<Evidence>, Error> {
    array(s, name, |value| {
        let s = inner(value, name)?;
        Ok(Evidence {
            signal: field::<&str>(s, "signal")?.to_owned(),
            llr: field(s, "llr")?,
            quality: field(s, "quality")?,
            reason: field::<&str>(s, "reason")?.to_owned(),
        })
    })
}

/// Names of the fields of a [`Posterior`], in its order.
const PROBABILITIES: [&str; 5] = [
    "probability",
    "probability-presentation",
    "probability-replay",
    "probability-forgery",
    "probability-injection",
];

pub(crate) fn write_posterior(s: &mut gst::StructureRef, p: &Posterior) {
    let values = [p.attack, p.presentation, p.replay, p.forgery, p.injection];
    for (name, value) in PROBABILITIES.into_iter().zip(values) {
        s.set(name, value);
    }
}

/// Zeros where a writer that knew of no probabilities wrote.
pub(crate) fn read_posterior(s: &gst::StructureRef) -> Result<Posterior, Error> {
    if !s.has_field(PROBABILITIES[0]) {
        return Ok(Posterior::default());
    }
    let [attack, presentation, replay, forgery, injection] = PROBABILITIES.map(|name| field(s, name));
    Ok(Posterior {
        attack: attack?,
        presentation: presentation?,
        replay: replay?,
        forgery: forgery?,
        injection: injection?,
    })
}

fn track_structure(t: &TrackVerdict) -> gst::Structure {
    let mut s = gst::Structure::builder("track")
        .field("track-id", t.track_id)
        .field("x", t.rect.x)
        .field("y", t.rect.y)
        .field("w", t.rect.w)
        .field("h", t.rect.h)
        .field("state", t.state.name())
        .field("condition", t.condition.name())
        .field("risk", t.risk)
        .field("statistic", t.statistic)
        .field("evidence", evidence_array(&t.evidence))
        .build();
    write_posterior(&mut s, &t.posterior);
    s
}

fn read_track(value: &glib::SendValue) -> Result<TrackVerdict, Error> {
    let s = inner(value, "tracks")?;
    Ok(TrackVerdict {
        track_id: field(s, "track-id")?,
        rect: NormRect { x: field(s, "x")?, y: field(s, "y")?, w: field(s, "w")?, h: field(s, "h")? },
        state: named(s, "state", State::from_name)?,
        condition: named(s, "condition", Condition::from_name)?,
        risk: field(s, "risk")?,
        statistic: field(s, "statistic")?,
        posterior: read_posterior(s)?,
        evidence: read_evidence(s, "evidence")?,
    })
}

/// Writes all fields of `verdict` into `s`; fields of another name stay.
pub(crate) fn write_verdict(s: &mut gst::StructureRef, verdict: &Verdict) {
    s.set("schema-version", verdict.schema_version);
    s.set("epoch", verdict.epoch);
    s.set("analysed-pts", verdict.analysed_pts.unwrap_or(NONE));
    s.set("state", verdict.state.name());
    s.set("condition", verdict.condition.name());
    s.set("risk", verdict.risk);
    s.set("alert", verdict.alert);
    s.set("statistic", verdict.statistic);
    write_posterior(s, &verdict.posterior);
    s.set("decision", verdict.decision.name());
    s.set("tracks", gst::Array::new(verdict.tracks.iter().map(track_structure)));
    s.set("stream-evidence", evidence_array(&verdict.stream_evidence));
    // Left out while the source was not looked at.
    if let Some(source) = &verdict.source {
        s.set("source-class", source.class.name());
        s.set("source-confidence", source.confidence);
        s.set("source-injection", source.injection);
        s.set("source-reason", c_text(&source.reason));
    }
}

fn read_source(s: &gst::StructureRef) -> Result<Source, Error> {
    Ok(Source {
        class: named(s, "source-class", Class::from_name)?,
        confidence: field(s, "source-confidence")?,
        injection: field(s, "source-injection")?,
        reason: field::<&str>(s, "source-reason")?.to_owned(),
    })
}

/// Reads what [`write_verdict`] wrote, whatever the structure's name.
pub(crate) fn read_verdict(s: &gst::StructureRef) -> Result<Verdict, Error> {
    Ok(Verdict {
        schema_version: check_version(s)?,
        epoch: field(s, "epoch")?,
        analysed_pts: time(s, "analysed-pts")?,
        state: named(s, "state", State::from_name)?,
        condition: named(s, "condition", Condition::from_name)?,
        risk: field(s, "risk")?,
        alert: field(s, "alert")?,
        tracks: array(s, "tracks", read_track)?,
        stream_evidence: read_evidence(s, "stream-evidence")?,
        statistic: if s.has_field("statistic") { field(s, "statistic")? } else { 0.0 },
        posterior: read_posterior(s)?,
        decision: if s.has_field("decision") {
            named(s, "decision", Decision::from_name)?
        } else {
            Decision::default()
        },
        source: if s.has_field("source-class") { Some(read_source(s)?) } else { None },
    })
}
