//! `deepfake-challenge`: what the person is asked to do, and how it ended. `docs/challenges.md` describes the fields.

use super::header::{Header, read_header, with_header};
use crate::analysis::challenge::{Colour, Direction, Kind, Reason, Report, State, Step, Task, Waypoint};
use crate::structure::{Error, array, c_text, field, inner, named};
use gstreamer as gst;
use serde::{Deserialize, Serialize};

/// Name of [`ChallengeMessage`]'s structure, and of the events that open a challenge.
pub const CHALLENGE: &str = "deepfake-challenge";

/// A challenge was opened, or has its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChallengeMessage {
    #[serde(flatten)]
    pub header: Header,
    pub challenge: Report,
}

impl ChallengeMessage {
    /// `header` takes the challenge's epoch.
    pub fn new(header: Header, challenge: Report) -> Self {
        Self { header: Header { epoch: challenge.epoch, ..header }, challenge }
    }
}

fn write_task(s: &mut gst::StructureRef, task: &Task) {
    match task {
        Task::TurnHead(steps) => s.set(
            "turns",
            gst::Array::new(steps.iter().map(|step| {
                gst::Structure::builder("turn")
                    .field("direction", step.direction.name())
                    .field("angle", step.angle)
                    .build()
            })),
        ),
        Task::FollowDot(path) => s.set(
            "path",
            gst::Array::new(path.iter().map(|p| {
                let waypoint = gst::Structure::builder("waypoint").field("at-ms", p.at_ms);
                waypoint.field("x", p.x).field("y", p.y).build()
            })),
        ),
        Task::Blink(count) | Task::Hand(count) => s.set("count", *count),
        Task::Flash(sequence) => s.set(
            "colours",
            gst::Array::new(sequence.iter().map(|c| {
                gst::Structure::builder("colour").field("rgb", c.rgb).field("duration-ms", c.ms).build()
            })),
        ),
    }
}

fn read_task(s: &gst::StructureRef, kind: Kind) -> Result<Task, Error> {
    Ok(match kind {
        Kind::TurnHead => Task::TurnHead(array(s, "turns", |value| {
            let s = inner(value, "turns")?;
            Ok(Step { direction: named(s, "direction", Direction::from_name)?, angle: field(s, "angle")? })
        })?),
        Kind::FollowDot => Task::FollowDot(array(s, "path", |value| {
            let s = inner(value, "path")?;
            Ok(Waypoint { at_ms: field(s, "at-ms")?, x: field(s, "x")?, y: field(s, "y")? })
        })?),
        Kind::Blink => Task::Blink(field(s, "count")?),
        Kind::Hand => Task::Hand(field(s, "count")?),
        Kind::Flash => Task::Flash(array(s, "colours", |value| {
            let s = inner(value, "colours")?;
            Ok(Colour { rgb: field(s, "rgb")?, ms: field(s, "duration-ms")? })
        })?),
    })
}

impl From<&ChallengeMessage> for gst::Structure {
    fn from(m: &ChallengeMessage) -> Self {
        let c = &m.challenge;
        let mut s = with_header(CHALLENGE, &m.header);
        s.set("state", c.state.name());
        s.set("nonce", c_text(&c.nonce));
        s.set("kind", c.kind.name());
        s.set("track-id", c.track_id);
        s.set("issued", c.issued);
        s.set("deadline", c.deadline);
        s.set("mirrored", c.mirrored);
        write_task(&mut s, &c.task);
        s.set("reason", c.reason.name());
        s.set("text", c_text(&c.text));
        // No number stands for "not known", so the field is left out.
        s.set_if_some("latency-ms", c.latency_ms);
        let mut evidence = gst::Structure::new_empty("evidence");
        for (name, value) in &c.evidence {
            evidence.set(name.as_str(), *value);
        }
        s.set("evidence", evidence);
        s
    }
}

impl TryFrom<&gst::StructureRef> for ChallengeMessage {
    type Error = Error;

    fn try_from(s: &gst::StructureRef) -> Result<Self, Error> {
        let header = read_header(s, CHALLENGE)?;
        let kind = named(s, "kind", Kind::from_name)?;
        let evidence = field::<&gst::StructureRef>(s, "evidence")?;
        let challenge = Report {
            state: named(s, "state", State::from_name)?,
            nonce: field::<&str>(s, "nonce")?.to_owned(),
            kind,
            track_id: field(s, "track-id")?,
            epoch: header.epoch,
            issued: field(s, "issued")?,
            deadline: field(s, "deadline")?,
            mirrored: field(s, "mirrored")?,
            task: read_task(s, kind)?,
            reason: named(s, "reason", Reason::from_name)?,
            text: field::<&str>(s, "text")?.to_owned(),
            latency_ms: if s.has_field("latency-ms") { Some(field(s, "latency-ms")?) } else { None },
            evidence: evidence
                .iter()
                .map(|(name, value)| {
                    let number = value
                        .get::<f64>()
                        .map_err(|e| Error::Type { field: "evidence", detail: e.to_string() })?;
                    Ok((name.to_string(), number))
                })
                .collect::<Result<_, Error>>()?,
        };
        Ok(Self { header, challenge })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{DeepfakeMessage, parse};

    fn report(kind: Kind, task: Task) -> Report {
        Report {
            state: State::Passed,
            nonce: "0123456789abcdef0123456789abcdef".into(),
            kind,
            track_id: 3,
            epoch: 7,
            issued: 1_000,
            deadline: 9_000_000_000,
            mirrored: true,
            task,
            reason: Reason::Answered,
            text: "done as asked".into(),
            latency_ms: Some(412.5),
            evidence: [("correlation".to_owned(), 0.93)].into(),
        }
    }

    fn all() -> Vec<Report> {
        let step = Step { direction: Direction::Up, angle: 12.0 };
        vec![
            report(Kind::TurnHead, Task::TurnHead(vec![step, Step { direction: Direction::Left, ..step }])),
            report(Kind::FollowDot, Task::FollowDot(vec![Waypoint { at_ms: 500, x: 0.05, y: 0.95 }])),
            report(Kind::Blink, Task::Blink(3)),
            report(Kind::Hand, Task::Hand(2)),
            report(Kind::Flash, Task::Flash(vec![Colour { rgb: 0x00_ff_ff, ms: 500 }])),
        ]
    }

    #[test]
    fn every_kind_survives_the_bus_and_text() {
        gst::init().unwrap();
        let pad = gst::Pad::new(gst::PadDirection::Src);
        for mut report in all() {
            for latency_ms in [None, Some(412.5)] {
                report.latency_ms = latency_ms;
                let sent = ChallengeMessage::new(Header::default(), report.clone());
                assert_eq!(sent.header.epoch, 7);
                let sent = DeepfakeMessage::Challenge(sent);
                assert_eq!(parse(&sent.to_gst(&pad)), Some(Ok(sent.clone())));
                let json = sent.to_json().unwrap();
                assert!(json.starts_with("{\"type\":\"deepfake-challenge\""), "{json}");
                assert_eq!(serde_json::from_str::<DeepfakeMessage>(&json).unwrap(), sent);
                let DeepfakeMessage::Challenge(m) = &sent else { unreachable!() };
                let text = gst::Structure::from(m).to_string();
                let read: gst::Structure = text.parse().unwrap();
                assert_eq!(&ChallengeMessage::try_from(&*read).unwrap(), m, "{text}");
            }
        }
    }

    #[test]
    fn what_is_missing_or_strange_is_named() {
        gst::init().unwrap();
        for report in all() {
            let whole = gst::Structure::from(&ChallengeMessage::new(Header::default(), report));
            for name in whole.fields().map(|f| f.to_string()).collect::<Vec<_>>() {
                let mut less = whole.clone();
                less.remove_field(&name);
                let read = ChallengeMessage::try_from(&*less);
                if name == "latency-ms" {
                    assert!(read.is_ok());
                } else {
                    assert!(read.unwrap_err().to_string().contains(&name), "{name}");
                }
                let mut other = whole.clone();
                other.set(name.as_str(), gst::Fraction::new(1, 3));
                assert!(ChallengeMessage::try_from(&*other).is_err(), "{name}");
            }
        }
    }
}
