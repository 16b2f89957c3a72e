//! Partial attack: genuine for a while, then another attack, in one unbroken stream.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::attacks::photo::Photo;
use crate::redteam::error::{Error, Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, HeadThenRest, Scene};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Splice<K> {
    /// When the attack begins, seconds.
    pub onset: f64,
    /// The attack. What it sees of the recording begins with the last genuine frame.
    pub then: K,
}

impl<K: From<Photo>> Default for Splice<K> {
    fn default() -> Self {
        Self { onset: 20.0, then: Photo { at: Some(0.0), ..Photo::default() }.into() }
    }
}

impl<K: Attack> Attack for Splice<K> {
    fn name(&self) -> &'static str {
        "splice"
    }

    fn family(&self) -> Family {
        Family::Partial
    }

    fn check(&self) -> Result<()> {
        within("onset", self.onset, 0.001, 86_400.0, "seconds above 0")?;
        self.then.check()
    }

    fn endless(&self) -> bool {
        self.then.endless()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        Ok(Box::new(Spliced {
            splice: self,
            seed,
            resources,
            info,
            first: None,
            last: None,
            part: Part::Genuine(source),
        }))
    }
}

enum Part<'a> {
    Genuine(BoxSource<'a>),
    Attack { scene: Box<dyn Scene + 'a>, shift: u64, last_genuine: u64, onset: Option<u64> },
    Over,
}

struct Spliced<'a, K> {
    splice: &'a Splice<K>,
    seed: u64,
    resources: &'a Resources,
    info: StreamInfo,
    first: Option<u64>,
    last: Option<Frame>,
    part: Part<'a>,
}

impl<'a, K: Attack> Spliced<'a, K> {
    /// Hands the recording over, from the last genuine frame on.
    fn switch(&mut self, next: Frame, rest: BoxSource<'a>) -> Result<()> {
        let last = self.last.take().ok_or(Error::TooShort { wanted: self.splice.onset })?;
        let last_genuine = last.pts_ns;
        let source = Box::new(HeadThenRest { head: [last, next].into(), rest });
        let scene = self.splice.then.render(source, self.seed, self.resources)?;
        // Scenes that re-time their frames begin at 0; those that keep the recording's time do not.
        self.part = Part::Attack { scene, shift: 0, last_genuine, onset: None };
        Ok(())
    }
}

impl<K: Attack> FrameSource for Spliced<'_, K> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if let Part::Genuine(source) = &mut self.part {
            let Some(frame) = source.next_frame()? else {
                return Err(Error::TooShort { wanted: self.splice.onset });
            };
            let first = *self.first.get_or_insert(frame.pts_ns);
            let begin = first.saturating_add((self.splice.onset * 1e9) as u64);
            // Half a frame of room: rounded time stamps must not move the switch by a frame.
            if self.last.is_none() || frame.pts_ns.saturating_add(self.info.frame_ns() / 2) < begin {
                self.last = Some(frame.clone());
                return Ok(Some(frame));
            }
            if let Part::Genuine(rest) = std::mem::replace(&mut self.part, Part::Over) {
                self.switch(frame, rest)?;
            }
        }
        let Part::Attack { scene, shift, last_genuine, onset } = &mut self.part else { return Ok(None) };
        while let Some(frame) = scene.next_frame()? {
            if onset.is_none() && frame.pts_ns < *last_genuine {
                *shift = *last_genuine;
            }
            let pts = frame.pts_ns.saturating_add(*shift);
            // Its first picture is the last genuine one's: that instant has been shown.
            if pts > *last_genuine {
                onset.get_or_insert(pts);
                return Ok(Some(frame.at(pts, frame.duration_ns)));
            }
        }
        Ok(None)
    }
}

impl<K: Attack> Scene for Spliced<'_, K> {
    fn onset_pts(&self) -> Option<u64> {
        match &self.part {
            Part::Attack { onset, .. } => *onset,
            _ => None,
        }
    }
}
