//! Which frames are analysed: a grid in stream time, dense where it pays, within a budget.

use serde::{Deserialize, Serialize};

/// What the sampling is for at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The first seconds of a stream or of a new face: dense.
    #[default]
    Calibrate,
    /// All is calm: sparse.
    Patrol,
    /// Evidence is growing: dense again.
    Alarm,
}

/// Analysed frames a second in each phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub calibrate: f64,
    pub patrol: f64,
    pub alarm: f64,
}

/// How long a new stream or face is watched densely, ns.
pub const CALIBRATE_NS: u64 = 3_000_000_000;
/// Nanoseconds between two analysed frames while a challenge is open, in every profile: a blink lasts 150 ms.
pub const CHALLENGE_INTERVAL: u64 = 40_000_000;
/// Share of the alert threshold from which sampling is dense again.
pub const ALARM_RISK: f64 = 0.12;

impl Rates {
    /// Nanoseconds between two analysed frames.
    pub fn interval(&self, phase: Phase) -> u64 {
        let rate = match phase {
            Phase::Calibrate => self.calibrate,
            Phase::Patrol => self.patrol,
            Phase::Alarm => self.alarm,
        };
        (1e9 / rate.clamp(0.1, 240.0)) as u64
    }
}

/// The PTS grid. Lives on the streaming thread; the interval may change from frame to frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grid {
    due: Option<u64>,
}

impl Grid {
    /// Whether the frame at `pts` (ns) is the first one at or after a grid point.
    pub fn hit(&mut self, pts: u64, interval: u64) -> bool {
        let interval = interval.max(1);
        match self.due {
            // A denser phase must not wait for a grid point of the sparse one.
            Some(due) if pts < due && due - pts <= interval => false,
            Some(due) if pts >= due && pts - due < interval => {
                self.due = Some(due.saturating_add(interval));
                true
            }
            // The first frame, a gap, or a jump: the grid starts here.
            _ => {
                self.due = Some(pts.saturating_add(interval));
                true
            }
        }
    }
}

/// Keeps the analysis within a budget by stretching the interval. Costs come in from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Governor {
    mean_cost: f64,
}

impl Governor {
    /// One frame's analysis took `cost` ns.
    pub fn charge(&mut self, cost: u64) {
        let cost = cost as f64;
        self.mean_cost = if self.mean_cost == 0.0 { cost } else { 0.85 * self.mean_cost + 0.15 * cost };
    }

    /// The interval, ns, at which `budget_ms` of analysis a second of stream are not exceeded; `wanted` when that
    /// is longer or there is no bound (0).
    pub fn interval(&self, wanted: u64, budget_ms: u32) -> u64 {
        if budget_ms == 0 {
            return wanted;
        }
        wanted.max((self.mean_cost * 1000.0 / f64::from(budget_ms)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(fps: f64, rate: f64, secs: f64) -> usize {
        let mut grid = Grid::default();
        let rates = Rates { calibrate: rate, patrol: rate, alarm: rate };
        (0..(fps * secs) as u64)
            .filter(|i| grid.hit((*i as f64 * 1e9 / fps) as u64, rates.interval(Phase::Patrol)))
            .count()
    }

    #[test]
    fn the_rate_is_held_whatever_the_frame_rate() {
        for fps in [15.0, 24.0, 25.0, 29.97, 30.0, 60.0] {
            let n = hits(fps, 8.0, 60.0);
            assert!((478..=482).contains(&n), "{fps}: {n}");
        }
        assert_eq!(hits(5.0, 8.0, 60.0), 300);
    }

    #[test]
    fn a_denser_phase_starts_at_once() {
        let mut grid = Grid::default();
        assert!(grid.hit(0, 1_000));
        assert!(!grid.hit(300, 1_000));
        assert!(grid.hit(400, 100));
        assert!(grid.hit(505, 100));
    }

    #[test]
    fn a_budget_stretches_the_interval() {
        let mut g = Governor::default();
        assert_eq!(g.interval(100, 50), 100);
        for _ in 0..50 {
            g.charge(10_000_000);
        }
        assert_eq!(g.interval(100_000_000, 0), 100_000_000);
        assert!(g.interval(100_000_000, 50).abs_diff(200_000_000) < 1_000_000);
    }

    proptest! {
        #[test]
        fn never_denser_than_the_interval_by_more_than_the_grid(steps in proptest::collection::vec(1u64..300, 2..200), interval in 1u64..500) {
            let mut grid = Grid::default();
            let (mut now, mut n) = (0, 0u64);
            for s in &steps {
                now += s;
                n += u64::from(grid.hit(now, interval));
            }
            prop_assert!(n <= now / interval + 2 + steps.len() as u64 * u64::from(interval < 300) && n >= 1);
        }
    }
}
