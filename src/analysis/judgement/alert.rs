//! The state of one face (or of the stream as a whole), and when an alert is raised and cleared.

use crate::analysis::evidence::{Evidence, Family, seconds};
use crate::analysis::judgement::cusum::{Contribution, Cusum};
use crate::analysis::judgement::fusion::Fusion;
use crate::analysis::judgement::verdict::{Alert, AlertKind, State};
use serde::{Deserialize, Serialize};

/// Share of the threshold from which a state is `suspect`, and below which it may be `live`.
const SUSPECT: f64 = 0.4;
const CALM: f64 = 0.2;
/// Evidence for a live person from which the state is `live`, nats.
const LIVE: f64 = 3.0;
/// Evidence against the attack, since the alert was raised, that clears it (e^4.6: a hundred to one), and the
/// least time that an alert stands, seconds.
const CLEAR: f64 = 4.6;
const LEAST_STANDING: f64 = 3.0;

/// Hysteresis around one [`Cusum`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    cusum: Cusum,
    fusion: Fusion,
    threshold: f64,
    raised: Option<(u64, Family)>,
}

impl Judge {
    /// `threshold`: nats, see [`crate::analysis::judgement::cusum::threshold`].
    pub fn new(threshold: f64) -> Self {
        Self { cusum: Cusum::default(), fusion: Fusion::default(), threshold, raised: None }
    }

    /// Adds the evidence of one frame, `dt` seconds after the last; returns an alert if this frame raised or cleared one. `epoch` and
    /// `track_id` are only passed on.
    pub fn update(
        &mut self,
        pts: u64,
        dt: f64,
        contributions: &[Contribution],
        reasons: &[Evidence],
        epoch: u64,
        track_id: Option<u32>,
    ) -> Option<Alert> {
        self.cusum.update(pts, contributions, self.threshold);
        self.fusion.update(contributions, dt);
        let (statistic, family) = self.cusum.worst();
        let kind = match self.raised {
            None if statistic >= self.threshold => {
                self.raised = Some((pts, family));
                self.cusum.forget_live(family);
                AlertKind::Raised
            }
            Some((since, family))
                if self.cusum.live(family) >= CLEAR && seconds(since, pts) >= LEAST_STANDING =>
            {
                AlertKind::Cleared
            }
            _ => return None,
        };
        let family = self.raised.map_or(family, |r| r.1);
        // What is not calibrated, or was too poor, has no part in it.
        let parts = self.cusum.parts(family).into_iter().filter(|(_, llr)| *llr != 0.0);
        let evidence = parts.map(|(signal, llr)| {
            let now = reasons.iter().find(|r| r.signal == signal);
            Evidence {
                signal: signal.to_owned(),
                llr,
                quality: now.map_or(0.0, |r| r.quality),
                reason: now.map_or_else(String::new, |r| r.reason.clone()),
            }
        });
        let alert = Alert {
            kind,
            epoch,
            pts,
            onset_pts: (kind == AlertKind::Raised).then(|| self.cusum.onset(family)),
            track_id,
            statistic,
            threshold: self.threshold,
            evidence: evidence.collect(),
        };
        if kind == AlertKind::Cleared {
            self.raised = None;
            self.cusum.clear(pts);
        }
        Some(alert)
    }

    /// Ends the watch: an alert that still stands is cleared, because what it spoke of is gone.
    pub fn finish(&mut self, pts: u64, why: &str, epoch: u64, track_id: Option<u32>) -> Option<Alert> {
        self.raised.take()?;
        Some(Alert {
            kind: AlertKind::Cleared,
            epoch,
            pts,
            onset_pts: None,
            track_id,
            statistic: self.cusum.worst().0,
            threshold: self.threshold,
            evidence: vec![Evidence { signal: "tracker".into(), llr: 0.0, quality: 1.0, reason: why.into() }],
        })
    }

    pub fn is_raised(&self) -> bool {
        self.raised.is_some()
    }

    /// The sums that it judges by.
    pub fn cusum(&self) -> &Cusum {
        &self.cusum
    }

    /// All evidence, fused.
    pub fn fusion(&self) -> &Fusion {
        &self.fusion
    }

    /// Nats.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The statistic, nats.
    pub fn statistic(&self) -> f64 {
        self.cusum.worst().0
    }

    /// The statistic as a share of the threshold, 0..1; 1 as long as an alert stands.
    pub fn risk(&self) -> f64 {
        if self.is_raised() { 1.0 } else { (self.cusum.worst().0 / self.threshold).clamp(0.0, 1.0) }
    }

    pub fn state(&self) -> State {
        let risk = self.risk();
        if self.is_raised() {
            State::Attack
        } else if risk >= SUSPECT {
            State::Suspect
        } else if risk < CALM && self.cusum.live(Family::Presentation) >= LIVE {
            State::Live
        } else {
            State::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(j: &mut Judge, t: f64, gain: f64) -> Option<Alert> {
        let c =
            Contribution { signal: "micro-motion".into(), family: Family::Presentation, gain, stands: false };
        j.update((t * 1e9) as u64, 0.1, &[c], &[], 1, Some(7))
    }

    #[test]
    fn an_alert_rises_once_and_clears_after_sustained_evidence() {
        let mut j = Judge::new(12.0);
        let mut seen = Vec::new();
        for i in 0..200 {
            let t = f64::from(i) * 0.1;
            let gain = if (5.0..10.0).contains(&t) { 0.6 } else { -0.3 };
            if let Some(a) = step(&mut j, t, gain) {
                seen.push((a.kind, t, a.onset_pts));
            }
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
        let (raised, cleared) = (seen[0], seen[1]);
        assert_eq!(raised.0, AlertKind::Raised);
        assert!((6.9..7.1).contains(&raised.1), "{raised:?}");
        assert!((4.8..5.0).contains(&(raised.2.unwrap() as f64 * 1e-9)));
        assert_eq!(cleared.0, AlertKind::Cleared);
        assert!((11.4..11.8).contains(&cleared.1), "{cleared:?}");
        assert_eq!(j.state(), State::Live);
    }

    #[test]
    fn states_follow_the_evidence() {
        let mut j = Judge::new(12.0);
        assert_eq!(j.state(), State::Unknown);
        step(&mut j, 0.0, -5.0);
        assert_eq!(j.state(), State::Live);
        step(&mut j, 1.0, 5.0);
        assert_eq!(j.state(), State::Suspect);
        step(&mut j, 2.0, 8.0);
        assert_eq!((j.state(), j.risk()), (State::Attack, 1.0));
        assert!(j.finish(3, "gone", 1, None).is_some());
        assert!(j.finish(3, "gone", 1, None).is_none());
    }

    proptest! {
        #[test]
        fn raised_and_cleared_alternate(gains in proptest::collection::vec(-4f64..4.0, 0..300)) {
            let mut j = Judge::new(10.0);
            let mut standing = false;
            for (i, g) in gains.into_iter().enumerate() {
                if let Some(a) = step(&mut j, i as f64 * 0.5, g) {
                    prop_assert_eq!(a.kind == AlertKind::Raised, !standing);
                    standing = !standing;
                }
                prop_assert_eq!(standing, j.is_raised());
                prop_assert!((0.0..=1.0).contains(&j.risk()));
            }
        }
    }
}
