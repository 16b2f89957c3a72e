//! The thread that finds out where a stream comes from.
//!
//! It walks upstream from an element's input pad, puts probes on the pads it finds, asks drivers, weighs what came of it
//! and passes reports to its listener. It has no clock of its own: the stream's buffers wake it, once a second of stream
//! time, and every stream start, caps change and reconfiguration makes it walk again.

use super::controls;
use super::experiment::Experiment;
use super::pictures::{Forensics, Pictures};
use super::policy::Policy;
use super::report::SourceReport;
use super::source_state::{SourceState, TIMEOUT};
use super::walk::{Origin, origins};
use crate::analysis::pixels::fingerprint::Print;
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::source::provenance::Finding;
use crate::lock::lock;
use gst::prelude::*;
use gstreamer as gst;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Stream time between two evaluations, ns.
const INTERVAL: u64 = 1_000_000_000;
/// Buffers between two evaluations of a stream without times.
const BUFFERS: u64 = 30;

/// Called with each source's first report and with those that say something else (the second argument), and with the newest
/// of all sources (the first). No lock is held.
pub type Listener = Box<dyn FnMut(&[Arc<SourceReport>], &SourceReport) + Send>;

/// What a monitor is made with.
#[derive(Clone, Debug)]
pub struct Options {
    pub policy: Arc<Policy>,
    /// Also look at the machine (loaded modules, virtual machine).
    pub environment: bool,
    /// Move the camera's controls and see whether the pictures answer.
    pub controls: bool,
    /// Keep pictures as they pass the pad. Otherwise they come through [`PictureInput`], or are not looked at.
    pub keep_pictures: bool,
}

/// Takes pictures that the analysis has, for the monitor.
#[derive(Clone, Debug)]
pub struct PictureInput {
    shared: Arc<Shared>,
}

impl PictureInput {
    /// Not for the streaming thread: it costs a millisecond or so, five times a second of stream. `prints`: the fingerprints
    /// of all frames since the last call.
    pub fn add(&self, frame: &FrameView<'_>, pts: u64, prints: &[Print]) {
        if let Some(forensics) = lock(&self.shared.forensics).as_mut() {
            forensics.add_picture(frame, pts, prints);
        }
    }
}

/// Why the thread is to wake up.
#[derive(Debug, Default)]
struct Pending {
    /// It is time to evaluate.
    evaluate: bool,
    /// A picture waits.
    picture: bool,
    quit: bool,
}

/// What the streaming thread shares with the monitor's.
#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    /// The newest buffer's PTS.
    newest: AtomicU64,
    /// PTS from which the next buffer wakes the thread; 0: any does.
    due: AtomicU64,
    /// Buffers without PTS since the thread was woken.
    timeless: AtomicU64,
    pictures: Pictures,
    /// Of the pictures, where they come from one source.
    forensics: Mutex<Option<Forensics>>,
    reports: Mutex<Vec<Arc<SourceReport>>>,
}

impl Shared {
    /// On the streaming thread, for every buffer.
    fn passed(&self, buffer: &gst::Buffer) {
        let kept = self.pictures.passed(buffer);
        if let Some(pts) = buffer.pts() {
            self.newest.store(pts.nseconds(), Ordering::Relaxed);
        }
        let evaluate = self.is_due(buffer.pts());
        if kept || evaluate {
            let mut pending = lock(&self.pending);
            pending.evaluate |= evaluate;
            pending.picture |= kept;
            drop(pending);
            self.wake.notify_one();
        }
    }

    /// Something was found out beside the stream.
    #[cfg(feature = "c2pa")]
    fn evaluate(&self) {
        lock(&self.pending).evaluate = true;
        self.wake.notify_one();
    }

    fn is_due(&self, pts: Option<gst::ClockTime>) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        match pts.map(gst::ClockTime::nseconds) {
            // After a seek backwards the next moment lies far ahead: then it is now.
            Some(pts) if pts >= due || due - pts > 2 * INTERVAL => {
                self.due.store(pts.saturating_add(INTERVAL), Ordering::Relaxed);
                true
            }
            Some(_) => false,
            None => self.timeless.fetch_add(1, Ordering::Relaxed).is_multiple_of(BUFFERS),
        }
    }
}

/// Runs while it lives; dropping it joins its thread and takes its probes away.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    pad: gst::Pad,
    probe: Option<gst::PadProbeId>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Watches what feeds `pad`, an input pad.
    pub fn start(pad: &gst::Pad, options: Options, listener: Listener) -> io::Result<Self> {
        let builder = Builder::new().name("deepfake-source".into());
        Self::placed(pad, &options).spawn(builder, options, listener)
    }

    /// With its probe on the pad, and no thread yet.
    fn placed(pad: &gst::Pad, options: &Options) -> Self {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            newest: AtomicU64::new(0),
            due: AtomicU64::new(0),
            timeless: AtomicU64::new(0),
            pictures: Pictures::new(options.keep_pictures),
            forensics: Mutex::default(),
            reports: Mutex::default(),
        });
        let seen = Arc::clone(&shared);
        let mask = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM
            | gst::PadProbeType::EVENT_FLUSH
            | gst::PadProbeType::EVENT_UPSTREAM;
        let probe = pad.add_probe(mask, move |_, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => seen.passed(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter_owned().for_each(|b| seen.passed(&b)),
                Some(gst::PadProbeData::Event(event)) => {
                    match event.view() {
                        gst::EventView::Caps(e) => seen.pictures.caps(e.caps()),
                        gst::EventView::Segment(_) | gst::EventView::FlushStop(_) => seen.pictures.restart(),
                        gst::EventView::StreamStart(_)
                        | gst::EventView::Tag(_)
                        | gst::EventView::Reconfigure(_) => {}
                        _ => return gst::PadProbeReturn::Ok,
                    }
                    // The links may change while the event travels: the next buffer finds them made.
                    seen.due.store(0, Ordering::Relaxed);
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        // Started after the caps went by.
        if let Some(caps) = pad.current_caps() {
            shared.pictures.caps(&caps);
        }
        Self { shared, pad: pad.clone(), probe, thread: None }
    }

    /// Starts the thread. Where that fails the probe is taken away again, with `self`.
    fn spawn(mut self, builder: Builder, options: Options, listener: Listener) -> io::Result<Self> {
        let mut work = Work {
            pad: self.pad.clone(),
            options,
            listener,
            shared: Arc::clone(&self.shared),
            sources: Vec::new(),
            environment: None,
        };
        self.thread = Some(builder.spawn(move || work.run())?);
        Ok(self)
    }

    /// For an element that has the stream's pictures anyway.
    pub fn picture_input(&self) -> PictureInput {
        PictureInput { shared: Arc::clone(&self.shared) }
    }

    /// The newest report of every source of the stream.
    pub fn reports(&self) -> Vec<Arc<SourceReport>> {
        lock(&self.shared.reports).clone()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.pad.remove_probe(probe);
        }
        lock(&self.shared.pending).quit = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Work {
    pad: gst::Pad,
    options: Options,
    listener: Listener,
    shared: Arc<Shared>,
    sources: Vec<SourceState>,
    environment: Option<Vec<Finding>>,
}

impl Work {
    fn run(&mut self) {
        loop {
            let mut pending = lock(&self.shared.pending);
            while !pending.evaluate && !pending.picture && !pending.quit {
                pending = self.shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            if pending.quit {
                return;
            }
            let evaluate = std::mem::take(&mut pending.evaluate);
            pending.picture = false;
            drop(pending);
            // A defect in a check must not end the process; the source is then reported as before.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if self.options.keep_pictures
                    && let Some(forensics) = lock(&self.shared.forensics).as_mut()
                {
                    forensics.take_kept(&self.shared.pictures);
                }
                if evaluate {
                    self.round();
                }
            }));
        }
    }

    fn round(&mut self) {
        let found = origins(&self.pad);
        let same = found.len() == self.sources.len()
            && found.iter().zip(&self.sources).all(|(origin, source)| *origin == source.origin);
        if !same {
            // Those that stay keep their probes and what they have learnt.
            let mut old = std::mem::take(&mut self.sources);
            for origin in found {
                let kept = old.iter().position(|w| w.origin == origin).map(|i| old.swap_remove(i));
                let source = kept.unwrap_or_else(|| self.new_source(origin));
                self.sources.push(source);
            }
            *lock(&self.shared.forensics) = match self.sources.as_slice() {
                [only] => Some(Forensics::new(&only.origin, &only.identity, self.options.controls)),
                _ => None,
            };
        }
        if self.options.controls {
            self.experiment();
        }
        let mut beside = self.environment();
        beside.extend(lock(&self.shared.forensics).as_ref().map(Forensics::findings).unwrap_or_default());
        let mut reports = Vec::new();
        for source in &mut self.sources {
            let mut report = source.report(&beside);
            report.violation = self.options.policy.violation(&report);
            let report = Arc::new(report);
            let news = source.reported.as_ref().is_none_or(|old| old.differs(&report));
            if news {
                source.reported = Some(Arc::clone(&report));
            }
            reports.push((report, news));
        }
        let all: Vec<_> = reports.iter().map(|(report, _)| Arc::clone(report)).collect();
        lock(&self.shared.reports).clone_from(&all);
        for (report, _) in reports.iter().filter(|(_, news)| *news) {
            (self.listener)(&all, report);
        }
    }

    /// Looks at a new source.
    fn new_source(&self, origin: Origin) -> SourceState {
        #[cfg(feature = "c2pa")]
        {
            let shared = Arc::clone(&self.shared);
            SourceState::new(origin).with_signature(self.options.policy.anchors(), move || shared.evaluate())
        }
        #[cfg(not(feature = "c2pa"))]
        SourceState::new(origin)
    }

    /// One more step with the controls of the only source; pictures that several sources have mixed answer to none.
    fn experiment(&mut self) {
        let [source] = self.sources.as_mut_slice() else {
            for source in &mut self.sources {
                source.experiment = None;
            }
            return;
        };
        let experiment = source.experiment.get_or_insert_with(|| match source.identity.v4l2_node() {
            Some(node) => {
                let path = std::path::PathBuf::from(node);
                // Random enough: the keys of the standard library's hash maps.
                let bits = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
                Experiment::new(TIMEOUT, bits, move || controls::open(&path))
            }
            None => Experiment::without("the source is no video node whose controls could be moved"),
        });
        // A stream without times leads nothing on, so nothing is begun.
        let now = self.shared.newest.load(Ordering::Relaxed);
        if now > 0 && !experiment.is_over() {
            let trace = || lock(&self.shared.forensics).as_ref().map(Forensics::trace).unwrap_or_default();
            experiment.advance(now, trace);
        }
    }

    fn environment(&mut self) -> Vec<Finding> {
        if !self.options.environment {
            return Vec::new();
        }
        let look = || super::environment::findings(std::path::Path::new("/"));
        self.environment.get_or_insert_with(look).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_start_leaves_no_probe() {
        gst::init().unwrap();
        let pad = gst::Pad::new(gst::PadDirection::Sink);
        let policy = Arc::new(Policy::built_in().unwrap());
        let options = Options { policy, environment: false, controls: false, keep_pictures: false };
        let monitor = Monitor::placed(&pad, &options);
        // The probe's closure holds one, so it shows whether the probe is still there.
        let shared = Arc::downgrade(&monitor.shared);
        assert!(monitor.probe.is_some());
        // No address space has room for such a stack.
        let builder = Builder::new().stack_size(1 << 60);
        assert!(monitor.spawn(builder, options, Box::new(|_, _| {})).is_err());
        assert!(shared.upgrade().is_none(), "the probe is still on the pad");
    }
}
