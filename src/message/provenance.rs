//! `deepfake-provenance`: what is known of a source of the stream, and where it comes from.

use super::header::{Header, read_header, with_header};
use crate::analysis::source::provenance::{Class, Finding, Outcome};
use crate::provenance::identity::Identity;
use crate::provenance::report::SourceReport;
use crate::structure::{Error, array, c_text, field, inner, named};
use gstreamer as gst;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of [`ProvenanceMessage`]'s structure.
pub const PROVENANCE: &str = "deepfake-provenance";

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

fn finding_structure(f: &Finding) -> gst::Structure {
    gst::Structure::builder("finding")
        .field("check", c_text(&f.check))
        .field("outcome", f.outcome.name())
        .field("class", f.class.map_or("", Class::name))
        .field("weight", f.weight)
        .field("injection", f.injection)
        .field("reason", c_text(&f.reason))
        .build()
}

fn read_finding(value: &glib::SendValue) -> Result<Finding, Error> {
    let s = inner(value, "findings")?;
    let class = field::<&str>(s, "class")?;
    Ok(Finding {
        check: field::<&str>(s, "check")?.to_owned(),
        outcome: named(s, "outcome", Outcome::from_name)?,
        class: if class.is_empty() { None } else { Some(named(s, "class", Class::from_name)?) },
        weight: field(s, "weight")?,
        injection: field(s, "injection")?,
        reason: field::<&str>(s, "reason")?.to_owned(),
    })
}

fn texts_structure(name: &'static str, texts: &BTreeMap<String, String>) -> gst::Structure {
    let mut s = gst::Structure::new_empty(name);
    for (key, text) in texts {
        s.set(key.as_str(), c_text(text));
    }
    s
}

fn read_texts(s: &gst::StructureRef, name: &'static str) -> Result<BTreeMap<String, String>, Error> {
    let wrong =
        |e: glib::value::ValueTypeMismatchOrNoneError<_>| Error::Type { field: name, detail: e.to_string() };
    let texts = field::<&gst::StructureRef>(s, name)?;
    texts
        .iter()
        .map(|(key, value)| Ok((key.to_string(), value.get::<&str>().map_err(wrong)?.to_owned())))
        .collect()
}

fn strings(s: &gst::StructureRef, name: &'static str) -> Result<Vec<String>, Error> {
    array(s, name, |v| v.get::<String>().map_err(|e| Error::Type { field: name, detail: e.to_string() }))
}

impl From<&ProvenanceMessage> for gst::Structure {
    fn from(m: &ProvenanceMessage) -> Self {
        let report = &m.source;
        let mut s = with_header(PROVENANCE, &m.header);
        s.set("factory", c_text(&report.identity.factory));
        s.set("element", c_text(&report.identity.element));
        s.set("inside", gst::Array::new(report.identity.inside.iter().map(|f| c_text(f))));
        s.set("way", gst::Array::new(report.identity.way.iter().map(|f| c_text(f))));
        s.set("properties", texts_structure("properties", &report.identity.properties));
        s.set("device", texts_structure("device", &report.device));
        s.set("class", report.class.name());
        s.set("confidence", report.confidence);
        s.set("injection", report.injection);
        s.set("findings", gst::Array::new(report.findings.iter().map(finding_structure)));
        // No text stands for "welcome", so the field is left out.
        s.set_if_some("violation", report.violation.as_deref().map(c_text));
        s
    }
}

impl TryFrom<&gst::StructureRef> for ProvenanceMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        let header: Header = read_header(s, PROVENANCE)?;
        let source = SourceReport {
            identity: Identity {
                factory: field::<&str>(s, "factory")?.to_owned(),
                element: field::<&str>(s, "element")?.to_owned(),
                inside: strings(s, "inside")?,
                way: strings(s, "way")?,
                properties: read_texts(s, "properties")?,
            },
            class: named(s, "class", Class::from_name)?,
            confidence: field(s, "confidence")?,
            injection: field(s, "injection")?,
            device: read_texts(s, "device")?,
            findings: array(s, "findings", read_finding)?,
            violation: if s.has_field("violation") {
                Some(field::<&str>(s, "violation")?.to_owned())
            } else {
                None
            },
        };
        Ok(Self { header, source })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{DeepfakeMessage, parse};

    fn report() -> SourceReport {
        let texts = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
        let identity = Identity {
            factory: "v4l2src".into(),
            element: "v4l2src0".into(),
            inside: vec!["camerabin".into()],
            way: vec!["queue".into(), "deepfakedetect".into()],
            properties: texts("device", "/dev/video0"),
        };
        let findings = vec![
            Finding::of("v4l2-driver", Class::Virtual, 6.0, "driver v4l2 loopback").injected(4.0),
            Finding::not_readable("device-tree", "permission denied"),
        ];
        let report = SourceReport::new(identity, texts("driver", "v4l2 loopback"), findings);
        SourceReport { violation: Some("sources of class virtual are denied".into()), ..report }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        gst::init().unwrap();
        for violation in [report().violation, None] {
            let source = SourceReport { violation, ..report() };
            let header = Header { session_id: "call 7".into(), ..Header::default() };
            let message = DeepfakeMessage::from(ProvenanceMessage::new(header, source));
            let element = gst::ElementFactory::make("identity").build().unwrap();
            let posted = message.to_gst(&element);
            assert_eq!(parse(&posted).unwrap().unwrap(), message);
            let json = message.to_json().unwrap();
            assert_eq!(serde_json::from_str::<DeepfakeMessage>(&json).unwrap(), message);
            assert!(json.contains("\"type\":\"deepfake-provenance\""));
        }
    }

    #[test]
    fn a_broken_structure_is_refused() {
        gst::init().unwrap();
        let whole = gst::Structure::from(&ProvenanceMessage::new(Header::default(), report()));
        for name in ["class", "findings", "device", "way", "injection"] {
            let mut broken = whole.clone();
            broken.remove_field(name);
            assert_eq!(ProvenanceMessage::try_from(broken.as_ref()), Err(Error::Missing { field: name }));
            broken.set(name, 7i32);
            assert!(
                matches!(ProvenanceMessage::try_from(broken.as_ref()), Err(Error::Type { .. })),
                "{name}"
            );
        }
    }
}
