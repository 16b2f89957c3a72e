//! A KYC application in small: listens to a call and decides whether the applicant may go on.
//!
//!     kyc FILE-OR-URI [SECONDS]
//!
//! The element decides with `purpose=kyc`: accept, refer to a person, reject, or insufficient. A rejection ends the session
//! at once; anything else stands when SECONDS (30) are over or the recording ends. `insufficient` (no face, too short, too
//! poor) goes to a person as well: it never means safe.
//! Exit status: 0 accepted, 1 rejected, 2 error, 3 referred or insufficient.

use gst::prelude::*;
use gstdeepfake::analysis::judgement::decision::{Decision, Ruling};
use gstdeepfake::analysis::judgement::verdict::{State, Verdict};
use gstdeepfake::message::{self, DecisionMessage, DeepfakeMessage};
use gstdeepfake::meta;
use gstreamer as gst;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(source) = arguments.next() else {
        eprintln!("usage: kyc FILE-OR-URI [SECONDS]");
        return ExitCode::from(2);
    };
    let seconds = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(30);
    match run(&source, seconds) {
        Ok(ruling) => {
            let probability = 100.0 * ruling.posterior.attack;
            println!("decision: {} (probability of an attack {probability:.1} %)", ruling.decision);
            ruling.reasons.iter().for_each(|reason| println!("  {reason}"));
            ExitCode::from(match ruling.decision {
                Decision::Accept => 0,
                Decision::Reject => 1,
                Decision::Refer | Decision::Insufficient => 3,
            })
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(source: &str, seconds: u64) -> Result<Ruling, Box<dyn Error>> {
    gstdeepfake::register_static()?; // once, instead of a plugin file
    let uri = match source.contains("://") {
        true => source.to_owned(),
        false => gst::glib::filename_to_uri(std::fs::canonicalize(source)?, None)?.into(),
    };
    let line = "uridecodebin name=source ! videoconvert ! deepfakedetect name=detect purpose=kyc on-error=pass ! fakesink sync=true";
    let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    let named = |name: &str| pipeline.by_name(name).ok_or_else(|| format!("no element `{name}`"));
    named("source")?.set_property("uri", &uri);
    named("detect")?.set_property("session-id", "applicant");
    watch_frames(&named("detect")?.static_pad("src").ok_or("no pad")?);
    let ruling = decide(&pipeline, &named("detect")?, seconds);
    pipeline.set_state(gst::State::Null)?;
    ruling
}

/// The verdict of every single frame, for who needs it.
fn watch_frames(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        if let Some(Ok(verdict)) = meta::read(buffer) {
            show(&verdict, meta::age(buffer));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Here an application would show or hide the picture.
fn show(verdict: &Verdict, age: Option<u64>) {
    if verdict.state >= State::Suspect {
        println!(
            "frame: {}, risk {:.2}, {:.2} s old",
            verdict.state,
            verdict.risk,
            age.unwrap_or(0) as f64 / 1e9
        );
    }
}

fn decide(pipeline: &gst::Pipeline, detect: &gst::Element, seconds: u64) -> Result<Ruling, Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("no bus")?;
    // Why a pipeline does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    for bus_message in bus.iter_timed(gst::ClockTime::from_seconds(seconds.max(1))) {
        match bus_message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => return Err(e.error().to_string().into()),
            _ => {}
        }
        match message::parse(&bus_message) {
            Some(Ok(DeepfakeMessage::Decision(m))) => {
                println!("{}: {}", m.ruling.decision, m.ruling.reasons.join("; "));
                if m.is_final || m.ruling.decision == Decision::Reject {
                    return Ok(m.ruling);
                }
            }
            Some(Ok(DeepfakeMessage::Verdict(m))) => {
                println!("{} ({}), risk {:.2}", m.verdict.state, m.verdict.condition, m.verdict.risk);
                if m.header.running_time >= Some(seconds.saturating_mul(1_000_000_000)) {
                    break;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => eprintln!("not understood: {error}"),
            None => {} // somebody else's
        }
    }
    // The session is over before the stream is: ask what it amounts to.
    let answer = detect.emit_by_name::<Option<gst::Structure>>("decide", &[]);
    Ok(DecisionMessage::try_from(answer.ok_or("no decision")?.as_ref())?.ruling)
}
