//! All that is shared between the streaming thread, the worker and the application's threads.

use super::challenges::Challenges;
use super::counters::{Counters, Timings, bump};
use super::job::Job;
use super::mailbox::Mailbox;
use super::scores::Scores;
use super::settings::Settings;
use crate::analysis::judgement::decision::{OperatingPoint, Ruling, Standing, decide};
use crate::analysis::judgement::verdict::{Condition, Verdict};
use crate::analysis::pixels::fingerprint::Print;
use crate::analysis::source::provenance::Source;
use crate::meta::Prepared;
use arc_swap::{ArcSwap, ArcSwapOption};
use once_cell::sync::OnceCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The newest verdict, ready to be attached, also in the form that it takes when it has become old.
#[derive(Debug)]
pub struct Published {
    fresh: Prepared,
    stale: OnceCell<Prepared>,
    /// Age from which the verdict is stale, ns.
    stale_after: u64,
}

impl Published {
    pub fn new(verdict: Arc<Verdict>, stale_after: u64) -> Self {
        Self { fresh: Prepared::new(verdict), stale: OnceCell::new(), stale_after }
    }

    pub fn verdict(&self) -> &Arc<Verdict> {
        self.fresh.verdict()
    }

    /// What to attach to a buffer of that PTS. Making the stale form costs some allocations, once.
    pub fn at(&self, pts: Option<u64>) -> &Prepared {
        let verdict = self.verdict();
        let old = match (pts, verdict.analysed_pts) {
            (Some(now), Some(then)) => now.saturating_sub(then) > self.stale_after,
            _ => false,
        };
        // A failure is not softened into mere age.
        if old && verdict.condition != Condition::Failed {
            self.stale.get_or_init(|| Prepared::new(verdict.under(Condition::Stale)))
        } else {
            &self.fresh
        }
    }
}

/// Most fingerprints that wait for the worker (four seconds at 60 a second); the oldest is dropped.
const MAX_PRINTS: usize = 240;

/// See the module.
#[derive(Debug)]
pub struct Shared {
    pub mailbox: Mailbox<Job>,
    prints: Mutex<VecDeque<Print>>,
    pub published: ArcSwap<Published>,
    /// The epoch of the newest buffer.
    pub epoch: AtomicU64,
    /// Set by events and by the application: the next buffer starts a new epoch.
    pub new_epoch: AtomicBool,
    /// Nanoseconds between sampled frames.
    pub interval: AtomicU64,
    /// The analysis has stopped for good.
    pub broken: AtomicBool,
    /// The policy wants no more of this stream.
    pub blocked: AtomicBool,
    /// What is known of the stream's source.
    pub source: ArcSwapOption<Source>,
    pub challenges: Challenges,
    /// What the session amounts to, with the newest analysed frame.
    pub standing: ArcSwap<Standing>,
    /// Set by the application: another session begins with the next epoch.
    pub new_session: AtomicBool,
    pub counters: Counters,
    pub timings: Timings,
    pub scores: Scores,
    /// The statistic that raises an alert, nats; 0 if the analysis did not start.
    pub threshold: f64,
    /// How sessions are decided.
    pub decisions: OperatingPoint,
    /// `name@sha256:...` of the models, and the provider that runs them.
    pub models: Vec<String>,
    /// Signals that count for nothing.
    pub ignored: Vec<String>,
    pub provider: String,
    pub runtime: String,
    settings: Mutex<Settings>,
    /// Held while the newest verdict is replaced: a result must not slip in behind the start of a new epoch.
    publishing: Mutex<()>,
}

impl Shared {
    pub fn new(settings: Settings, interval: u64) -> Self {
        let first = Arc::new(Verdict::not_analysed(0));
        Self {
            mailbox: Mailbox::default(),
            prints: Mutex::new(VecDeque::with_capacity(MAX_PRINTS)),
            published: ArcSwap::from_pointee(Published::new(first, u64::MAX)),
            epoch: AtomicU64::new(0),
            new_epoch: AtomicBool::new(true),
            interval: AtomicU64::new(interval),
            broken: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            source: ArcSwapOption::empty(),
            challenges: Challenges::default(),
            standing: ArcSwap::from_pointee(Standing::default()),
            new_session: AtomicBool::new(false),
            counters: Counters::default(),
            timings: Timings::default(),
            scores: Scores::default(),
            threshold: 0.0,
            decisions: settings.operating_point(),
            models: Vec::new(),
            ignored: Vec::new(),
            provider: String::new(),
            runtime: String::new(),
            settings: Mutex::new(settings),
            publishing: Mutex::new(()),
        }
    }

    /// What the session would end in now.
    pub fn decide(&self) -> Ruling {
        let standing =
            Standing { challenges: self.challenges.results(), ..self.standing.load().as_ref().clone() };
        decide(&standing, &self.decisions)
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the settings that may change while playing.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn prints(&self) -> MutexGuard<'_, VecDeque<Print>> {
        self.prints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push_print(&self, print: Print) {
        let mut prints = self.prints();
        if prints.len() >= MAX_PRINTS {
            prints.pop_front();
            bump(&self.counters.prints_dropped);
        }
        prints.push_back(print);
    }

    /// Moves the fingerprints up to that PTS into `out`.
    pub fn take_prints(&self, pts: u64, out: &mut Vec<Print>) {
        out.clear();
        let mut prints = self.prints();
        while prints.front().is_some_and(|p| p.0 <= pts) {
            out.extend(prints.pop_front());
        }
    }

    /// Nothing of the old epoch counts any more.
    pub fn start_epoch(&self) -> u64 {
        let publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        let verdict = Arc::new(Verdict::not_analysed(epoch));
        self.published.store(Arc::new(Published::new(verdict, u64::MAX)));
        drop(publishing);
        let waiting = self.mailbox.interrupt();
        if waiting.is_some() {
            bump(&self.counters.stale);
        }
        self.prints().clear();
        epoch
    }

    /// Makes a verdict the newest, unless its epoch is over.
    pub fn publish(&self, verdict: Arc<Verdict>, stale_after: u64) -> bool {
        let epoch = verdict.epoch;
        // Made outside the lock: the streaming thread takes it too.
        let published = Arc::new(Published::new(verdict, stale_after));
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch != self.epoch.load(Ordering::Acquire) {
            return false;
        }
        self.published.store(published);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::fingerprint::{CELLS, Fingerprint};
    use gstreamer as gst;

    #[test]
    fn a_verdict_grows_stale_but_a_failure_stays_one() {
        gst::init().unwrap();
        crate::meta::register();
        let analysed =
            Verdict { analysed_pts: Some(1_000), condition: Condition::Analysed, ..Verdict::not_analysed(1) };
        let published = Published::new(Arc::new(analysed.clone()), 500);
        assert_eq!(published.at(Some(1_500)).verdict().condition, Condition::Analysed);
        assert_eq!(published.at(Some(1_501)).verdict().condition, Condition::Stale);
        assert_eq!(published.at(None).verdict().condition, Condition::Analysed);
        let failed = Published::new(Arc::new(Verdict { condition: Condition::Failed, ..analysed }), 500);
        assert_eq!(failed.at(Some(9_999)).verdict().condition, Condition::Failed);
    }

    #[test]
    fn results_of_an_old_epoch_are_void() {
        gst::init().unwrap();
        let shared = Shared::new(Settings::default(), 1);
        let old = shared.start_epoch();
        let verdict = Arc::new(Verdict::not_analysed(old));
        assert!(shared.publish(Arc::clone(&verdict), 1));
        shared.start_epoch();
        assert!(!shared.publish(verdict, 1));
        assert_eq!(shared.published.load().verdict().epoch, old + 1);
    }

    #[test]
    fn no_result_slips_in_behind_a_new_epoch() {
        gst::init().unwrap();
        let shared = Shared::new(Settings::default(), 1);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                while shared.epoch.load(Ordering::Acquire) < 5_000 {
                    let epoch = shared.epoch.load(Ordering::Acquire);
                    shared.publish(Arc::new(Verdict::not_analysed(epoch)), 1);
                }
            });
            while !worker.is_finished() {
                let epoch = shared.start_epoch();
                for _ in 0..20 {
                    assert_eq!(shared.published.load().verdict().epoch, epoch);
                }
            }
        });
    }

    #[test]
    fn waiting_fingerprints_are_bounded_and_counted() {
        let shared = Shared::new(Settings::default(), 1);
        for i in 0..MAX_PRINTS as u64 + 7 {
            shared.push_print((i, Fingerprint([0; CELLS])));
        }
        assert_eq!(shared.counters.prints_dropped.load(Ordering::Relaxed), 7);
        let mut out = Vec::new();
        shared.take_prints(9, &mut out);
        assert_eq!(out.iter().map(|p| p.0).collect::<Vec<_>>(), vec![7, 8, 9]);
    }
}
