//! What is known of one source, as it leaves the process.

use super::identity::Identity;
use crate::analysis::source::provenance::{Class, Finding, Outcome, Source, weigh};
use crate::analysis::source::signed;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One source of the stream and everything that was found about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    pub identity: Identity,
    pub class: Class,
    /// Probability of that class, 0..1.
    pub confidence: f64,
    /// Log-likelihood ratio of an injected source against an honest one of the same claim, nats.
    pub injection: f64,
    /// What is known of the device, node or file behind it (`driver`, `card`, `bus-info`, `usb-id`, `signature`, ...).
    pub device: BTreeMap<String, String>,
    /// The strongest first.
    pub findings: Vec<Finding>,
    /// Why the policy does not want this source; `None` if it does.
    pub violation: Option<String>,
}

impl SourceReport {
    /// Weighs findings into a report. Of two findings of the same check the later one counts.
    pub fn new(identity: Identity, device: BTreeMap<String, String>, findings: Vec<Finding>) -> Self {
        let mut newest: BTreeMap<String, Finding> = BTreeMap::new();
        for finding in findings {
            newest.insert(finding.check.clone(), finding);
        }
        let mut findings: Vec<Finding> = newest.into_values().collect();
        let strength = |f: &Finding| f.weight.abs() + f.injection.abs();
        findings.sort_by(|a, b| strength(b).total_cmp(&strength(a)).then_with(|| a.check.cmp(&b.check)));
        let weighed = weigh(&findings);
        Self {
            identity,
            class: weighed.class,
            confidence: weighed.confidence,
            injection: weighed.injection,
            device,
            findings,
            violation: None,
        }
    }

    /// What the verdict carries of it.
    pub fn source(&self) -> Source {
        let reason = self.findings.iter().find(|f| f.outcome == Outcome::Found);
        Source {
            class: self.class,
            confidence: self.confidence,
            injection: self.injection,
            reason: reason.map_or_else(|| "nothing was found out".to_owned(), |f| f.reason.clone()),
        }
    }

    /// What policies match by patterns: every value of that kind.
    pub(super) fn named(&self, what: &str) -> Vec<&str> {
        let device = |keys: &[&str]| -> Vec<&str> {
            keys.iter().filter_map(|k| self.device.get(*k)).map(String::as_str).collect()
        };
        let property = |keys: &[&str]| -> Vec<&str> {
            keys.iter().filter_map(|k| self.identity.properties.get(*k)).map(String::as_str).collect()
        };
        match what {
            "driver" => device(&["driver"]),
            "usb" => device(&["usb-id"]),
            "name" => {
                let mut names = device(&["card", "product", "node-name"]);
                names.extend(property(&["device-name", "camera-name", "target-object"]));
                names
            }
            "signature" => device(&["signature", "declared"]),
            "location" => property(&["location", "uri", "device", "path", "socket-path"]),
            _ => Vec::new(),
        }
    }

    /// Whether something that was asked of this source has not been answered yet.
    pub fn is_pending(&self) -> bool {
        self.findings.iter().any(|f| f.check == signed::CHECK) && !self.device.contains_key("signature")
    }

    /// The checks that found something, by name.
    fn found(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> =
            self.findings.iter().filter(|f| f.outcome == Outcome::Found).map(|f| f.check.as_str()).collect();
        names.into_iter()
    }

    /// Whether the other report says something else that is to be reported: another class or violation, checks that
    /// found something, or numbers that moved.
    pub fn differs(&self, other: &Self) -> bool {
        self.class != other.class
            || self.violation != other.violation
            || self.identity != other.identity
            || self.device != other.device
            || self.found().ne(other.found())
            || (self.injection - other.injection).abs() >= 1.0
            || (self.confidence - other.confidence).abs() >= 0.1
    }
}
