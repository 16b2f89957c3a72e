//! The rhythm of a stream's pictures: every n-th one doubled, and motion that runs backwards.
//!
//! A recording of 24 or 25 pictures a second that is shown at 30 has a doubled picture at regular distances (Wang and
//! Farid, "Exposing digital forgeries in interlaced and deinterlaced video", IEEE TIFS 2007, for rate conversion as a
//! trace). A clip that is played forwards and backwards, so that it has no seam, is symmetric in time around each turn.
//! Plain loops and freezes are `signals::repeat`'s.

use super::origin::Origin;
use crate::analysis::pixels::fingerprint::Print;
use crate::analysis::source::provenance::{Class, Finding};
use std::collections::VecDeque;

/// Fingerprints kept, and intervals that a rhythm is looked for in.
const KEPT: usize = 240;
/// Distance of two pictures that are the same, grey levels (as `signals::repeat` has it).
const SAME: f32 = 0.003;
/// Doubled pictures that make a rhythm, and the share of their distances that must agree within one picture.
const MIN_DOUBLES: usize = 6;
const STEADY: f64 = 0.85;
/// Distances in pictures: a camera that doubles every picture in low light is honest; rarer than every 12th is no
/// conversion that anyone uses.
const RHYTHMS: std::ops::RangeInclusive<usize> = 3..=12;
/// No honest source is known to double every n-th picture; encoders that skip still pictures come near it.
const RHYTHM_WEIGHT: f64 = -1.0;
const RHYTHM_INJECTION: f64 = 1.5;
/// Seconds on either side of a turn that are compared, and how many pictures of them.
const ARM: f64 = 1.5;
const POINTS: usize = 12;
/// Change from one end of an arm to its middle and turn that counts as motion, grey levels.
const MOTION: f32 = 0.4;
/// How like each other the arms must be, against the motion: people nod symmetrically, but not to this degree.
const MIRRORED: f32 = 0.06;
/// Turns less than this apart are one, seconds.
const APART: f64 = 0.5;
/// Nats of one turn and of several: chance makes one now and then.
const ONE_TURN: f64 = 0.5;
const TURNS: f64 = 2.5;
const TURNS_WEIGHT: f64 = 1.0;

/// See the module. About 50 KB; some microseconds a picture.
#[derive(Debug, Default)]
pub struct Cadence {
    prints: VecDeque<Print>,
    doubled: VecDeque<bool>,
    turns: u32,
    last_turn: Option<u64>,
}

impl Cadence {
    /// Takes the next picture; a PTS that does not rise starts afresh.
    pub fn observe(&mut self, print: &Print) {
        match self.prints.back() {
            Some(last) if print.0 <= last.0 => *self = Self::default(),
            Some(last) => {
                self.doubled.push_back(last.1.distance(&print.1) < SAME);
                if self.doubled.len() > KEPT {
                    self.doubled.pop_front();
                }
            }
            None => {}
        }
        self.prints.push_back(*print);
        if self.prints.len() > KEPT {
            self.prints.pop_front();
        }
        if let Some(turn) = self.turn() {
            let apart = |t: u64| turn.saturating_sub(t) as f64 / 1e9 > APART;
            if self.last_turn.is_none_or(apart) {
                self.turns += 1;
            }
            self.last_turn = Some(turn);
        }
    }

    /// The PTS of the turn whose later arm ends with the newest picture, if there is one there.
    fn turn(&self) -> Option<u64> {
        let newest = self.prints.back()?.0;
        let middle = self.prints.partition_point(|p| newest.saturating_sub(p.0) as f64 / 1e9 > ARM);
        let arm = self.prints.len() - 1 - middle;
        if arm < POINTS || arm > middle {
            return None;
        }
        let at = |i: usize| self.prints.get(i);
        let turn = at(middle)?;
        // The turning picture may be shown once or twice.
        let mirrored = |twice: usize| {
            let mut sum = 0.0;
            for k in 1..=POINTS {
                let k = k * arm / POINTS;
                sum += at(middle + k)?.1.distance(&at((middle + twice).checked_sub(k)?)?.1);
            }
            Some(sum / POINTS as f32)
        };
        let moved = |from: usize| Some(turn.1.distance(&at(from)?.1));
        let motion = moved(middle + arm / 2)?.min(moved(middle + arm)?);
        if motion < MOTION {
            return None;
        }
        let likeness = mirrored(0)?.min(mirrored(1)?);
        (likeness < MIRRORED * motion).then_some(turn.0)
    }

    /// Distance of doubled pictures, when they keep to one, and how many there were.
    fn rhythm(&self) -> Option<(usize, usize)> {
        let places: Vec<usize> = self.doubled.iter().enumerate().filter(|d| *d.1).map(|d| d.0).collect();
        let mut gaps: Vec<usize> = places.windows(2).map(|w| w[1] - w[0]).collect();
        if gaps.len() + 1 < MIN_DOUBLES {
            return None;
        }
        gaps.sort_unstable();
        let usual = *gaps.get(gaps.len() / 2)?;
        let agree = gaps.iter().filter(|g| g.abs_diff(usual) <= 1).count() as f64 / gaps.len() as f64;
        (RHYTHMS.contains(&usual) && agree >= STEADY).then_some((usual, places.len()))
    }

    /// Findings `cadence` and `reversal`.
    pub fn findings(&self, origin: &Origin) -> Vec<Finding> {
        let cadence = match self.rhythm() {
            _ if origin.altered => Finding::nothing("cadence", "the pictures are altered on the way here"),
            None => Finding::nothing("cadence", "no rhythm of doubled pictures"),
            Some((every, count)) => {
                let reason = format!("every {every}th picture is a doubled one ({count} of them)");
                Finding::of("cadence", Class::Physical, RHYTHM_WEIGHT, reason).injected(RHYTHM_INJECTION)
            }
        };
        let reversal = match self.turns {
            0 => Finding::nothing("reversal", "no motion runs backwards"),
            1 => Finding::of("reversal", Class::File, 0.0, "motion ran backwards once").injected(ONE_TURN),
            n => {
                Finding::of("reversal", Class::File, TURNS_WEIGHT, format!("motion ran backwards {n} times"))
                    .injected(TURNS)
            }
        };
        vec![cadence, reversal]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::fingerprint::{CELLS, Fingerprint};

    /// Pictures of a wandering scene; `when` says which moment of it picture n shows.
    fn watch(count: u64, when: impl Fn(u64) -> f64) -> Vec<Finding> {
        let mut cadence = Cadence::default();
        let mut noise = 1u32;
        let mut last = f64::NAN;
        let mut cells = [0u16; CELLS];
        for n in 0..count {
            let scene = when(n);
            if scene != last {
                for (c, v) in cells.iter_mut().enumerate() {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let c = c as f64;
                    let wave = (scene * (0.9 + c * 0.013) + c).sin() + (scene * 0.37 + c * 1.7).sin();
                    *v = (800.0 + 60.0 * wave) as u16 + (noise >> 31) as u16;
                }
            }
            last = scene;
            cadence.observe(&(n * 33_333_333, Fingerprint(cells)));
        }
        cadence.findings(&Origin::default())
    }

    #[test]
    fn a_scene_has_neither() {
        let found = watch(600, |n| n as f64 / 30.0);
        assert!(found.iter().all(|f| f.injection == 0.0), "{found:?}");
    }

    #[test]
    fn film_at_thirty_is_found_and_low_light_is_not() {
        let film = watch(200, |n| (n * 24 / 30) as f64 / 24.0);
        assert_eq!(film[0].injection, RHYTHM_INJECTION, "{film:?}");
        let pal = watch(200, |n| (n * 25 / 30) as f64 / 25.0);
        assert!(pal[0].reason.contains("6th"), "{pal:?}");
        let dark = watch(200, |n| (n / 2) as f64 / 15.0);
        assert_eq!(dark[0].injection, 0.0, "{dark:?}");
    }

    #[test]
    fn forwards_and_backwards_is_found() {
        let found = watch(600, |n| {
            let n = n % 180;
            (if n < 90 { n } else { 180 - n }) as f64 / 30.0
        });
        assert_eq!(found[1].injection, TURNS, "{found:?}");
    }

    #[test]
    fn a_nod_is_no_turn() {
        let found = watch(600, |n| {
            let t = n as f64 / 30.0;
            0.6 * (t * 2.1).sin() + 0.15 * (t * 3.3).sin() + 0.08 * t
        });
        assert!(found[1].injection <= ONE_TURN, "{found:?}");
    }
}
