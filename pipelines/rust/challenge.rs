//! Asks the person in a call to do something, and says what came of it.
//!
//!     challenge FILE-OR-URI KIND [SECONDS]
//!
//! KIND is turn-head, follow-dot, blink, hand or flash. As soon as somebody is seen, the challenge is opened; here it is
//! printed what to show to the person, where an application would show it. Whoever was not seen within SECONDS (30), and
//! whose answer could not be judged, is referred to a person.
//! Exit status: 0 passed, 1 failed, 2 error, 3 referred.

use gst::prelude::*;
use gstdeepfake::analysis::challenge::{Report, State, Task};
use gstdeepfake::message::{self, DeepfakeMessage};
use gstreamer as gst;
use std::error::Error;
use std::process::ExitCode;

/// How many verdicts with a face are waited for: a face that has just come is not known well enough.
const SETTLED: u32 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (source, kind, seconds) = match arguments.as_slice() {
        [source, kind] => (source, kind, 30),
        [source, kind, seconds] => (source, kind, seconds.parse().unwrap_or(30)),
        _ => {
            eprintln!("usage: challenge FILE-OR-URI KIND [SECONDS]");
            return ExitCode::from(2);
        }
    };
    match run(source, kind, seconds) {
        Ok(Some(result)) => {
            println!("{}: {} ({})", result.state, result.text, result.reason);
            if let Some(ms) = result.latency_ms {
                println!("  answered after {ms:.0} ms");
            }
            for (name, value) in &result.evidence {
                println!("  {name}: {value:.3}");
            }
            ExitCode::from(match result.state {
                State::Passed => 0,
                State::Failed => 1,
                _ => 3,
            })
        }
        Ok(None) => {
            println!("nobody could be asked");
            ExitCode::from(3)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(source: &str, kind: &str, seconds: u64) -> Result<Option<Report>, Box<dyn Error>> {
    gstdeepfake::register_static()?; // once, instead of a plugin file
    let uri = match source.contains("://") {
        true => source.to_owned(),
        false => gst::glib::filename_to_uri(std::fs::canonicalize(source)?, None)?.into(),
    };
    let line = "uridecodebin name=source ! videoconvert ! deepfakedetect name=detect ! fakesink sync=true";
    let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    let named = |name: &str| pipeline.by_name(name).ok_or_else(|| format!("no element `{name}`"));
    named("source")?.set_property("uri", &uri);
    let result = ask(&pipeline, &named("detect")?, kind, seconds);
    pipeline.set_state(gst::State::Null)?;
    result
}

fn ask(
    pipeline: &gst::Pipeline,
    detect: &gst::Element,
    kind: &str,
    seconds: u64,
) -> Result<Option<Report>, Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("no bus")?;
    // Why a pipeline does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut with_face = 0;
    // Names the challenge: only its own result is one.
    let mut nonce = None;
    for bus_message in bus.iter_timed(gst::ClockTime::from_seconds(seconds.max(1))) {
        match bus_message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => return Err(e.error().to_string().into()),
            // Why a challenge was refused.
            gst::MessageView::Warning(w) => println!("{}", w.error()),
            _ => {}
        }
        match message::parse(&bus_message) {
            Some(Ok(DeepfakeMessage::Verdict(m))) if nonce.is_none() => {
                if m.header.running_time >= Some(seconds.saturating_mul(1_000_000_000)) {
                    break;
                }
                with_face = if m.verdict.tracks.is_empty() { 0 } else { with_face + 1 };
                if with_face >= SETTLED {
                    with_face = 0;
                    let parameters = None::<gst::Structure>;
                    let opened = detect.emit_by_name::<String>("challenge", &[&kind, &parameters]);
                    nonce = Some(opened).filter(|n| !n.is_empty());
                }
            }
            Some(Ok(DeepfakeMessage::Challenge(m))) if nonce.as_ref() == Some(&m.challenge.nonce) => {
                match m.challenge.state {
                    State::Issued => show(&m.challenge),
                    _ => return Ok(Some(m.challenge)),
                }
            }
            Some(Err(error)) => eprintln!("not understood: {error}"),
            _ => {}
        }
    }
    Ok(None)
}

/// Here an application would show it, at once: the clock runs.
fn show(challenge: &Report) {
    match &challenge.task {
        Task::TurnHead(turns) => {
            for turn in turns {
                println!("turn your head {} by {} degrees or more, and back", turn.direction, turn.angle);
            }
        }
        Task::FollowDot(path) => {
            println!("follow the dot:");
            for p in path {
                println!("  {:5} ms: {:.2} {:.2}", p.at_ms, p.x, p.y);
            }
        }
        Task::Blink(count) => println!("blink {count} times, quickly"),
        Task::Hand(count) => println!("pass your hand before your face, {count} times"),
        Task::Flash(colours) => {
            println!("look at the screen:");
            for colour in colours {
                println!("  #{:06x} for {} ms", colour.rgb, colour.ms);
            }
        }
    }
}
