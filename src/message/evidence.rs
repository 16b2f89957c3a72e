//! `deepfake-evidence`: the evidence of an alert was written to the disk.

use super::header::{Header, read_header, with_header};
use crate::analysis::judgement::verdict::AlertKind;
use crate::structure::{Error, c_text, field, named};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// Name of [`EvidenceMessage`]'s structure.
pub const EVIDENCE: &str = "deepfake-evidence";

/// The evidence of an alert is on the disk (only with `evidence-dir`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvidenceMessage {
    #[serde(flatten)]
    pub header: Header,
    /// Of the alert.
    pub kind: AlertKind,
    /// The bundle's folder; empty for a cleared alert, which is in the log alone.
    pub bundle: String,
    /// Number of the log's new line, and its SHA-256: kept elsewhere, it shows later whether lines were removed.
    pub line: u64,
    pub digest: String,
}

impl EvidenceMessage {
    pub fn new(header: Header, kind: AlertKind, bundle: String, (line, digest): (u64, String)) -> Self {
        Self { header, kind, bundle, line, digest }
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
