//! `deepfake-decision`: what a session ends in, or would end in now, and why.

use super::header::{Header, read_header, with_header};
use crate::analysis::judgement::decision::{Decision, Ruling};
use crate::structure::{Error, array, c_text, field, named, read_posterior, write_posterior};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// Name of [`DecisionMessage`]'s structure.
pub const DECISION: &str = "deepfake-decision";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DecisionMessage {
    #[serde(flatten)]
    pub header: Header,
    #[serde(flatten)]
    pub ruling: Ruling,
    /// Whether the session has ended.
    #[serde(rename = "final")]
    pub is_final: bool,
}

impl DecisionMessage {
    pub const fn new(header: Header, ruling: Ruling, is_final: bool) -> Self {
        Self { header, ruling, is_final }
    }
}

impl From<&DecisionMessage> for gst::Structure {
    fn from(m: &DecisionMessage) -> Self {
        let mut s = with_header(DECISION, &m.header);
        s.set("decision", m.ruling.decision.name());
        write_posterior(&mut s, &m.ruling.posterior);
        s.set("statistic", m.ruling.statistic);
        s.set("good-seconds", m.ruling.good_seconds);
        s.set("reasons", gst::Array::new(m.ruling.reasons.iter().map(|r| c_text(r))));
        s.set("needed", c_text(&m.ruling.needed));
        s.set("final", m.is_final);
        s
    }
}

impl TryFrom<&gst::StructureRef> for DecisionMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        let header = read_header(s, DECISION)?;
        let ruling = Ruling {
            decision: named(s, "decision", Decision::from_name)?,
            posterior: read_posterior(s)?,
            statistic: field(s, "statistic")?,
            good_seconds: field(s, "good-seconds")?,
            reasons: array(s, "reasons", |v| {
                v.get::<String>().map_err(|e| Error::Type { field: "reasons", detail: e.to_string() })
            })?,
            needed: field::<&str>(s, "needed")?.to_owned(),
        };
        Ok(Self { header, ruling, is_final: field(s, "final")? })
    }
}
