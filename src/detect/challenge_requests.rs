//! Requests for a challenge, by the action signal or an event, and the messages that answer them. The state of a challenge
//! is in [`super::challenges`].

use super::job::Moment;
use super::state::Detect;
use crate::analysis::challenge::draws::ENOUGH;
use crate::analysis::challenge::{Draws, Kind, Reason, Refusal, Report, Request, State};
use crate::analysis::engine::sampler::CHALLENGE_INTERVAL;
use crate::message::CHALLENGE;
use glib::value::FromValue;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use std::sync::atomic::Ordering;

impl Detect {
    /// Opens a challenge and posts what is to be shown. `None` after a warning that says why not.
    pub(super) fn open_challenge(&self, kind: &str, params: Option<&gst::StructureRef>) -> Option<String> {
        match self.try_open_challenge(kind, params) {
            Ok(report) => {
                let nonce = report.nonce.clone();
                self.post_challenge(report);
                Some(nonce)
            }
            Err(refusal) => {
                let details = gst::Structure::builder(CHALLENGE)
                    .field("state", "refused")
                    .field("kind", kind.replace('\0', " "))
                    .field("text", refusal.to_string())
                    .build();
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Settings,
                    ("No challenge: {refusal}"),
                    details: details
                );
                None
            }
        }
    }

    fn try_open_challenge(&self, kind: &str, params: Option<&gst::StructureRef>) -> Result<Report, Refusal> {
        let kind = Kind::from_name(kind).ok_or_else(|| Refusal::Kind(kind.to_owned()))?;
        let request = read_request(kind, params)?;
        let mut bytes = [0; 4 * ENOUGH];
        getrandom::fill(&mut bytes).map_err(|e| Refusal::Random(e.to_string()))?;
        let running = self.shared().filter(|s| !s.broken.load(Ordering::Acquire));
        let shared = running.ok_or(Refusal::NotRunning)?;
        let report = shared.challenges.open(&request, &mut Draws::new(&bytes))?;
        // The next frame is looked at, not only the one after the sparse grid's next point.
        shared.interval.fetch_min(CHALLENGE_INTERVAL, Ordering::Relaxed);
        Ok(report)
    }

    /// Posts what has become of a challenge, outside of the analysis.
    pub(super) fn post_challenge(&self, report: Report) {
        // Between opening and posting buffers may have passed.
        let pts = match self.shared().and_then(|s| s.challenges.now()) {
            Some(now) if report.state != State::Issued => now,
            _ => report.issued,
        };
        let time = gst::ClockTime::from_nseconds(pts);
        let segment = self.segment_now();
        let segment = segment.as_ref().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let moment = Moment {
            pts,
            running_time: segment.and_then(|s| s.to_running_time(time)).map(|t| t.nseconds()),
            stream_time: segment.and_then(|s| s.to_stream_time(time)).map(|t| t.nseconds()),
        };
        if let Some(publisher) = self.publisher() {
            publisher.challenge(report, moment);
        }
    }

    /// What is open is void: only the epoch `next` will count.
    pub(super) fn end_challenge(&self, next: u64, why: Reason) {
        if let Some(shared) = self.shared()
            && let Some(report) = shared.challenges.void(next, why)
        {
            self.post_challenge(report);
        }
    }

    /// Whether the event asks for a challenge; then what came of it.
    pub(super) fn challenge_event(&self, event: &gst::EventRef) -> Option<bool> {
        let structure = event.structure().filter(|s| s.name() == CHALLENGE)?;
        let Ok(kind) = structure.get::<&str>("kind") else {
            return Some(self.open_challenge("", None).is_some());
        };
        let mut params = structure.to_owned();
        params.remove_field("kind");
        Some(self.open_challenge(kind, Some(&params)).is_some())
    }
}

/// A whole number of whatever integer type.
fn number(value: &glib::SendValue) -> Option<u32> {
    fn of<'v, T: FromValue<'v>>(value: &'v glib::SendValue) -> Option<T> {
        value.get::<T>().ok()
    }
    of::<u32>(value)
        .or_else(|| of::<i32>(value)?.try_into().ok())
        .or_else(|| of::<u64>(value)?.try_into().ok())
        .or_else(|| of::<i64>(value)?.try_into().ok())
}

/// Reads the parameters; the name of the structure is not looked at.
fn read_request(kind: Kind, params: Option<&gst::StructureRef>) -> Result<Request, Refusal> {
    let mut request = Request::new(kind);
    let fault = |name: &str, what: &str| Refusal::Parameter { name: name.to_owned(), what: what.to_owned() };
    for (name, value) in params.iter().flat_map(|p| p.iter()) {
        let slot = match name.as_str() {
            "mirrored" => {
                request.mirrored = value.get().map_err(|_| fault(name, "must be true or false"))?;
                continue;
            }
            "track-id" => &mut request.track_id,
            "timeout-ms" => &mut request.timeout_ms,
            "count" => &mut request.count,
            "angle" => &mut request.angle,
            "step-ms" => &mut request.step_ms,
            "max-delay-ms" => &mut request.max_delay_ms,
            other => return Err(fault(other, "is not known; see docs/challenges.md")),
        };
        *slot = Some(number(value).ok_or_else(|| fault(name, "must be a whole number, not below 0"))?);
    }
    Ok(request)
}

/// The action signal.
pub(super) fn signal() -> glib::subclass::Signal {
    glib::subclass::Signal::builder("challenge")
        .param_types([String::static_type(), gst::Structure::static_type()])
        .return_type::<String>()
        .action()
        .class_handler(|values| {
            let element = values.first().and_then(|v| v.get::<super::Detect>().ok());
            let kind = values.get(1).and_then(|v| v.get::<Option<String>>().ok()).flatten();
            let params = values.get(2).and_then(|v| v.get::<Option<gst::Structure>>().ok()).flatten();
            let nonce = element.and_then(|element| {
                element.imp().open_challenge(&kind.unwrap_or_default(), params.as_deref())
            });
            Some(nonce.unwrap_or_default().to_value())
        })
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_whatever_their_integer_type() {
        gst::init().unwrap();
        let params = gst::Structure::builder("any")
            .field("track-id", 4u32)
            .field("timeout-ms", 9_000i32)
            .field("count", 3u64)
            .field("max-delay-ms", 700i64)
            .field("mirrored", true)
            .build();
        let wanted = Request {
            track_id: Some(4),
            timeout_ms: Some(9_000),
            count: Some(3),
            max_delay_ms: Some(700),
            mirrored: true,
            ..Request::new(Kind::Flash)
        };
        assert_eq!(read_request(Kind::Flash, Some(&params)), Ok(wanted));
        assert_eq!(read_request(Kind::Hand, None), Ok(Request::new(Kind::Hand)));
    }

    #[test]
    fn strange_parameters_are_named() {
        gst::init().unwrap();
        for text in ["any,count=(int)-1", "any,count=(string)two", "any,mirrored=(int)1", "any,speed=(int)1"]
        {
            let params: gst::Structure = text.parse().unwrap();
            let name = params.fields().next().unwrap().to_string();
            let error = read_request(Kind::Blink, Some(&params)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
