//! Features of signals, for fitting calibrations and for looking at.

use crate::analysis::evidence::Reading;

/// A signal's features at a frame, for fitting calibrations and for traces.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Trace {
    pub pts: u64,
    /// 0 for signals about the stream.
    pub track_id: u32,
    pub signal: String,
    /// The face's overall quality, for signals about a face; the reading's own, for those about the stream.
    pub quality: f64,
    pub llr: f64,
    pub features: Vec<f64>,
}

/// Keeps a reading's features, if traces are kept at all.
pub(super) fn keep_trace(
    traces: &mut Option<Vec<Trace>>,
    pts: u64,
    track_id: u32,
    signal: &str,
    quality: f64,
    reading: &Reading,
) {
    if let Some(traces) = traces {
        traces.push(Trace {
            pts,
            track_id,
            signal: signal.to_owned(),
            quality,
            llr: reading.llr,
            features: reading.features.clone(),
        });
    }
}
