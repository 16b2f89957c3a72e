//! The experiment of `probe-controls`: moves a camera's controls in steps, one each second of stream time, and asks
//! [`response`] whether the pictures answered. The monitor's thread leads it on, so a stream that stops stops it too.

use super::control_writer::ControlWriter;
use super::controls::{ControlGuard, Controls};
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
const MAX_CONTROLS: usize = 2;

/// A control that a sensor or its optics answer to.
#[derive(Clone, Copy, Debug)]
struct ControlSpec {
    name: &'static str,
    id: u32,
    scale: Scale,
    quantity: Quantity,
    /// The automatic that would take it over, and the value that switches it off.
    automatic: Option<(u32, i32)>,
}

/// The strongest first. The numbers are V4L2's (linux/v4l2-controls.h).
const CONTROLS: [ControlSpec; 4] = [
    ControlSpec {
        name: "exposure",
        id: 0x009a_0902,
        scale: Scale::Ratio,
        quantity: Quantity::Luma,
        automatic: Some((0x009a_0901, 1)),
    },
    ControlSpec {
        name: "gain",
        id: 0x0098_0913,
        scale: Scale::Linear,
        quantity: Quantity::Luma,
        automatic: Some((0x0098_0912, 0)),
    },
    ControlSpec {
        name: "brightness",
        id: 0x0098_0900,
        scale: Scale::Linear,
        quantity: Quantity::Luma,
        automatic: None,
    },
    ControlSpec {
        name: "focus",
        id: 0x009a_090a,
        scale: Scale::Linear,
        quantity: Quantity::Sharpness,
        automatic: Some((0x009a_090c, 0)),
    },
];

#[derive(Debug)]
struct Running {
    control: ControlSpec,
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
    writer: Option<ControlWriter>,
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

fn move_to(guard: &mut ControlGuard, control: &ControlSpec, value: i32) -> Moved {
    match guard.set(control.id, value).and_then(|()| guard.get(control.id)) {
        Ok(kept) if kept == value => Moved::Taken,
        _ => Moved::Refused,
    }
}

/// The values for a control; `None` where the camera does not offer it.
fn begin(guard: &mut ControlGuard, control: &ControlSpec) -> Option<(i32, i32)> {
    // An automatic that cannot be switched off hides the control, or fights it; then there is nothing to ask.
    if let Some((id, off)) = control.automatic
        && guard.range(id).is_some()
        && guard.get(id).ok() != Some(off)
        && guard.set(id, off).is_err()
    {
        guard.restore();
        return None;
    }
    let values = guard.range(control.id).zip(guard.get(control.id).ok()).and_then(|(range, now)| {
        response::values(range.minimum, range.maximum, range.step, now, control.scale)
    });
    if values.is_none() {
        guard.restore();
    }
    values
}

impl Experiment {
    /// `bits`: random, for the order of steps. A program that feeds the device must not be able to guess them.
    pub fn new(
        timeout: Duration,
        bits: u64,
        open: impl FnOnce() -> io::Result<Box<dyn Controls>> + Send + 'static,
    ) -> Self {
        let (writer, finding) = match ControlWriter::start(timeout, open) {
            Ok(writer) => (Some(writer), Finding::nothing(CHECK, "controls are being moved")),
            Err(error) => (None, Finding::not_readable(CHECK, format!("controls cannot be moved: {error}"))),
        };
        Self { writer, bits, next: 0, running: None, answers: Vec::new(), finding }
    }

    /// For a source that has nothing to move.
    pub fn without(reason: &str) -> Self {
        let finding = Finding::nothing(CHECK, reason);
        Self { writer: None, bits: 0, next: 0, running: None, answers: Vec::new(), finding }
    }

    pub fn finding(&self) -> Finding {
        self.finding.clone()
    }

    /// Whether nothing is being moved any more.
    pub fn is_over(&self) -> bool {
        self.writer.is_none()
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

    /// Dropping the writer puts the controls back.
    fn end(&mut self, finding: Finding) {
        self.finding = finding;
        self.running = None;
        self.writer = None;
    }

    fn begin_next(&mut self, pts: u64) -> Result<(), TimedError> {
        let Some(writer) = &self.writer else { return Ok(()) };
        while let Some(control) =
            CONTROLS.get(self.next).copied().filter(|_| self.answers.len() < MAX_CONTROLS)
        {
            self.next += 1;
            let Some(values) = writer.run(move |guard| begin(guard, &control))? else { continue };
            let bits = self.bits.rotate_right(u32::try_from(self.next * PAIRS).unwrap_or_default());
            let schedule = response::schedule(bits).collect();
            let running = Running { control, values, schedule, steps: Vec::new(), ended: None };
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
                let answer = response::answer(&trace(), &running.steps, end, running.control.quantity);
                self.answers.push((running.control.name, answer));
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
        let Some(writer) = &self.writer else { return Ok(()) };
        let Some(high) = running.schedule.get(running.steps.len()).copied() else {
            if !writer.run(ControlGuard::restore)? {
                self.end(Finding::not_readable(CHECK, "the camera does not take its settings back"));
                return Ok(());
            }
            running.ended = Some(pts);
            self.running = Some(running);
            return Ok(());
        };
        let (low_value, high_value) = running.values;
        let (control, value) = (running.control, if high { high_value } else { low_value });
        match writer.run(move |guard| move_to(guard, &control, value))? {
            Moved::Taken => {
                running.steps.push(Step { pts, high });
                self.running = Some(running);
            }
            Moved::Refused => {
                writer.run(ControlGuard::restore)?;
                self.answers.push((control.name, Answer::Refused));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;
