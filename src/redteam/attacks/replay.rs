//! Timing attack: a few seconds of the recording again and again.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, From0, Scene};
use serde::{Deserialize, Serialize};

/// How one pass goes over into the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seam {
    /// A plain jump.
    #[default]
    Cut,
    /// Forwards, then backwards, and so on.
    PingPong,
    /// The end of a pass fades into the beginning of the next, seconds.
    CrossFade(f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replay {
    /// Where the piece begins, seconds.
    pub start: f64,
    /// How long the piece is, seconds.
    pub length: f64,
    /// How often it is shown; without end when absent.
    pub repeats: Option<u32>,
    pub seam: Seam,
}

impl Default for Replay {
    fn default() -> Self {
        Self { start: 0.0, length: 3.0, repeats: None, seam: Seam::Cut }
    }
}

/// The piece is held decoded.
const LIMIT_MIB: usize = 2048;

impl Replay {
    fn piece(&self, source: BoxSource<'_>) -> Result<(Vec<Frame>, u64)> {
        let mut source = From0::new(source, (self.start * 1e9) as u64);
        let length = (self.length * 1e9) as u64;
        let frame_ns = source.info().frame_ns();
        let (mut frames, mut bytes) = (Vec::new(), 0usize);
        while let Some(frame) = source.next_frame()? {
            // Rounded time stamps may put the last frame a little early.
            if frame.pts_ns.saturating_add(frame_ns / 2) >= length {
                return Ok((frames, frame.pts_ns));
            }
            bytes += frame.data().len();
            if bytes > LIMIT_MIB << 20 {
                return Err(Error::TooMuchMemory { wanted: self.length, limit_mib: LIMIT_MIB });
            }
            frames.push(frame);
        }
        // The recording may end with the piece, but not before.
        let end = frames.last().map_or(0, |f| f.pts_ns + f.duration_ns.unwrap_or(frame_ns));
        match frames.len() {
            0 => Err(Error::TooShort { wanted: self.start }),
            1 => Err(Error::StillSource { attack: "loop" }),
            _ if end.saturating_add(frame_ns) < length => {
                Err(Error::TooShort { wanted: self.start + self.length })
            }
            _ => Ok((frames, end)),
        }
    }
}

impl Attack for Replay {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn family(&self) -> Family {
        Family::Timing
    }

    fn check(&self) -> Result<()> {
        within("start", self.start, 0.0, 86_400.0, "seconds from 0 up")?;
        within("length", self.length, 0.1, 600.0, "0.1 to 600 seconds")?;
        within("repeats", f64::from(self.repeats.unwrap_or(1)), 1.0, 1e6, "1 or more")?;
        if let Seam::CrossFade(fade) = self.seam {
            within("cross-fade", fade, 0.0, self.length / 2.0, "0 to half the length of the loop")?;
        }
        Ok(())
    }

    fn endless(&self) -> bool {
        self.repeats.is_none()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        _seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        let (frames, end) = self.piece(source)?;
        let (pass, period) = one_pass(frames, end, self.seam);
        Ok(Box::new(Again { info, repeats: self.repeats, pass, period, at: 0, round: 0, onset: None }))
    }
}

/// The frames of the first and of every further pass (PTS from 0), and how long a pass lasts.
struct Pass {
    first: Vec<Frame>,
    further: Vec<Frame>,
}

fn one_pass(frames: Vec<Frame>, end: u64, seam: Seam) -> (Pass, u64) {
    match seam {
        Seam::Cut => (Pass { further: frames.clone(), first: frames }, end),
        Seam::PingPong => {
            // The turning frames are shown once: twice in a row would be a freeze of one frame.
            let mut both = frames.clone();
            let inner = frames.get(1..frames.len().saturating_sub(1)).unwrap_or_default();
            let top = frames.last().map_or(0, |f| f.pts_ns);
            let back = inner.iter().rev().map(|f| f.at(top + (top - f.pts_ns), f.duration_ns));
            both.extend(back);
            (Pass { further: both.clone(), first: both }, top * 2)
        }
        Seam::CrossFade(seconds) => {
            let begin = end.saturating_sub((seconds * 1e9) as u64);
            let cut = frames.iter().position(|f| f.pts_ns >= begin).unwrap_or(frames.len());
            let (body, tail) = frames.split_at(cut);
            let period = tail.first().map_or(end, |f| f.pts_ns);
            let mut further = body.to_vec();
            let n = tail.len() + 1;
            for (i, (head, tail)) in further.iter_mut().zip(tail).enumerate() {
                fade(head, tail, (i + 1) as f32 / n as f32);
            }
            (Pass { first: body.to_vec(), further }, period)
        }
    }
}

/// `head` comes in with weight `t`, `tail` goes out.
fn fade(head: &mut Frame, tail: &Frame, t: f32) {
    for (target, (old, _, _)) in head.planes_mut().into_iter().zip(tail.planes()) {
        for (new, old) in target.iter_mut().zip(old) {
            *new = (f32::from(*new) * t + f32::from(*old) * (1.0 - t) + 0.5) as u8;
        }
    }
}

struct Again {
    info: StreamInfo,
    repeats: Option<u32>,
    pass: Pass,
    period: u64,
    at: usize,
    round: u64,
    onset: Option<u64>,
}

impl FrameSource for Again {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.at >= self.pass.first.len() {
            (self.at, self.round) = (0, self.round + 1);
        }
        if self.repeats.is_some_and(|n| self.round >= u64::from(n)) {
            return Ok(None);
        }
        let pass = if self.round == 0 { &self.pass.first } else { &self.pass.further };
        let Some(frame) = pass.get(self.at) else { return Ok(None) };
        self.at += 1;
        let pts = self.round.saturating_mul(self.period).saturating_add(frame.pts_ns);
        if self.round == 1 && self.onset.is_none() {
            self.onset = Some(pts);
        }
        Ok(Some(frame.at(pts, frame.duration_ns)))
    }
}

impl Scene for Again {
    /// The first pass is a genuine recording shown once; the attack begins with what is shown again.
    fn onset_pts(&self) -> Option<u64> {
        self.onset
    }
}
