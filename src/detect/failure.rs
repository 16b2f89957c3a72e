//! Reporting that a frame could not be analysed.

use super::analyst::AnalysisError;
use super::log::CAT;
use super::settings::OnError;
use super::shared::Shared;
use crate::analysis::face::chain::ChainError;
use gstreamer as gst;
use std::sync::atomic::Ordering;

/// Reports a failure to the application as `on-error` says. Returns whether the analysis is over for good.
pub fn report(element: &gst::Element, shared: &Shared, error: &AnalysisError) -> bool {
    let fail = shared.settings().on_error == OnError::Fail;
    // Posted before the stream ends, so that this is the first error that the application hears of.
    post(element, shared, error, fail);
    let fatal = fail || matches!(error, AnalysisError::Panicked);
    if fatal {
        shared.broken.store(true, Ordering::Release);
    }
    fatal
}

/// An error where it ends the stream; otherwise a warning at the first failure and a line in the log at the others.
fn post(element: &gst::Element, shared: &Shared, error: &AnalysisError, fail: bool) {
    let detail = match error {
        AnalysisError::Chain(ChainError::Model(e)) => e.detail(),
        other => other.to_string(),
    };
    if fail {
        gst::element_error!(element, gst::LibraryError::Failed, ("{error}"), ["{detail}"]);
    } else if shared.counters.failed.load(Ordering::Relaxed) == 1 {
        gst::element_warning!(
            element,
            gst::LibraryError::Failed,
            ("Analysis failed, the video passes: {error}"),
            ["{detail}"]
        );
    } else {
        gst::warning!(CAT, obj = element, "analysis failed: {detail}");
    }
}
