//! Tests of `face_signal.rs`: one good entry, and a table of ways to spoil it.

use super::*;
use crate::analysis::networks::crop::{CropSpec, Filter, Outside, Shape};
use crate::inference::face_network::manifests;
use crate::inference::{Error, ErrorKind, Manifest};
use std::path::Path;

const GOOD: &str = r#"
schema = 1
[[model]]
name = "swap"
role = "face-signal"
file = "swap.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
size = 12
family = "forgery"
signal = "texture"
per-second = 3
min-face = 48
[model.crop]
kind = "native"
max-face = 192
[model.preprocessing]
layout = "nchw"
colour = "bgr"
mean = [0.5, 0.4, 0.3]
std = [0.5, 0.2, 0.1]
[[model.input]]
name = "face"
shape = [-1, 3, 224, 160]
dtype = "f32"
[[model.output]]
name = "classes"
meaning = "logits"
shape = [-1, 3]
dtype = "f32"
genuine-class = 1
[[model.output]]
name = "heat"
meaning = "heat-map"
shape = [-1, 1, 14, 10]
dtype = "f32"
[[model.output]]
name = "whatever"
meaning = "embedding"
shape = [-1, 128]
dtype = "i64"
[model.calibration]
slope = 0.8
bias = -0.5
llr-min = -2
llr-max = 4
"#;

fn parse(text: &str) -> Result<NetworkSpec, Error> {
    let manifest = Manifest::parse(Path::new("/d"), text)?;
    let entry = manifest.face_signals().next().unwrap();
    Ok(describe(entry).unwrap())
}

#[test]
fn a_good_entry_is_understood() {
    let spec = parse(GOOD).unwrap();
    assert_eq!((spec.name.as_str(), spec.signal.as_str(), spec.family), ("swap", "texture", Family::Forgery));
    assert_eq!((spec.per_second, spec.per_second_economy, spec.window, spec.min_face), (3.0, 1.5, 3.0, 48.0));
    assert_eq!((spec.crop, spec.input), (CropSpec::Native { max_face: 192.0 }, (160, 224)));
    assert_eq!((spec.pixels.order, spec.pixels.channels), (Order::Nchw, Channels::Bgr));
    // 255 and 0 of the first channel become (1 - 0.5) / 0.5 and -0.5 / 0.5.
    let ends = [255.0, 0.0].map(|v: f32| v * spec.pixels.gain[0] + spec.pixels.offset[0]);
    assert!((ends[0] - 1.0).abs() < 1e-6 && (ends[1] + 1.0).abs() < 1e-6, "{ends:?}");
    assert_eq!(spec.score, ScoreSpec::Classes { probabilities: false, genuine: vec![1], attack: vec![0, 2] });
    assert_eq!(spec.heat, Some((14, 10)));
    let c = spec.calibration.unwrap();
    assert_eq!((c.fusion_weight, c.px_none, c.px_full, c.size_slope), (1.0, 40.0, 120.0, 0.0));
}

/// Where an input for the mesh goes in.
const MESH_BEFORE: &str = "[[model.output]]\nname = \"classes\"";

fn with_mesh(shape: &str) -> String {
    format!(
        "[[model.input]]\nname = \"points\"\nmeaning = \"landmarks\"\nshape = {shape}\ndtype = \"f32\"\n{MESH_BEFORE}"
    )
}

#[test]
fn a_network_may_ask_for_the_mesh() {
    assert!(!parse(GOOD).unwrap().landmarks);
    let asks = GOOD.replacen(MESH_BEFORE, &with_mesh("[-1, 468, 2]"), 1);
    let spec = parse(&asks).unwrap();
    assert!(spec.landmarks && spec.input == (160, 224), "{spec:?}");
    assert_eq!(parse(&GOOD.replacen("min-face", "min-inside = 0.9\nmin-face", 1)).unwrap().min_inside, 0.9);
}

/// [`GOOD`] with a state of that shape going in and one of that shape coming out, if any.
fn with_state(into: Option<&str>, out: Option<&str>, keys: &str) -> String {
    let tensor = |kind: &str, shape: Option<&str>| {
        let name = kind.get(..2).unwrap();
        shape.map_or(String::new(), |s| {
            format!(
                "[[model.{kind}]]\nname = \"{name}\"\nmeaning = \"state\"\nshape = {s}\ndtype = \"f32\"\n"
            )
        })
    };
    let seconds = "[[model.input]]\nname = \"dt\"\nmeaning = \"seconds\"\nshape = [-1, 1]\ndtype = \"f32\"\n";
    let tensors = format!("{seconds}{}{}", tensor("input", into), tensor("output", out));
    GOOD.replacen(MESH_BEFORE, &format!("{tensors}{MESH_BEFORE}"), 1).replacen(
        "min-face",
        &format!("{keys}min-face"),
        1,
    )
}

#[test]
fn a_network_may_remember() {
    assert_eq!(parse(GOOD).unwrap().memory, None);
    let text = with_state(Some("[-1, 5]"), Some("[-1, 5]"), "");
    assert_eq!(parse(&text).unwrap().memory, Some(MemorySpec { size: 5, settle: 2.0, hold: 1.0 }));
    let text = with_state(Some("[1, 70]"), Some("[1, 70]"), "settle = 0\nhold = 0.25\n");
    assert_eq!(parse(&text).unwrap().memory, Some(MemorySpec { size: 70, settle: 0.0, hold: 0.25 }));
}

#[test]
fn a_score_may_be_heard_the_other_way_round() {
    let text = format!("{GOOD}[model.opposite]\nname = \"screen\"\nfamily = \"presentation\"\n");
    let manifest = Manifest::parse(Path::new("/d"), &text).unwrap();
    let entry = manifest.face_signals().next().unwrap();
    let spec = describe(entry).unwrap();
    let other = opposite(entry, &spec, 3).unwrap().unwrap();
    assert_eq!(
        (other.name.as_str(), other.signal.as_str(), other.family),
        ("screen", "screen", Family::Presentation)
    );
    assert_eq!((other.opposite_of, other.heat, other.calibration), (Some(3), None, None));
    assert!(spec.opposite_of.is_none() && spec.calibration.is_some());
    for (key, want) in [
        ("name = \"screen\"", "`family` is missing"),
        ("name = \"a b\"\nfamily = \"forgery\"", "`name` must be"),
        ("name = \"screen\"\nsignal = \"blink\"\nfamily = \"forgery\"", "built-in"),
        ("name = \"screen\"\nfamily = \"forgery\"\nper-second = 2", "per-second"),
        (
            "name = \"screen\"\nfamily = \"forgery\"\n[model.opposite.calibration]\nslope = -1\nbias = 0\nllr-min = 0\nllr-max = 1",
            "`slope`",
        ),
    ] {
        let e =
            Manifest::parse(Path::new("/d"), &format!("{GOOD}[model.opposite]\n{key}\n")).expect_err(want);
        assert!(e.to_string().contains(want), "{e}");
    }
}

#[test]
fn spoilt_memories_are_refused() {
    for (into, out, keys, want) in [
        (Some("[-1, 5]"), Some("[-1, 6]"), "", "one state, but of the shapes [-1, 5] and [-1, 6]"),
        (Some("[-1, 5]"), None, "", "both an input and an output"),
        (None, Some("[-1, 5]"), "", "both an input and an output"),
        (None, None, "", "for networks with a `state`"),
        (Some("[-1, 0]"), Some("[-1, 0]"), "", ""),
        (Some("[-1, 70000]"), Some("[-1, 70000]"), "", "is not [-1, 1 to 65536]"),
        (Some("[5]"), Some("[5]"), "", "is not [-1, 1 to 65536]"),
        (Some("[-1, 5]"), Some("[-1, 5]"), "settle = -1\n", "`settle` -1"),
        (Some("[-1, 5]"), Some("[-1, 5]"), "hold = 11\n", "`hold` 11"),
    ] {
        let e = parse(&with_state(into, out, keys)).expect_err(want);
        assert!(e.kind() == ErrorKind::ManifestInvalid && e.to_string().contains(want), "{e}");
    }
    let settle = parse(&GOOD.replacen("min-face", "settle = 1\nmin-face", 1)).unwrap_err();
    assert!(settle.to_string().contains("for networks with a `state`"), "{settle}");
}

#[test]
fn other_ways_to_say_it() {
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        parse(&GOOD.replacen(from, to, 1)).unwrap()
    };
    assert_eq!(with("signal = \"texture\"\n", "").signal, "swap");
    assert!(
        with("mean = [0.5, 0.4, 0.3]\nstd = [0.5, 0.2, 0.1]", "range = [0, 1]").pixels.offset == [0.0; 3]
    );
    let boxed = "kind = \"box\"\nscale = 2.7\nshape = \"face\"\noutside = \"shift\"\nfilter = \"linear\"";
    assert_eq!(
        with("kind = \"native\"\nmax-face = 192", boxed).crop,
        CropSpec::Box { scale: 2.7, shape: Shape::Face, outside: Outside::Shift, filter: Filter::Linear }
    );
    let classes = |to| with("genuine-class = 1", to).score;
    let want = |genuine: &[usize], attack: &[usize]| ScoreSpec::Classes {
        probabilities: false,
        genuine: genuine.into(),
        attack: attack.into(),
    };
    assert_eq!(classes("attack-class = [1, 2]"), want(&[0], &[1, 2]));
    assert_eq!(classes("attack-class = 2\ngenuine-class = [0]"), want(&[0], &[2]));
    let one = |meaning: &str| {
        let one = "meaning = \"logits\"\nshape = [-1, 3]\ndtype = \"f32\"\ngenuine-class = 1";
        with(one, &format!("meaning = \"{meaning}\"\nshape = [1, 1]\ndtype = \"f32\"")).score
    };
    assert_eq!(one("attack-probability"), ScoreSpec::Probability { of_attack: true });
    assert_eq!(one("genuine-logit"), ScoreSpec::Logit { of_attack: false });
    for shape in ["[14, 10, 1]", "[1, 14, 10]", "[14, 10]", "[1, 14, 10, 1]"] {
        assert_eq!(with("[-1, 1, 14, 10]", shape).heat, Some((14, 10)), "{shape}");
    }
    let at = GOOD.find("[model.calibration]").unwrap();
    assert_eq!(parse(&GOOD[..at]).unwrap().calibration, None);
}

#[test]
fn spoilt_entries_are_refused_by_entry_and_key() {
    let cases: &[(&str, &str, &str)] = &[
        ("family = \"forgery\"", "family = \"magic\"", "`family` \"magic\""),
        ("family = \"forgery\"\n", "", "`family` is missing"),
        ("name = \"swap\"", "name = \"a b\"", "`name` must be 1 to 64"),
        ("signal = \"texture\"", "signal = \"blink\"", "`signal` blink is the name of a built-in"),
        ("signal = \"texture\"", "signal = \"loop\"", "`signal` loop is the name of a built-in"),
        ("signal = \"texture\"", "signal = \"é\"", "`signal` must be"),
        ("per-second = 3", "per-second = 0", "`per-second` 0 is not in"),
        ("per-second = 3", "per-second = nan", "`per-second` NaN is not in"),
        ("min-face = 48", "min-face = -1", "`min-face` -1"),
        ("min-face = 48", "window = 1e9", "`window` 1000000000"),
        ("kind = \"native\"", "kind = \"oval\"", "oval"),
        ("max-face = 192", "max_face = 192", "max_face"),
        ("max-face = 192", "max-face = 1e9", "`max-face` must be"),
        ("kind = \"native\"\nmax-face = 192", "kind = \"aligned\"\nscale = 1.5", "needs a square input"),
        ("kind = \"native\"\nmax-face = 192", "kind = \"box\"\nscale = 99", "`scale` must be"),
        ("[model.crop]\nkind = \"native\"\nmax-face = 192\n", "", "`[model.crop]` is missing"),
        ("layout = \"nchw\"", "layout = \"chw\"", "`preprocessing.layout` \"chw\""),
        ("colour = \"bgr\"", "colour = \"yuv\"", "`preprocessing.colour` \"yuv\""),
        ("colour = \"bgr\"", "colour = \"gray\"", "has 3 channels"),
        ("layout = \"nchw\"", "layout = \"nhwc\"", "has 160 channels"),
        ("mean = [0.5, 0.4, 0.3]\n", "", "either `range` or both"),
        ("mean = [0.5, 0.4, 0.3]", "mean = [0.5, 0.4]", "equally long"),
        ("std = [0.5, 0.2, 0.1]", "std = [0.5, 0.0, 0.1]", "`std` above 0"),
        ("mean = [0.5, 0.4, 0.3]\nstd = [0.5, 0.2, 0.1]", "mean = [0.5]\nstd = [0.5]", "lists of 3"),
        ("[-1, 3, 224, 160]", "[-1, 3, -1, -1]", "only the first"),
        ("[-1, 3, 224, 160]", "[4, 3, 224, 160]", "a batch of 1"),
        ("min-face = 48", "min-inside = 1.5", "`min-inside` 1.5"),
        ("name = \"face\"", "name = \"face\"\nmeaning = \"landmarks\"", "one input that is a picture"),
        (MESH_BEFORE, &with_mesh("[-1, 478, 2]"), "is not [-1, 468, 2]"),
        (
            MESH_BEFORE,
            &with_mesh("[-1, 3, 224, 160]").replace("landmarks", ""),
            "one input that is a picture",
        ),
        ("[-1, 3, 224, 160]", "[-1, 3, 8, 8]", "sides of 16 to 1024"),
        ("[-1, 3, 224, 160]", "[-1, 3, 9000, 160]", "sides of 16 to 1024"),
        ("[-1, 3, 224, 160]", "[3, 224, 160]", "`shape`"),
        ("meaning = \"logits\"", "meaning = \"scores\"", "no output has a `meaning`"),
        ("meaning = \"embedding\"", "meaning = \"attack-logit\"", "several outputs"),
        ("meaning = \"embedding\"", "meaning = \"heat-map\"", "heat-map"),
        ("meaning = \"logits\"", "meaning = \"attack-logit\"", "is one number, not 3"),
        ("shape = [-1, 3]\n", "shape = [-1, 1]\n", "need 2 to"),
        ("genuine-class = 1", "genuine-class = 3", "`genuine-class` 3 is not one of the 3 classes"),
        ("genuine-class = 1", "genuine-class = -1", "class index"),
        ("genuine-class = 1", "genuine-class = [0, 1, 2]", "there must be both"),
        ("genuine-class = 1", "genuine-class = [1, 1]", "twice"),
        ("genuine-class = 1", "genuine-class = 1\nattack-class = [1, 2]", "either genuine or attack"),
        ("genuine-class = 1", "", "say `genuine-class` or `attack-class`"),
        ("[-1, 1, 14, 10]", "[-1, 2, 14, 10]", "is no heat map"),
        ("[-1, 1, 14, 10]", "[-1, 1, 1400, 10]", "is no heat map"),
        ("slope = 0.8", "slope = nan", "`slope`"),
        ("slope = 0.8", "slop = 0.8", "slop"),
        ("llr-max = 4", "llr-max = 400", "`llr-max`"),
    ];
    for (from, to, want) in cases {
        assert!(GOOD.contains(from), "{from}");
        let e = parse(&GOOD.replacen(from, to, 1)).expect_err(to);
        assert_eq!(e.kind(), ErrorKind::ManifestInvalid, "{to}");
        let line = e.of_extra_model().to_string();
        assert!(line.contains(want), "{from:?} -> {to:?}: {line}");
        assert!(line.contains("`/d/manifest.toml`") && line.contains("models/README.md"), "{line}");
        assert!(line.contains("`swap`") || line.contains("line ") || line.contains("`a b`"), "{line}");
    }
}

#[test]
fn manifests_of_the_user_must_have_a_network() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| manifests(&[path.to_path_buf()]).unwrap_err();
    let e = refused(&dir.path().join("none.toml"));
    assert!(e.kind() == ErrorKind::ManifestMissing && e.to_string().contains("none.toml"), "{e}");
    let file = dir.path().join("mine.toml");
    std::fs::write(&file, "schema = 1").unwrap();
    let e = refused(&file);
    assert!(e.kind() == ErrorKind::ModelMissing && e.to_string().contains("mine.toml"), "{e}");
    std::fs::write(&file, GOOD).unwrap();
    let found = manifests(std::slice::from_ref(&file)).unwrap();
    assert_eq!((found.len(), found[0].dir()), (1, dir.path()));
    std::fs::rename(&file, dir.path().join("manifest.toml")).unwrap();
    assert_eq!(manifests(&[dir.path().to_path_buf()]).unwrap().len(), 1);
}
