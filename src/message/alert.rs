//! `deepfake-alert`: an alert was raised or cleared.

use super::header::{Header, read_header, with_header};
use crate::analysis::judgement::verdict::{Alert, AlertKind};
use crate::structure::{Error, NONE, evidence_array, field, named, read_evidence, time};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// Name of [`AlertMessage`]'s structure.
pub const ALERT: &str = "deepfake-alert";

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
