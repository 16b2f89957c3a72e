//! `deepfakedetect` with networks beside its own: what it says of them, and when they count.

use crate::common::{Rig, face_models};
use crate::{Entry, folder};
use gst::prelude::*;
use gstdeepfake::analysis::evidence::Evidence;
use gstdeepfake::message::DeepfakeMessage;
use gstreamer as gst;
use std::path::Path;

const CALIBRATION: &str = "slope = 1\nbias = 3\nllr-min = -2\nllr-max = 4\npx-none = 0\npx-full = 20";

/// Analyses `frames` frames; a rig whose messages are there.
fn play(properties: &[(&str, &str)], frames: usize) -> Option<Rig> {
    let all: Vec<_> =
        [("mode", "sync"), ("report-interval", "1")].iter().chain(properties).copied().collect();
    let mut rig = Rig::with_caps(&all, "video/x-raw,format=I420,width=320,height=240,framerate=25/1")?;
    for _ in 0..frames {
        let frame = rig.noise();
        rig.pass(frame);
    }
    rig.eos();
    let texts = rig.drain();
    assert!(texts.is_empty(), "{texts:?}");
    Some(rig)
}

fn extra(dir: &Path) -> [(&str, &str); 1] {
    [("extra-models", dir.to_str().unwrap())]
}

fn evidence<'a>(rig: &'a Rig, signal: &str) -> Vec<&'a Evidence> {
    let verdicts = rig.messages.iter().filter_map(|m| match m {
        DeepfakeMessage::Verdict(v) => Some(&v.verdict),
        _ => None,
    });
    verdicts.flat_map(|v| &v.tracks).flat_map(|t| &t.evidence).filter(|e| e.signal == signal).collect()
}

fn networks(rig: &Rig) -> gst::Structure {
    rig.element.property::<gst::Structure>("stats").get("networks").unwrap()
}

fn models(rig: &Rig) -> Vec<String> {
    let models: gst::Array = rig.element.property::<gst::Structure>("stats").get("models").unwrap();
    models.iter().map(|m| m.get::<String>().unwrap()).collect()
}

#[test]
fn a_network_without_calibration_is_heard_but_does_not_count() {
    let dir = folder(&[Entry::quadrant()]);
    let Some(rig) = play(&extra(dir.path()), 50) else { return };
    let said = evidence(&rig, "quadrant");
    let last = said.last().expect("it says nothing");
    assert!(said.iter().all(|e| e.llr == 0.0 && e.quality == 0.0));
    assert!(
        last.reason.contains("attack score +") && last.reason.contains("not calibrated"),
        "{}",
        last.reason
    );
    assert!(last.reason.contains("most of it at the "), "{}", last.reason);
    let one: gst::Structure = networks(&rig).get("quadrant").unwrap();
    assert_eq!(one.get::<bool>("calibrated"), Ok(false));
    assert_eq!(one.get::<String>("family").as_deref(), Ok("forgery"));
    // Frames are grey noise of about half brightness; ten looks a second, two seconds.
    let (count, mean) = (one.get::<u64>("count").unwrap(), one.get::<f64>("mean-score").unwrap());
    assert!((15..=21).contains(&count) && (0.2..0.8).contains(&mean), "{count} {mean}");
    assert!((60.0..640.0).contains(&one.get::<f64>("mean-face-px").unwrap()), "{one:?}");
    let stages: gst::Structure = rig.element.property::<gst::Structure>("stats").get("stages").unwrap();
    assert!(stages.get::<gst::Structure>("networks").unwrap().get::<u64>("count").unwrap() > 0);
    assert!(models(&rig).iter().any(|m| m.starts_with("quadrant@sha256:")), "{:?}", models(&rig));
    let Some(DeepfakeMessage::Summary(s)) = rig.messages.last() else { panic!("no summary") };
    assert!(s.header.model_digests.iter().any(|m| m.starts_with("quadrant@sha256:")));
}

#[test]
fn a_calibrated_network_of_forgeries_is_a_hypothesis_more() {
    let entry = Entry { calibration: Some(CALIBRATION.into()), ..Entry::quadrant() };
    let presentation = Entry { keys: entry.keys.replace("forgery", "presentation"), ..entry.clone() };
    for (entry, hypotheses) in [(entry, 3.0), (presentation, 2.0), (Entry::quadrant(), 2.0)] {
        let dir = folder(&[entry]);
        let Some(rig) = play(&extra(dir.path()), 5) else { return };
        let threshold = rig.element.property::<gst::Structure>("stats").get::<f64>("threshold").unwrap();
        assert!((threshold - (hypotheses * 360_000f64).ln()).abs() < 1e-9, "{threshold}");
    }
}

#[test]
fn the_opposite_of_a_network_is_heard_without_being_run() {
    let opposite = "\n[model.opposite]\nname = \"dark\"\nsignal = \"darkness\"\nfamily = \"presentation\"\n[model.opposite.calibration]\n";
    let calibration = Some(format!("{CALIBRATION}{opposite}{CALIBRATION}"));
    let dir = folder(&[Entry { calibration, ..Entry::quadrant() }]);
    let Some(rig) = play(&extra(dir.path()), 50) else { return };
    let of = |name: &str| networks(&rig).get::<gst::Structure>(name).unwrap();
    let (bright, dark) = (of("quadrant"), of("dark"));
    let mean = |s: &gst::Structure| s.get::<f64>("mean-score").unwrap();
    assert!(mean(&bright) > 0.2 && (mean(&bright) + mean(&dark)).abs() < 1e-9, "{bright:?} {dark:?}");
    assert_eq!(bright.get::<u64>("count"), dark.get::<u64>("count"));
    assert_eq!(dark.get::<String>("family").as_deref(), Ok("presentation"));
    let (said, told) = (evidence(&rig, "quadrant"), evidence(&rig, "darkness"));
    assert!(!told.is_empty() && said.len() == told.len());
    // Bias 3: 3 + x, and 3 - x, and no more than 4.
    for (a, b) in said.iter().zip(&told).filter(|(a, _)| a.quality > 0.0) {
        let [bright, dark] = [a, b].map(|e| e.llr / e.quality);
        assert!((bright + dark - 6.0).abs() < 1e-6 || (bright - 4.0).abs() < 1e-6, "{a:?} {b:?}");
    }
    assert_eq!(
        models(&rig).iter().filter(|m| m.starts_with("dark@")).count(),
        0,
        "it is no model of its own"
    );
}

#[test]
fn it_runs_as_seldom_as_its_entry_says_and_only_on_faces_that_are_large_enough() {
    let often = Entry { keys: "family = \"forgery\"\nper-second = 10".into(), ..Entry::quadrant() };
    let rare =
        Entry { name: "rare", keys: "family = \"forgery\"\nper-second = 0.1".into(), ..Entry::quadrant() };
    let keys = "family = \"presentation\"\nsignal = \"large\"\nmin-face = 8000".into();
    let large = Entry { name: "large", keys, ..Entry::quadrant() };
    let dir = folder(&[often, rare, large]);
    let Some(rig) = play(&extra(dir.path()), 100) else { return };
    let count = |name: &str| {
        let one: gst::Structure = networks(&rig).get(name).unwrap();
        one.get::<u64>("count").unwrap()
    };
    assert!(count("quadrant") > 2 * count("rare") && count("rare") > 0);
    assert_eq!(count("large"), 0);
    assert!(evidence(&rig, "large").is_empty());
}

#[test]
fn several_manifests_and_the_model_directory() {
    let (first, second) = (folder(&[Entry::quadrant()]), folder(&[Entry::means()]));
    let file = second.path().join("mine.toml");
    std::fs::rename(second.path().join("manifest.toml"), &file).unwrap();
    let paths = format!("{}:{}:", first.path().display(), file.display());
    let Some(rig) = play(&[("extra-models", &paths)], 20) else { return };
    assert_eq!(networks(&rig).fields().map(|f| f.to_string()).collect::<Vec<_>>(), ["quadrant", "means"]);
    assert_eq!(rig.element.property::<String>("extra-models"), paths);

    // An entry of the model directory itself runs by default.
    let own = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(face_models()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, own.path().join(path.file_name().unwrap())).unwrap();
    }
    let manifest = own.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap() + &Entry::quadrant().put(own.path());
    std::fs::write(&manifest, text).unwrap();
    for (on, expected) in [("true", 1), ("false", 0)] {
        let properties = [("model-dir", own.path().to_str().unwrap()), ("face-models", on)];
        let rig = play(&properties, 10).unwrap();
        assert_eq!(networks(&rig).n_fields(), expected);
    }
}

#[test]
fn results_are_the_same_every_time() {
    let entry = Entry { calibration: Some(CALIBRATION.into()), ..Entry::quadrant() };
    let dir = folder(&[entry]);
    let run = || {
        let rig = play(&extra(dir.path()), 60)?;
        Some(evidence(&rig, "quadrant").into_iter().cloned().collect::<Vec<_>>())
    };
    let Some(first) = run() else { return };
    assert!(first.iter().any(|e| e.llr > 0.0));
    assert_eq!(run().unwrap(), first);
}
