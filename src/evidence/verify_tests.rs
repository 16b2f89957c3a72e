use super::super::bundle::write;
use super::super::case::Case;
use super::super::files::{PLOT, TRACES};
use super::super::hash_chain;
use super::super::test_cases::case;
use super::*;
use crate::analysis::bundle::Recording;
use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::verdict::Alert;
use crate::analysis::source::provenance::{Class, Finding as Found};
use crate::provenance::identity::Identity;
use crate::provenance::report::SourceReport;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;

/// A directory with some bundles; the folders' names.
fn written(count: usize) -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let name = |_| write(dir.path(), &case("call")).unwrap().bundle.unwrap();
    let names = (0..count).map(name).collect();
    (dir, names)
}

fn findings(dir: &Path) -> Vec<Finding> {
    verify(dir, None).unwrap().findings
}

fn named(findings: &[Finding], place: &str, what: &str) {
    let found = findings.iter().any(|f| f.place.contains(place) && f.what.contains(what));
    assert!(found, "no `{what}` of `{place}` in {findings:#?}");
}

/// Changes a text in a bundle's file, and makes all digests anew, as a forger would.
fn forge(dir: &Path, bundle: &str, file: &str, change: impl Fn(String) -> String) {
    let path = dir.join(bundle);
    let text = fs::read_to_string(path.join(file)).unwrap();
    let forged = change(text.clone());
    assert_ne!(text, forged);
    fs::write(path.join(file), forged).unwrap();
    let digest = |file: &str| Digest::of(&fs::read(path.join(file)).unwrap()).to_string();
    let mut alert_report: AlertReport =
        serde_json::from_slice(&fs::read(path.join(EVIDENCE)).unwrap()).unwrap();
    for (name, value) in &mut alert_report.files {
        *value = digest(name);
    }
    fs::write(path.join(EVIDENCE), serde_json::to_string(&alert_report).unwrap()).unwrap();
    let log = dir.join(LOG);
    let lines = fs::read_to_string(&log).unwrap();
    let mut chain = hash_chain::Chain::default();
    let mut out = String::new();
    for line in lines.lines() {
        let mut record = hash_chain::open(line.as_bytes()).unwrap();
        record.previous = chain.head().to_owned();
        if record.bundle.as_deref() == Some(bundle) {
            for (name, value) in &mut record.files {
                *value = digest(name);
            }
        }
        let line = hash_chain::seal(&record).unwrap();
        chain.follow(line.as_bytes());
        out += &(line + "\n");
    }
    fs::write(log, out).unwrap();
}

#[test]
fn a_changed_file_is_named() {
    let (dir, names) = written(1);
    let bundle = dir.path().join(&names[0]);
    for file in fs::read_dir(&bundle).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let good = fs::read(&path).unwrap();
        for place in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(&path, bad).unwrap();
            named(&findings(dir.path()), name, "was changed");
        }
        fs::remove_file(&path).unwrap();
        named(&findings(dir.path()), name, "cannot be read");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        named(&findings(dir.path()), name, "is not a file");
        fs::remove_file(&path).unwrap();
        fs::write(&path, good).unwrap();
        assert_eq!(findings(dir.path()), vec![]);
    }
    fs::write(bundle.join("more.txt"), "x").unwrap();
    named(&findings(dir.path()), "more.txt", "was added");
}

#[test]
fn removed_lines_and_bundles_are_named() {
    let (dir, names) = written(3);
    let log = dir.path().join(LOG);
    let good = fs::read_to_string(&log).unwrap();
    let head = Digest::of(good.lines().last().unwrap().as_bytes()).to_string();
    for (out, name) in names.iter().enumerate() {
        let left: Vec<&str> = good.lines().enumerate().filter(|(i, _)| *i != out).map(|(_, l)| l).collect();
        fs::write(&log, left.join("\n") + "\n").unwrap();
        let findings = findings(dir.path());
        named(&findings, name, "no line of the log speaks of it");
        if out < 2 {
            named(&findings, &format!("line {}", out + 1), "does not follow");
        }
    }
    // The last line and its bundle: only who knows the head can tell.
    let bundle = dir.path().join(&names[2]);
    fs::rename(&bundle, dir.path().parent().unwrap().join(format!("gone-{}", std::process::id()))).unwrap();
    assert_eq!(findings(dir.path()), vec![]);
    named(&verify(dir.path(), Some(&head)).unwrap().findings, LOG, "taken away");
    let _ = fs::remove_dir_all(dir.path().parent().unwrap().join(format!("gone-{}", std::process::id())));
    fs::write(&log, &good).unwrap();
    named(&findings(dir.path()), &names[2], "the bundle is missing");
    fs::create_dir(dir.path().join("x.partial")).unwrap();
    assert!(verify(dir.path(), None).unwrap().notes.iter().any(|n| n.contains("x.partial")));
}

/// With every digest made anew, the sums still tell.
#[test]
fn a_forger_must_also_do_the_sums() {
    let edits: [(&str, &str, &str, &str); 5] = [
        (TRACES, "\"rate\":-", "\"rate\":-1", "adds"),
        (TRACES, "\"risk\":0.1", "\"risk\":0.2", "is written"),
        (TRACES, "\"signal\":\"blink\"", "\"signal\":\"blonk\"", "time line"),
        (EVIDENCE, "\"nats\":6", "\"nats\":7", "threshold"),
        (EVIDENCE, "\"statistic\":6", "\"statistic\":9", ""),
    ];
    for (file, from, to, what) in edits {
        let (dir, names) = written(2);
        forge(dir.path(), &names[1], file, |t| t.replacen(from, to, 1));
        let findings = findings(dir.path());
        named(&findings, &names[1], what);
        assert!(findings.iter().all(|f| f.place.contains(&names[1])), "{findings:#?}");
    }
    let (dir, names) = written(1);
    forge(dir.path(), &names[0], EVIDENCE, |t| t.replacen("false-alerts\":0.1", "false-alerts\":0.2", 1));
    assert!(!findings(dir.path()).is_empty());
}

#[test]
fn a_bundle_can_be_examined_without_its_log() {
    let (dir, names) = written(1);
    let bundle = dir.path().join(&names[0]);
    let examined = examine(&bundle);
    assert_eq!(examined.findings, vec![]);
    let alert = examined.alert_report.unwrap().alert;
    assert_eq!(examined.replay.alerts, vec![alert]);
    fs::write(bundle.join(PLOT), "no picture").unwrap();
    named(&examine(&bundle).findings, PLOT, "was changed");
    fs::write(bundle.join(EVIDENCE), "{}").unwrap();
    assert!(examine(&bundle).alert_report.is_none());
    assert!(verify(&bundle, None).is_err(), "no log there");
}

/// A virtual camera that the policy denies.
fn by_policy() -> Case {
    let policy = Policy::parse("schema = 1\n[deny]\nclasses = ['virtual']\n", "made").unwrap();
    let identity = Identity { element: "camera0".into(), ..Identity::default() };
    let found = vec![Found::of("v4l2-driver", Class::Virtual, 6.0, "a loopback device")];
    let mut source = SourceReport::new(identity, Default::default(), found);
    source.violation = policy.violation(&source);
    let why = source.violation.clone().unwrap();
    let case = case("call");
    let reason = format!("camera0 (virtual): {why}");
    let evidence = vec![Evidence { signal: "policy".into(), llr: 0.0, quality: 0.9, reason }];
    let alert =
        Alert { statistic: 0.0, threshold: 0.0, track_id: None, onset_pts: None, evidence, ..case.alert };
    let (policy, sources) = (Some(Arc::clone(&policy.text)), vec![Arc::new(source)]);
    let recording = Recording { entries: case.recording.entries[..150].to_vec(), ..case.recording };
    Case { ground: Ground::Policy, alert, policy, sources, recording, ..case }
}

#[test]
fn a_policy_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let name = write(dir.path(), &by_policy()).unwrap().bundle.unwrap();
    assert_eq!(findings(dir.path()), vec![]);
    forge(dir.path(), &name, POLICY, |t| t.replace("virtual", "file"));
    named(&findings(dir.path()), &name, "not the policy that was in force");
    named(&findings(dir.path()), &name, "says something else of the source `camera0`");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_changed_byte_shows(file in 0usize..4, place in any::<prop::sample::Index>(), with in any::<u8>()) {
        let (dir, names) = written(1);
        let bundle = dir.path().join(&names[0]);
        let path = [bundle.join(EVIDENCE), bundle.join(TRACES), bundle.join(PLOT), dir.path().join(LOG)][file].clone();
        let mut bytes = fs::read(&path).unwrap();
        let i = place.index(bytes.len());
        prop_assume!(bytes[i] != with);
        bytes[i] = with;
        fs::write(&path, bytes).unwrap();
        let found = findings(dir.path());
        let name = path.file_name().unwrap().to_str().unwrap();
        prop_assert!(found.iter().any(|f| f.place.contains(name)), "{found:?}");
    }
}
