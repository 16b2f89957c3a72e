//! What reader and writer share: making elements, hearing the bus.

use super::error::Error;
use gstreamer as gst;
use gstreamer::prelude::*;

pub(super) fn make(element: &'static str, package: &'static str) -> Result<gst::Element, Error> {
    gst::ElementFactory::make(element).build().map_err(|_| Error::MissingElement { element, package })
}

/// The text of the first error on the bus, waiting for one as long as told.
pub(super) fn bus_error(pipeline: &gst::Pipeline, wait: gst::ClockTime) -> Option<String> {
    // The timed call gives up before it looks when there is no time at all.
    let bus = pipeline.bus()?;
    let wanted = [gst::MessageType::Error];
    let message = bus.pop_filtered(&wanted).or_else(|| bus.timed_pop_filtered(wait, &wanted))?;
    match message.view() {
        gst::MessageView::Error(e) => Some(describe(e)),
        _ => None,
    }
}

pub(super) fn describe(e: &gst::message::Error) -> String {
    // The debug text is often the only place that names the real cause, but its first line holds source
    // paths of GStreamer itself, of no use to the reader.
    let detail = e.debug().and_then(|d| d.lines().nth(1).map(|l| l.trim().to_owned()));
    match detail {
        Some(d) if !d.is_empty() => format!("{} ({d})", e.error()),
        _ => e.error().to_string(),
    }
}

/// A pipeline that stops when it goes out of scope, on every way out.
#[derive(Debug)]
pub(super) struct Running(pub gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
