//! The probe on the streaming thread: every buffer is looked at (one fingerprint), perhaps sampled, given the
//! newest verdict, and goes on. Nothing here waits for the analysis.

use super::counters::bump;
use super::job::{Job, Moment};
use super::shared::{Published, Shared};
use crate::analysis::challenge::Report;
use crate::analysis::engine::sampler::Grid;
use crate::analysis::pixels::fingerprint::Fingerprint;
use crate::meta;
use crate::view;
use gst_video::{VideoFrameRef, VideoInfo};
use gstreamer as gst;
use gstreamer_video as gst_video;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The latest time that is taken for one (292 years): adding to it cannot overflow.
const LATEST: u64 = u64::MAX / 2;

/// The streaming thread's own state.
#[derive(Debug)]
pub struct StreamingProbe {
    shared: Arc<Shared>,
    info: Option<VideoInfo>,
    grid: Grid,
    epoch: u64,
    /// For buffers without PTS: the time of the next one, by the frame rate.
    expected: u64,
    /// The time of the present buffer, if it has any.
    now: Option<u64>,
    /// Set once the warning was posted; it is posted only once.
    pub warned_interlaced: bool,
    pub warned_timeless: bool,
}

/// What the element should do besides passing the buffer on.
#[derive(Debug, Default)]
pub struct Passed {
    /// A frame to be analysed.
    pub job: Option<Job>,
    /// Say once that interlaced video is not analysed.
    pub interlaced: bool,
    /// Say once that there is no time to go by.
    pub timeless: bool,
    /// A challenge whose answer was not judged in time.
    pub overdue: Option<Report>,
}

impl StreamingProbe {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            info: None,
            grid: Grid::default(),
            epoch: 0,
            expected: 0,
            now: None,
            warned_interlaced: false,
            warned_timeless: false,
        }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The format of the frames to come; whether it is another one than before.
    pub fn set_info(&mut self, info: VideoInfo) -> bool {
        let changed = self.info.as_ref() != Some(&info);
        self.info = Some(info);
        changed
    }

    /// Looks at a buffer; `segment` places it in time.
    pub fn look(
        &mut self,
        buffer: &gst::Buffer,
        segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
    ) -> Passed {
        let mut passed = Passed::default();
        let shared = &self.shared;
        bump(&shared.counters.seen);
        self.now = None;
        if shared.new_epoch.swap(false, Ordering::AcqRel) {
            self.epoch = shared.start_epoch();
            self.grid = Grid::default();
            self.expected = 0;
        }
        let Some(info) = &self.info else { return passed };
        if view::is_interlaced(info) {
            bump(&shared.counters.interlaced);
            passed.interlaced = !std::mem::replace(&mut self.warned_interlaced, true);
            return passed;
        }
        let frame_ns = match (info.fps().numer(), info.fps().denom()) {
            (n, d) if n > 0 && d > 0 => Some(1_000_000_000 * d as u64 / n as u64),
            _ => None,
        };
        let pts = match (buffer.pts(), frame_ns) {
            (Some(pts), _) => pts.nseconds().min(LATEST),
            (None, Some(_)) => self.expected,
            (None, None) => {
                bump(&shared.counters.timeless);
                passed.timeless = !std::mem::replace(&mut self.warned_timeless, true);
                return passed;
            }
        };
        self.now = Some(pts);
        self.expected = pts.saturating_add(frame_ns.unwrap_or_default());
        passed.overdue = shared.challenges.pass(pts);
        let print = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .ok()
            .and_then(|frame| view::with_view(&frame, Fingerprint::of).ok());
        let Some(print) = print else {
            bump(&shared.counters.unreadable);
            return passed;
        };
        shared.push_print((pts, print));
        if self.grid.hit(pts, shared.interval.load(Ordering::Relaxed)) {
            bump(&shared.counters.sampled);
            let time = gst::ClockTime::from_nseconds(pts);
            let moment = Moment {
                pts,
                running_time: segment.and_then(|s| s.to_running_time(time)).map(|t| t.nseconds()),
                stream_time: segment.and_then(|s| s.to_stream_time(time)).map(|t| t.nseconds()),
            };
            // A copy of the header: the pixels are shared, and an element that writes on them gets a copy.
            let job = Job { buffer: buffer.copy(), info: info.clone(), moment, epoch: self.epoch };
            passed.job = Some(job);
        }
        passed
    }

    /// Attaches the newest verdict, and the boxes as regions of interest.
    pub fn attach(&self, buffer: &mut gst::Buffer) -> Result<(), glib::BoolError> {
        let Some(info) = self.info.as_ref().filter(|i| !view::is_interlaced(i)) else { return Ok(()) };
        let published: arc_swap::Guard<Arc<Published>> = self.shared.published.load();
        let prepared = published.at(self.now);
        let buffer = buffer.make_mut();
        prepared.attach(buffer, self.now)?;
        if !prepared.verdict().tracks.is_empty() {
            meta::attach_rois(buffer, prepared.verdict(), info.width(), info.height());
        }
        Ok(())
    }
}
