//! The thread that moves a camera's controls: a driver may take its time over each, and whatever happens to those
//! who gave the commands, this thread is the one that puts things back.

use super::controls::{ControlGuard, Controls};
use super::timed::{TimedError, wait};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

type Command = Box<dyn FnOnce(&mut ControlGuard) + Send>;

/// Sends commands to the thread. When it is dropped the thread puts the controls back and ends; one that hangs in a driver
/// is waited for no longer than the time-out, and puts them back when the driver lets it go.
#[derive(Debug)]
pub struct ControlWriter {
    commands: Option<SyncSender<Command>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    timeout: Duration,
}

impl ControlWriter {
    /// Opens the camera on the thread.
    pub fn start(
        timeout: Duration,
        open: impl FnOnce() -> io::Result<Box<dyn Controls>> + Send + 'static,
    ) -> Result<Self, String> {
        // One command at a time: its sender waits for the answer.
        let (commands, taken) = sync_channel::<Command>(1);
        let (ending, ended) = sync_channel::<()>(0);
        let (opening, opened) = sync_channel(1);
        let work = move || {
            // Dropped when the thread ends, also by a panic; declared first, so after the controls are put back.
            let _ending = ending;
            let mut guard = match open() {
                Ok(camera) => ControlGuard::new(camera),
                Err(error) => return drop(opening.send(Err(error.to_string()))),
            };
            let _ = opening.send(Ok(()));
            for command in taken {
                command(&mut guard);
            }
        };
        let thread = Builder::new().name("deepfake-control".into()).spawn(work).map_err(|e| e.to_string())?;
        let writer = Self { commands: Some(commands), ended, thread: Some(thread), timeout };
        wait(&opened, timeout).map_err(|e| e.to_string())?.map(|()| writer)
    }

    /// Runs a command on the thread.
    pub fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut ControlGuard) -> T + Send + 'static,
    ) -> Result<T, TimedError> {
        let (answer, answered) = sync_channel(1);
        let command: Command = Box::new(move |guard| {
            let _ = answer.send(command(guard));
        });
        self.commands.as_ref().and_then(|o| o.try_send(command).ok()).ok_or(TimedError::Failed)?;
        wait(&answered, self.timeout)
    }
}

impl Drop for ControlWriter {
    fn drop(&mut self) {
        self.commands = None;
        let gone = matches!(wait(&self.ended, self.timeout), Err(TimedError::Failed));
        if let Some(thread) = self.thread.take().filter(|_| gone) {
            let _ = thread.join();
        }
    }
}
