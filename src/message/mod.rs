//! What the elements post on the bus, as types: `deepfake-verdict`, `deepfake-alert`,
//! `deepfake-evidence`, `deepfake-provenance`, `deepfake-challenge`, `deepfake-decision` and `deepfake-summary`.
//!
//! An application calls [`parse`] on every bus message. `docs/metadata.md` describes the fields.

mod alert;
mod challenge;
mod decision;
mod evidence;
mod header;
mod provenance;
mod summary;
mod verdict;

pub use crate::structure::Error;
pub use alert::{ALERT, AlertMessage};
pub use challenge::{CHALLENGE, ChallengeMessage};
pub use decision::{DECISION, DecisionMessage};
pub use evidence::{EVIDENCE, EvidenceMessage};
pub use header::Header;
pub use provenance::{PROVENANCE, ProvenanceMessage};
pub use summary::{SUMMARY, SummaryMessage};
pub use verdict::{VERDICT, VerdictMessage};

use gst::prelude::*;
use gstreamer as gst;
use serde::{Deserialize, Serialize};

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
    #[serde(rename = "deepfake-decision")]
    Decision(DecisionMessage),
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
            Self::Decision(m) => &m.header,
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
            Self::Decision(m) => gst::Structure::from(m),
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
    Evidence(EvidenceMessage),
    Decision(DecisionMessage)
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
        DECISION => DecisionMessage::try_from(structure).map(Into::into),
        _ => return None,
    })
}
