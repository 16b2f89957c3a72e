//! What events and caps mean for the analysis: epochs, flushes, the end of the stream.

use super::counters::bump;
use super::log::CAT;
use super::state::Detect;
use crate::analysis::challenge::Reason;
use crate::lock::lock;
use gst::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long EOS waits for the analysis of the last frame.
const DRAIN: Duration = Duration::from_secs(2);

impl Detect {
    /// The format of the frames to come.
    pub(super) fn take_caps(&self, incaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|e| gst::loggable_error!(CAT, "caps are no video: {e}"))?;
        if let (Some(shared), Some(frame)) = (self.shared(), frame_duration(&info)) {
            shared.challenges.set_frame(frame);
        }
        let changed = self.running.borrow_mut().as_mut().is_none_or(|running| running.probe.set_info(info));
        // A renegotiation that ends where it began is no new stream.
        if changed {
            self.begin_epoch("caps");
        }
        Ok(())
    }

    /// An event from upstream: what it means for the analysis. `Some` for one that asks this element for
    /// a challenge and goes no further: whether it was opened.
    pub(super) fn take_sink_event(&self, event: &gst::EventRef) -> Option<bool> {
        if let Some(opened) = self.challenge_event(event) {
            return Some(opened);
        }
        match event.view() {
            gst::EventView::FlushStart(_) => {
                if let Some(shared) = self.shared()
                    && shared.mailbox.interrupt().is_some()
                {
                    bump(&shared.counters.stale);
                }
            }
            gst::EventView::FlushStop(_) => {
                *lock(&self.segment) = None;
                self.begin_epoch("flush");
            }
            gst::EventView::StreamStart(_) => self.begin_epoch("stream-start"),
            gst::EventView::Segment(e) => {
                let old = lock(&self.segment).replace(e.segment().clone());
                if old.as_ref() != Some(e.segment()) {
                    self.begin_epoch("segment");
                }
            }
            gst::EventView::Eos(_) => self.finish(),
            _ => {}
        }
        None
    }

    /// Another person: the next buffer begins a new epoch and a new session.
    pub(super) fn begin_session(&self) {
        if let Some(shared) = self.shared() {
            shared.new_session.store(true, Ordering::Release);
            shared.standing.store(Default::default());
        }
        self.begin_epoch("reset");
        if let Some(shared) = self.shared() {
            shared.challenges.forget_results();
        }
    }

    /// The next buffer begins a new epoch.
    pub(super) fn begin_epoch(&self, why: &str) {
        if let Some(shared) = self.shared() {
            gst::debug!(CAT, imp = self, "new epoch: {why}");
            // Read before: the next buffer may begin the epoch as soon as it is asked for.
            let next = shared.epoch.load(Ordering::Acquire) + 1;
            shared.new_epoch.store(true, Ordering::Release);
            self.end_challenge(next, Reason::NewEpoch);
        }
    }

    /// End of stream: the last frame is waited for, a little, and the summary is posted.
    fn finish(&self) {
        let publisher = match self.running.try_borrow() {
            Ok(running) => running.as_ref().and_then(|r| r.publisher.clone()),
            Err(_) => None,
        };
        if let Some(shared) = self.shared()
            && !shared.broken.load(Ordering::Acquire)
            && !shared.mailbox.drain(DRAIN)
        {
            gst::warning!(CAT, imp = self, "end of stream before the last frame was analysed");
        }
        if let Some(shared) = self.shared()
            && let Some(report) = shared.challenges.cancel(Reason::EndOfStream)
        {
            self.post_challenge(report);
        }
        if let Some(publisher) = publisher {
            publisher.summary();
        }
    }
}

/// Nanoseconds between two frames; `None` where the caps have no frame rate.
fn frame_duration(info: &gst_video::VideoInfo) -> Option<u64> {
    let (n, d) = (u64::try_from(info.fps().numer()).ok()?, u64::try_from(info.fps().denom()).ok()?);
    (n > 0).then(|| 1_000_000_000 * d / n)
}
