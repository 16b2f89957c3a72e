//! What the element holds. The files that use it say what it does: [`super::imp`], [`super::start`], [`super::events`],
//! [`super::process`] and [`super::challenge_requests`].

use super::analyst::Analyst;
use super::evidence_writer::EvidenceWriter;
use super::publish::Publisher;
use super::settings::Settings;
use super::shared::Shared;
use super::streaming::StreamingProbe;
use super::worker::Worker;
use crate::lock::lock;
use crate::provenance::monitor::Monitor;
use atomic_refcell::AtomicRefCell;
use gstreamer as gst;
use std::sync::{Arc, Mutex};

/// What runs between start and stop. Used by the streaming thread; start and stop never meet it.
#[derive(Debug)]
pub struct Running {
    pub probe: StreamingProbe,
    /// In sync mode the streaming thread analyses itself.
    pub analyst: Option<Analyst>,
    /// In live mode; joined when dropped.
    pub worker: Option<Worker>,
    pub publisher: Option<Publisher>,
    /// Joined when dropped.
    pub monitor: Option<Monitor>,
    /// Joined when dropped, after all who may raise an alert.
    pub evidence: Option<EvidenceWriter>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Detect {
    pub settings: Mutex<Settings>,
    pub running: AtomicRefCell<Option<Running>>,
    /// Of the present run, or of the last one: statistics stay readable after the end.
    pub shared: Mutex<Option<Arc<Shared>>>,
    /// The segment last seen: the same one again starts no new epoch.
    pub segment: Mutex<Option<gst::Segment>>,
    /// Of the present run.
    pub publisher: Mutex<Option<Publisher>>,
}

impl Detect {
    pub fn shared(&self) -> Option<Arc<Shared>> {
        lock(&self.shared).clone()
    }

    pub fn publisher(&self) -> Option<Publisher> {
        lock(&self.publisher).clone()
    }

    pub fn segment_now(&self) -> Option<gst::Segment> {
        lock(&self.segment).clone()
    }
}
