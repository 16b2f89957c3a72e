//! The list of evaluations: which condition, on which recording, with which seed. It is plain and the same on every machine, so
//! that shards of it can be done anywhere and their results put one after the other.

use super::catalogue::Trial;
use super::recordings::Source;
use super::setting::Setting;
use serde::{Deserialize, Serialize};

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub trial: Trial,
    pub source: Source,
    /// Whose face is taken where another person's is.
    pub other: Option<Source>,
    pub seed: u64,
    /// Which segment of the recording.
    pub window: usize,
    /// Length of the segment, and of what is made of it, seconds.
    pub segment_s: f64,
    pub seconds: f64,
}

impl Task {
    /// The same for the same work, whoever does it.
    pub fn key(&self, setting: &Setting) -> String {
        let other = self.other.as_ref().map_or_else(String::new, |o| format!("+{}:{}", o.name, o.bytes));
        let hours = setting.hours.map_or_else(String::new, |h| format!(" at {h} h"));
        format!(
            "{}#{} {}:{}{other} window {} of {} s, {} s, seed {}, {}{hours}",
            self.trial.name,
            self.trial.digest(),
            self.source.name,
            self.source.bytes,
            self.window,
            self.segment_s,
            self.seconds,
            self.seed,
            setting.profile
        )
    }
}

/// What to make a list of.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub trials: &'a [Trial],
    pub sources: &'a [Source],
    /// Length of an evaluation where the catalogue does not say.
    pub seconds: f64,
    pub seed: u64,
    /// How many evaluations; every condition once on every recording when absent.
    pub budget: Option<usize>,
    /// Which part of how many, from 1.
    pub shard: (usize, usize),
}

impl Plan<'_> {
    /// The evaluations of this shard. Conditions are served in turn, so that a small budget meets all of them; within
    /// the shard, work on the same segment of a recording stands together.
    pub fn tasks(&self) -> Vec<Task> {
        let mut all: Vec<Task> = Vec::new();
        let budget = self.budget.unwrap_or(usize::MAX);
        for round in 0.. {
            let before = all.len();
            for turn in 0..self.sources.len() {
                for (number, trial) in self.trials.iter().enumerate() {
                    if all.len() < budget {
                        // Every source once a round, in another order for every condition.
                        let place = (number + turn + round) % self.sources.len().max(1);
                        all.extend(self.task(trial, place, round));
                    }
                }
            }
            let enough = self.budget.is_none() || all.len() >= budget || all.len() == before;
            if enough {
                break;
            }
        }
        let (part, parts) = self.shard;
        let mut mine: Vec<Task> = all
            .into_iter()
            .enumerate()
            .filter(|(i, _)| i % parts.max(1) + 1 == part)
            .map(|(_, t)| t)
            .collect();
        mine.sort_by(|a, b| {
            let place = |t: &Task| (t.source.path.clone(), (t.segment_s * 1000.0) as u64, t.window);
            place(a).cmp(&place(b)).then(a.seed.cmp(&b.seed))
        });
        mine
    }

    /// `None` where the recording does not suit.
    fn task(&self, trial: &Trial, place: usize, round: usize) -> Option<Task> {
        let source = self.sources.get(place)?;
        let seconds = trial.seconds.unwrap_or(self.seconds);
        let segment_s = trial.needs.unwrap_or(seconds);
        let count = source.segments(segment_s);
        if (source.still && !trial.still) || count == 0 {
            return None;
        }
        let n = self.sources.len();
        // Unless the user says who is who, every other recording is another person's.
        let same = |s: &Source| s.person.is_some() && s.person == source.person;
        let others = (1..n).map(|i| (place + i) % n).filter_map(|i| self.sources.get(i));
        let others: Vec<&Source> =
            others.filter(|s| !s.still && s.segments(segment_s) > 0 && !same(s)).collect();
        let other = others.get(round % others.len().max(1)).copied();
        Some(Task {
            trial: trial.clone(),
            source: source.clone(),
            other: other.cloned(),
            seed: self.seed.wrapping_add(round as u64),
            window: round % count,
            segment_s,
            seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;
    use std::collections::BTreeSet;

    fn source(name: &str, length: f64) -> Source {
        Source { name: name.into(), path: name.into(), bytes: 1, person: None, still: length == 0.0, length }
    }

    #[test]
    fn shards_are_the_whole_list_in_parts() -> Result<(), catalogue::CatalogueError> {
        let trials = catalogue::load(None)?;
        let sources = [source("a", 30.0), source("b", 9.0), source("c", 0.0)];
        let plan =
            |budget, shard| Plan { trials: &trials, sources: &sources, seconds: 8.0, seed: 1, budget, shard };
        let setting = Setting { profile: "balanced".into(), hours: None, picture: false };
        let keys = |p: Plan<'_>| p.tasks().iter().map(|t| t.key(&setting)).collect::<Vec<_>>();
        let whole = keys(plan(Some(1500), (1, 1)));
        assert_eq!(whole.len(), 1500);
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 1500, "the same work twice");
        let parts: Vec<String> = (1..=3).flat_map(|i| keys(plan(Some(1500), (i, 3)))).collect();
        assert_eq!(parts.iter().collect::<BTreeSet<_>>(), whole.iter().collect());
        assert_eq!(parts.len(), 1500);
        // A larger budget does the same work and more.
        let more: BTreeSet<String> = keys(plan(Some(2000), (1, 1))).into_iter().collect();
        assert!(whole.iter().all(|k| more.contains(k)));
        // A small one meets as many conditions as it can.
        let few = plan(Some(40), (1, 1)).tasks();
        assert_eq!(few.iter().map(|t| t.trial.name.clone()).collect::<BTreeSet<_>>().len(), 40);
        assert!(few.iter().all(|t| !t.source.still || t.trial.still));
        Ok(())
    }

    #[test]
    fn a_recording_that_is_too_short_is_left_out() -> Result<(), catalogue::CatalogueError> {
        let trials = catalogue::load(None)?;
        let sources = [source("a", 3.0)];
        let plan = Plan {
            trials: &trials,
            sources: &sources,
            seconds: 8.0,
            seed: 1,
            budget: Some(10),
            shard: (1, 1),
        };
        assert!(plan.tasks().is_empty());
        Ok(())
    }
}
