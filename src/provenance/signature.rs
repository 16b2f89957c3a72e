//! The signature of the file that a source reads: looked at on a thread of its own while the stream goes on.

use super::signed::{SignedError, read};
use super::timed::{Asked, TimedError};
use super::walk::{Origin, factory};
use crate::analysis::source::provenance::Finding;
use crate::analysis::source::signed::{CHECK, Signed, UNREAD, judge};
use gst::prelude::*;
use gstreamer as gst;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

type Answer = Result<Signed, SignedError>;

/// One file's.
#[derive(Debug)]
pub struct SignatureOf {
    /// `None` once it has answered.
    asked: Option<Asked<Answer>>,
    signed: Option<Signed>,
    finding: Finding,
}

impl SignatureOf {
    /// Begins to look at the file that an origin reads; `None` for one that reads no file. `done` is called when there is
    /// an answer. `timeout`: how long it may take to stop.
    pub fn origin(
        origin: &Origin,
        timeout: Duration,
        anchors: Option<&Arc<str>>,
        done: impl FnOnce() + Send + 'static,
    ) -> Option<Self> {
        let path = file_of(&origin.element)?;
        let anchors = anchors.cloned();
        let ask = move |stop: &_| read(&path, anchors.as_deref(), stop);
        let (asked, finding) = match Asked::start("deepfake-signed", timeout, ask, done) {
            Ok(asked) => (Some(asked), Finding::nothing(CHECK, "the file's signature is being looked at")),
            Err(error) => (None, unread(&error)),
        };
        Some(Self { asked, signed: None, finding })
    }

    /// What is known by now; facts of the signature go to `facts`.
    pub fn finding(&mut self, facts: &mut BTreeMap<String, String>) -> Finding {
        if let Some(answer) = self.asked.as_ref().and_then(Asked::answer) {
            self.asked = None;
            self.take(answer);
        }
        if self.asked.is_none() {
            let known = self.signed.as_ref();
            // One that could not be read is none of those that a policy allows.
            let signature = known.map_or(UNREAD, |s| s.signature.name());
            facts.insert("signature".to_owned(), signature.to_owned());
            let known_facts = [
                ("declared", known.and_then(|s| s.made).map(|made| made.name().to_owned())),
                ("signed-by", known.and_then(|s| s.signer.clone())),
            ];
            facts.extend(known_facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        self.finding.clone()
    }

    fn take(&mut self, answer: Result<Answer, TimedError>) {
        match answer {
            Ok(Ok(signed)) => {
                self.finding = judge(&signed);
                self.signed = Some(signed);
            }
            Ok(Err(error)) => self.finding = unread(&error),
            Err(error) => self.finding = unread(&error),
        }
    }
}

fn unread(error: &dyn std::error::Error) -> Finding {
    Finding::not_readable(CHECK, format!("the file's signature: {error}"))
}

/// The file that an element reads.
fn file_of(element: &gst::Element) -> Option<PathBuf> {
    match factory(element).as_str() {
        "filesrc" | "pushfilesrc" => element.property::<Option<String>>("location").map(PathBuf::from),
        _ => None,
    }
}
