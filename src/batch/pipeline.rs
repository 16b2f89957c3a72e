//! A pipeline with `deepfakedetect` in it, from its launch line to what its bus says.

use super::collector::Collector;
use crate::message;
use gst::prelude::*;
use gstreamer as gst;

/// Stops when it goes out of scope.
#[derive(Debug)]
pub(crate) struct RunningPipeline(pub gst::Pipeline);

impl Drop for RunningPipeline {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Why a stream did not come to its end.
#[derive(Debug)]
pub(crate) enum PipelineError {
    /// An element that delivers the pictures gave up.
    Stream(String),
    /// The analysis itself, or what it says.
    Analysis(String),
}

impl PipelineError {
    pub fn into_reason(self) -> String {
        match self {
            Self::Stream(reason) | Self::Analysis(reason) => reason,
        }
    }
}

impl RunningPipeline {
    /// Builds what a launch line says; the detector in it must be called `detect`.
    pub fn launch(line: &str) -> Result<Self, String> {
        let built = gst::parse::launch(line)
            .map_err(|e| format!("the pipeline cannot be built: {e}; `make setup` installs what it needs"))?;
        built.downcast().map(Self).map_err(|_| "the line makes no pipeline".into())
    }

    pub fn part(&self, name: &str) -> Result<gst::Element, String> {
        self.0.by_name(name).ok_or_else(|| format!("no element `{name}`"))
    }

    /// Sets it playing, and gives a collector that knows the threshold.
    pub fn start(&self) -> Result<Collector, String> {
        if self.0.set_state(gst::State::Playing).is_err() {
            return Err(self.first_error().unwrap_or_else(|| "the pipeline does not start".into()));
        }
        // The threshold depends on the networks that were loaded.
        let threshold =
            self.stats()?.get("threshold").map_err(|e| format!("the element's statistics: {e}"))?;
        Ok(Collector::new(threshold))
    }

    pub fn stats(&self) -> Result<gst::Structure, String> {
        Ok(self.part("detect")?.property("stats"))
    }

    pub fn bus(&self) -> Result<gst::Bus, String> {
        self.0.bus().ok_or_else(|| "the pipeline has no bus".into())
    }

    /// The first error that waits on the bus.
    pub fn first_error(&self) -> Option<String> {
        match self.0.bus()?.pop_filtered(&[gst::MessageType::Error])?.view() {
            gst::MessageView::Error(e) => Some(describe(e)),
            _ => None,
        }
    }
}

/// Takes one message in; whether the stream is over.
pub(crate) fn handle(message: &gst::Message, collector: &mut Collector) -> Result<bool, PipelineError> {
    match message.view() {
        gst::MessageView::Eos(_) => return Ok(true),
        gst::MessageView::Error(e) => {
            let by_detector = e.src().is_some_and(|s| s.name() == "detect");
            return Err(if by_detector { PipelineError::Analysis } else { PipelineError::Stream }(describe(
                e,
            )));
        }
        _ => match message::parse(message) {
            Some(Ok(m)) => collector.add(&m),
            Some(Err(e)) => return Err(PipelineError::Analysis(format!("a message is not understood: {e}"))),
            None => {}
        },
    }
    Ok(false)
}

/// Takes in what waits on the bus; whether the stream is over.
pub(crate) fn drain(bus: &gst::Bus, collector: &mut Collector) -> Result<bool, PipelineError> {
    let mut over = false;
    while let Some(message) = bus.pop() {
        over |= handle(&message, collector)?;
    }
    Ok(over)
}

fn describe(e: &gst::message::Error) -> String {
    let detail = e.debug().and_then(|d| d.lines().nth(1).map(|l| l.trim().to_owned()));
    let detail = detail.filter(|d| !d.is_empty()).map_or_else(String::new, |d| format!(" ({d})"));
    format!("{}{detail}", e.error())
}
