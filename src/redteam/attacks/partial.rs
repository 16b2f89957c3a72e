//! Partial attacks: an attack for a part of the time, on one of two people, or across a change of the picture's size.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::forge::swap::Swap;
use crate::redteam::picture::{beside, resized};
use crate::redteam::resources::{Resources, Segment};
use crate::redteam::source::{BoxSource, FrameSource, Frames, Scene};
use serde::{Deserialize, Serialize};

/// When the attack is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PartialAttack<K> {
    /// It begins, seconds.
    pub onset: f64,
    /// It lasts so long, seconds; to the end when absent.
    pub lasts: Option<f64>,
    /// It comes again after so long, seconds.
    pub every: Option<f64>,
    /// The recording's second half has half the size in both directions.
    pub smaller: bool,
    /// Another person, whom nothing is done to, is in the picture.
    pub company: bool,
    /// The attack; it must give as many pictures as it gets.
    pub of: K,
}

impl<K: From<Swap>> Default for PartialAttack<K> {
    fn default() -> Self {
        Self {
            onset: 3.0,
            lasts: None,
            every: None,
            smaller: false,
            company: false,
            of: Swap::default().into(),
        }
    }
}

/// What is held decoded at most.
const LIMIT: usize = 2048 << 20;

/// All that a source has.
fn collect(source: &mut dyn FrameSource) -> Result<Vec<Frame>> {
    let (mut frames, mut bytes): (Vec<Frame>, usize) = (Vec::new(), 0);
    while let Some(frame) = source.next_frame()? {
        bytes += frame.data().len();
        if bytes > LIMIT {
            return Err(Error::TooMuchMemory { wanted: frame.pts_ns as f64 / 1e9, limit_mib: LIMIT >> 20 });
        }
        frames.push(frame);
    }
    Ok(frames)
}

impl<K: Attack> Attack for PartialAttack<K> {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn family(&self) -> Family {
        // A control stays one, whatever the size of its picture.
        match self.of.family() {
            Family::Control => Family::Control,
            _ => Family::Partial,
        }
    }

    fn check(&self) -> Result<()> {
        within("onset", self.onset, 0.0, 86_400.0, "seconds from 0 up")?;
        within("lasts", self.lasts.unwrap_or(1.0), 0.01, 86_400.0, "seconds above 0")?;
        within("every", self.every.unwrap_or(1.0), 0.1, 86_400.0, "0.1 seconds or more")?;
        self.of.check()
    }

    fn scene<'a>(
        &'a self,
        mut source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        let genuine = collect(&mut source)?;
        let copy = Box::new(Frames::new(info.clone(), genuine.iter().cloned()));
        let attack = self.of.render(copy, seed, resources)?;
        let half = genuine.len() / 2;
        let company = match (self.company, &resources.other) {
            (true, None) => {
                return Err(Error::Missing { attack: "gate", what: "a recording of another person" });
            }
            (true, Some(segment)) => Some(segment),
            _ => None,
        };
        Ok(Box::new(PartialScene {
            parameters: self,
            info,
            genuine: genuine.into_iter(),
            attack,
            half,
            company,
            at: 0,
            onset: None,
        }))
    }
}

struct PartialScene<'a, K> {
    parameters: &'a PartialAttack<K>,
    info: StreamInfo,
    genuine: std::vec::IntoIter<Frame>,
    attack: Box<dyn Scene + 'a>,
    half: usize,
    company: Option<&'a Segment>,
    at: usize,
    onset: Option<u64>,
}

impl<K> PartialScene<'_, K> {
    fn is_on(&self, seconds: f64) -> bool {
        let since = seconds - self.parameters.onset;
        let since = match self.parameters.every {
            Some(every) if since >= 0.0 => since % every,
            _ => since,
        };
        since >= 0.0 && self.parameters.lasts.is_none_or(|lasts| since < lasts)
    }
}

impl<K> FrameSource for PartialScene<'_, K> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.genuine.next() else { return Ok(None) };
        let forged = self.attack.next_frame()?;
        let index = self.at;
        self.at += 1;
        let mut out = frame.clone();
        if self.is_on(frame.pts_ns as f64 / 1e9)
            && let Some(forged) = forged
        {
            if self.attack.onset_pts().is_some() {
                self.onset.get_or_insert(frame.pts_ns);
            }
            out = forged.at(frame.pts_ns, frame.duration_ns);
        }
        if let Some(segment) = self.company
            && let Some(other) = Resources::swing(segment, index)
        {
            out = beside(&out, other)?;
        }
        if self.parameters.smaller && index >= self.half {
            out = resized(&out, out.width() / 2, out.height() / 2)?;
        }
        Ok(Some(out))
    }
}

impl<K> Scene for PartialScene<'_, K> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}
