//! Adaptive search: the parameters of an attack that the detector sees least of, as somebody looks for them who can ask
//! the detector again and again but does not see inside it.
//!
//! The first quarter of the tries and some of the others are drawn by chance; the rest change the best one so far a little, by less and less (random hill
//! climbing, as in Rastrigin's random search with a shrinking step). What is made small is the highest statistic.

use super::catalogue::Trial;
use super::row::Judged;
use crate::evaluation::intervals::Rate;
use crate::redteam::kind::Kind;
use crate::redteam::random::{Use, rng};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A number within a parameter, and between what it may be.
struct Knob {
    /// Where it is, as `motion.sway`.
    path: &'static str,
    low: f64,
    high: f64,
    whole: bool,
}

const fn knob(path: &'static str, low: f64, high: f64) -> Knob {
    Knob { path, low, high, whole: false }
}

const SWAP: [Knob; 5] = [
    knob("edge", 0.0, 0.12),
    knob("strength", 0.5, 1.0),
    Knob { path: "pixels", low: 32.0, high: 256.0, whole: true },
    knob("jitter", 0.0, 1.0),
    knob("tint", 0.0, 12.0),
];
const RESTORE: [Knob; 3] =
    [knob("smooth", 0.01, 0.08), knob("sharpen", 0.2, 3.0), knob("strength", 0.5, 1.0)];
const ANIMATE: [Knob; 6] = [
    knob("amount", 0.3, 2.0),
    knob("camera.sway", 0.0, 0.04),
    knob("camera.tremor", 0.0, 0.003),
    knob("camera.scale", 0.0, 0.05),
    knob("camera.rotation", 0.0, 4.0),
    knob("camera.tilt", 0.0, 6.0),
];
const PRESENT: [Knob; 10] = [
    knob("curve", 0.0, 0.5),
    knob("level", 0.2, 1.2),
    knob("motion.sway", 0.0, 0.05),
    knob("motion.tremor", 0.0, 0.003),
    knob("motion.scale", 0.0, 0.08),
    knob("motion.rotation", 0.0, 5.0),
    knob("motion.tilt", 0.0, 12.0),
    knob("light.drift", 0.0, 0.1),
    knob("light.gradient", 0.0, 0.1),
    knob("light.gloss", 0.0, 0.2),
];
const LOOP: [Knob; 1] = [knob("length", 0.5, 3.5)];
const COVER: [Knob; 1] = [knob("strength", 0.0, 12.0)];

fn knobs(kind: &Kind) -> &'static [Knob] {
    match kind {
        Kind::Swap(_) => &SWAP,
        Kind::Restore(_) => &RESTORE,
        Kind::Animate(_) => &ANIMATE,
        Kind::Present(_) => &PRESENT,
        Kind::Loop(_) => &LOOP,
        Kind::Adversarial(_) => &COVER,
        _ => &[],
    }
}

/// One try and what the detector said.
#[derive(Clone, Debug)]
struct Tried {
    trial: Trial,
    at: Vec<f64>,
    score: f64,
}

/// A search. Asked for a try, it is given the outcome, and so on.
#[derive(Debug)]
pub struct Search {
    bases: Vec<Trial>,
    seed: u64,
    tries: usize,
    asked: usize,
    best: Option<Tried>,
    answered: usize,
    evaded: usize,
    /// Evasions among the tries drawn by chance.
    random: (usize, usize),
}

impl Search {
    /// Searches around `trials`; those that have nothing to turn are left out, and so are controls. `None` if none is
    /// left.
    pub fn new(trials: &[Trial], seed: u64, tries: usize) -> Option<Self> {
        let turns = |t: &&Trial| t.is_attack() && !knobs(&t.kind).is_empty();
        let bases: Vec<Trial> = trials.iter().filter(turns).cloned().collect();
        let fresh = Self { bases, seed, tries, asked: 0, best: None, answered: 0, evaded: 0, random: (0, 0) };
        (!fresh.bases.is_empty()).then_some(fresh)
    }

    /// The next try; `None` when all were made.
    pub fn ask(&mut self) -> Option<(Trial, Vec<f64>, bool)> {
        if self.asked >= self.tries {
            return None;
        }
        let mut rng = rng(self.seed, Use::Search, self.asked as u64);
        let progress = self.asked as f64 / self.tries as f64;
        self.asked += 1;
        // The first quarter only by chance: a slope can only be climbed where there is one.
        let climb = progress >= 0.25 && self.best.is_some() && rng.random::<f64>() < 0.75;
        let (base, at) = match (&self.best, climb) {
            (Some(best), true) => {
                let step = 0.3 * (1.0 - progress) + 0.03;
                let moved = best.at.iter().map(|v| {
                    let turn = rng.random::<f64>() < 0.6;
                    let by = (rng.random::<f64>() * 2.0 - 1.0) * step;
                    if turn { (v + by).clamp(0.0, 1.0) } else { *v }
                });
                (best.trial.clone(), moved.collect())
            }
            _ => {
                let pick = rng.random_range(0..self.bases.len());
                let base = self.bases.get(pick)?.clone();
                let at = knobs(&base.kind).iter().map(|_| rng.random::<f64>()).collect();
                (base, at)
            }
        };
        let at: Vec<f64> = at;
        Some((turned(&base, &at), at, !climb))
    }

    /// What came of a try.
    pub fn tell(&mut self, (trial, at, by_chance): (Trial, Vec<f64>, bool), judged: &Judged) {
        self.answered += 1;
        self.evaded += usize::from(!judged.alerted);
        if by_chance {
            self.random = (self.random.0 + usize::from(!judged.alerted), self.random.1 + 1);
        }
        // Nothing to judge is no evasion worth having: the call would be refused for it.
        let score = match judged.ground {
            crate::batch::Ground::Judged => judged.score,
            _ => judged.threshold,
        };
        if self.best.as_ref().is_none_or(|b| score < b.score) {
            self.best = Some(Tried { trial, at, score });
        }
    }

    /// Evasions among all tries, and among those drawn by chance, which alone are a fair sample.
    pub fn evasions(&self) -> (Option<Rate>, Option<Rate>) {
        (Rate::new(self.evaded, self.answered), Rate::new(self.random.0, self.random.1))
    }

    /// The highest statistic of the best try, and the try as a family for a catalogue.
    pub fn best(&self) -> Option<(f64, &Trial, String)> {
        let best = self.best.as_ref()?;
        let mut kind = serde_json::to_value(&best.trial.kind).ok()?;
        strip(&mut kind);
        let kind = toml::to_string(&json!({ "kind": kind })).ok()?;
        let tables = kind.replace("[kind", "[family.variant.kind");
        let text = format!(
            "[[family]]\nname = \"adapted\"\nchannels = [\"clean\"]\nnoise = {:?}\n\n[[family.variant]]\nname = \"best\"\n\
             about = \"found by search, from {}\"\n\n{tables}",
            best.trial.noise, best.trial.name
        );
        Some((best.score, &best.trial, text))
    }
}

/// TOML has no nothing.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(strip);
        }
        Value::Array(all) => all.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The trial with its knobs at these places, each from 0 to 1.
fn turned(base: &Trial, at: &[f64]) -> Trial {
    let Ok(Value::Object(mut kind)) = serde_json::to_value(&base.kind) else { return base.clone() };
    for (knob, at) in knobs(&base.kind).iter().zip(at) {
        let value = knob.low + (knob.high - knob.low) * at;
        let value = if knob.whole { json!(value.round() as i64) } else { json!((value * 1e5).round() / 1e5) };
        set(&mut kind, knob.path, value);
    }
    match Kind::deserialize(Value::Object(kind)) {
        Ok(kind) => Trial { kind, name: base.name.clone(), ..base.clone() },
        Err(_) => base.clone(),
    }
}

fn set(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.into(), value);
        }
        Some((head, rest)) => {
            if let Some(Value::Object(inner)) = map.get_mut(head) {
                set(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::catalogue;
    use super::*;
    use crate::batch::Ground;

    fn answer(score: f64) -> Judged {
        Judged { score, threshold: 12.0, alerted: score >= 12.0, ground: Ground::Judged, ..Judged::default() }
    }

    fn presentations() -> Vec<Trial> {
        let all = catalogue::load(None).unwrap();
        all.into_iter().filter(|t| t.name.starts_with("presentation/")).collect()
    }

    #[test]
    fn every_knob_turns_something() {
        for trial in catalogue::load(None).unwrap() {
            for i in 0..knobs(&trial.kind).len() {
                let mut at = vec![0.5; knobs(&trial.kind).len()];
                let middle = turned(&trial, &at).kind;
                at[i] = 1.0;
                let moved = turned(&trial, &at).kind;
                assert!(middle != moved, "{} of {}", knobs(&trial.kind)[i].path, trial.name);
                assert!(moved.as_attack().check().is_ok());
            }
        }
    }

    /// The detector here sees movement only: the search must find out that holding still evades.
    #[test]
    fn it_climbs_towards_what_evades() {
        let mut search = Search::new(&presentations(), 3, 300).unwrap();
        let mut first = None;
        while let Some(tried) = search.ask() {
            let score = match &tried.0.kind {
                Kind::Present(p) => 4000.0 * p.motion.sway / 10.0 + p.motion.tilt + 2.0,
                _ => 30.0,
            };
            first.get_or_insert(score);
            search.tell(tried, &answer(score));
        }
        let (score, _, text) = search.best().unwrap();
        assert!(score < 3.0, "{score} from {first:?}");
        let (all, fair) = search.evasions();
        assert!(all.unwrap().of == 300 && fair.unwrap().of < 300 && all.unwrap().rate > fair.unwrap().rate);
        // What it prints is a catalogue's family.
        let file = format!("schema-version = 1\n[channel.clean]\n{text}");
        let again = catalogue::parse("found", &file).unwrap();
        assert_eq!(again.len(), 1, "{text}");
        assert!(again[0].kind == search.best().unwrap().1.kind);
    }

    #[test]
    fn nothing_to_turn_is_no_search() {
        let all = catalogue::load(None).unwrap();
        let controls: Vec<Trial> = all.into_iter().filter(|t| !t.is_attack()).collect();
        assert!(Search::new(&controls, 1, 10).is_none());
    }
}
