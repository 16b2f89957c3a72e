//! Timing: pictures that come again, are left out, or come with times that no camera gives.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::random::{Use, rng};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// What is done to the stream's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trick {
    /// Every so many pictures the one before is shown again.
    Duplicate(u32),
    /// Every so many pictures one is missing.
    Drop(u32),
    /// Pulled up from the first rate to the second by showing pictures twice.
    Rate(f64, f64),
    /// Times exactly on the grid of the nominal rate.
    Perfect,
    /// Jitter that is invented, milliseconds: normally distributed and independent, as no bus gives it.
    Jitter(f64),
    /// A clock that goes wrong by parts in a million.
    Skew(f64),
    /// At half of the recording it goes on at another time of it.
    Cut,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cadence {
    pub trick: Trick,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { trick: Trick::Duplicate(5) }
    }
}

impl Attack for Cadence {
    fn name(&self) -> &'static str {
        "cadence"
    }

    fn family(&self) -> Family {
        Family::Timing
    }

    fn check(&self) -> Result<()> {
        match self.trick {
            Trick::Duplicate(n) | Trick::Drop(n) => within("trick", f64::from(n), 2.0, 1000.0, "2 to 1000"),
            Trick::Rate(a, b) => {
                within("trick", a, 1.0, 240.0, "1 to 240 frames a second")?;
                within("trick", b, a, 240.0, "a second rate above the first, to 240")
            }
            Trick::Jitter(ms) => within("trick", ms, 0.0, 200.0, "0 to 200 ms"),
            Trick::Skew(ppm) => within("trick", ppm, -1e5, 1e5, "-100000 to 100000"),
            Trick::Perfect | Trick::Cut => Ok(()),
        }
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let mut info = source.info().clone();
        let later = match (self.trick, &resources.later) {
            (Trick::Cut, None) => {
                return Err(Error::Missing { attack: "cadence", what: "another time of the recording" });
            }
            (Trick::Cut, Some(segment)) => segment.frames.clone(),
            _ => Vec::new(),
        };
        if let Trick::Rate(_, to) = self.trick {
            info.fps = Some(((to * 1000.0).round() as u32, 1000));
        }
        let half = info.duration_ns.unwrap_or(8_000_000_000) / 2;
        Ok(Box::new(Played {
            trick: self.trick,
            source,
            info,
            later: later.into_iter(),
            half,
            rng: rng(seed, Use::Times, 0),
            taken: 0,
            given: 0,
            held: None,
            last: None,
            onset: None,
        }))
    }
}

struct Played<'a> {
    trick: Trick,
    source: BoxSource<'a>,
    info: StreamInfo,
    later: std::vec::IntoIter<Frame>,
    half: u64,
    rng: ChaCha8Rng,
    taken: u64,
    given: u64,
    held: Option<Frame>,
    last: Option<u64>,
    onset: Option<u64>,
}

impl Played<'_> {
    fn take(&mut self) -> Result<Option<Frame>> {
        self.taken += 1;
        self.source.next_frame()
    }

    fn tricked(&mut self) -> Result<Option<Frame>> {
        let frame = match self.trick {
            Trick::Rate(from, to) => {
                // Frame n of the new rate shows the newest one of the old rate.
                let wanted = (self.given as f64 * from / to) as u64;
                while self.taken <= wanted {
                    match self.take()? {
                        Some(frame) => self.held = Some(frame),
                        None => return Ok(None),
                    }
                }
                let due = (self.given as f64 * 1e9 / to) as u64;
                self.held.as_ref().map(|f| f.at(due, Some((1e9 / to) as u64)))
            }
            Trick::Drop(n) => {
                let mut frame = self.take()?;
                if self.taken.is_multiple_of(u64::from(n)) {
                    frame = self.take()?;
                }
                frame
            }
            Trick::Cut => {
                let Some(frame) = self.take()? else { return Ok(None) };
                if frame.pts_ns < self.half {
                    return Ok(Some(frame));
                }
                let next = self.later.next().unwrap_or_else(|| frame.clone());
                self.onset.get_or_insert(frame.pts_ns);
                return Ok(Some(next.at(frame.pts_ns, frame.duration_ns)));
            }
            trick => {
                let Some(frame) = self.take()? else { return Ok(None) };
                let n = self.taken - 1;
                let shown = match (trick, self.held.take()) {
                    (Trick::Duplicate(every), Some(before))
                        if n % u64::from(every) == u64::from(every) - 1 =>
                    {
                        before.at(frame.pts_ns, frame.duration_ns)
                    }
                    _ => frame.clone(),
                };
                self.held = Some(frame);
                let pts = shown.pts_ns;
                let pts = match trick {
                    Trick::Perfect => self.info.due_ns(n),
                    Trick::Jitter(ms) => {
                        let normal: f64 = StandardNormal.sample(&mut self.rng);
                        (pts as f64 + normal.clamp(-3.0, 3.0) * ms * 1e6).max(0.0) as u64
                    }
                    Trick::Skew(ppm) => (pts as f64 * (1.0 + ppm * 1e-6)) as u64,
                    _ => pts,
                };
                Some(shown.at(pts, shown.duration_ns))
            }
        };
        if let Some(frame) = &frame {
            self.onset.get_or_insert(frame.pts_ns);
        }
        Ok(frame)
    }
}

impl FrameSource for Played<'_> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.tricked()? else { return Ok(None) };
        self.given += 1;
        // Whatever the trick: time does not go back.
        let pts = self.last.map_or(frame.pts_ns, |last| frame.pts_ns.max(last + 1_000_000));
        self.last = Some(pts);
        Ok(Some(frame.at(pts, frame.duration_ns)))
    }
}

impl Scene for Played<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}

/// A network that stalls: now and then the picture stands still for a moment, then goes on where the call is. Genuine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stall {
    /// Mean time between two, seconds.
    pub every: f64,
    /// The longest, seconds.
    pub longest: f64,
}

impl Default for Stall {
    fn default() -> Self {
        Self { every: 3.0, longest: 0.8 }
    }
}

impl Attack for Stall {
    fn name(&self) -> &'static str {
        "stall"
    }

    fn family(&self) -> Family {
        Family::Control
    }

    fn check(&self) -> Result<()> {
        within("every", self.every, 0.1, 600.0, "0.1 to 600 seconds")?;
        within("longest", self.longest, 0.0, 60.0, "0 to 60 seconds")
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let mut rng = rng(seed, Use::Times, 0);
        let mut at = 0.0;
        let spans = (0..2000).map(|_| {
            at += self.every * (0.5 + rng.random::<f64>());
            let length = self.longest * (0.3 + 0.7 * rng.random::<f64>());
            let span = (at, at + length);
            at += length;
            span
        });
        Ok(Box::new(Stalled { spans: spans.collect(), source, held: None }))
    }
}

struct Stalled<'a> {
    spans: Vec<(f64, f64)>,
    source: BoxSource<'a>,
    held: Option<Frame>,
}

impl FrameSource for Stalled<'_> {
    fn info(&self) -> &StreamInfo {
        self.source.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.source.next_frame()? else { return Ok(None) };
        let seconds = frame.pts_ns as f64 / 1e9;
        let stalled = self.spans.iter().any(|(from, to)| (*from..*to).contains(&seconds));
        match &self.held {
            Some(held) if stalled => Ok(Some(held.at(frame.pts_ns, frame.duration_ns))),
            _ => {
                self.held = Some(frame.clone());
                Ok(Some(frame))
            }
        }
    }
}

impl Scene for Stalled<'_> {
    fn onset_pts(&self) -> Option<u64> {
        None
    }
}
