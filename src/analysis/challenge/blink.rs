//! Blink some times in quick succession, and then not for a moment.
//!
//! A photo cannot; a recording blinks when it blinks, once in some seconds, and seldom that often in a row. A live swap or
//! reenactment passes on its driver's blinks: this says nothing against them.

use super::draws::Draws;
use super::report::Reason;
use super::request::{Refusal, Request, within};
use super::ruling::{Judge, REACTION, Ruling, millis};
use super::sample::{Baseline, Sample};

/// Blinks that can be asked for, and that are drawn. One alone comes by itself.
const COUNT: std::ops::RangeInclusive<u32> = 2..=6;
const DRAWN: (u32, u32) = (2, 5);
/// Openness, relative to the open eye, below which it counts as closing, and above which as open again.
const CLOSED: f64 = 0.62;
const REOPENED: f64 = 0.78;
/// Longest closure that is a blink, and longest time between two of one row, ns.
const LONGEST: u64 = 1_000_000_000;
const ROW: u64 = 1_500_000_000;
/// Turned further than that, radians, lids cannot be measured.
const FRONTAL: f32 = 0.7;

pub(super) fn draw(request: &Request, draws: &mut Draws) -> Result<Option<u32>, Refusal> {
    match within("count", request.count, COUNT)? {
        Some(count) => Ok(Some(count)),
        None => Ok(draws.between(DRAWN.0, DRAWN.1)),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Blinks {
    count: u32,
    told: u64,
    open_eye: f64,
    closing: Option<u64>,
    row: u32,
    row_began: u64,
    last: u64,
    /// All of them, and the longest row.
    seen: u32,
    longest: u32,
}

impl Blinks {
    pub(super) fn new(count: u32, told: u64, baseline: &Baseline) -> Self {
        Self {
            count,
            told,
            open_eye: baseline.open_eye.max(0.05),
            closing: None,
            row: 0,
            row_began: 0,
            last: 0,
            seen: 0,
            longest: 0,
        }
    }

    fn numbers(&self, ruling: Ruling) -> Ruling {
        let numbers = [("asked", self.count), ("row", self.longest), ("blinks", self.seen)]
            .map(|(n, v)| (n, f64::from(v)));
        ruling.with(numbers)
    }

    /// A row has ended.
    fn judge_row(&mut self) -> Option<Ruling> {
        let row = std::mem::take(&mut self.row);
        let latency = Some(millis(self.told, self.row_began));
        match row {
            n if n == self.count => Some(self.numbers(Ruling::passed()).after(latency)),
            // One alone is nobody's answer.
            0 | 1 => None,
            _ => Some(self.numbers(Ruling::failed(Reason::OtherAnswer)).after(latency)),
        }
    }
}

impl Judge for Blinks {
    fn see(&mut self, sample: &Sample) -> Option<Ruling> {
        if sample.pose.yaw.abs() > FRONTAL || sample.pose.pitch.abs() > FRONTAL {
            self.closing = None;
            return None;
        }
        let relative = f64::from(sample.openness) / self.open_eye;
        match self.closing {
            None if relative < CLOSED => self.closing = Some(sample.pts),
            Some(began) if relative > REOPENED => {
                self.closing = None;
                // One that began before it can be an answer came by itself.
                if sample.pts - began <= LONGEST && began.saturating_sub(self.told) >= REACTION {
                    if self.row == 0 {
                        self.row_began = began;
                    }
                    self.row += 1;
                    self.seen += 1;
                    self.longest = self.longest.max(self.row);
                    self.last = sample.pts;
                }
            }
            _ => {}
        }
        if self.row > self.count {
            return self.judge_row();
        }
        let over = self.row > 0 && self.closing.is_none() && sample.pts - self.last >= ROW;
        if over { self.judge_row() } else { None }
    }

    fn finish(&mut self) -> Ruling {
        // A row that the deadline has cut off is not known to be over.
        self.numbers(Ruling::failed(Reason::NoAnswer))
    }
}
