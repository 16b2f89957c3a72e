#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::source::provenance::Finding;
use crate::provenance::identity::Identity;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn report(class: Class, device: &[(&str, &str)], properties: &[(&str, &str)]) -> SourceReport {
    let text = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let identity = Identity { properties: text(properties), ..Identity::default() };
    SourceReport::new(identity, text(device), vec![Finding::of("x", class, 6.0, "")])
}

fn violates(policy: &str, report: &SourceReport) -> Option<String> {
    Policy::parse(policy, "p.toml").unwrap().violation(report)
}

#[test]
fn the_built_in_policy_denies_virtual_cameras_that_are_surely_so() {
    let policy = Policy::built_in().unwrap();
    assert_eq!(policy.on_violation, OnViolation::Alert);
    assert!(policy.violation(&report(Class::Virtual, &[], &[])).is_some());
    for class in [Class::Physical, Class::Network, Class::File, Class::Unknown] {
        assert_eq!(policy.violation(&report(class, &[], &[])), None);
    }
    let unsure = SourceReport { confidence: 0.8, ..report(Class::Virtual, &[], &[]) };
    assert_eq!(policy.violation(&unsure), None);
}

#[test]
fn what_is_denied_counts_more_than_what_is_allowed() {
    let policy = "schema = 1\n[allow]\nusb = [\"046d:*\"]\n[deny]\nusb = [\"046D:0fff\"]\n";
    assert_eq!(violates(policy, &report(Class::Physical, &[("usb-id", "046d:082d")], &[])), None);
    assert!(violates(policy, &report(Class::Physical, &[("usb-id", "046d:0fff")], &[])).is_some());
    assert!(violates(policy, &report(Class::Physical, &[("usb-id", "1d6b:0102")], &[])).is_some());
    // A source without a USB id is none of this list's business.
    assert_eq!(violates(policy, &report(Class::Network, &[], &[])), None);
}

#[test]
fn classes_that_are_not_allowed_and_unknown_ones() {
    let open = "schema = 1\n[allow]\nclasses = [\"physical\"]\n";
    assert_eq!(violates(open, &report(Class::Physical, &[], &[])), None);
    assert!(violates(open, &report(Class::File, &[], &[])).is_some());
    let unknown = SourceReport::default();
    assert_eq!(violates(open, &unknown), None);
    assert!(violates(&open.replace("[allow]", "unknown = \"denied\"\n[allow]"), &unknown).is_some());
}

#[test]
fn locations_and_names_match_by_pattern_and_evidence_by_its_amount() {
    let policy =
        "schema = 1\n[deny]\nlocations = [\"/tmp/*\"]\nnames = [\"*obs*\"]\n[minimum]\nmax-injection = 4.0\n";
    assert!(violates(policy, &report(Class::File, &[], &[("location", "/tmp/x.mp4")])).is_some());
    assert!(violates(policy, &report(Class::Physical, &[("card", "OBS Virtual Camera")], &[])).is_some());
    let injected = SourceReport { injection: 5.0, ..report(Class::Physical, &[], &[]) };
    assert!(violates(policy, &injected).unwrap().contains("5.0 nats"));
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (text, line, word) in [
        ("schema = 2\n", 1, "schema"),
        ("schema = 1\n\n[deny]\nclasses = [\"virtul\"]\n", 4, "virtul"),
        ("schema = 1\n[deny]\nusb = [\"046d\"]\n", 3, "046d"),
        ("schema = 1\n[denied]\n", 2, "denied"),
        ("schema = 1\non-violation = \"explode\"\n", 2, "explode"),
        ("schema = 1\n[minimum]\nconfidence = 7.0\n", 3, "probability"),
        ("schema = 1\n[allow\n", 2, ""),
    ] {
        let error = Policy::parse(text, "p.toml").unwrap_err().to_string();
        assert!(error.contains(&format!("p.toml, line {line}")) && error.contains(word), "{text}: {error}");
    }
    assert!(matches!(Policy::load(Path::new("/nowhere/p.toml")), Err(PolicyError::Read { .. })));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,300}") {
        let _ = Policy::parse(&text, "p.toml");
    }

    #[test]
    fn any_patterns_match_or_do_not(pattern in ".{0,40}", value in ".{0,60}") {
        let list = serde_json::to_string(&[pattern]).unwrap();
        let text = format!("schema = 1\n[deny]\nnames = {list}\n");
        if let Ok(policy) = Policy::parse(&text, "p.toml") {
            let _ = policy.violation(&report(Class::Physical, &[("card", &value)], &[]));
        }
    }
}

#[cfg(feature = "c2pa")]
#[test]
fn signatures_are_allowed_and_denied_by_name() {
    let policy = "schema = 1\n[allow]\nsignatures = [\"trusted\"]\n[deny]\nsignatures = [\"generated\"]\n";
    let of = |facts: &[(&str, &str)]| violates(policy, &report(Class::File, facts, &[]));
    assert_eq!(of(&[("signature", "trusted"), ("declared", "captured")]), None);
    for signature in ["untrusted", "broken", "none", "unread"] {
        assert!(of(&[("signature", signature)]).is_some());
    }
    assert!(of(&[("signature", "trusted"), ("declared", "generated")]).is_some());
    // A source that is no file has no signature, and one that is being looked at has none yet.
    assert_eq!(of(&[]), None);
    let unknown = Policy::parse("schema = 1\n[deny]\nsignatures = [\"fake\"]\n", "p.toml").unwrap_err();
    assert!(unknown.to_string().contains("line 3") && unknown.to_string().contains("broken"), "{unknown}");
}

#[cfg(not(feature = "c2pa"))]
#[test]
fn a_build_that_checks_no_signatures_takes_no_policy_that_asks_for_them() {
    for text in ["[deny]\nsignatures = [\"broken\"]\n", "[signatures]\ntrust-anchors = \"a.pem\"\n"] {
        let error = Policy::parse(&format!("schema = 1\n{text}"), "p.toml").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("feature c2pa"), "{error}");
    }
}
