//! Buffer times of a source: made by a timer, or by a device with a clock of its own?
//!
//! Software stamps pictures by arithmetic (exact multiples of the frame's duration) and paces them by the very clock
//! that the pipeline runs on. A camera has a quartz of its own, so that its rate is off by tens of parts per million,
//! and its driver stamps what arrives, with jitter. Three checks: `timestamps` (regularity to the nanosecond),
//! `clock-drift` (least squares of arrival over frame number, compared as a likelihood ratio: cf. Kohno, Broido and
//! Claffy, "Remote physical device fingerprinting", IEEE S&P 2005, for clock skew as a device's mark) and `delivery`
//! (faster than real time, steps back).
//!
//! None is worth much alone: drivers may smooth times, `videorate` makes exact ones of any, and jitter is easily made up.

use super::origin::against;
use crate::analysis::source::provenance::{Class, Finding};

/// Buffers kept.
pub const RING: usize = 512;
/// Less than this says nothing, seconds and buffers.
const MIN_SECONDS: f64 = 3.0;
const MIN_BUFFERS: usize = 30;
/// Integer arithmetic rounds a time by 1 ns, an interval by 2.
const EXACT_NS: f64 = 2.0;
/// Share of intervals that must be exact: a pause or a seek may spoil a few.
const EXACT_SHARE: f64 = 0.98;
/// Exact times against a camera, and for an injection, nats. No driver known to us stamps so, but `videorate` and some
/// capture layers do behind the caller's back: allow them 1 in 5.
const EXACT_WEIGHT: f64 = -1.5;
const EXACT_INJECTION: f64 = 1.2;
/// Intervals of whole milliseconds come from a container (Matroska, FLV, WebM) or a clock of a script.
const COARSE_WEIGHT: f64 = -1.0;
const COARSE_INJECTION: f64 = 0.8;
/// Half of all cameras are off by less than this against the host, ppm: two quartzes of 30 to 50 ppm, and many sensors
/// only divide their clock to *about* the nominal rate.
const OWN_CLOCK_PPM: f64 = 50.0;
/// What a software timer is off at most, ppm.
const TIMER_PPM: f64 = 0.5;
/// Share of injected sources with a clock of their own (another machine's, a telephone used as a camera, forged).
const FORGED_CLOCK: f64 = 0.25;
/// The errors of neighbouring arrivals are not independent: the standard error of least squares is taken this many fold.
const ERROR_INFLATION: f64 = 2.0;
/// The drift's likelihood ratio counts up to here, nats: the prior above is a guess from data sheets.
const DRIFT_CAP: f64 = 1.5;
/// Against an injection a clock of its own counts less: whoever makes up times makes up a drift as well.
const OWN_CLOCK_RELIEF: f64 = 0.3;
const OWN_CLOCK_WEIGHT: f64 = 0.8;
/// Drift is not measured beyond: it is another rate then (low light), ppm.
const MAX_DRIFT_PPM: f64 = 5_000.0;
/// Jitter beyond which frames cannot be counted safely, frames.
const MAX_JITTER: f64 = 0.2;
/// Faster than real time by this factor over the whole ring: no camera can.
const FAST: f64 = 1.25;
const FAST_WEIGHT: f64 = 3.0;
const FAST_INJECTION: f64 = 2.5;
/// Times that step back: a recording that begins again, but also a driver that was reset.
const BACK_INJECTION: f64 = 0.5;
/// A hole that is too long for counting frames across it, ns.
const HOLE_NS: f64 = 2e9;
/// Rates that are looked for when none was declared.
const RATES: [(u32, u32); 14] = [
    (5, 1),
    (15, 2),
    (10, 1),
    (25, 2),
    (15, 1),
    (20, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    arrival: u64,
    pts: Option<u64>,
}

/// Least squares of arrival against frame number, as running sums about the means.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    n: f64,
    mean: (f64, f64),
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let (dx, dy) = (x - self.mean.0, y - self.mean.1);
        self.mean.0 += dx / self.n;
        self.mean.1 += dy / self.n;
        self.xx += dx * (x - self.mean.0);
        self.xy += dx * (y - self.mean.1);
        self.yy += dy * (y - self.mean.1);
    }

    /// Slope, its standard error, and the standard deviation of what the line leaves.
    fn fit(&self) -> Option<(f64, f64, f64)> {
        if self.n < 3.0 || self.xx <= 0.0 {
            return None;
        }
        let slope = self.xy / self.xx;
        let left = ((self.yy - slope * self.xy).max(0.0) / (self.n - 2.0)).sqrt();
        Some((slope, left / self.xx.sqrt(), left))
    }
}

/// See the module. `observe` costs well below a microsecond and allocates nothing; `findings` is for another thread,
/// on a clone.
#[derive(Clone, Debug)]
pub struct Timing {
    ring: Box<[Sample]>,
    seen: u64,
    /// Duration of a frame, ns, and whether the source declared it.
    frame_ns: Option<f64>,
    declared: bool,
    line: Line,
    /// Where the line began (arrival), and the number of the newest frame.
    begin: u64,
    number: f64,
    backward: u64,
    holes: u64,
}

fn frame_of((n, d): (u32, u32)) -> Option<f64> {
    let ns = 1e9 * f64::from(d) / f64::from(n.max(1));
    (n > 0 && d > 0 && ns < 1e10).then_some(ns)
}

impl Timing {
    /// `rate`: the declared frame rate as a fraction; none, or 0/1, when the caps do not tell.
    pub fn new(rate: Option<(u32, u32)>) -> Self {
        let frame_ns = rate.and_then(frame_of);
        Self {
            ring: vec![Sample::default(); RING].into_boxed_slice(),
            seen: 0,
            frame_ns,
            declared: frame_ns.is_some(),
            line: Line::default(),
            begin: 0,
            number: 0.0,
            backward: 0,
            holes: 0,
        }
    }

    /// Forgets all (new segment, flush, new caps). Allocates nothing.
    pub fn reset(&mut self, rate: Option<(u32, u32)>) {
        let frame_ns = rate.and_then(frame_of);
        (self.seen, self.frame_ns, self.declared) = (0, frame_ns, frame_ns.is_some());
        (self.line, self.begin, self.number) = (Line::default(), 0, 0.0);
        (self.backward, self.holes) = (0, 0);
    }

    /// A buffer passed the source's pad at `arrival_ns` of the pipeline's clock. Its duration is what the source says
    /// itself, and only helps where no rate was declared.
    pub fn observe(&mut self, arrival_ns: u64, pts: Option<u64>, duration: Option<u64>) {
        let last = (self.seen > 0).then(|| self.at(self.seen - 1)).flatten();
        if let Some(slot) = self.ring.get_mut((self.seen % RING as u64) as usize) {
            *slot = Sample { arrival: arrival_ns, pts };
        }
        self.seen += 1;
        if self.frame_ns.is_none() {
            self.guess_rate(duration);
            if self.frame_ns.is_some() {
                self.begin_line(arrival_ns);
                return;
            }
        }
        let Some(last) = last else {
            self.begin_line(arrival_ns);
            return;
        };
        let between = |old: u64, new: u64| new as f64 - old as f64;
        let step = match (last.pts, pts) {
            (Some(old), Some(new)) => between(old, new),
            _ => between(last.arrival, arrival_ns),
        };
        self.backward += u64::from(step < 0.0);
        let Some(frame) = self.frame_ns else { return };
        if !(0.0..=HOLE_NS).contains(&step) || arrival_ns < self.begin {
            self.holes += u64::from(step > HOLE_NS);
            self.begin_line(arrival_ns);
            return;
        }
        self.number += (step / frame).round().max(1.0);
        let due = self.number * frame;
        self.line.add(self.number, between(self.begin, arrival_ns) - due);
    }

    fn begin_line(&mut self, arrival: u64) {
        (self.line, self.begin, self.number) = (Line::default(), arrival, 0.0);
        self.line.add(0.0, 0.0);
    }

    fn at(&self, index: u64) -> Option<Sample> {
        self.ring.get((index % RING as u64) as usize).copied()
    }

    /// The common rate that the first second fits, or the buffers' own duration.
    fn guess_rate(&mut self, duration: Option<u64>) {
        const AFTER: u64 = 32;
        if self.seen != AFTER {
            return;
        }
        let (Some(first), Some(last)) = (self.at(0), self.at(AFTER - 1)) else { return };
        let span = match (first.pts, last.pts) {
            (Some(a), Some(b)) => b as f64 - a as f64,
            _ => last.arrival as f64 - first.arrival as f64,
        };
        let mean = span / (AFTER - 1) as f64;
        let near = |ns: &f64| (ns / mean - 1.0).abs() < 0.01;
        let common = RATES.iter().filter_map(|r| frame_of(*r)).filter(near);
        let common = common.min_by(|a, b| (a - mean).abs().total_cmp(&(b - mean).abs()));
        self.frame_ns = common.or(duration.map(|d| d as f64).filter(near));
    }

    /// What is in the ring, oldest first.
    fn samples(&self) -> Vec<Sample> {
        (self.seen.saturating_sub(RING as u64)..self.seen).filter_map(|i| self.at(i)).collect()
    }

    /// One finding a check, evidence of injection weighed against the claim.
    pub fn findings(&self, claim: Class) -> Vec<Finding> {
        let samples = self.samples();
        let times: Vec<(f64, f64)> = match (samples.first(), samples.first().and_then(|s| s.pts)) {
            (Some(first), Some(pts)) => samples
                .iter()
                .filter_map(|s| Some((s.arrival as f64 - first.arrival as f64, s.pts? as f64 - pts as f64)))
                .collect(),
            _ => Vec::new(),
        };
        let mut regularity = self.regularity(&times);
        if claim == Class::Network {
            // Ticks of 90 kHz are as exact as the sender likes.
            regularity.injection = 0.0;
        }
        against(claim, vec![regularity, self.drift(), self.delivery(&times)])
    }

    fn regularity(&self, times: &[(f64, f64)]) -> Finding {
        const CHECK: &str = "timestamps";
        let mut steps: Vec<f64> = times.windows(2).map(|w| w[1].1 - w[0].1).filter(|s| *s > 0.0).collect();
        let seconds = steps.iter().sum::<f64>() / 1e9;
        if steps.len() < MIN_BUFFERS || seconds < MIN_SECONDS {
            return Finding::nothing(CHECK, format!("only {} times in {seconds:.1} s", steps.len()));
        }
        let share =
            |hit: &dyn Fn(f64) -> bool| steps.iter().filter(|s| hit(**s)).count() as f64 / steps.len() as f64;
        let multiple = |frame: f64| {
            share(&|s| {
                let n = (s / frame).round();
                n >= 1.0 && (s - n * frame).abs() <= EXACT_NS + 0.5 * (n - 1.0)
            })
        };
        let coarse = share(&|s| s % 1e6 == 0.0);
        let declared = self.frame_ns.map_or(0.0, multiple);
        steps.sort_by(f64::total_cmp);
        let median = steps.get(steps.len() / 2).copied().unwrap_or(1.0).max(1.0);
        let exact = declared.max(share_near(&steps, median));
        if exact >= EXACT_SHARE {
            return Finding::of(
                CHECK,
                Class::Physical,
                EXACT_WEIGHT,
                format!(
                    "times are multiples of {:.3} ms to the nanosecond: a program made them",
                    median / 1e6
                ),
            )
            .injected(EXACT_INJECTION);
        }
        if coarse >= EXACT_SHARE {
            let reason = "times are whole milliseconds, as containers and scripts write them";
            return Finding::of(CHECK, Class::Physical, COARSE_WEIGHT, reason).injected(COARSE_INJECTION);
        }
        let quarter = |q: usize| steps.get(steps.len() * q / 4).copied().unwrap_or(median);
        let spread = (quarter(3) - quarter(1)) / 1e3;
        Finding::nothing(CHECK, format!("intervals about {:.3} ms spread by {spread:.1} us", median / 1e6))
    }

    fn drift(&self) -> Finding {
        const CHECK: &str = "clock-drift";
        let Some(frame) = self.frame_ns else {
            return Finding::nothing(CHECK, "no frame rate to compare with");
        };
        let Some((slope, error, left)) = self.line.fit() else {
            return Finding::nothing(CHECK, "too few buffers");
        };
        if self.line.n < MIN_BUFFERS as f64 || self.number * frame < MIN_SECONDS * 1e9 {
            return Finding::nothing(CHECK, "too few buffers");
        }
        let measured = 1e6 * slope / frame;
        if left > MAX_JITTER * frame || measured.abs() > MAX_DRIFT_PPM {
            let reason = format!("frames come too unevenly, or at another rate ({measured:.0} ppm)");
            return Finding::nothing(CHECK, reason);
        }
        let error = (ERROR_INFLATION * 1e6 * error / frame).hypot(0.1);
        // A rate of 30 that is really 30000/1001 is arithmetic too.
        let ntsc = 1e6 / 1001.0;
        let off = [0.0, ntsc, -ntsc].map(|n| measured - n);
        let off = off.into_iter().fold(f64::INFINITY, |a, b| if b.abs() < a.abs() { b } else { a });
        let sd = error.hypot(TIMER_PPM);
        let own = cauchy(off, OWN_CLOCK_PPM + error);
        let timer = (1.0 - FORGED_CLOCK) * normal(off, sd) + FORGED_CLOCK * own;
        let llr = (timer / own).ln().clamp(-DRIFT_CAP, DRIFT_CAP);
        let of = if self.declared { "declared" } else { "nearest common" };
        let reason = format!("rate differs from the {of} one by {measured:.1} ppm (error {error:.1} ppm)");
        Finding::of(CHECK, Class::Physical, (-llr).min(OWN_CLOCK_WEIGHT), reason)
            .injected(llr.max(-OWN_CLOCK_RELIEF))
    }

    fn delivery(&self, times: &[(f64, f64)]) -> Finding {
        const CHECK: &str = "delivery";
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Finding::nothing(CHECK, "buffers carry no times");
        };
        let (took, showed) = ((last.0 - first.0) / 1e9, (last.1 - first.1) / 1e9);
        if times.len() >= MIN_BUFFERS && showed >= MIN_SECONDS && showed > FAST * took {
            let reason = format!("{showed:.1} s of pictures came within {took:.1} s");
            return Finding::of(CHECK, Class::File, FAST_WEIGHT, reason).injected(FAST_INJECTION);
        }
        if self.backward > 0 {
            let reason = format!("times stepped back {} times", self.backward);
            return Finding::of(CHECK, Class::Physical, 0.0, reason).injected(BACK_INJECTION);
        }
        Finding::nothing(CHECK, format!("in real time, {} holes", self.holes))
    }
}

/// Share of sorted intervals that equal their median or twice or thrice it (a dropped frame) to the nanosecond.
fn share_near(steps: &[f64], median: f64) -> f64 {
    let near = |s: &&f64| {
        let n = (**s / median).round();
        (1.0..=3.0).contains(&n) && (**s - n * median).abs() <= EXACT_NS * n
    };
    steps.iter().filter(near).count() as f64 / steps.len().max(1) as f64
}

fn normal(x: f64, sd: f64) -> f64 {
    (-0.5 * (x / sd).powi(2)).exp() / (sd * std::f64::consts::TAU.sqrt())
}

fn cauchy(x: f64, scale: f64) -> f64 {
    scale / (std::f64::consts::PI * (x * x + scale * scale))
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
