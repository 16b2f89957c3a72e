//! Scans recorded calls: every message of the detector becomes a line of JSON on standard output.
//!
//!     scan FILE...
//!
//! Exit status: 0 no alert, 1 alerts, 2 a file could not be scanned.

use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::AlertKind;
use gstdeepfake::message::{self, DeepfakeMessage};
use gstreamer as gst;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: scan FILE...");
        return ExitCode::from(2);
    }
    let (mut alerts, mut broken) = (0, false);
    for file in &files {
        match scan(file) {
            Ok(n) => alerts += n,
            Err(error) => {
                eprintln!("error: {file}: {error}");
                broken = true;
            }
        }
    }
    ExitCode::from(if broken { 2 } else { u8::from(alerts > 0) })
}

/// Returns the number of alerts that were raised.
fn scan(file: &str) -> Result<u32, Box<dyn Error>> {
    gstdeepfake::register_static()?;
    let line = "filesrc name=file ! decodebin caps=\"video/x-raw(ANY)\" expose-all-streams=false ! videoconvert \
                ! deepfakedetect mode=sync ! fakesink sync=false";
    let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    pipeline.by_name("file").ok_or("no element `file`")?.set_property("location", file);
    let result = listen(&pipeline, file);
    pipeline.set_state(gst::State::Null)?;
    result
}

fn listen(pipeline: &gst::Pipeline, file: &str) -> Result<u32, Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("no bus")?;
    // Why a pipeline does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut alerts = 0;
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => return Err(e.error().to_string().into()),
            _ => {
                let Some(said) = message::parse(&message) else { continue };
                let said = said?;
                if matches!(&said, DeepfakeMessage::Alert(m) if m.alert.kind == AlertKind::Raised) {
                    alerts += 1;
                }
                let mut json = serde_json::to_value(&said)?;
                if let Some(object) = json.as_object_mut() {
                    object.insert("file".into(), file.into());
                }
                writeln!(std::io::stdout(), "{json}")?;
            }
        }
    }
    Ok(alerts)
}
