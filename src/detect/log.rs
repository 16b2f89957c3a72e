//! The element's category in GStreamer's log.

use gstreamer as gst;
use std::sync::LazyLock;

pub static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("deepfakedetect", gst::DebugColorFlags::empty(), Some("Deepfake detection"))
});
