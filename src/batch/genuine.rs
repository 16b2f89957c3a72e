//! What genuine sessions amount to, from the results of a scan.

use super::record::Record;
use crate::analysis::evidence::GenuineSessions;
use crate::evaluation::intervals::Rate;
use crate::inference::Digest;
use std::collections::BTreeMap;

/// Least seconds of a face good enough to judge for a recording to be a session.
const LEAST_GOOD: f64 = 1.0;

/// What a scan's results hold for a calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    /// One a person: of those with several sessions the one that looks worst, because sessions of one person are not
    /// independent.
    pub genuine: GenuineSessions,
    /// Genuine recordings that could be judged, and those that could not.
    pub recordings: usize,
    pub left_out: usize,
    /// Fused statistics of attacks, by kind.
    pub attacks: BTreeMap<String, Vec<f64>>,
}

impl Sessions {
    /// Of labelled results. A recording without an `identity_group` is a person of its own; names are separated by bars.
    pub fn of(records: &[Record], data: &str) -> Self {
        let mut people: BTreeMap<String, f64> = BTreeMap::new();
        let (mut recordings, mut left_out) = (0, 0);
        let mut attacks: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for record in records {
            let (Some(label), Some(scanned)) = (&record.label, record.scanned()) else { continue };
            let judged = scanned.good_seconds >= LEAST_GOOD && scanned.fused.is_finite();
            match label.attack {
                Some(false) if judged => {
                    recordings += 1;
                    let person = label.identity_group.clone().unwrap_or_else(|| record.clip.clone());
                    let worst = people.entry(person).or_insert(scanned.fused);
                    *worst = worst.max(scanned.fused);
                }
                Some(false) => left_out += 1,
                Some(true) if judged => {
                    let kind = label.attack_type.clone().unwrap_or_else(|| "attack".into());
                    attacks.entry(kind).or_default().push(scanned.fused);
                }
                _ => {}
            }
        }
        let numbers: Vec<u8> = people.values().flat_map(|v| v.to_le_bytes()).collect();
        let version = Digest::of(&numbers).to_string().chars().take(16).collect();
        let genuine = GenuineSessions::of(version, data.to_owned(), people.into_values());
        Self { genuine, recordings, left_out, attacks }
    }

    /// How many people more there must be before a threshold for that share can be told.
    pub fn lacking(&self, share: f64) -> usize {
        GenuineSessions::needed(share).saturating_sub(self.genuine.statistics.len())
    }

    /// Of each kind of attack the share above a threshold.
    pub fn caught(&self, threshold: f64) -> BTreeMap<&str, Rate> {
        let above = |all: &Vec<f64>| all.iter().filter(|s| **s > threshold).count();
        let kinds = self.attacks.iter();
        kinds.filter_map(|(kind, all)| Some((kind.as_str(), Rate::new(above(all), all.len())?))).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::batch::Outcome;
    use crate::batch::evaluation::tests::record;

    fn session(name: &str, person: &str, kind: Option<&str>, fused: f64, good: f64) -> Record {
        let mut record = record(name, Some(kind.unwrap_or("")), fused, false);
        let label = record.label.as_mut().unwrap();
        (label.attack, label.identity_group) = (Some(kind.is_some()), Some(person.into()));
        let Outcome::Scanned(s) = &mut record.outcome else { panic!() };
        (s.fused, s.good_seconds) = (fused, good);
        record
    }

    #[test]
    fn one_session_a_person_and_the_worst() {
        let all = [
            session("a1", "ann", None, 0.5, 9.0),
            session("a2", "ann", None, 1.5, 9.0),
            session("b", "bob", None, -1.0, 9.0),
            session("c", "cid", None, 9.0, 0.5),
            session("s", "ann", Some("swap"), 3.0, 9.0),
            session("t", "bob", Some("swap"), 0.0, 9.0),
        ];
        let sessions = Sessions::of(&all, "test");
        assert_eq!(sessions.genuine.statistics, [-1.0, 1.5]);
        assert_eq!((sessions.recordings, sessions.left_out), (3, 1));
        assert_eq!([0.5, 0.05, 0.001].map(|s| sessions.lacking(s)), [0, 17, 997]);
        assert_eq!(sessions.caught(1.5)["swap"].rate, 0.5);
        let text = toml::to_string(&sessions.genuine).unwrap();
        assert_eq!(GenuineSessions::parse(&text).unwrap(), sessions.genuine);
    }
}
