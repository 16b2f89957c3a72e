//! Networks of somebody else's as signals: what they are shown, what becomes of their numbers, and what is said of
//! manifests and files that are wrong. Without ONNX Runtime the tests say so and pass.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "networks/element.rs"]
mod element;
#[path = "networks/errors.rs"]
mod errors;
#[path = "networks/memory.rs"]
mod memory;
#[path = "networks/peers.rs"]
mod peers;
#[path = "networks/pixels.rs"]
mod pixels;

use gstdeepfake::inference::Digest;
use std::path::{Path, PathBuf};

/// A network of `tests/fixtures/watching` with a manifest of its own.
#[derive(Clone, Debug)]
struct Entry {
    name: &'static str,
    file: &'static str,
    /// Keys of the entry itself.
    keys: String,
    crop: String,
    preprocessing: String,
    input: String,
    outputs: String,
    calibration: Option<String>,
}

impl Entry {
    /// `quadrant.onnx` with a native crop: the score is the mean of the top left quarter, from 0 (black) to 1.
    fn quadrant() -> Self {
        Self {
            name: "quadrant",
            file: "quadrant.onnx",
            keys: "family = \"forgery\"\nper-second = 10\nmin-face = 16".into(),
            crop: "kind = \"native\"\nmax-face = 500".into(),
            preprocessing: "layout = \"nchw\"\ncolour = \"rgb\"\nrange = [0, 1]".into(),
            input: "name = \"face\"\nshape = [-1, 3, 32, 32]\ndtype = \"f32\"".into(),
            outputs: "[[model.output]]\nname = \"logit\"\nmeaning = \"attack-logit\"\nshape = [-1, 1]\ndtype = \"f32\"\n\
                [[model.output]]\nname = \"heat\"\nmeaning = \"heat-map\"\nshape = [-1, 1, 4, 4]\ndtype = \"f32\"\n"
                .into(),
            calibration: None,
        }
    }

    /// `means.onnx`: a class for red, green and blue each.
    fn means() -> Self {
        Self {
            name: "means",
            file: "means.onnx",
            preprocessing: "layout = \"nhwc\"\ncolour = \"rgb\"\nrange = [0, 10]".into(),
            input: "name = \"face\"\nshape = [1, 32, 32, 3]\ndtype = \"f32\"".into(),
            outputs: "[[model.output]]\nname = \"classes\"\nmeaning = \"logits\"\nshape = [1, 3]\ndtype = \"f32\"\n\
                genuine-class = 0\n"
                .into(),
            ..Self::quadrant()
        }
    }

    /// `nan_when_bright.onnx`.
    fn nan() -> Self {
        Self {
            name: "nan",
            file: "nan_when_bright.onnx",
            preprocessing: "layout = \"nchw\"\ncolour = \"gray\"\nrange = [0, 1.25]".into(),
            input: "name = \"face\"\nshape = [1, 1, 32, 32]\ndtype = \"f32\"".into(),
            outputs: "[[model.output]]\nname = \"logit\"\nmeaning = \"attack-logit\"\nshape = [1, 1]\ndtype = \"f32\"\n".into(),
            ..Self::quadrant()
        }
    }

    /// `clock.onnx`: the score is the seconds for which it has watched.
    fn clock() -> Self {
        let state = "meaning = \"state\"\nshape = [1, 2]\ndtype = \"f32\"";
        Self {
            name: "clock",
            file: "clock.onnx",
            preprocessing: "layout = \"nchw\"\ncolour = \"gray\"\nrange = [0, 1]".into(),
            input: format!(
                "name = \"state\"\n{state}\n[[model.input]]\nname = \"face\"\nshape = [1, 1, 32, 32]\ndtype = \"f32\"\n\
                [[model.input]]\nname = \"seconds\"\nmeaning = \"seconds\"\nshape = [1, 1]\ndtype = \"f32\""
            ),
            outputs: format!(
                "[[model.output]]\nname = \"next\"\n{state}\n[[model.output]]\nname = \"logit\"\n\
                meaning = \"attack-logit\"\nshape = [1, 1]\ndtype = \"f32\"\n"
            ),
            ..Self::quadrant()
        }
    }

    fn text(&self, bytes: &[u8]) -> String {
        let Self { name, file, keys, crop, preprocessing, input, outputs, calibration } = self;
        let calibration =
            calibration.as_ref().map_or(String::new(), |c| format!("[model.calibration]\n{c}\n"));
        format!(
            "[[model]]\nname = \"{name}\"\nrole = \"face-signal\"\nfile = \"{file}\"\nsha256 = \"{}\"\nsize = {}\n{keys}\n\
             [model.crop]\n{crop}\n[model.preprocessing]\n{preprocessing}\n[[model.input]]\n{input}\n{outputs}{calibration}\n",
            Digest::of(bytes),
            bytes.len()
        )
    }

    /// Copies the network into `dir`; the entry's text.
    fn put(&self, dir: &Path) -> String {
        let bytes = std::fs::read(fixtures().join(self.file)).unwrap();
        std::fs::write(dir.join(self.file), &bytes).unwrap();
        self.text(&bytes)
    }
}

fn fixtures() -> PathBuf {
    common::root().join("tests/fixtures/watching")
}

/// A folder with these networks and their manifest.
fn folder(entries: &[Entry]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text: String = entries.iter().map(|e| e.put(dir.path())).collect();
    std::fs::write(dir.path().join("manifest.toml"), format!("schema = 1\n{text}")).unwrap();
    dir
}
