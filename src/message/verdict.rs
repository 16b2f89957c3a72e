//! `deepfake-verdict`: what is known of the stream and its faces.

use super::header::{Header, read_header, with_header};
use crate::analysis::judgement::verdict::Verdict;
use crate::structure::{Error, read_verdict, write_verdict};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// Name of [`VerdictMessage`]'s structure.
pub const VERDICT: &str = "deepfake-verdict";

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
