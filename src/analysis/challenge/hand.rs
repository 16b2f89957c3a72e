//! Pass a hand before the face, some times: it must be hidden, and come back as the same one.
//!
//! Swaps and reenactment fit a face onto what they find; a hand before it makes them tear, smear or lose the face for
//! some frames. Judged here is that the face is hidden and comes back as often as asked; what a swap shows in between is
//! for the networks that watch the face, and for a person who looks.

use super::draws::Draws;
use super::report::Reason;
use super::request::{Refusal, Request, within};
use super::ruling::{Judge, REACTION, Ruling, millis};
use super::sample::{Baseline, CELLS, Sample, difference};

/// Passes that can be asked for, and that are drawn.
const COUNT: std::ops::RangeInclusive<u32> = 1..=4;
const DRAWN: (u32, u32) = (1, 3);
/// How different a face is that is hidden, and one that is back. Left alone, faces of two demonstration clips differ from
/// themselves by 0.28 at most; behind each of 14 painted hands they stayed above 0.32 for 0.15 s of 0.6 s.
const HIDDEN: f64 = 0.32;
const BACK: f64 = 0.2;
/// Presence lost from which a face is hidden.
const PRESENCE: f64 = 0.3;
/// A pass lasts so long, ns.
const SHORTEST: u64 = 80_000_000;
const LONGEST: u64 = 1_800_000_000;
/// How long a face must be back for the next pass to be another one, and for the last one to be the last.
const BETWEEN: u64 = 200_000_000;
const OVER: u64 = 1_200_000_000;

pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Option<u32>, Refusal> {
    match within("count", request.count, COUNT)? {
        Some(count) => Ok(Some(count)),
        None => Ok(draws.between(DRAWN.0, DRAWN.1)),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hand {
    count: u32,
    told: u64,
    detail: [f32; CELLS],
    presence: f64,
    hidden: Option<u64>,
    back: Option<u64>,
    passes: u32,
    latency: Option<f64>,
    longest_ms: f64,
    most: f64,
    least_after: f64,
}

impl Hand {
    pub(super) fn new(count: u32, told: u64, baseline: &Baseline) -> Self {
        Self {
            count,
            told,
            detail: baseline.detail,
            presence: baseline.presence,
            hidden: None,
            back: None,
            passes: 0,
            latency: None,
            longest_ms: 0.0,
            most: 0.0,
            least_after: 1.0,
        }
    }

    fn numbers(&self, ruling: Ruling) -> Ruling {
        ruling.after(self.latency).with([
            ("asked", f64::from(self.count)),
            ("passes", f64::from(self.passes)),
            ("longest-hidden-ms", self.longest_ms),
            ("most-different", self.most),
            ("different-after", self.least_after),
        ])
    }

    fn take(&mut self, pts: u64, hidden: bool, back: bool) -> Option<Ruling> {
        if hidden {
            self.hidden.get_or_insert(pts);
            self.back = None;
        } else if back {
            let since = *self.back.get_or_insert(pts);
            if let Some(began) = self.hidden
                && pts - since >= BETWEEN
            {
                self.hidden = None;
                let lasted = since - began;
                if (SHORTEST..=LONGEST).contains(&lasted) {
                    if self.passes == 0 {
                        self.latency = Some(millis(self.told, began));
                        if began.saturating_sub(self.told) < REACTION {
                            return Some(self.numbers(Ruling::failed(Reason::TooFast)));
                        }
                    }
                    self.passes += 1;
                    self.longest_ms = self.longest_ms.max(millis(began, since));
                }
            }
            if self.passes > self.count {
                return Some(self.numbers(Ruling::failed(Reason::OtherAnswer)));
            }
            if self.passes == self.count && self.hidden.is_none() && pts - since >= OVER {
                return Some(self.numbers(Ruling::passed()));
            }
        }
        None
    }
}

impl Judge for Hand {
    fn see(&mut self, sample: &Sample) -> Option<Ruling> {
        let different = difference(&sample.detail, &self.detail);
        self.most = self.most.max(different);
        if self.passes > 0 && self.hidden.is_none() {
            self.least_after = self.least_after.min(different);
        }
        let faint = f64::from(sample.presence) < self.presence - PRESENCE;
        self.take(sample.pts, different >= HIDDEN || faint, different <= BACK && !faint)
    }

    fn miss(&mut self, pts: u64) -> Option<Ruling> {
        self.take(pts, true, false)
    }

    fn finish(&mut self) -> Ruling {
        let reason = if self.passes == 0 { Reason::NoAnswer } else { Reason::OtherAnswer };
        self.numbers(Ruling::failed(reason))
    }
}
