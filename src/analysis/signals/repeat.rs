//! Repeats: the same pictures once more (a loop), or the same picture for too long (a freeze).
//!
//! The fingerprints of the newest [`PROBE`] seconds are laid over every earlier stretch of the last two minutes.
//! A loop has one lag at which the distance falls to the codec's noise while it is far greater a few frames beside
//! it; a person who sits like he sat before has a shallow valley instead. In the spirit of Wang & Farid, "Exposing
//! digital forgeries in video by detecting duplication", ACM MM&Sec 2007; fingerprints instead of correlations.

use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Reading, seconds};
use crate::analysis::pixels::fingerprint::Print;

/// Length of the stretch that is compared, seconds; also the window of the loop's LLR.
pub const PROBE: f64 = 1.2;
/// Fingerprints of the probe that are compared.
const POINTS: usize = 12;
/// Shortest loop that is looked for, seconds.
const SHORTEST: f64 = 1.0;
/// Seconds between two searches.
const EVERY: f64 = 0.12;
/// Distance of two frames that are the same picture, grey levels.
const SAME: f32 = 0.003;
/// How far back the search reaches, ns, and the most frames kept for it (1.4 MB).
const HISTORY_NS: u64 = 120_000_000_000;
const MAX_PRINTS: usize = 7_200;
/// Change from one frame to the next that may be a cut, grey levels, and how many times the usual one it must be.
const CUT: f32 = 4.0;
const CUT_RATIO: f32 = 8.0;
/// Added to distances before ratios are taken, grey levels.
const FLOOR: f32 = 0.05;
/// Names of the loop's features, in order.
pub const FEATURES: [&str; 4] = ["ln-contrast", "ln-sharpness", "ln-distance", "ln-motion"];

/// The best repetition that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// How long ago these pictures were shown before, seconds.
    pub lag: f64,
    frames: usize,
    features: [f64; 4],
}

/// See the module. Watches the stream, not a face.
#[derive(Debug, Default)]
pub struct Repeat {
    prints: Vec<Print>,
    searched: Option<u64>,
    found: Option<Match>,
    steady: u32,
    frozen_since: Option<u64>,
    /// How much pictures usually change from frame to frame, and when one last changed altogether.
    usual_step: f32,
    cut: Option<u64>,
    updated: Option<u64>,
}

impl Repeat {
    /// Takes the frames that came since the last call, oldest first; a PTS that goes back starts everything
    /// afresh. Returns the loop's reading and the freeze's.
    pub fn observe(
        &mut self,
        new: &[Print],
        calibration: &Calibration,
    ) -> (Option<Reading>, Option<Reading>) {
        self.take(new);
        let Some((now, _)) = self.prints.last().copied() else { return (None, None) };
        let dt = self.updated.map_or(0.0, |u| seconds(u, now));
        self.updated = Some(now);
        let freeze = self.freeze(now, dt, calibration);
        if self.searched.is_none_or(|s| seconds(s, now) >= EVERY) {
            self.searched = Some(now);
            let found = self.search();
            let same = matches!((found, self.found), (Some(a), Some(b)) if a.frames.abs_diff(b.frames) <= 1);
            self.steady = if same { self.steady + 1 } else { 0 };
            self.found = found;
        }
        // A frozen picture matches every lag: that is the freeze's business.
        let reading = if self.frozen_for(now) > 0.5 { None } else { self.found };
        (reading.and_then(|m| self.judge(m, calibration)), freeze)
    }

    /// Whether the picture changed altogether (a cut) after that PTS: what lies on its two sides is no motion.
    pub fn cut_after(&self, pts: u64) -> bool {
        self.cut.is_some_and(|c| c > pts)
    }

    fn frozen_for(&self, now: u64) -> f64 {
        self.frozen_since.map_or(0.0, |s| seconds(s, now))
    }

    fn take(&mut self, new: &[Print]) {
        for print in new {
            if let Some(last) = self.prints.last() {
                let step = last.1.distance(&print.1);
                if self.prints.len() > 8 && step > CUT && step > CUT_RATIO * self.usual_step {
                    self.cut = Some(print.0);
                } else {
                    self.usual_step += 0.1 * (step - self.usual_step);
                }
            }
            match self.prints.last() {
                Some(last) if print.0 <= last.0 => *self = Self::default(),
                Some(last) if last.1.distance(&print.1) < SAME => {
                    self.frozen_since.get_or_insert(last.0);
                }
                _ => self.frozen_since = None,
            }
            self.prints.push(*print);
        }
        if let Some((now, _)) = self.prints.last() {
            let limit = now.saturating_sub(HISTORY_NS);
            let old = self.prints.partition_point(|p| p.0 < limit);
            let old = old.max(self.prints.len().saturating_sub(MAX_PRINTS));
            // In large steps, so that the vector is not shifted at every frame.
            if old > 256 {
                self.prints.drain(..old);
            }
        }
    }

    fn freeze(&self, now: u64, dt: f64, calibration: &Calibration) -> Option<Reading> {
        let model = calibration.waiting("freeze")?;
        let since = self.frozen_since?;
        let t = seconds(since, now);
        let llr = model.llr(t);
        let gained = llr - model.llr((t - dt).max(0.0));
        Some(Reading {
            rate: if dt > 0.0 { gained / dt } else { 0.0 },
            impulse: 0.0,
            stands: false,
            llr,
            quality: 1.0,
            reason: format!("the picture has been frozen for {t:.1} s"),
            features: vec![t],
        })
    }

    fn judge(&self, found: Match, calibration: &Calibration) -> Option<Reading> {
        let llr = calibration.logistic("loop").and_then(|c| c.llr(&found.features));
        // A loop stays at its lag; chance likeness wanders. One look proves nothing.
        let steady = f64::from(self.steady.min(2)) / 2.0;
        Some(Reading {
            rate: llr.unwrap_or_default() / PROBE,
            impulse: 0.0,
            stands: false,
            llr: llr.unwrap_or_default(),
            quality: match llr {
                None => 0.0,
                Some(l) if l > 0.0 => steady,
                Some(_) => 1.0,
            },
            reason: match llr {
                Some(l) if l > 0.0 => format!("the same pictures were shown {:.1} s ago", found.lag),
                _ => "no repetition found".into(),
            },
            features: found.features.to_vec(),
        })
    }

    /// The best lag of the newest probe, with how good it is.
    fn search(&self) -> Option<Match> {
        let n = self.prints.len();
        let now = self.prints.last()?.0;
        let start = self.prints.partition_point(|p| seconds(p.0, now) > PROBE);
        let length = n - start;
        if length < POINTS || seconds(self.prints.first()?.0, now) < SHORTEST + PROBE {
            return None;
        }
        let probe: Vec<usize> = (0..POINTS).map(|i| n - 1 - i * (length - 1) / (POINTS - 1)).collect();
        let motion =
            probe.windows(2).map(|w| self.prints[w[0]].1.distance(&self.prints[w[1]].1)).sum::<f32>()
                / (POINTS - 1) as f32;
        let nearest = n - self.prints.partition_point(|p| seconds(p.0, now) > SHORTEST);
        let farthest = n - length;
        let distance = |lag: usize, stop: f32| {
            let mut sum = 0.0;
            for &i in &probe {
                sum += self.prints[i].1.distance(&self.prints[i.checked_sub(lag)?].1);
                if sum > stop * POINTS as f32 {
                    return None;
                }
            }
            Some(sum / POINTS as f32)
        };
        let mut best = (f32::INFINITY, 0);
        for lag in nearest..=farthest {
            if let Some(d) = distance(lag, best.0).filter(|d| *d < best.0) {
                best = (d, lag);
            }
        }
        // A loop fits at every multiple of its length: as long as the last search's lag is as good as any, it stays,
        // and the shortest of equals is the loop itself.
        let limit = best.0 * 1.25 + 0.25 * FLOOR;
        let kept = self.found.map(|f| f.frames).filter(|f| (nearest..=farthest).contains(f));
        let as_good = |lag: usize| distance(lag, limit).filter(|d| *d <= limit).map(|d| (d, lag));
        let equal = kept.and_then(as_good).or_else(|| (nearest..=farthest).find_map(as_good));
        let (depth, lag) = equal.unwrap_or(best);
        if lag == 0 {
            return None;
        }
        // What a lag gives on the whole, and right beside the best one.
        let step = ((farthest - nearest) / 48).max(1);
        let mut others: Vec<f32> =
            (nearest..=farthest).step_by(step).filter_map(|l| distance(l, f32::INFINITY)).collect();
        others.sort_by(f32::total_cmp);
        let usual = others.get(others.len() / 2).copied().unwrap_or(depth);
        let aside = (length / 5).max(2);
        let beside = [lag.saturating_sub(aside), lag + aside]
            .into_iter()
            .filter_map(|l| distance(l, f32::INFINITY))
            .fold(f32::INFINITY, f32::min);
        let beside = if beside.is_finite() { beside } else { depth };
        let ratio = |a: f32| f64::from(((a + FLOOR) / (depth + FLOOR)).ln());
        Some(Match {
            lag: seconds(self.prints[n - 1 - lag].0, now),
            frames: lag,
            features: [
                ratio(usual),
                ratio(beside),
                f64::from((depth + FLOOR).ln()),
                f64::from((motion + FLOOR).ln()),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::fingerprint::{CELLS, Fingerprint};

    /// Pictures of a wandering scene with a little noise; `when` says which moment of the scene a frame shows.
    fn watch(secs: f64, when: impl Fn(f64) -> f64) -> Vec<(f64, Option<Reading>, Option<Reading>)> {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Repeat::default();
        let mut noise = 1u32;
        let mut out = Vec::new();
        for i in 0..(secs * 25.0) as u64 {
            let t = i as f64 / 25.0;
            let scene = when(t);
            let mut cells = [0u16; CELLS];
            for (c, v) in cells.iter_mut().enumerate() {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let c = c as f64;
                let wave = (scene * (0.9 + c * 0.013) + c).sin() + (scene * 0.37 + c * 1.7).sin();
                *v = (800.0 + 60.0 * wave) as u16 + (noise >> 30) as u16;
            }
            let (a, b) = signal.observe(&[((t * 1e9) as u64, Fingerprint(cells))], &calibration);
            out.push((t, a, b));
        }
        out
    }

    #[test]
    fn a_loop_is_found_at_its_lag_and_a_scene_is_none() {
        let looped = watch(12.0, |t| t % 3.0);
        let (_, found, _) = looped.last().unwrap();
        let found = found.clone().unwrap();
        assert!(found.reason.contains("3.0 s") || found.features[1] > 1.5, "{found:?}");
        let genuine = watch(12.0, |t| t);
        let worst = genuine.iter().filter_map(|g| g.1.as_ref()).map(|r| r.features[1]).fold(0.0, f64::max);
        assert!(found.features[1] > worst + 0.7, "{} {worst}", found.features[1]);
    }

    #[test]
    fn a_freeze_is_told_apart_from_a_loop() {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Repeat::default();
        for i in 0..200u64 {
            let v = if i < 100 { 800 + (i % 37) as u16 * 4 } else { 901 };
            let (looped, freeze) = signal.observe(&[(i * 40_000_000, Fingerprint([v; CELLS]))], &calibration);
            assert_eq!(freeze.is_some(), i > 100, "{i}");
            assert!(i < 120 || looped.is_none());
            assert!(i < 199 || (freeze.unwrap().features[0] - 3.96).abs() < 0.1);
        }
    }

    #[test]
    fn a_cut_is_seen_and_motion_is_none() {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Repeat::default();
        for i in 0..60u64 {
            let v = 800 + (i % 20) as u16 * 8 + if i >= 40 { 400 } else { 0 };
            signal.observe(&[(i * 40_000_000, Fingerprint([v; CELLS]))], &calibration);
        }
        assert!(signal.cut_after(39 * 40_000_000) && !signal.cut_after(40 * 40_000_000));
    }

    #[test]
    fn a_jump_back_starts_afresh() {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Repeat::default();
        for pts in [5u64, 6, 7, 1, 2] {
            signal.observe(&[(pts * 1_000_000_000, Fingerprint([pts as u16 * 50; CELLS]))], &calibration);
        }
        assert_eq!(signal.prints.len(), 2);
    }
}
