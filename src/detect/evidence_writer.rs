//! Evidence of alerts: the newest seconds of the analysis are kept, and at an alert a thread writes them to the disk as
//! [`crate::evidence`] says.
//!
//! Drop policy: at most [`QUEUE`] alerts wait for the disk; one more is dropped, counted as `evidence-dropped` and
//! reported. In `mode=sync` nothing waits: the analysing thread also writes.

use super::counters::bump;
use super::job::Moment;
use super::properties;
use super::settings::{Mode, Settings};
use super::shared::Shared;
use super::thumbnails::Thumbnails;
use crate::analysis::bundle::{Entry, History};
use crate::analysis::judgement::verdict::{Alert, AlertKind, Verdict};
use crate::analysis::pixels::frame::FrameView;
use crate::evidence::alert_report::RunInfo;
use crate::evidence::bundle::{self, Written};
use crate::evidence::case::Case;
use crate::evidence::hash_chain::Ground;
use crate::evidence::{self, Error};
use crate::lock::lock;
use crate::message::{DeepfakeMessage, EvidenceMessage, Header};
use crate::provenance::report::SourceReport;
use gst::prelude::*;
use gstreamer as gst;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

/// Alerts that wait for the disk.
const QUEUE: usize = 4;

/// An alert on its way to the disk.
#[derive(Debug)]
struct Job {
    case: Case,
    header: Header,
}

/// What is known of where the stream comes from.
#[derive(Clone, Debug, Default)]
struct Known {
    policy: Option<Arc<str>>,
    sources: Vec<Arc<SourceReport>>,
}

/// See the module. Shared by those who publish.
#[derive(Debug)]
pub struct Recorder {
    writer: BundleWriter,
    ran: Arc<RunInfo>,
    config: BTreeMap<String, Value>,
    history: Mutex<History>,
    thumbnails: Option<Mutex<Thumbnails>>,
    known: Mutex<Known>,
    /// To the thread; `None` in sync mode, and when the element stops.
    queue: Mutex<Option<SyncSender<Box<Job>>>>,
    sync: bool,
}

/// The thread; joined when dropped, after what waits was written.
#[derive(Debug)]
pub struct EvidenceWriter {
    recorder: Arc<Recorder>,
    thread: Option<JoinHandle<()>>,
}

impl EvidenceWriter {
    /// Starts to keep evidence, if it is wanted. An error says what to do about it.
    pub fn start(
        element: &gst::Element,
        settings: &Settings,
        shared: &Arc<Shared>,
        ran: RunInfo,
    ) -> Result<Option<Self>, gst::ErrorMessage> {
        let Some(dir) = settings.evidence_dir.clone() else { return Ok(None) };
        evidence::bundle::prepare(&dir).map_err(|e| {
            gst::error_msg!(
                gst::ResourceError::OpenWrite,
                (
                    "{e}. Set evidence-dir to a directory that can be made and written to, or leave it unset to keep no evidence"
                )
            )
        })?;
        let sync = settings.mode == Mode::Sync;
        let (sender, receiver) = sync_channel(QUEUE);
        let recorder = Arc::new(Recorder {
            writer: BundleWriter { dir, element: element.downgrade(), shared: Arc::clone(shared) },
            history: Mutex::new(History::new(ran.threshold.nats, settings.evidence_seconds)),
            ran: Arc::new(ran),
            config: properties::config(settings, |_| true),
            thumbnails: settings.evidence_thumbnails.then(Mutex::default),
            known: Mutex::default(),
            queue: Mutex::new((!sync).then_some(sender)),
            sync,
        });
        let thread = if sync { None } else { Some(Self::spawn(&recorder.writer, receiver)) };
        let thread = thread.transpose().map_err(|e| {
            gst::error_msg!(gst::ResourceError::Failed, ["cannot start the evidence thread: {e}"])
        })?;
        Ok(Some(Self { recorder, thread }))
    }

    fn spawn(writer: &BundleWriter, jobs: Receiver<Box<Job>>) -> io::Result<JoinHandle<()>> {
        let writer = writer.clone();
        Builder::new().name("deepfake-evidence".into()).spawn(move || {
            for job in jobs {
                writer.write(*job);
            }
        })
    }

    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }
}

impl Drop for EvidenceWriter {
    fn drop(&mut self) {
        // Without a sender the thread ends after the last job.
        lock(&self.recorder.queue).take();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It catches panics itself; a second one has nothing to add.
            let _ = thread.join();
        }
    }
}

impl Recorder {
    /// A new epoch: what came before it is no evidence of what comes.
    pub fn begin_epoch(&self) {
        lock(&self.history).begin();
        if let Some(thumbnails) = &self.thumbnails {
            lock(thumbnails).clear();
        }
    }

    /// What was weighed in a frame.
    pub fn add_entries(&self, entries: Vec<Entry>) {
        let mut history = lock(&self.history);
        entries.into_iter().for_each(|e| history.push(e));
    }

    /// Cuts the faces out of a frame, if pictures of them are to be kept.
    pub fn add_picture(&self, frame: &FrameView<'_>, verdict: &Verdict) {
        if let Some(thumbnails) = &self.thumbnails {
            lock(thumbnails).add(frame, verdict);
        }
    }

    /// The policy in force.
    pub fn set_policy(&self, text: Arc<str>) {
        lock(&self.known).policy = Some(text);
    }

    /// What is known of the sources now.
    pub fn set_sources(&self, sources: &[Arc<SourceReport>]) {
        lock(&self.known).sources = sources.to_vec();
    }

    /// An alert was raised or cleared: what is known at this moment goes to the disk.
    pub fn alert(&self, alert: &Alert, ground: Ground, moment: Moment, header: Header) {
        let Known { policy, sources } = lock(&self.known).clone();
        let recording = lock(&self.history).recording();
        let faces = self.thumbnails.as_ref().filter(|_| alert.kind == AlertKind::Raised);
        let faces = faces.map(|f| lock(f).kept()).unwrap_or_default();
        let settings = self.writer.shared.settings();
        let mut config = self.config.clone();
        // Settings that are read at the start count as they were then.
        config.extend(properties::config(&settings, |spec| {
            spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING)
        }));
        let case = Case {
            ran: Arc::clone(&self.ran),
            session_id: settings.session_id,
            ground,
            alert: alert.clone(),
            decision: self.writer.shared.decide(),
            running_time: moment.running_time,
            stream_time: moment.stream_time,
            config,
            policy,
            sources,
            recording,
            faces,
            time: now(),
        };
        let job = Job { case, header };
        if self.sync {
            return self.writer.write(job);
        }
        let job = Box::new(job);
        let sender = lock(&self.queue).clone();
        let sent = sender.map(|s| s.try_send(job));
        if !matches!(sent, Some(Ok(()))) {
            bump(&self.writer.shared.counters.evidence_dropped);
        }
        if let Some(Err(TrySendError::Full(_))) = sent {
            let what = format!("{QUEUE} alerts wait for the disk already");
            self.writer.warn(&format!("The evidence of an alert was dropped: {what}. Use a faster disk"));
        }
    }
}

/// The machine's time, UTC.
fn now() -> String {
    let now = glib::DateTime::now_utc().and_then(|t| t.format("%Y-%m-%dT%H:%M:%SZ"));
    now.map(Into::into).unwrap_or_default()
}

/// Writes bundles, and posts what became of them.
#[derive(Clone, Debug)]
struct BundleWriter {
    dir: PathBuf,
    element: glib::WeakRef<gst::Element>,
    shared: Arc<Shared>,
}

impl BundleWriter {
    fn write(&self, job: Job) {
        let Job { case, header } = job;
        let written =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bundle::write(&self.dir, &case)));
        let counters = &self.shared.counters;
        match written {
            Ok(Ok(written)) => {
                bump(&counters.evidence_written);
                self.post(&case, written, header);
            }
            Ok(Err(error)) => {
                bump(&counters.evidence_failed);
                self.warn(&failure(&error));
            }
            Err(_) => {
                bump(&counters.evidence_failed);
                self.warn(
                    "The evidence of an alert is lost: writing it panicked; this is a defect of the plugin",
                );
            }
        }
    }

    fn post(&self, case: &Case, written: Written, header: Header) {
        for note in &written.notes {
            self.warn(&format!("Evidence in `{}`: {note}", self.dir.display()));
        }
        let Some(element) = self.element.upgrade() else { return };
        let header = Header { epoch: case.alert.epoch, ..header };
        let bundle = written.bundle.map(|b| self.dir.join(b).to_string_lossy().into_owned());
        let at = (written.line, written.digest);
        let message = EvidenceMessage::new(header, case.alert.kind, bundle.unwrap_or_default(), at);
        // Fails without a bus, which is the application's choice.
        let _ = element.post_message(DeepfakeMessage::Evidence(message).to_gst(&element));
    }

    /// The stream goes on, whatever becomes of the disk.
    fn warn(&self, text: &str) {
        if let Some(element) = self.element.upgrade() {
            gst::element_warning!(element, gst::ResourceError::Write, ("{text}"));
        }
    }
}

fn failure(error: &Error) -> String {
    let advice = match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "make room on the disk",
        Error::Io { .. } => "see that the directory is there, writable, and has room",
        Error::Locked { .. } => "the stream goes on",
        _ => "move the directory away, or name another one",
    };
    format!("The evidence of an alert is lost: {error}; {advice}")
}

#[cfg(test)]
#[path = "evidence_writer_tests.rs"]
mod tests;
