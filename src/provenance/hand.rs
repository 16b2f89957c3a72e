//! The thread that moves a camera's controls: a driver may take its time over each, and whatever happens to those who
//! gave the orders, this thread is the one that puts things back.

use super::controls::{Controls, Touch};
use super::timed::{TimedError, wait};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

type Order = Box<dyn FnOnce(&mut Touch) + Send>;

/// Gives the thread its orders. When it is dropped the thread puts the controls back and ends; one that hangs in a driver
/// is not waited for longer than the patience, and puts them back when the driver lets it go.
#[derive(Debug)]
pub struct Hand {
    orders: Option<SyncSender<Order>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    patience: Duration,
}

impl Hand {
    /// Opens the camera on the thread.
    pub fn start(
        patience: Duration,
        open: impl FnOnce() -> io::Result<Box<dyn Controls>> + Send + 'static,
    ) -> Result<Self, String> {
        // One order at a time: whoever gives one waits for its answer.
        let (orders, taken) = sync_channel::<Order>(1);
        let (ending, ended) = sync_channel::<()>(0);
        let (opening, opened) = sync_channel(1);
        let work = move || {
            // Dropped when the thread ends, also by a panic; declared first, so after the controls are put back.
            let _ending = ending;
            let mut touch = match open() {
                Ok(camera) => Touch::new(camera),
                Err(error) => return drop(opening.send(Err(error.to_string()))),
            };
            let _ = opening.send(Ok(()));
            for order in taken {
                order(&mut touch);
            }
        };
        let thread = Builder::new().name("deepfake-control".into()).spawn(work).map_err(|e| e.to_string())?;
        let hand = Self { orders: Some(orders), ended, thread: Some(thread), patience };
        wait(&opened, patience).map_err(|e| e.to_string())?.map(|()| hand)
    }

    /// Has something done on the thread.
    pub fn ask<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Touch) -> T + Send + 'static,
    ) -> Result<T, TimedError> {
        let (answer, answered) = sync_channel(1);
        let order: Order = Box::new(move |touch| {
            let _ = answer.send(order(touch));
        });
        self.orders.as_ref().and_then(|o| o.try_send(order).ok()).ok_or(TimedError::Failed)?;
        wait(&answered, self.patience)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.orders = None;
        let gone = matches!(wait(&self.ended, self.patience), Err(TimedError::Failed));
        if let Some(thread) = self.thread.take().filter(|_| gone) {
            let _ = thread.join();
        }
    }
}
