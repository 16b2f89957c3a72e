//! One buffer on the streaming thread: looked at, passed to the analysis if it is sampled, given the newest verdict.

use super::counters::bump;
use super::failure;
use super::log::CAT;
use super::settings::OnError;
use super::state::{Detect, Running};
use crate::analysis::judgement::verdict::{Condition, Verdict};
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Detect {
    /// The buffer as it goes on.
    pub(super) fn process(&self, mut buffer: gst::Buffer) -> Result<gst::Buffer, gst::FlowError> {
        let mut running = self.running.try_borrow_mut().map_err(|_| gst::FlowError::Flushing)?;
        let Some(Running { probe, analyst, .. }) = running.as_mut() else {
            return Err(gst::FlowError::Flushing);
        };
        let shared = Arc::clone(probe.shared());
        if shared.blocked.load(Ordering::Acquire) {
            return Err(gst::FlowError::Error);
        }
        let broken = shared.broken.load(Ordering::Acquire);
        if broken && shared.settings().on_error == OnError::Fail {
            return Err(gst::FlowError::Error);
        }
        let segment = self.obj().segment();
        let passed = probe.look(&buffer, segment.downcast_ref::<gst::ClockTime>());
        if let Some(report) = passed.overdue {
            self.post_challenge(report);
        }
        if passed.interlaced {
            gst::element_imp_warning!(
                self,
                gst::StreamError::NotImplemented,
                ("Interlaced video passes unanalysed: put `deinterlace` before deepfakedetect")
            );
        }
        if passed.timeless {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Buffers without PTS and frame rate pass unanalysed: put `videorate` or a clock before deepfakedetect")
            );
        }
        if broken {
            let failed = Verdict {
                condition: Condition::Failed,
                ..Verdict::not_analysed(shared.epoch.load(Ordering::Acquire))
            };
            let last = shared.published.load().verdict().condition;
            if last != Condition::Failed {
                shared.publish(Arc::new(failed), u64::MAX);
            }
            if passed.job.is_some() {
                bump(&shared.counters.failed);
            }
        } else if let Some(job) = passed.job {
            match analyst {
                Some(analyst) => {
                    if let Err(error) = analyst.analyse(&job)
                        && failure::report(self.obj().upcast_ref(), &shared, &error)
                        && shared.settings().on_error == OnError::Fail
                    {
                        return Err(gst::FlowError::Error);
                    }
                }
                None => {
                    if shared.mailbox.put(job).is_some() {
                        bump(&shared.counters.replaced);
                    }
                }
            }
        }
        if let Err(error) = probe.attach(&mut buffer) {
            gst::warning!(CAT, imp = self, "cannot attach the verdict: {error}");
        }
        Ok(buffer)
    }
}
