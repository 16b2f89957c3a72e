//! An alert, with all that is to be kept of it.

use super::alert_report::RunInfo;
use super::hash_chain::Ground;
use crate::analysis::bundle::Recording;
use crate::analysis::judgement::decision::Ruling;
use crate::analysis::judgement::verdict::Alert;
use crate::provenance::report::SourceReport;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A face as it was seen, small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    pub pts: u64,
    pub track_id: u32,
    /// Pixels.
    pub side: u32,
    /// RGB, 3 bytes a pixel.
    pub pixels: Vec<u8>,
}

/// An alert, with all that is to be kept of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub ran: Arc<RunInfo>,
    pub session_id: String,
    pub ground: Ground,
    pub alert: Alert,
    pub decision: Ruling,
    pub running_time: Option<u64>,
    pub stream_time: Option<u64>,
    pub config: BTreeMap<String, Value>,
    /// The policy's text, where sources are looked for.
    pub policy: Option<Arc<str>>,
    pub sources: Vec<Arc<SourceReport>>,
    pub recording: Recording,
    pub faces: Vec<Arc<Face>>,
    /// When it happened, as RFC 3339 has it.
    pub time: String,
}
