//! The queue between streaming thread and worker: one slot, the latest job wins.
//!
//! Drop policy: a new job replaces one that waits (the replaced one is given back, to be counted and dropped outside
//! the lock). At most two buffers are held: the one that waits and the one in work. A worker without a job sleeps on
//! a condition variable; nothing polls.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Slot<T> {
    job: Option<T>,
    working: bool,
    closed: bool,
    /// Raised by a flush, so that a drain gives up.
    interrupts: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Mailbox<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let slot = Slot { job: None, working: false, closed: false, interrupts: 0 };
        Self { slot: Mutex::new(slot), changed: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job in; returns the one that it replaces, or the job itself when the box is closed.
    pub fn put(&self, job: T) -> Option<T> {
        let mut slot = self.lock();
        if slot.closed {
            return Some(job);
        }
        let replaced = slot.job.replace(job);
        drop(slot);
        self.changed.notify_all();
        replaced
    }

    /// Waits for a job and takes it; `None` once the box is closed. Ends the work on the last one.
    pub fn take(&self) -> Option<T> {
        let mut slot = self.lock();
        slot.working = false;
        self.changed.notify_all();
        loop {
            if slot.closed {
                return None;
            }
            if let Some(job) = slot.job.take() {
                slot.working = true;
                return Some(job);
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until no job waits or is in work; `false` at the deadline, on [`Mailbox::interrupt`], or when closed.
    pub fn drain(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut slot = self.lock();
        let before = slot.interrupts;
        loop {
            if slot.job.is_none() && !slot.working {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || slot.closed || slot.interrupts != before {
                return false;
            }
            slot = self.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes out the job that waits, and ends a drain.
    pub fn interrupt(&self) -> Option<T> {
        let mut slot = self.lock();
        slot.interrupts += 1;
        let job = slot.job.take();
        drop(slot);
        self.changed.notify_all();
        job
    }

    /// No more jobs: the worker's next take returns `None`.
    pub fn close(&self) -> Option<T> {
        let mut slot = self.lock();
        slot.closed = true;
        let job = slot.job.take();
        drop(slot);
        self.changed.notify_all();
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_latest_wins() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.put(1), None);
        assert_eq!(mailbox.put(2), Some(1));
        assert_eq!(mailbox.take(), Some(2));
        assert_eq!(mailbox.close(), None);
        assert_eq!(mailbox.put(3), Some(3));
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn a_drain_ends_with_the_work_the_deadline_or_an_interrupt() {
        let mailbox = Arc::new(Mailbox::default());
        assert!(mailbox.drain(Duration::ZERO));
        mailbox.put(1);
        assert!(!mailbox.drain(Duration::from_millis(1)));
        assert_eq!(mailbox.take(), Some(1));
        assert!(!mailbox.drain(Duration::from_millis(1)), "still in work");
        let other = Arc::clone(&mailbox);
        let worker = std::thread::spawn(move || other.take());
        assert!(mailbox.drain(Duration::from_secs(30)));
        mailbox.close();
        assert_eq!(worker.join().unwrap(), None);
    }

    #[test]
    fn an_interrupt_takes_the_waiting_job() {
        let mailbox = Mailbox::default();
        mailbox.put(1);
        assert_eq!(mailbox.interrupt(), Some(1));
        assert!(mailbox.drain(Duration::ZERO));
    }
}
