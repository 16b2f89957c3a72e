//! The thread that analyses beside the stream in `mode=live`: owned by the element, named, joined on stop.

use super::analyst::Analyst;
use super::counters::bump;
use super::failure;
use super::shared::Shared;
use gstreamer as gst;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Joined when dropped.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. It ends when the mailbox is closed or the analysis has failed for good.
    pub fn start(mut analyst: Analyst, element: glib::WeakRef<gst::Element>) -> io::Result<Self> {
        let shared = Arc::clone(analyst.shared());
        let thread = Builder::new().name("deepfake-worker".into()).spawn(move || {
            while let Some(job) = analyst.shared().mailbox.take() {
                let result = analyst.analyse(&job);
                // The buffer goes back to its pool before anything is posted.
                drop(job);
                if let Err(error) = result
                    && let Some(element) = element.upgrade()
                    && failure::report(&element, analyst.shared(), &error)
                {
                    // No job is taken any more: none may wait for ever.
                    if analyst.shared().mailbox.close().is_some() {
                        bump(&analyst.shared().counters.failed);
                    }
                    break;
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.mailbox.close();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // The worker catches panics itself; a second one has nothing to add.
            let _ = thread.join();
        }
    }
}
