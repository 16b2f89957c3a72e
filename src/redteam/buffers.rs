//! Frames as GStreamer takes and gives them.

use crate::lock::lock;
use crate::recorded::{Frame, StreamInfo};
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::sync::{Arc, Mutex};

/// A frame's pixels, shared with GStreamer.
struct SharedPixels(Frame);

impl AsRef<[u8]> for SharedPixels {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

/// A buffer that shares the frame's pixels.
pub(crate) fn buffer(frame: &Frame) -> gst::Buffer {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let mut buffer = gst::Buffer::from_slice(SharedPixels(frame.clone()));
    if let Some(inner) = buffer.get_mut() {
        inner.set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
        inner.set_duration(frame.duration_ns.map(gst::ClockTime::from_nseconds));
        // Packed rows are not what GStreamer takes for granted.
        let strides = [w, cw, cw].map(|s| i32::try_from(s).unwrap_or(i32::MAX));
        let _ = gst_video::VideoMeta::add_full(
            inner,
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::I420,
            frame.width(),
            frame.height(),
            &[0, w * h, w * h + cw * ch],
            &strides,
        );
    }
    buffer
}

/// The format of pictures of that size in a stream of that information.
pub(crate) fn caps_of(info: &StreamInfo, width: u32, height: u32) -> String {
    let (n, d) = info.fps.unwrap_or((25, 1));
    let (pn, pd) = info.par;
    let colour = if info.colorimetry.is_empty() {
        String::new()
    } else {
        format!(",colorimetry=(string){}", info.colorimetry)
    };
    format!(
        "video/x-raw,format=I420,width={width},height={height},framerate={n}/{d},pixel-aspect-ratio={pn}/{pd},\
         interlace-mode=progressive{colour}"
    )
}

/// Keeps what comes out `seconds` after the beginning, or the last before.
pub(crate) fn keep_picture(sink: &gst::Element, seconds: f64, seen: &Arc<Mutex<Option<gst::Sample>>>) {
    let Some(pad) = sink.static_pad("sink") else { return };
    let seen = Arc::clone(seen);
    let until = gst::ClockTime::from_nseconds((seconds * 1e9) as u64);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, probe| {
        if let (Some(buffer), Some(caps)) = (probe.buffer(), pad.current_caps()) {
            let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
            *lock(&seen) = Some(sample);
            if buffer.pts().is_some_and(|pts| pts >= until) {
                return gst::PadProbeReturn::Remove;
            }
        }
        gst::PadProbeReturn::Ok
    });
}
