//! A sampled frame on its way from the streaming thread to the analysis.

use gstreamer as gst;
use gstreamer_video as gst_video;

/// A frame's moment, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub pts: u64,
    pub running_time: Option<u64>,
    pub stream_time: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub struct Job {
    pub buffer: gst::Buffer,
    pub info: gst_video::VideoInfo,
    pub moment: Moment,
    pub epoch: u64,
}
