//! The experiment of `probe-controls`: moves a camera's controls in steps, one each second of stream time, and asks
//! [`response`] whether the pictures answered. The monitor's thread leads it on, so a stream that stops stops it too.

use super::controls::{Controls, Touch};
use super::hand::Hand;
use super::timed::TimedError;
use crate::analysis::source::provenance::Finding;
use crate::analysis::source::response::{self, Answer, CHECK, PAIRS, Quantity, Scale, Step, Trace};
use std::io;
use std::time::Duration;

/// A step lasts at least this long, ns.
const HOLD: u64 = 900_000_000;
/// A step that lasted longer was an interruption, ns.
const INTERRUPTED: u64 = 4_000_000_000;
/// Controls that are tried to the end: two, so that nobody's picture flickers for longer than 40 seconds.
const MOST: usize = 2;

/// A control that a sensor or its optics answer to.
#[derive(Clone, Copy, Debug)]
struct Knob {
    name: &'static str,
    id: u32,
    scale: Scale,
    quantity: Quantity,
    /// The automatic that would take it over, and the value that switches it off.
    automatic: Option<(u32, i32)>,
}

/// The strongest first. The numbers are V4L2's (linux/v4l2-controls.h).
const KNOBS: [Knob; 4] = [
    Knob {
        name: "exposure",
        id: 0x009a_0902,
        scale: Scale::Ratio,
        quantity: Quantity::Luma,
        automatic: Some((0x009a_0901, 1)),
    },
    Knob {
        name: "gain",
        id: 0x0098_0913,
        scale: Scale::Linear,
        quantity: Quantity::Luma,
        automatic: Some((0x0098_0912, 0)),
    },
    Knob {
        name: "brightness",
        id: 0x0098_0900,
        scale: Scale::Linear,
        quantity: Quantity::Luma,
        automatic: None,
    },
    Knob {
        name: "focus",
        id: 0x009a_090a,
        scale: Scale::Linear,
        quantity: Quantity::Sharpness,
        automatic: Some((0x009a_090c, 0)),
    },
];

#[derive(Debug)]
struct Running {
    knob: Knob,
    /// The lower and the higher value.
    values: (i32, i32),
    schedule: Vec<bool>,
    steps: Vec<Step>,
    /// When the last step ended: the controls are back, late pictures are waited for.
    ended: Option<u64>,
}

/// One camera's experiment.
#[derive(Debug)]
pub struct Experiment {
    /// `None` when it is over.
    hand: Option<Hand>,
    bits: u64,
    next: usize,
    running: Option<Running>,
    answers: Vec<(&'static str, Answer)>,
    finding: Finding,
}

/// What moving a control to a value came to.
enum Moved {
    Taken,
    /// The driver said no, or did not keep the value.
    Refused,
}

fn turn(touch: &mut Touch, knob: &Knob, value: i32) -> Moved {
    match touch.set(knob.id, value).and_then(|()| touch.get(knob.id)) {
        Ok(kept) if kept == value => Moved::Taken,
        _ => Moved::Refused,
    }
}

/// The values for a knob; `None` where the camera does not offer it.
fn begin(touch: &mut Touch, knob: &Knob) -> Option<(i32, i32)> {
    // An automatic that cannot be switched off hides the knob, or fights it; then there is nothing to ask.
    if let Some((id, off)) = knob.automatic
        && touch.range(id).is_some()
        && touch.get(id).ok() != Some(off)
        && touch.set(id, off).is_err()
    {
        touch.restore();
        return None;
    }
    let values = touch
        .range(knob.id)
        .zip(touch.get(knob.id).ok())
        .and_then(|(range, now)| response::values(range.minimum, range.maximum, range.step, now, knob.scale));
    if values.is_none() {
        touch.restore();
    }
    values
}

impl Experiment {
    /// `bits`: random, for the order of steps. Whoever feeds the device must not be able to guess them.
    pub fn new(
        patience: Duration,
        bits: u64,
        open: impl FnOnce() -> io::Result<Box<dyn Controls>> + Send + 'static,
    ) -> Self {
        let (hand, finding) = match Hand::start(patience, open) {
            Ok(hand) => (Some(hand), Finding::nothing(CHECK, "controls are being moved")),
            Err(error) => (None, Finding::not_readable(CHECK, format!("controls cannot be moved: {error}"))),
        };
        Self { hand, bits, next: 0, running: None, answers: Vec::new(), finding }
    }

    /// For a source that has nothing to move.
    pub fn without(reason: &str) -> Self {
        let finding = Finding::nothing(CHECK, reason);
        Self { hand: None, bits: 0, next: 0, running: None, answers: Vec::new(), finding }
    }

    pub fn finding(&self) -> Finding {
        self.finding.clone()
    }

    /// Whether nothing is being moved any more.
    pub fn is_over(&self) -> bool {
        self.hand.is_none()
    }

    /// Goes on, `pts` being the newest picture's time. Call it about once a second of stream time. `trace` is asked for
    /// when a control's steps are over.
    pub fn advance(&mut self, pts: u64, trace: impl FnOnce() -> Trace) {
        let result = match self.running.take() {
            None => self.begin_next(pts),
            Some(running) => self.go_on(running, pts, trace),
        };
        match result {
            Ok(()) => {}
            Err(error) => self.end(Finding::not_readable(CHECK, format!("the driver: {error}"))),
        }
    }

    /// The controls are put back with the hand.
    fn end(&mut self, finding: Finding) {
        self.finding = finding;
        self.running = None;
        self.hand = None;
    }

    fn begin_next(&mut self, pts: u64) -> Result<(), TimedError> {
        let Some(hand) = &self.hand else { return Ok(()) };
        while let Some(knob) = KNOBS.get(self.next).copied().filter(|_| self.answers.len() < MOST) {
            self.next += 1;
            let Some(values) = hand.ask(move |touch| begin(touch, &knob))? else { continue };
            let bits = self.bits.rotate_right(u32::try_from(self.next * PAIRS).unwrap_or_default());
            let schedule = response::schedule(bits).collect();
            let running = Running { knob, values, schedule, steps: Vec::new(), ended: None };
            return self.step(running, pts);
        }
        self.end(response::judge(&self.answers));
        Ok(())
    }

    fn go_on(&mut self, running: Running, pts: u64, trace: impl FnOnce() -> Trace) -> Result<(), TimedError> {
        let since = running.ended.or_else(|| running.steps.last().map(|s| s.pts)).unwrap_or(pts);
        let Some(passed) = pts.checked_sub(since).filter(|passed| *passed <= INTERRUPTED) else {
            self.end(Finding::nothing(CHECK, "the stream was interrupted while controls were being moved"));
            return Ok(());
        };
        match running.ended {
            Some(end) if passed > response::MAX_DELAY => {
                let answer = response::answer(&trace(), &running.steps, end, running.knob.quantity);
                self.answers.push((running.knob.name, answer));
                self.begin_next(pts)
            }
            None if passed >= HOLD => self.step(running, pts),
            _ => {
                self.running = Some(running);
                Ok(())
            }
        }
    }

    /// Makes the next step, or puts the control back after the last.
    fn step(&mut self, mut running: Running, pts: u64) -> Result<(), TimedError> {
        let Some(hand) = &self.hand else { return Ok(()) };
        let Some(high) = running.schedule.get(running.steps.len()).copied() else {
            if !hand.ask(Touch::restore)? {
                self.end(Finding::not_readable(CHECK, "the camera does not take its settings back"));
                return Ok(());
            }
            running.ended = Some(pts);
            self.running = Some(running);
            return Ok(());
        };
        let (low_value, high_value) = running.values;
        let (knob, value) = (running.knob, if high { high_value } else { low_value });
        match hand.ask(move |touch| turn(touch, &knob, value))? {
            Moved::Taken => {
                running.steps.push(Step { pts, high });
                self.running = Some(running);
            }
            Moved::Refused => {
                hand.ask(Touch::restore)?;
                self.answers.push((knob.name, Answer::Refused));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;
