//! Signals that are computed and count for nothing, to measure what the others do without them. What they measured
//! stays to be seen.

use crate::analysis::challenge::Kind;
use crate::analysis::evidence::{Evidence, Reading};
use crate::analysis::networks::spec::NetworkSpec;
use crate::analysis::signals::face_signals;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the engine itself says of the stream.
pub const STREAM_SIGNALS: [&str; 3] = ["loop", "freeze", "provenance"];

/// What a reason ends with where the signal is ignored.
const MARK: &str = "; ignored by ignore-signals";

/// Names of signals, each known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored(BTreeSet<String>);

/// A name that is no signal's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no signal `{name}` to ignore; there are {}", .known.join(", "))]
pub struct UnknownSignal {
    pub name: String,
    pub known: Vec<String>,
}

impl Ignored {
    /// Reads names separated by commas; empty ones name nothing. `networks` are those that run.
    ///
    /// # Errors
    /// If a name is that of no evidence, neither about faces nor about the stream, nor of a network or a challenge.
    pub fn parse(names: &str, networks: &[Arc<NetworkSpec>]) -> Result<Self, UnknownSignal> {
        let names: BTreeSet<String> =
            names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(Into::into).collect();
        let known = known(networks);
        match names.iter().find(|n| !known.contains(n)) {
            Some(name) => Err(UnknownSignal { name: name.clone(), known }),
            None => Ok(Self(names)),
        }
    }

    pub fn contains(&self, signal: &str) -> bool {
        self.0.contains(signal)
    }

    /// In their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Makes a reading of an ignored signal worth nothing.
    pub(super) fn silence(&self, signal: &str, reading: &mut Reading) {
        if self.contains(signal) {
            (reading.rate, reading.impulse, reading.llr, reading.quality) = (0.0, 0.0, 0.0, 0.0);
            reading.reason.push_str(MARK);
        }
    }

    /// The same for evidence that comes once. Its nats are not in it.
    pub(super) fn hush(&self, mut evidence: Evidence) -> Evidence {
        if self.contains(&evidence.signal) {
            (evidence.llr, evidence.quality) = (0.0, 0.0);
            evidence.reason.push_str(MARK);
        }
        evidence
    }
}

/// The names of all evidence.
fn known(networks: &[Arc<NetworkSpec>]) -> Vec<String> {
    let mut names: Vec<String> = face_signals().iter().map(|s| s.name().to_owned()).collect();
    names.extend(STREAM_SIGNALS.map(String::from));
    names.extend(Kind::ALL.iter().map(|k| k.signal()));
    for network in networks {
        // Two networks may share a name.
        if !names.contains(&network.signal) {
            names.push(network.signal.clone());
        }
    }
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused_with_those_that_are() {
        let parse = |names: &str| Ignored::parse(names, &[]);
        let some = parse(" blink, ,loop,challenge-flash,blink").unwrap();
        assert_eq!(some.names().collect::<Vec<_>>(), ["blink", "challenge-flash", "loop"]);
        assert!(some.contains("loop") && !some.contains("freeze"));
        assert_eq!(parse("").unwrap(), Ignored::default());
        let error = parse("blink,quality").unwrap_err();
        assert_eq!(error.name, "quality");
        let text = error.to_string();
        for signal in face_signals() {
            assert!(text.contains(signal.name()), "{text}");
        }
        assert!(text.contains("`quality`") && text.contains("provenance"), "{text}");
    }
}
