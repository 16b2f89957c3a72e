//! Where streams come from, in real pipelines: every way into the process that this machine's GStreamer offers, and what
//! `cameraprovenance` and `deepfakedetect` say of it. What is not installed is skipped, and said so.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "provenance/elements.rs"]
mod elements;
#[path = "provenance/pipewire.rs"]
mod pipewire;
#[path = "provenance/resent.rs"]
mod resent;
#[cfg(feature = "c2pa")]
#[path = "provenance/signed.rs"]
mod signed;
#[path = "provenance/variants.rs"]
mod variants;
#[path = "provenance/ways.rs"]
mod ways;
#[path = "provenance/webrtc.rs"]
mod webrtc;

use common::{PATIENCE, init};
use gst::prelude::*;
use gstdeepfake::message::{AlertMessage, DeepfakeMessage, SummaryMessage, parse};
use gstdeepfake::provenance::report::SourceReport;
use gstreamer as gst;

/// A pipeline of this description; `None`, with a word, where an element of it is not installed.
fn pipeline(description: &str) -> Option<gst::Pipeline> {
    init();
    match gst::parse::launch(description) {
        Ok(pipeline) => Some(pipeline.downcast().unwrap()),
        Err(error) if error.matches(gst::ParseError::NoSuchElement) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{description}: {error}"),
    }
}

/// What `udpsrc` must be told of the packets that `rtpjpegpay` makes.
const JPEG_RTP: &str = "application/x-rtp,media=video,encoding-name=JPEG,clock-rate=90000,payload=26";

/// What came over a pipeline's bus.
#[derive(Default)]
struct Heard {
    reports: Vec<SourceReport>,
    alerts: Vec<AlertMessage>,
    summary: Option<SummaryMessage>,
    error: Option<String>,
    eos: bool,
}

impl Heard {
    /// Listens until `done` says so, or the stream ends. Panics when neither happens.
    fn listen(pipeline: &gst::Pipeline, done: impl Fn(&Self) -> bool) -> Self {
        let bus = pipeline.bus().unwrap();
        let mut heard = Self::default();
        while !done(&heard) && !heard.eos && heard.error.is_none() {
            let message = bus.timed_pop(PATIENCE).expect("nothing was said");
            match parse(&message) {
                Some(Ok(DeepfakeMessage::Provenance(m))) => heard.reports.push(m.source),
                Some(Ok(DeepfakeMessage::Alert(m))) => heard.alerts.push(m),
                Some(Ok(DeepfakeMessage::Summary(m))) => heard.summary = Some(m),
                Some(Err(error)) => panic!("{error}"),
                _ => {}
            }
            match message.view() {
                gst::MessageView::Error(e) => {
                    heard.error = Some(format!("{} {}", e.error(), e.debug().unwrap_or_default()));
                }
                gst::MessageView::Eos(_) => heard.eos = true,
                _ => {}
            }
        }
        heard
    }
}

/// Plays a description until every one of `count` sources was told of.
fn reports_of(description: &str, count: usize) -> Option<Vec<SourceReport>> {
    let pipeline = pipeline(description)?;
    pipeline.set_state(gst::State::Playing).unwrap();
    let names = |heard: &Heard| {
        heard.reports.iter().map(|r| r.identity.element.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let heard = Heard::listen(&pipeline, |heard| names(heard).len() >= count);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(heard.error, None, "{description}");
    assert!(names(&heard).len() >= count, "{description}: {:?}", names(&heard));
    Some(heard.reports)
}
