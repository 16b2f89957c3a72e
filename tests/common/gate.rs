//! An analysis that takes as long as a test wants: the worker posts its verdict messages from its own thread, so a
//! bus handler that waits holds it up. Nothing sleeps, nothing depends on the machine.

use gstreamer as gst;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Inside {
    open: bool,
    /// Messages that have come to the gate.
    arrived: u64,
}

/// Closed at first. Opens for good when dropped, so that a failing test does not hang.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<Inside>, Condvar)>);

impl Gate {
    /// Holds up whoever posts a message of that name on `bus`.
    pub fn before(bus: &gst::Bus, name: &'static str) -> Opener {
        let gate = Self::default();
        let inside = gate.clone();
        bus.set_sync_handler(move |_, message| {
            if message.structure().is_some_and(|s| s.name() == name) {
                inside.enter();
            }
            gst::BusSyncReply::Pass
        });
        Opener(gate)
    }

    fn enter(&self) {
        let (lock, changed) = &*self.0;
        let mut inside = lock.lock().unwrap();
        inside.arrived += 1;
        changed.notify_all();
        let (_inside, late) = changed.wait_timeout_while(inside, PATIENCE, |i| !i.open).unwrap();
        assert!(!late.timed_out(), "nobody opened the gate");
    }

    /// Waits until that many messages have come in all.
    pub fn wait_for_arrivals(&self, count: u64) {
        let (lock, changed) = &*self.0;
        let (_inside, late) =
            changed.wait_timeout_while(lock.lock().unwrap(), PATIENCE, |i| i.arrived < count).unwrap();
        assert!(!late.timed_out(), "the worker never came to the gate");
    }

    pub fn open(&self) {
        let (lock, changed) = &*self.0;
        lock.lock().unwrap().open = true;
        changed.notify_all();
    }
}

/// See [`Gate`].
pub struct Opener(Gate);

impl std::ops::Deref for Opener {
    type Target = Gate;
    fn deref(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.open();
    }
}
