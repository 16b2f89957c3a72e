//! Calls with a time-out, on threads of their own: to drivers, services and files, which may never answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TimedError {
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("the thread that asked has failed")]
    Failed,
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Waits for an answer; [`TimedError::Failed`] if the thread that owes it is gone.
pub(super) fn wait<T>(answered: &Receiver<T>, timeout: Duration) -> Result<T, TimedError> {
    answered.recv_timeout(timeout).map_err(|e| match e {
        RecvTimeoutError::Timeout => TimedError::Silent(timeout),
        RecvTimeoutError::Disconnected => TimedError::Failed,
    })
}

/// See [`Timed::run`].
#[derive(Debug)]
pub struct Timed;

impl Timed {
    /// Asks on a thread of its own. One that has answered is joined; one that hangs in a driver cannot be, so it is left
    /// behind and ends when the driver lets it go.
    pub fn run<T: Send + 'static>(
        name: &str,
        timeout: Duration,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TimedError> {
        let (answer, answered) = sync_channel(1);
        let thread = Builder::new().name(name.into()).spawn(move || {
            // Fails if the answer is not waited for any more.
            let _ = answer.send(ask());
        })?;
        let result = wait(&answered, timeout);
        if !matches!(result, Err(TimedError::Silent(_))) {
            let _ = thread.join();
        }
        result
    }
}

/// A question that takes its time while the caller goes on. Dropping it tells the thread to stop, and waits for that no
/// longer than the time-out.
#[derive(Debug)]
pub struct Asked<T> {
    answered: Receiver<T>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    timeout: Duration,
}

impl<T: Send + 'static> Asked<T> {
    /// Asks on a thread of its own, with a mark that is set when the answer is not wanted any more. `answered` is called
    /// there when the answer can be taken.
    pub fn start(
        name: &str,
        timeout: Duration,
        ask: impl FnOnce(&AtomicBool) -> T + Send + 'static,
        answered: impl FnOnce() + Send + 'static,
    ) -> Result<Self, TimedError> {
        let (answer, taken) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Builder::new().name(name.into()).spawn(move || {
            let _ = answer.send(ask(&stopped));
            answered();
        })?;
        Ok(Self { answered: taken, stop, thread: Some(thread), timeout })
    }

    /// The answer, once; `None` while it is not there.
    pub fn answer(&self) -> Option<Result<T, TimedError>> {
        match wait(&self.answered, Duration::ZERO) {
            Err(TimedError::Silent(_)) => None,
            result => Some(result),
        }
    }
}

impl<T> Drop for Asked<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut end = wait(&self.answered, self.timeout);
        // An answer that was not taken comes before the end.
        if end.is_ok() {
            end = wait(&self.answered, self.timeout);
        }
        if let Some(thread) = self.thread.take().filter(|_| matches!(end, Err(TimedError::Failed))) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    #[test]
    fn answers_come_back_and_silence_ends() {
        assert_eq!(Timed::run("t", TIMEOUT, || 7).ok(), Some(7));
        let panicked: Result<(), _> = Timed::run("t", TIMEOUT, || std::panic::resume_unwind(Box::new(())));
        assert!(matches!(panicked, Err(TimedError::Failed)));
        let (hold, held) = sync_channel::<()>(0);
        let silent = Timed::run("t", Duration::from_millis(1), move || held.recv().is_ok());
        assert!(matches!(silent, Err(TimedError::Silent(_))));
        drop(hold);
    }

    #[test]
    fn a_long_question_is_answered_once_and_stops_when_dropped() {
        let (done, waiting) = sync_channel(1);
        let asked = Asked::start("t", TIMEOUT, |_| 7, move || done.send(()).unwrap()).unwrap();
        waiting.recv_timeout(TIMEOUT).unwrap();
        assert!(matches!(asked.answer(), Some(Ok(7))));
        // Nothing but the end comes after the answer.
        assert!(!matches!(asked.answer(), Some(Ok(_))));
        drop(asked);

        let (ended, end) = sync_channel(1);
        let until_stopped = move |stop: &AtomicBool| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
        };
        let asked = Asked::start("t", TIMEOUT, until_stopped, || ()).unwrap();
        assert!(asked.answer().is_none());
        drop(asked);
        end.try_recv().unwrap();
    }
}
