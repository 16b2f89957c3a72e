//! Partial attacks: an attack for a part of the time, on one of two people, or across a change of the picture's size.

use super::super::error::{Error, Result, within};
use super::super::faces::Props;
use super::super::forge::tile::scale;
use super::super::source::{BoxSource, FrameSource, Frames, Scene};
use super::super::{Attack, Family, Kind};
use crate::recorded::{Error as RecordedError, Frame, StreamInfo};
use serde::{Deserialize, Serialize};

/// When the attack is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gate {
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
    pub of: Box<Kind>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            onset: 3.0,
            lasts: None,
            every: None,
            smaller: false,
            company: false,
            of: Box::new(Kind::Swap(super::super::Swap::default())),
        }
    }
}

/// What is held decoded at most.
const LIMIT: usize = 2048 << 20;

/// All that a source has.
pub(crate) fn collect(source: &mut dyn FrameSource) -> Result<Vec<Frame>> {
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

impl Attack for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn family(&self) -> Family {
        // A control stays one, whatever the size of its picture.
        match self.of.as_attack().family() {
            Family::Control => Family::Control,
            _ => Family::Partial,
        }
    }

    fn check(&self) -> Result<()> {
        within("onset", self.onset, 0.0, 86_400.0, "seconds from 0 up")?;
        within("lasts", self.lasts.unwrap_or(1.0), 0.01, 86_400.0, "seconds above 0")?;
        within("every", self.every.unwrap_or(1.0), 0.1, 86_400.0, "0.1 seconds or more")?;
        self.of.as_attack().check()
    }

    fn scene<'a>(
        &'a self,
        mut source: BoxSource<'a>,
        seed: u64,
        props: &'a Props,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        let genuine = collect(&mut source)?;
        let copy = Box::new(Frames::new(info.clone(), genuine.iter().cloned()));
        let attack = self.of.as_attack().render(copy, seed, props)?;
        let half = genuine.len() / 2;
        let company = match (self.company, &props.other) {
            (true, None) => {
                return Err(Error::Missing { attack: "gate", what: "a recording of another person" });
            }
            (true, Some(take)) => Some(take),
            _ => None,
        };
        Ok(Box::new(Gated {
            gate: self,
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

struct Gated<'a> {
    gate: &'a Gate,
    info: StreamInfo,
    genuine: std::vec::IntoIter<Frame>,
    attack: Box<dyn Scene + 'a>,
    half: usize,
    company: Option<&'a super::super::Take>,
    at: usize,
    onset: Option<u64>,
}

impl Gated<'_> {
    fn open(&self, seconds: f64) -> bool {
        let since = seconds - self.gate.onset;
        let since = match self.gate.every {
            Some(every) if since >= 0.0 => since % every,
            _ => since,
        };
        since >= 0.0 && self.gate.lasts.is_none_or(|lasts| since < lasts)
    }
}

impl FrameSource for Gated<'_> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.genuine.next() else { return Ok(None) };
        let forged = self.attack.next_frame()?;
        let index = self.at;
        self.at += 1;
        let mut out = frame.clone();
        if self.open(frame.pts_ns as f64 / 1e9)
            && let Some(forged) = forged
        {
            if self.attack.onset_pts().is_some() {
                self.onset.get_or_insert(frame.pts_ns);
            }
            out = forged.at(frame.pts_ns, frame.duration_ns);
        }
        if let Some(take) = self.company
            && let Some(other) = Props::swing(take, index)
        {
            out = beside(&out, other)?;
        }
        if self.gate.smaller && index >= self.half {
            out = resized(&out, out.width() / 2, out.height() / 2)?;
        }
        Ok(Some(out))
    }
}

impl Scene for Gated<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}

/// The picture in another size, both even.
pub(crate) fn resized(frame: &Frame, width: u32, height: u32) -> Result<Frame> {
    let (width, height) = ((width & !1).max(16), (height & !1).max(16));
    if (width, height) == (frame.width(), frame.height()) {
        return Ok(frame.clone());
    }
    let sizes = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
    let mut data = Vec::with_capacity((width * height) as usize * 3 / 2);
    for ((pixels, w, h), to) in frame.planes().into_iter().zip(sizes) {
        let plane: Vec<f32> = pixels.iter().map(|p| f32::from(*p)).collect();
        let to = (to.0 as usize, to.1 as usize);
        data.extend(scale(&plane, (w as usize, h as usize), to).into_iter().map(|v| (v + 0.5) as u8));
    }
    Ok(Frame::new(frame.pts_ns, frame.duration_ns, width, height, data)?)
}

/// Two pictures beside each other, the middle half of each.
fn beside(left: &Frame, right: &Frame) -> Result<Frame> {
    let right = resized(right, left.width(), left.height())?;
    let (w, h) = (left.width() as usize, left.height() as usize);
    let mut data = Vec::with_capacity(w * h * 3 / 2);
    for ((a, pw, _), (b, _, _)) in left.planes().into_iter().zip(right.planes()) {
        let pw = (pw as usize).max(1);
        let (quarter, half) = (pw / 4, pw / 2);
        for (a, b) in a.chunks_exact(pw).zip(b.chunks_exact(pw)) {
            data.extend(a.iter().skip(quarter).take(half));
            data.extend(b.iter().skip(quarter).take(pw - half));
        }
    }
    Frame::new(left.pts_ns, left.duration_ns, left.width(), left.height(), data)
        .map_err(|e: RecordedError| e.into())
}
