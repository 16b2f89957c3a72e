//! The first pictures of a fetched clip, scaled.

use super::{PATIENCE, init, real_models_and_clip};
use gst::prelude::*;
use gstreamer as gst;

/// `count` pictures in the format of `caps`; `None` after saying that there is no clip.
pub fn pictures(caps: &str, count: usize) -> Option<Vec<gst::Buffer>> {
    let (_, clip) = real_models_and_clip("cap13_edit2.mp4")?;
    init();
    let line = format!(
        "filesrc location={} ! decodebin ! videoconvert ! videoscale add-borders=true ! videorate !
         {caps},pixel-aspect-ratio=1/1 ! identity eos-after={} ! fakesink name=sink signal-handoffs=true",
        clip.display(),
        count + 1
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let (send, frames) = std::sync::mpsc::channel();
    pipeline.by_name("sink").unwrap().connect("handoff", false, move |values| {
        let buffer = values[1].get::<gst::Buffer>().unwrap();
        let _ = send.send(buffer.copy_deep().unwrap());
        None
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    pipeline.bus().unwrap().timed_pop_filtered(PATIENCE, &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    Some(frames.try_iter().take(count).collect())
}
