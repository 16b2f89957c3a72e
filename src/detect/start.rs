//! Start and stop of a run: what is loaded and started for it, and how it ends.

use super::analyst::Analyst;
use super::evidence_writer::EvidenceWriter;
use super::load;
use super::publish::Publisher;
use super::settings::{Mode, OnError, Settings};
use super::shared::Shared;
use super::state::{Detect, Running};
use super::streaming::StreamingProbe;
use super::worker::Worker;
use crate::analysis::challenge::Reason;
use crate::analysis::engine::Engine;
use crate::analysis::engine::profile::Profile;
use crate::analysis::judgement::verdict::Alert;
use crate::lock::lock;
use crate::provenance::messages::Messages;
use crate::provenance::monitor::{Monitor, Options};
use crate::provenance::report::SourceReport;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Detect {
    /// Loads the models and starts the threads.
    pub(super) fn start_run(&self) -> Result<(), gst::ErrorMessage> {
        crate::meta::register();
        let settings = lock(&self.settings).clone();
        let rates = Profile::from(settings.profile).rates();
        let interval = rates.interval(Default::default());
        let mut shared = Shared::new(settings.clone(), interval);
        let loaded = self.load(&settings);
        if let Ok((models, config)) = &loaded {
            load::note(&mut shared, models, config);
        }
        let shared = Arc::new(shared);
        *lock(&self.shared) = Some(Arc::clone(&shared));
        *lock(&self.segment) = None;
        let ran = load::ran(&shared, &settings, loaded.as_ref().ok());
        let evidence = EvidenceWriter::start(self.obj().upcast_ref(), &settings, &shared, ran)?;
        let recorder = evidence.as_ref().map(EvidenceWriter::recorder);
        let publisher = Publisher::new(self.obj().upcast_ref(), Arc::clone(&shared), recorder);
        *lock(&self.publisher) = Some(publisher.clone());
        let monitor = self.start_monitor(&settings, &shared, &publisher)?;
        let pictures = monitor.as_ref().map(Monitor::picture_input);
        let mut running = Running {
            probe: StreamingProbe::new(Arc::clone(&shared)),
            analyst: None,
            worker: None,
            publisher: Some(publisher.clone()),
            monitor,
            evidence,
        };
        match loaded {
            Ok((models, config)) => {
                let subset = models.blendshape_subset().copied();
                let engine = Engine::new(models, config, subset);
                let analyst = Analyst::new(engine, Arc::clone(&shared), publisher, pictures);
                if settings.mode == Mode::Sync {
                    running.analyst = Some(analyst);
                } else {
                    let worker = Worker::start(analyst, self.obj().upcast_ref::<gst::Element>().downgrade())
                        .map_err(|e| {
                            gst::error_msg!(
                                gst::ResourceError::Failed,
                                ["cannot start the worker thread: {e}"]
                            )
                        })?;
                    running.worker = Some(worker);
                }
            }
            Err(error) if settings.on_error == OnError::Pass => {
                shared.broken.store(true, Ordering::Release);
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NotFound,
                    ("Video passes unanalysed: {error}"),
                    ["{error}"]
                );
            }
            Err(error) => return Err(error.into_message()),
        }
        *self.running.borrow_mut() = Some(running);
        Ok(())
    }

    /// Ends what is open and joins the threads.
    pub(super) fn stop_run(&self) -> Result<(), gst::ErrorMessage> {
        self.end_challenge(0, Reason::Stopped);
        lock(&self.publisher).take();
        // Dropping joins the worker; the borrow ends first.
        let running = self.running.borrow_mut().take();
        drop(running);
        Ok(())
    }

    /// Starts to find out where the stream comes from, if that is wanted. Not in sync mode: what a recording gives must not
    /// depend on the pace of another thread.
    fn start_monitor(
        &self,
        settings: &Settings,
        shared: &Arc<Shared>,
        publisher: &Publisher,
    ) -> Result<Option<Monitor>, gst::ErrorMessage> {
        if !settings.provenance || settings.mode == Mode::Sync {
            return Ok(None);
        }
        let (shared, publisher) = (Arc::clone(shared), publisher.clone());
        let mut messages = Messages::new(self.obj().upcast_ref(), settings.policy.as_deref())?;
        if let Some(recorder) = publisher.recorder() {
            recorder.set_policy(Arc::clone(&messages.policy().text));
        }
        let options = Options {
            policy: messages.policy(),
            environment: settings.probe_environment,
            controls: settings.probe_controls,
            keep_pictures: false,
        };
        let listener = move |reports: &[Arc<SourceReport>], news: &SourceReport| {
            // Of several sources the most suspicious one speaks for the stream.
            let worst = reports.iter().max_by(|a, b| a.injection.total_cmp(&b.injection));
            shared.source.store(worst.map(|r| Arc::new(r.source())));
            if let Some(recorder) = publisher.recorder() {
                recorder.set_sources(reports);
            }
            let raised = |pts| publisher.count_alert(pts);
            let done = |alert: &Alert| publisher.keep_policy_alert(alert);
            if messages.post(news, publisher.source_header(), raised, done) {
                shared.blocked.store(true, Ordering::Release);
            }
        };
        let pad = self.obj().sink_pad().clone();
        Monitor::start(&pad, options, Box::new(listener))
            .map(Some)
            .map_err(|e| gst::error_msg!(gst::ResourceError::Failed, ["cannot start a thread: {e}"]))
    }
}
