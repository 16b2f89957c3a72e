//! The challenge controller, shared between the streaming thread, the analysis and the threads that ask for a challenge.
//! What is judged, and how, is in [`crate::analysis::challenge`].
//!
//! All times are the stream's: without buffers no deadline passes, and a stopped stream has none.

use crate::analysis::challenge::{Controller, Draws, Frame, Reason, Refusal, Report, Request, State};
use crate::analysis::engine::sampler::CHALLENGE_INTERVAL;
use crate::lock::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands for "no time".
const NONE: u64 = u64::MAX;
/// Results of challenges that are remembered.
const MOST_RESULTS: usize = 16;

/// The controller, and what the streaming thread must know of it without its lock.
#[derive(Debug)]
pub struct Challenges {
    controller: Mutex<Controller>,
    /// PTS from which the open challenge is overdue.
    due: AtomicU64,
    /// PTS of the newest buffer.
    now: AtomicU64,
    /// Distance of two buffers by the caps, ns.
    frame: AtomicU64,
    /// Whether the session's challenges were passed, the newest last.
    results: Mutex<Vec<bool>>,
}

impl Default for Challenges {
    fn default() -> Self {
        Self {
            controller: Mutex::default(),
            due: AtomicU64::new(NONE),
            now: AtomicU64::new(NONE),
            frame: AtomicU64::new(0),
            results: Mutex::default(),
        }
    }
}

impl Challenges {
    /// Uses the controller for a moment. Nothing is posted and nothing is waited for inside.
    fn with<T>(&self, use_it: impl FnOnce(&mut Controller) -> T) -> T {
        let mut controller = lock(&self.controller);
        let result = use_it(&mut controller);
        self.due.store(controller.due().unwrap_or(NONE), Ordering::Release);
        result
    }

    /// Notes how a challenge has ended. One that was cancelled or could not be judged is no pass.
    fn ended(&self, report: Option<Report>) -> Option<Report> {
        if let Some(report) = &report {
            let mut results = lock(&self.results);
            if results.len() == MOST_RESULTS {
                results.remove(0);
            }
            results.push(report.state == State::Passed);
        }
        report
    }

    /// Whether the session's challenges were passed, the newest last; of the last 16.
    pub fn results(&self) -> Vec<bool> {
        lock(&self.results).clone()
    }

    /// Another session begins.
    pub fn forget_results(&self) {
        lock(&self.results).clear();
    }

    /// A buffer passes; the result of a challenge that was not judged in time. Locks only then.
    pub fn pass(&self, pts: u64) -> Option<Report> {
        self.now.store(pts, Ordering::Release);
        if pts <= self.due.load(Ordering::Acquire) {
            return None;
        }
        self.ended(self.with(|controller| controller.overdue(pts)))
    }

    /// The stream's frame rate, if the caps have one.
    pub fn set_frame(&self, ns: u64) {
        self.frame.store(ns, Ordering::Release);
    }

    /// A frame was analysed; `pace` is the least distance of two that the budget allows. The result that it brings.
    pub fn observe(&self, frame: &Frame<'_>, pace: u64) -> Option<Report> {
        let pace = pace.max(self.frame.load(Ordering::Acquire));
        self.ended(self.with(|controller| {
            controller.set_pace(pace);
            controller.observe(frame)
        }))
    }

    /// The distance between two analysed frames: `wanted`, or closer while a challenge is open.
    pub fn interval(&self, wanted: u64) -> u64 {
        if self.due.load(Ordering::Acquire) == NONE { wanted } else { wanted.min(CHALLENGE_INTERVAL) }
    }

    /// Opens a challenge at the newest buffer.
    pub fn open(&self, request: &Request, draws: &mut Draws) -> Result<Report, Refusal> {
        let now = self.now().ok_or(Refusal::NotRunning)?;
        self.with(|controller| controller.open(request, now, draws))
    }

    /// PTS of the newest buffer of this epoch.
    pub fn now(&self) -> Option<u64> {
        Some(self.now.load(Ordering::Acquire)).filter(|now| *now != NONE)
    }

    /// Ends what is open, for a reason that is not in the pictures.
    pub fn cancel(&self, why: Reason) -> Option<Report> {
        self.ended(self.with(|controller| controller.cancel(why)))
    }

    /// What is open is void: only `epoch` will count.
    pub fn void(&self, epoch: u64, why: Reason) -> Option<Report> {
        self.now.store(NONE, Ordering::Release);
        self.ended(self.with(|controller| controller.void(epoch, why)))
    }
}
