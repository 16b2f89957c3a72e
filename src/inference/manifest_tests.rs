//! Tests of `manifest.rs`: one good manifest, and a table of ways to spoil it.

use super::*;

const GOOD: &str = r#"
schema = 1
generator = "ignored"

[[download]]
url = "ignored"

[[model]]
name = "m"
role = "face-detector-short"
file = "fetched/m.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
size = 12
licence = "Apache-2.0"
[model.source]
anything = [1, 2]
[model.preprocessing]
layout = "nhwc"
colour = "rgb"
range = [-1.0, 1.0]
[[model.input]]
name = "in"
shape = [-1, 4, 4, 3]
dtype = "f32"
[[model.output]]
name = "out"
meaning = "boxes"
shape = [1, 8]
dtype = "f32"

[[model]]
name = "n"
role = "from-the-future"
anything = "is ignored"
file = "n.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
size = 1
input = [{ name = "a", shape = [], dtype = "i64" }]
output = [{ name = "a", shape = [2], dtype = "u8" }]

[[library]]
name = "onnxruntime"
version = "1.2.3"
arch = "other"
file = "fetched/lib.so"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
size = 29000000
"#;

#[test]
fn a_good_manifest_is_read() {
    let manifest = Manifest::parse(Path::new("/d"), GOOD).unwrap();
    let model = manifest.model_by_role(&Role::FaceDetectorShort).unwrap();
    assert_eq!(model, manifest.model("m").unwrap());
    assert_eq!(model.sha256, Digest::of(b""));
    assert_eq!(model.inputs[0].shape_of_one(), [1, 4, 4, 3]);
    assert_eq!(model.inputs[0].elements_of_one(), 48);
    assert!(model.inputs[0].admits(&[7, 4, 4, 3]));
    assert!(!model.inputs[0].admits(&[1, 4, 4, 4]));
    assert!(!model.inputs[0].admits(&[4, 4, 3]));
    assert_eq!(model.outputs[0].meaning, "boxes");
    assert_eq!(manifest.models()[1].role, Role::Other("from-the-future".into()));
    assert!(manifest.library("onnxruntime").is_none(), "another machine's library is not ours");
    assert_eq!(manifest.model("zzz").unwrap_err().kind(), ErrorKind::ModelMissing);
    assert_eq!(manifest.model_by_role(&Role::FaceMeshV2).unwrap_err().kind(), ErrorKind::ModelMissing);
}

#[test]
fn spoilt_manifests_are_refused_by_name() {
    // what to replace, by what, and what the message must contain
    let cases = [
        ("schema = 1", "schema = 2", "`schema` 2"),
        ("schema = 1", "", "schema"),
        ("schema = 1", "schema = \"1\"", "line 2"),
        ("schema = 1", "schema = [", "line 3: unexpected"),
        ("size = 12", "size = 0", "model 1 (`m`): `size` 0"),
        ("size = 12", "size = -1", "line 13"),
        ("size = 12", "size = 99999999999", "`size` 99999999999"),
        ("size = 29000000", "size = 0", "library 1 (`onnxruntime`): `size` 0"),
        ("\"fetched/m.onnx\"", "\"/etc/m.onnx\"", "`file` must be a path inside"),
        ("\"fetched/m.onnx\"", "\"fetched/../../m.onnx\"", "`file` must be a path inside"),
        ("\"fetched/m.onnx\"", "\"./m.onnx\"", "`file` must be a path inside"),
        ("\"fetched/m.onnx\"", "\"\"", "`file` must be a path inside"),
        ("\"fetched/lib.so\"", "\"../lib.so\"", "library 1"),
        ("\"e3b0", "\"E3b0", "`sha256` is not 64"),
        ("\"e3b0", "\"3b0", "`sha256` is not 64"),
        ("name = \"n\"", "name = \"m\"", "model 2 (`m`): `name` is used twice"),
        ("name = \"n\"", "name = \" \"", "`name` is empty"),
        ("from-the-future", "face-detector-short", "`role` face-detector-short is used twice"),
        ("[-1, 4, 4, 3]", "[0, 4, 4, 3]", "`shape` [0, 4, 4, 3]"),
        ("[-1, 4, 4, 3]", "[-2]", "input `in`: `shape` [-2]"),
        ("[-1, 4, 4, 3]", "[9223372036854775807, 2]", "`shape`"),
        ("[-1, 4, 4, 3]", "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "`shape`"),
        ("shape = [1, 8]\ndtype = \"f32\"", "shape = [1, 8]\ndtype = \"f33\"", "line 29"),
        ("shape = [1, 8]\n", "", "shape"),
        (
            "input = [{ name = \"a\", shape = [], dtype = \"i64\" }]",
            "",
            "model 2 (`n`), input: there is none",
        ),
        ("output = [{ name = \"a\", shape = [2], dtype = \"u8\" }]", "output = []", "output: there is none"),
        ("range = [-1.0, 1.0]", "range = [1.0, 1.0]", "`preprocessing.range`"),
        ("range = [-1.0, 1.0]", "range = [nan, 1.0]", "`preprocessing.range`"),
        ("size = 12", "size = 12\nmin_face = 40", "model 1 (`m`): the key `min_face` is unknown; there are"),
        ("size = 12", "size = 12\nminface = 40", "licence, license, min-face, min-inside"),
        ("meaning = \"boxes\"", "means = \"boxes\"", "model 1 (`m`): output: the key `means` is unknown"),
        (
            "colour = \"rgb\"",
            "colour = \"rgb\"\ncolor = \"rgb\"",
            "preprocessing: the key `color` is unknown",
        ),
    ];
    for (from, to, want) in cases {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let e = Manifest::parse(Path::new("/d"), &text).expect_err(to);
        assert_eq!(e.kind(), ErrorKind::ManifestInvalid, "{to}");
        let line = e.to_string();
        assert!(line.contains(want), "{from:?} -> {to:?}: {line}");
        assert!(line.contains("`/d/manifest.toml`") && line.contains("make models"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn files_that_are_no_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let kind = || Manifest::load(dir.path()).unwrap_err().kind();
    assert_eq!(kind(), ErrorKind::ManifestMissing);
    let file = dir.path().join(FILE_NAME);
    std::fs::write(&file, b"\xff\xfe").unwrap();
    assert_eq!(kind(), ErrorKind::ManifestInvalid);
    std::fs::write(&file, "#".repeat(2 << 20)).unwrap();
    assert_eq!(kind(), ErrorKind::ManifestInvalid);
    std::fs::write(&file, GOOD).unwrap();
    assert_eq!(Manifest::load(dir.path()).unwrap().dir(), dir.path());
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(kind(), ErrorKind::ManifestInvalid);
}
