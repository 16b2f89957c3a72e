//! The simulated camera's times: a quartz of its own, a bus, a driver, a busy computer.

use crate::redteam::error::{Result, within};
use crate::redteam::random::{Use, rng};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// How the camera keeps time.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// Rate error against the computer's clock, parts per million; positive is slow.
    pub drift_ppm: f64,
    /// Jitter of the driver's time stamps, standard deviation, microseconds.
    pub stamp_us: f64,
    /// Mean of the delay from stamp to pad, microseconds (exponentially distributed).
    pub delay_us: f64,
    /// Share of frames that are lost.
    pub lost: f64,
    /// In light below this, every other frame is left out (longer exposure).
    pub slow_below: f64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { drift_ppm: 25.0, stamp_us: 30.0, delay_us: 250.0, lost: 0.0, slow_below: 0.05 }
    }
}

impl Clock {
    pub(super) fn check(&self) -> Result<()> {
        within("drift", self.drift_ppm, -1e5, 1e5, "-100000 to 100000 ppm")?;
        within("stamp", self.stamp_us, 0.0, 1e5, "0 to 100000 us")?;
        within("delay", self.delay_us, 0.0, 1e6, "0 to 1000000 us")?;
        within("lost", self.lost, 0.0, 0.9, "0 to 0.9")?;
        within("slow", self.slow_below, 0.0, 100.0, "0 to 100")
    }

    pub(super) fn start(&self, rate: (u32, u32), light: f64, seed: u64) -> Running {
        let frame = 1e9 * f64::from(rate.1) / f64::from(rate.0) * (1.0 + self.drift_ppm * 1e-6);
        let frame = if light < self.slow_below { 2.0 * frame } else { frame };
        let rng = rng(seed, Use::Times, 0);
        Running { clock: self.clone(), frame, rng, number: 0, last_arrival: 0, last_pts: 0 }
    }
}

/// The times of one frame, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// By the camera's own clock.
    pub exposed_ns: u64,
    /// As the driver stamps it.
    pub pts_ns: u64,
    /// When it passes the source's pad.
    pub arrival_ns: u64,
}

#[derive(Debug)]
pub(super) struct Running {
    clock: Clock,
    frame: f64,
    rng: ChaCha8Rng,
    number: u64,
    last_arrival: u64,
    last_pts: u64,
}

impl Running {
    pub fn tick(&mut self) -> Stamp {
        while self.rng.random::<f64>() < self.clock.lost {
            self.number += 1;
        }
        let due = self.number as f64 * self.frame;
        self.number += 1;
        let normal: f64 = StandardNormal.sample(&mut self.rng);
        let wait = -(1.0 - self.rng.random::<f64>()).ln();
        // Drivers count whole microseconds.
        let pts = ((due / 1e3 + 2_000.0 + normal * self.clock.stamp_us).max(0.0) as u64) * 1_000;
        let pts = pts.max(self.last_pts + 1_000);
        let arrival = (pts + 3_000_000 + (wait * self.clock.delay_us * 1e3) as u64).max(self.last_arrival);
        (self.last_pts, self.last_arrival) = (pts, arrival);
        Stamp { exposed_ns: due as u64, pts_ns: pts, arrival_ns: arrival }
    }
}
