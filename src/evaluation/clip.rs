//! A labelled clip, and which clips depend on each other.

use super::bootstrap::Clusters;

/// A labelled clip and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clip {
    pub attack: bool,
    /// The attack instrument (`print`, `face swap`, ...); one word for all if it is not told.
    pub kind: String,
    /// How much speaks for an attack, nats; 0 if nothing does.
    pub score: f64,
    /// Whether an alert was raised.
    pub alerted: bool,
    /// What a person was shown, 0..1; none if nothing could be judged.
    pub risk: Option<f64>,
    /// Clips of a pair are the same recording, genuine and attacked.
    pub pair: Option<String>,
    /// Who is in it: names separated by `|`. Clips with a name in common are not independent.
    pub identities: Option<String>,
    /// When the attack begins, seconds, if that is known.
    pub onset: Option<f64>,
    /// When alerts were raised, seconds, ascending.
    pub alerts: Vec<f64>,
}

impl Clip {
    /// Whether an alert was raised for the right reason: where the onset is known, one that comes before the attack
    /// begins tells nothing of it. (Of a network by itself there are no times.)
    pub(super) fn caught(&self) -> bool {
        self.alerted && (self.onset.is_none() || self.alerts.is_empty() || self.delay().is_some())
    }

    /// From a known onset to the first alert that was raised at it or later, seconds.
    pub(super) fn delay(&self) -> Option<f64> {
        let onset = self.onset?;
        self.alerts.iter().find(|at| **at >= onset).map(|at| at - onset)
    }

    /// Whether an alert was raised before a known onset.
    pub(super) fn too_early(&self) -> bool {
        self.onset.zip(self.alerts.first()).is_some_and(|(onset, at)| *at < onset)
    }
}

/// Which clips depend on each other: those that share a person or are made from the same recording.
pub fn clusters<'a>(clips: impl IntoIterator<Item = &'a Clip>) -> Clusters {
    // A person's name may look like a pair's: tell them apart by what follows.
    let marks: Vec<Vec<String>> = clips
        .into_iter()
        .map(|c| {
            let people = c.identities.iter().flat_map(|i| i.split('|')).map(str::trim);
            let people = people.filter(|p| !p.is_empty()).map(|p| format!("{p}\0person"));
            people.chain(c.pair.iter().map(|p| format!("{p}\0pair"))).collect()
        })
        .collect();
    Clusters::by_marks(marks.iter().map(|m| m.iter().map(String::as_str).collect()))
}
