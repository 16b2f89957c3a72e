//! One update of one judge: what the signals said in a frame, as it was weighed. The engine and the replay of an evidence
//! bundle share it.

use super::alert::Judge;
use super::cusum::Contribution;
use super::exact;
use super::verdict::{Alert, AlertKind, State};
use crate::analysis::evidence::{Evidence, Family, Reading};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What one signal said in one frame, as it was weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Said {
    pub signal: Cow<'static, str>,
    pub family: Family,
    /// See [`Reading`].
    #[serde(with = "exact::one")]
    pub rate: f64,
    #[serde(with = "exact::one")]
    pub impulse: f64,
    /// See [`Reading::stands`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands: bool,
    /// What both were multiplied with: the quality, but for what comes from outside the pictures.
    #[serde(with = "exact::one")]
    pub weight: f64,
    /// Nats that it added: `weight * (rate * dt + impulse)`.
    #[serde(with = "exact::one")]
    pub gain: f64,
    /// As messages show it: see [`Evidence`].
    #[serde(with = "exact::one")]
    pub llr: f64,
    #[serde(with = "exact::one")]
    pub quality: f64,
    pub reason: String,
    #[serde(with = "exact::list")]
    pub features: Vec<f64>,
}

impl Said {
    /// A reading that is carried over `dt` seconds.
    pub fn of(signal: Cow<'static, str>, family: Family, reading: Reading, dt: f64) -> Self {
        let mut said = Self {
            signal,
            family,
            rate: reading.rate,
            impulse: reading.impulse,
            stands: reading.stands,
            weight: reading.quality,
            gain: 0.0,
            llr: reading.llr * reading.quality,
            quality: reading.quality,
            reason: reading.reason,
            features: reading.features,
        };
        said.gain = said.weighed(dt);
        said
    }

    /// Nats that come once and are not weighed with a quality; `shown` is what messages tell of it.
    pub fn once(family: Family, nats: f64, shown: Evidence) -> Self {
        let Evidence { signal, llr, quality, reason } = shown;
        let (signal, features) = (signal.into(), Vec::new());
        let mut said = Self {
            signal,
            family,
            rate: 0.0,
            impulse: nats,
            stands: true,
            weight: 1.0,
            gain: 0.0,
            llr,
            quality,
            reason,
            features,
        };
        said.gain = said.weighed(0.0);
        said
    }

    pub(crate) fn weighed(&self, dt: f64) -> f64 {
        self.weight * (self.rate * dt + self.impulse)
    }

    fn evidence(&self) -> Evidence {
        let (signal, reason) = (self.signal.to_string(), self.reason.clone());
        Evidence { signal, llr: self.llr, quality: self.quality, reason }
    }
}

/// A judge after an update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct After {
    pub statistic: f64,
    pub risk: f64,
    pub state: State,
    /// Of some attack, all evidence fused, nats.
    #[serde(default)]
    pub fused: f64,
    pub sums: Vec<FamilySum>,
}

/// What one family of attacks amounts to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FamilySum {
    pub family: Family,
    /// For such an attack, nats.
    pub sum: f64,
    /// Against it, nats.
    pub live: f64,
    /// When `sum` last was 0, ns.
    pub onset: u64,
}

impl After {
    /// The judge as it stands.
    pub fn of(judge: &Judge) -> Self {
        let cusum = judge.cusum();
        let sum = |family: Family| FamilySum {
            family,
            sum: cusum.sum(family),
            live: cusum.live(family),
            onset: cusum.onset(family),
        };
        Self {
            statistic: judge.statistic(),
            risk: judge.risk(),
            state: judge.state(),
            fused: judge.fusion().statistic(None),
            sums: Family::ALL.into_iter().map(sum).collect(),
        }
    }

    /// The first number that is another one in `other`, if any is.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let numbers = |a: &Self| {
            let mut all = vec![
                ("statistic".to_owned(), a.statistic),
                ("risk".to_owned(), a.risk),
                ("fused statistic".to_owned(), a.fused),
            ];
            for s in &a.sums {
                all.push((format!("sum of {}", s.family.name()), s.sum));
                all.push((format!("evidence against {}", s.family.name()), s.live));
            }
            all
        };
        let (mine, others) = (numbers(self), numbers(other));
        let differ = |((name, a), (_, b)): (&(String, f64), &(String, f64))| {
            (a.to_bits() != b.to_bits()).then(|| format!("the {name} is {a} and {b} is written"))
        };
        mine.iter().zip(&others).find_map(differ).or_else(|| {
            (self != other).then(|| "state, onset or families are not those that are written".to_owned())
        })
    }
}

/// One update of one judge: what it was told and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    pub pts: u64,
    pub epoch: u64,
    /// The face; `None` for the stream as a whole.
    pub track_id: Option<u32>,
    /// Seconds over which rates were carried.
    #[serde(with = "exact::one")]
    pub dt: f64,
    /// The face's overall quality.
    pub face_quality: Option<f64>,
    pub said: Vec<Said>,
    pub after: After,
    /// Whether it raised or cleared an alert.
    pub alert: Option<AlertKind>,
}

impl Step {
    /// What a judge is going to be told.
    pub fn new(pts: u64, epoch: u64, track_id: Option<u32>, dt: f64, said: Vec<Said>) -> Self {
        let (face_quality, after, alert) = (None, After::default(), None);
        Self { pts, epoch, track_id, dt, face_quality, said, after, alert }
    }

    /// Tells the judge, and notes what became of it. Returns the alert that was raised or cleared, and the evidence, the
    /// strongest first.
    pub fn weigh(&mut self, judge: &mut Judge) -> (Option<Alert>, Vec<Evidence>) {
        let (alert, evidence) = self.tell(judge);
        self.after = After::of(judge);
        self.alert = alert.as_ref().map(|a| a.kind);
        (alert, evidence)
    }

    pub(crate) fn tell(&self, judge: &mut Judge) -> (Option<Alert>, Vec<Evidence>) {
        let contribution = |s: &Said| Contribution {
            signal: s.signal.clone(),
            family: s.family,
            gain: s.weighed(self.dt),
            stands: s.stands,
        };
        let contributions: Vec<_> = self.said.iter().map(contribution).collect();
        let evidence = strongest_first(self.said.iter().map(Said::evidence).collect());
        let alert = judge.update(self.pts, self.dt, &contributions, &evidence, self.epoch, self.track_id);
        (alert, evidence)
    }
}

/// Strongest first; among equals by name, so that the order never depends on chance.
pub fn strongest_first(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    evidence.sort_by(|a, b| b.llr.abs().total_cmp(&a.llr.abs()).then_with(|| a.signal.cmp(&b.signal)));
    evidence
}
