//! Presentation attack: one still, printed, held before the camera.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::light::{Light, Room};
use crate::redteam::motion::{Hand, Motion};
use crate::redteam::print::{self, Page};
use crate::redteam::random::{Use, rng};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, Clock, FrameSource, Scene};
use crate::redteam::warp::{Kernel, warp};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How the print is made and held. Goes on for as long as frames are asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Photo {
    /// Which instant of the recording is printed, seconds; by the seed when absent.
    pub at: Option<f64>,
    /// Height of the still over the height of the picture; the larger of the two sizes fills the picture,
    /// with a little over for the movement, when absent.
    pub fill: Option<f64>,
    /// What surrounds a still that does not fill the picture.
    pub page: Page,
    /// Size of the picture; that of the recording when absent.
    pub size: Option<(u32, u32)>,
    /// Blur of the print, pixels (standard deviation).
    pub soften: f64,
    pub motion: Motion,
    pub light: Light,
}

impl Default for Photo {
    fn default() -> Self {
        Self {
            at: None,
            fill: None,
            page: Page::default(),
            size: None,
            soften: 0.6,
            motion: Motion::default(),
            light: Light::default(),
        }
    }
}

/// Without a wish, the still comes from the first seconds: nobody waits for a decoder to pass minutes.
const CHOICE_SECONDS: f64 = 20.0;

impl Photo {
    fn pick(&self, source: &mut dyn FrameSource, seed: u64) -> Result<Frame> {
        let length = source.info().duration_ns.map_or(CHOICE_SECONDS, |ns| ns as f64 / 1e9);
        let random = || rng(seed, Use::Choice, 0).random::<f64>() * 0.6 * length.min(CHOICE_SECONDS);
        let wanted = self.at.unwrap_or_else(random);
        let (mut first, mut last) = (None, None);
        while let Some(frame) = source.next_frame()? {
            let begin = *first.get_or_insert(frame.pts_ns);
            if frame.pts_ns.saturating_sub(begin) as f64 / 1e9 >= wanted - 1e-6 {
                return Ok(frame);
            }
            last = Some(frame);
        }
        // A still image has one frame, whatever time the seed chose; a time that was asked for must exist.
        last.filter(|_| self.at.is_none()).ok_or(Error::TooShort { wanted })
    }
}

impl Attack for Photo {
    fn name(&self) -> &'static str {
        "photo"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn check(&self) -> Result<()> {
        within("at", self.at.unwrap_or(0.0), 0.0, 86_400.0, "seconds from 0 up")?;
        within("fill", self.fill.unwrap_or(1.0), 0.05, 10.0, "0.05 to 10")?;
        within("soften", self.soften, 0.0, 20.0, "0 to 20 pixels")?;
        let (w, h) = self.size.unwrap_or((16, 16));
        within("size", f64::from(w), 16.0, 8192.0, "16 to 8192 pixels")?;
        within("size", f64::from(h), 16.0, 8192.0, "16 to 8192 pixels")?;
        self.motion.check()?;
        self.light.check()
    }

    fn endless(&self) -> bool {
        true
    }

    fn scene<'a>(
        &'a self,
        mut source: BoxSource<'a>,
        seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let still = self.pick(&mut source, seed)?;
        let mut info = source.info().clone();
        let even = |v: u32| (v & !1).max(2);
        let (width, height) = self.size.unwrap_or((info.width, info.height));
        (info.width, info.height) = (even(width), even(height));
        info.fps = info.fps.or(Some((25, 1)));
        if self.size.is_some() {
            info.par = (1, 1);
        }
        let aspect = |w: u32, h: u32| f64::from(w) / f64::from(h.max(1));
        let cover = (aspect(info.width, info.height) / aspect(still.width(), still.height())).max(1.0);
        let fill = self.fill.unwrap_or_else(|| cover * (1.0 + self.motion.margin()));
        let print = print::make(&still, info.width, info.height, fill, self.page, self.soften)?;
        Ok(Box::new(Show {
            hand: Hand::new(self.motion.clone(), seed),
            room: Room::new(self.light.clone(), seed),
            kernel: Kernel::new(),
            onset: still.pts_ns,
            next: Some((still.pts_ns, still.duration_ns)),
            clock: Clock::after(source, still.pts_ns),
            print,
            info,
        }))
    }
}

struct Show<'a> {
    print: Frame,
    hand: Hand,
    room: Room,
    kernel: Kernel,
    info: StreamInfo,
    onset: u64,
    next: Option<(u64, Option<u64>)>,
    clock: Clock<'a>,
}

impl FrameSource for Show<'_> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let (pts, duration) = match self.next.take() {
            Some(now) => now,
            None => self.clock.tick()?,
        };
        let seconds = pts.saturating_sub(self.onset) as f64 / 1e9;
        let moved = self.hand.homography(seconds, self.info.width, self.info.height);
        let mut frame = warp(&self.print, &moved, &self.kernel).unwrap_or_else(|| self.print.clone());
        self.room.shine(&mut frame, &self.info, seconds, self.hand.tilt(seconds));
        Ok(Some(frame.at(pts, duration)))
    }
}

impl Scene for Show<'_> {
    fn onset_pts(&self) -> Option<u64> {
        Some(self.onset)
    }
}
