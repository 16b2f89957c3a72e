//! Questions to drivers and services, which may never answer.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TimedError {
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("the question failed")]
    Failed,
    #[error("no thread to ask with: {0}")]
    Thread(#[from] std::io::Error),
}

/// See [`Timed::run`].
#[derive(Debug)]
pub struct Timed;

impl Timed {
    /// Asks on a thread of its own. One that has answered is joined; one that hangs in a driver cannot be, so it is left
    /// behind and ends when the driver lets it go. That is the one exception to joining every thread, and it happens at
    /// most once a source.
    pub fn run<T: Send + 'static>(
        name: &str,
        patience: Duration,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TimedError> {
        let (answer, answered) = sync_channel(1);
        let thread = Builder::new().name(name.into()).spawn(move || {
            // Nobody waits any more: the answer is not wanted.
            let _ = answer.send(ask());
        })?;
        match answered.recv_timeout(patience) {
            Ok(value) => {
                let _ = thread.join();
                Ok(value)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _ = thread.join();
                Err(TimedError::Failed)
            }
            Err(RecvTimeoutError::Timeout) => Err(TimedError::Silent(patience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_silence_ends() {
        let patience = Duration::from_secs(20);
        assert_eq!(Timed::run("t", patience, || 7).ok(), Some(7));
        let panicked: Result<(), _> = Timed::run("t", patience, || std::panic::resume_unwind(Box::new(())));
        assert!(matches!(panicked, Err(TimedError::Failed)));
        let (hold, held) = sync_channel::<()>(0);
        let silent = Timed::run("t", Duration::from_millis(1), move || held.recv().is_ok());
        assert!(matches!(silent, Err(TimedError::Silent(_))));
        drop(hold);
    }
}
