//! A KYC application in small: listens to a call and decides whether the applicant may go on.
//!
//!     kyc FILE-OR-URI [SECONDS]
//!
//! Accepted is who was seen to be live for five seconds; an alert rejects; and whoever could not be judged within
//! SECONDS (30) is referred to a person, because none of "no face", "too poor", "stale" and "failed" means safe.
//! Exit status: 0 accepted, 1 rejected, 2 error, 3 referred.

use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::{AlertKind, Condition, State, Verdict};
use gstdeepfake::message::{self, DeepfakeMessage, VerdictMessage};
use gstdeepfake::meta;
use gstreamer as gst;
use std::error::Error;
use std::process::ExitCode;

/// How long an applicant must be seen to be live, nanoseconds.
const ENOUGH: u64 = 5_000_000_000;

#[derive(Debug, PartialEq)]
enum Decision {
    Accept,
    Reject(String),
    Refer(&'static str),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(source) = arguments.next() else {
        eprintln!("usage: kyc FILE-OR-URI [SECONDS]");
        return ExitCode::from(2);
    };
    let seconds = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(30);
    match run(&source, seconds) {
        Ok(decision) => {
            println!("decision: {decision:?}");
            ExitCode::from(match decision {
                Decision::Accept => 0,
                Decision::Reject(_) => 1,
                Decision::Refer(_) => 3,
            })
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(source: &str, seconds: u64) -> Result<Decision, Box<dyn Error>> {
    gstdeepfake::register_static()?; // once, instead of a plugin file
    let uri = match source.contains("://") {
        true => source.to_owned(),
        false => gst::glib::filename_to_uri(std::fs::canonicalize(source)?, None)?.into(),
    };
    let line = "uridecodebin name=source ! videoconvert ! deepfakedetect name=detect on-error=pass ! fakesink sync=true";
    let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    let named = |name: &str| pipeline.by_name(name).ok_or_else(|| format!("no element `{name}`"));
    named("source")?.set_property("uri", &uri);
    named("detect")?.set_property("session-id", "applicant");
    watch_frames(&named("detect")?.static_pad("src").ok_or("no pad")?);
    let decision = decide(&pipeline, seconds);
    pipeline.set_state(gst::State::Null)?;
    decision
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

fn decide(pipeline: &gst::Pipeline, seconds: u64) -> Result<Decision, Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("no bus")?;
    // Why a pipeline does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut live = Live::default();
    for bus_message in bus.iter_timed(gst::ClockTime::from_seconds(seconds.max(1))) {
        match bus_message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => return Err(e.error().to_string().into()),
            _ => {}
        }
        match message::parse(&bus_message) {
            Some(Ok(DeepfakeMessage::Alert(m))) if m.alert.kind == AlertKind::Raised => {
                let why = m.alert.evidence.first().map(|e| e.reason.clone());
                return Ok(Decision::Reject(why.unwrap_or_default()));
            }
            Some(Ok(DeepfakeMessage::Verdict(m))) => {
                println!("{} ({}), risk {:.2}", m.verdict.state, m.verdict.condition, m.verdict.risk);
                if live.add(&m) >= ENOUGH {
                    return Ok(Decision::Accept);
                }
                if m.header.running_time >= Some(seconds.saturating_mul(1_000_000_000)) {
                    break;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => eprintln!("not understood: {error}"),
            None => {} // somebody else's
        }
    }
    Ok(Decision::Refer("not enough was seen to judge"))
}

/// Stream time in which the applicant was seen to be live, without a break.
#[derive(Default)]
struct Live {
    since: Option<u64>,
}

impl Live {
    fn add(&mut self, m: &VerdictMessage) -> u64 {
        let good = m.verdict.state == State::Live && m.verdict.condition == Condition::Analysed;
        let now = m.header.running_time.filter(|_| good);
        self.since = now.map(|now| self.since.unwrap_or(now));
        self.since.zip(now).map_or(0, |(since, now)| now.saturating_sub(since))
    }
}
