//! Whether a number that is shown as a percentage happens that often.
//!
//! Reliability diagram: DeGroot and Fienberg, "The comparison and evaluation of forecasters", The Statistician 1983.
//! Expected calibration error: Naeini, Cooper and Hauskrecht, AAAI 2015, with bins of equal width. Brier score: Brier,
//! Monthly Weather Review 1950.

use super::intervals::Rate;
use serde::Serialize;

/// Bins of equal width between 0 and 1.
pub const BINS: usize = 10;

/// What was claimed within a bin, and what was so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Mean of the claims.
    pub claimed: f64,
    /// The share of attacks among these clips.
    pub observed: Rate,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// Bins with clips in them, ascending.
    pub bins: Vec<Bin>,
    /// Expected calibration error: 0 if every claim is borne out.
    pub ece: f64,
    pub brier: f64,
    pub clips: usize,
}

/// `claims`: what was claimed of a clip (0..1), and whether it is an attack. `None` without any, or with a claim
/// outside 0..1.
pub fn reliability(claims: &[(f64, bool)]) -> Option<Reliability> {
    if claims.is_empty() || claims.iter().any(|c| !(0.0..=1.0).contains(&c.0)) {
        return None;
    }
    let clips = claims.len();
    let mut bins = Vec::new();
    let mut ece = 0.0;
    for bin in 0..BINS {
        let within = |claim: f64| ((claim * BINS as f64) as usize).min(BINS - 1) == bin;
        let here: Vec<_> = claims.iter().filter(|c| within(c.0)).collect();
        let attacks = here.iter().filter(|c| c.1).count();
        let Some(observed) = Rate::new(attacks, here.len()) else { continue };
        let claimed = here.iter().map(|c| c.0).sum::<f64>() / here.len() as f64;
        ece += (claimed - observed.rate).abs() * here.len() as f64 / clips as f64;
        bins.push(Bin { claimed, observed });
    }
    let square = |(claim, attack): &(f64, bool)| (claim - f64::from(u8::from(*attack))).powi(2);
    let brier = claims.iter().map(square).sum::<f64>() / clips as f64;
    Some(Reliability { bins, ece, brier, clips })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of what is claimed with 0.75, three quarters are so.
    #[test]
    fn a_kept_promise_has_no_error() {
        let claims = [(0.75, true), (0.75, true), (0.75, true), (0.75, false), (0.0, false), (1.0, true)];
        let r = reliability(&claims).unwrap();
        assert_eq!((r.ece, r.bins.len(), r.clips), (0.0, 3, 6));
        assert!((r.brier - (3.0 * 0.0625 + 0.5625) / 6.0).abs() < 1e-12, "{}", r.brier);
    }

    /// The worked example: 0.1 off in a bin of three, 0.8 off in a bin of one.
    #[test]
    fn errors_are_weighed_by_clips() {
        let claims = [(0.23, false), (0.23, true), (0.24, false), (0.8, false)];
        let r = reliability(&claims).unwrap();
        let first = (0.7 / 3.0 - 1.0 / 3.0f64).abs();
        assert!((r.ece - (first * 0.75 + 0.8 * 0.25)).abs() < 1e-12, "{}", r.ece);
    }

    #[test]
    fn claims_outside_of_the_range_are_refused() {
        assert!(reliability(&[]).is_none() && reliability(&[(1.1, true)]).is_none());
        assert!(reliability(&[(f64::NAN, true)]).is_none());
    }

    proptest! {
        #[test]
        fn every_clip_is_in_a_bin(claims in proptest::collection::vec((0.0f64..=1.0, any::<bool>()), 1..80)) {
            let r = reliability(&claims).unwrap();
            prop_assert_eq!(r.bins.iter().map(|b| b.observed.of).sum::<usize>(), claims.len());
            prop_assert!((0.0..=1.0).contains(&r.ece) && (0.0..=1.0).contains(&r.brier));
            prop_assert!(r.bins.windows(2).all(|b| b[0].claimed < b[1].claimed));
        }
    }
}
