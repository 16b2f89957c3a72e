//! The analysis of one stream: runs the engine on a job, publishes the verdict, and passes on alerts and results of
//! challenges. Owned by the worker in live mode and by the streaming thread in sync mode.

use super::counters::{StopWatch, bump};
use super::job::Job;
use super::publish::Publisher;
use super::settings::Mode;
use super::shared::Shared;
use crate::analysis::challenge::Frame;
use crate::analysis::engine::Engine;
use crate::analysis::engine::profile::Profile;
use crate::analysis::engine::sampler::{CHALLENGE_INTERVAL, Governor};
use crate::analysis::face::chain::ChainError;
use crate::analysis::judgement::verdict::{Condition, Verdict};
use crate::analysis::pixels::fingerprint::Print;
use crate::inference::{self, FaceModelSet};
use crate::provenance::monitor::PictureInput;
use crate::view;
use gst_video::VideoFrameRef;
use gstreamer_video as gst_video;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use thiserror::Error;

/// Why a sampled frame was not analysed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    #[error(transparent)]
    Chain(#[from] ChainError<inference::Error>),
    #[error("the analysis panicked; this is a defect of the plugin")]
    Panicked,
}

/// See the module.
#[derive(Debug)]
pub struct Analyst {
    engine: Engine<FaceModelSet>,
    shared: Arc<Shared>,
    publisher: Publisher,
    governor: Governor,
    profile: Profile,
    mode: Mode,
    epoch: u64,
    prints: Vec<Print>,
    /// To the monitor that finds out where the pictures come from.
    pictures: Option<PictureInput>,
}

/// A verdict is stale when it is older than that many sampling intervals, and a second at least.
const STALE_INTERVALS: u64 = 4;
const STALE_LEAST: u64 = 1_000_000_000;

impl Analyst {
    pub fn new(
        mut engine: Engine<FaceModelSet>,
        shared: Arc<Shared>,
        publisher: Publisher,
        pictures: Option<PictureInput>,
    ) -> Self {
        let settings = shared.settings();
        if publisher.recorder().is_some() {
            engine.enable_entries();
        }
        Self {
            engine,
            publisher,
            governor: Governor::default(),
            profile: settings.profile.into(),
            mode: settings.mode,
            epoch: 0,
            prints: Vec::new(),
            pictures,
            shared,
        }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Analyses a frame. Whatever panics inside is caught and comes back as an error.
    pub fn analyse(&mut self, job: &Job) -> Result<(), AnalysisError> {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run(job)))
            .unwrap_or(Err(AnalysisError::Panicked));
        if result.is_err() {
            bump(&self.shared.counters.failed);
            let known = self.shared.published.load().verdict().under(Condition::Failed);
            let (epoch, analysed_pts) = (job.epoch, Some(job.moment.pts));
            let failed = Arc::new(Verdict { epoch, analysed_pts, ..Verdict::clone(&known) });
            if self.shared.publish(Arc::clone(&failed), u64::MAX) {
                self.publisher.verdict(&failed, job.moment);
            }
        }
        result
    }

    fn run(&mut self, job: &Job) -> Result<(), AnalysisError> {
        if job.epoch != self.shared.epoch.load(Ordering::Acquire) {
            // The fingerprints that wait belong to the new epoch already.
            bump(&self.shared.counters.stale);
            return Ok(());
        }
        if job.epoch != self.epoch {
            for alert in self.engine.reset(job.epoch) {
                self.publisher.alert(alert, job.moment);
            }
            self.epoch = job.epoch;
            if self.shared.new_session.swap(false, Ordering::AcqRel) {
                self.engine.begin_session();
            }
            if let Some(recorder) = self.publisher.recorder() {
                recorder.begin_epoch();
            }
        }
        self.shared.take_prints(job.moment.pts, &mut self.prints);
        // The streaming probe has read the same frame, so these do not happen; if they do, the frame was not analysed.
        let Ok(frame) = VideoFrameRef::from_buffer_ref_readable(&job.buffer, &job.info) else {
            bump(&self.shared.counters.failed);
            return Ok(());
        };
        self.engine.set_challenges(self.shared.challenges.results());
        self.engine.set_source(self.shared.source.load().as_deref().cloned());
        let mut watch = StopWatch::start();
        let outcome =
            view::with_view(&frame, |v| self.engine.analyse(v, job.moment.pts, &self.prints, &mut watch));
        let (cost, laps) = watch.finish();
        if let Some(pictures) = &self.pictures {
            // The same view as above.
            let _ = view::with_view(&frame, |v| pictures.add(v, job.moment.pts, &self.prints));
        }
        if let Some(recorder) = self.publisher.recorder() {
            // Also when the frame failed: what was weighed before counts.
            recorder.add_entries(self.engine.take_entries());
            if let Ok(Ok(outcome)) = &outcome {
                let _ = view::with_view(&frame, |v| recorder.add_picture(v, &outcome.verdict));
            }
        }
        drop(frame);
        let Ok(outcome) = outcome else {
            bump(&self.shared.counters.failed);
            return Ok(());
        };
        let outcome = outcome?;
        self.shared.timings.add(&laps);
        self.shared.scores.add(&outcome.scores);
        self.governor.charge(cost);
        let wanted = self.shared.challenges.interval(self.profile.rates().interval(outcome.phase));
        // A budget in wall time would make the result depend on the machine's load: sync mode has none.
        let budget = if self.mode == Mode::Sync { 0 } else { self.shared.settings().cpu_budget };
        let interval = self.governor.interval(wanted, budget);
        self.shared.interval.store(interval, Ordering::Relaxed);
        let stale_after = (interval * STALE_INTERVALS).max(STALE_LEAST);
        if !self.shared.publish(Arc::clone(&outcome.verdict), stale_after) {
            bump(&self.shared.counters.stale);
            return Ok(());
        }
        // What a stale frame amounts to is of a session that may be over.
        self.shared.standing.store(Arc::new(outcome.standing));
        bump(if outcome.duplicate {
            &self.shared.counters.duplicate
        } else {
            &self.shared.counters.analysed
        });
        for alert in outcome.alerts {
            self.publisher.alert(alert, job.moment);
        }
        self.publisher.verdict(&outcome.verdict, job.moment);
        self.publisher.decision(&outcome.verdict, job.moment);
        let faces = (!outcome.duplicate).then_some(outcome.samples.as_slice());
        let seen = Frame { epoch: job.epoch, pts: job.moment.pts, faces };
        let pace = self.governor.interval(CHALLENGE_INTERVAL, budget);
        if let Some(report) = self.shared.challenges.observe(&seen, pace) {
            self.engine.note_challenge(&report);
            self.publisher.challenge(report, job.moment);
        }
        Ok(())
    }
}
