//! The two simplest conditions: nothing done (a control that must not alarm), and the picture that stops.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use serde::{Deserialize, Serialize};

/// The genuine recording, only filmed and coded again like every attack: whatever the noise and the codec
/// do, they do here too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reencode {}

impl Attack for Reencode {
    fn name(&self) -> &'static str {
        "reencode"
    }

    fn family(&self) -> Family {
        Family::Control
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        _seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        Ok(Box::new(Stopping { source, from: None, until: None, first: None, held: None, onset: None }))
    }
}

/// The picture stops: the same frame again, exactly (before the noise), while time goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Freeze {
    /// When it stops, seconds.
    pub onset: f64,
    /// For how long, seconds; to the end when absent.
    pub hold: Option<f64>,
}

impl Default for Freeze {
    fn default() -> Self {
        Self { onset: 10.0, hold: None }
    }
}

impl Attack for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }

    fn family(&self) -> Family {
        Family::Timing
    }

    fn check(&self) -> Result<()> {
        within("onset", self.onset, 0.0, 86_400.0, "seconds from 0 up")?;
        within("hold", self.hold.unwrap_or(1.0), 0.001, 86_400.0, "seconds above 0")
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        _seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let ns = |s: f64| (s * 1e9) as u64;
        let until = self.hold.map(|hold| ns(self.onset + hold));
        Ok(Box::new(Stopping {
            source,
            from: Some(ns(self.onset)),
            until,
            first: None,
            held: None,
            onset: None,
        }))
    }
}

struct Stopping<'a> {
    source: BoxSource<'a>,
    from: Option<u64>,
    until: Option<u64>,
    first: Option<u64>,
    held: Option<Frame>,
    onset: Option<u64>,
}

impl FrameSource for Stopping<'_> {
    fn info(&self) -> &StreamInfo {
        self.source.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.source.next_frame()? else { return Ok(None) };
        let elapsed = frame.pts_ns.saturating_sub(*self.first.get_or_insert(frame.pts_ns));
        let stopped =
            self.from.is_some_and(|from| elapsed >= from) && self.until.is_none_or(|end| elapsed < end);
        if !stopped {
            self.held = Some(frame.clone());
            return Ok(Some(frame));
        }
        // When it stops at the very first frame there is nothing before to hold.
        let held = self.held.get_or_insert_with(|| frame.clone());
        self.onset.get_or_insert(frame.pts_ns);
        Ok(Some(held.at(frame.pts_ns, frame.duration_ns)))
    }
}

impl Scene for Stopping<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}
