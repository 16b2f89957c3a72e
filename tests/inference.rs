//! The inference layer against a real ONNX Runtime, with the small networks of `tests/fixtures`.
//!
//! ONNX Runtime is looked for in `ORT_DYLIB_PATH` and in `models/`; without it the tests say so and pass. A
//! process can use one library only, so tests of libraries are in `inference/libraries.rs` and run in child
//! processes.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use gstdeepfake::analysis::face::models::{
    BLENDSHAPES, DetectorOutput, DetectorRange, FaceModels, MeshKind, MeshOutput,
};
use gstdeepfake::inference::registry::{self, Placement};
use gstdeepfake::inference::{
    Config, Error, ErrorKind, FaceModelSet, Input, Manifest, Model, Provider, Runtime, Wanted, environment,
    library, runtime_info,
};
use ndarray::Array4;

#[path = "inference/libraries.rs"]
mod libraries;

const CPU: Placement = Placement { provider: Provider::Cpu, device_id: 0, threads: 1 };
/// Tells a child process where the real library is.
const LIBRARY_VAR: &str = "TEST_ONNXRUNTIME";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real library, or `None` after saying that the test is skipped.
fn real_library() -> Option<PathBuf> {
    let from = |var| std::env::var_os(var).filter(|v| !v.is_empty()).map(PathBuf::from);
    let fetched = || {
        let manifest = Manifest::load(&root().join("models")).ok()?;
        Some(manifest.dir().join(&manifest.library(library::NAME)?.file))
    };
    let path = from(LIBRARY_VAR).or_else(|| from(library::ENV_VAR)).or_else(fetched).filter(|p| p.exists());
    if path.is_none() {
        eprintln!("SKIPPED: no ONNX Runtime; run `make models` or set ORT_DYLIB_PATH");
    }
    path
}

fn fixtures() -> Manifest {
    Manifest::load(&root().join("tests/fixtures")).unwrap()
}

fn face_config(library: PathBuf) -> Config {
    Config {
        model_dir: Some(root().join("tests/fixtures/face")),
        library: Some(library),
        wanted: Wanted::ALL,
        ..Config::default()
    }
}

fn runtime() -> Option<&'static Runtime> {
    real_library().map(|path| environment::init(Some(&path), None).unwrap())
}

fn get(runtime: &'static Runtime, manifest: &Manifest, name: &str) -> Result<Arc<Model>, Error> {
    registry::get(runtime, manifest, manifest.model(name).unwrap(), CPU)
}

fn run(model: &Model, data: &[f32]) -> Result<Vec<Vec<f32>>, Error> {
    let mut outputs = vec![Vec::new(); model.outputs().len()];
    let shape = model.inputs()[0].shape_of_one();
    model.run_into(&[Input { shape: &shape, data }], &mut outputs.iter_mut().collect::<Vec<_>>())?;
    Ok(outputs)
}

/// A directory with `manifest.toml` made of the fixtures' by replacing text, and copies of the networks.
fn spoilt_fixtures(replace: &[(&str, &str)]) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("tests/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "onnx") {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let mut text = std::fs::read_to_string(root().join("tests/fixtures/manifest.toml")).unwrap();
    for (from, to) in replace {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let manifest = Manifest::parse(dir.path(), &text).unwrap();
    (dir, manifest)
}

fn expect(result: Result<impl Sized, Error>, kind: ErrorKind, contains: &str) {
    let e = result.err().unwrap_or_else(|| panic!("no error, but {kind:?} was expected"));
    let line = e.to_string();
    assert_eq!(e.kind(), kind, "{}", e.detail());
    assert!(line.contains(contains) && !line.contains('\n'), "{line}");
}

#[test]
fn networks_give_what_they_should_in_the_manifests_order() {
    let Some(runtime) = runtime() else { return };
    let manifest = fixtures();
    let identity = get(runtime, &manifest, "identity").unwrap();
    assert_eq!(run(&identity, &[1.0, -2.0, 3.5, 0.0]).unwrap(), [[1.0, -2.0, 3.5, 0.0]]);
    let mean = get(runtime, &manifest, "mean").unwrap();
    let ramp: Vec<f32> = (0..192_u8).map(f32::from).collect();
    assert!((run(&mean, &ramp).unwrap()[0][0] - 95.5).abs() < 1e-4);

    let two = get(runtime, &manifest, "two_outputs").unwrap();
    let straight = run(&two, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(straight, [[2.0, 4.0, 6.0, 8.0], [-1.0, -2.0, -3.0, -4.0]]);
    // The same file, described with its outputs in the other order, is another network.
    let other = [("\"doubled\"", "\"x\""), ("\"negated\"", "\"doubled\""), ("\"x\"", "\"negated\"")];
    let (_dir, manifest) = spoilt_fixtures(&other);
    let swapped = get(runtime, &manifest, "two_outputs").unwrap();
    assert!(!Arc::ptr_eq(&two, &swapped));
    let crossed = run(&swapped, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(crossed, [straight[1].clone(), straight[0].clone()]);

    let info = runtime_info().unwrap();
    assert!(info.version.starts_with("1.") && info.path.is_absolute(), "{info:?}");
}

#[test]
fn bad_requests_are_errors() {
    let Some(runtime) = runtime() else { return };
    let identity = get(runtime, &fixtures(), "identity").unwrap();
    let data = [0.0_f32; 8];
    let mut out = Vec::new();
    let mut call = |inputs: &[Input<'_>]| identity.run_into(inputs, &mut [&mut out]);
    expect(call(&[]), ErrorKind::Inference, "`identity` takes 1 inputs");
    expect(
        call(&[Input { shape: &[1, 8], data: &data }]),
        ErrorKind::Inference,
        "`input` in the shape [1, 4]",
    );
    expect(call(&[Input { shape: &[4], data: &data[..4] }]), ErrorKind::Inference, "was given [4]");
    expect(call(&[Input { shape: &[1, 4], data: &data[..3] }]), ErrorKind::Inference, "3 elements");
    expect(identity.run_into(&[], &mut []), ErrorKind::Inference, "0 and 0");
    // After all that the network still runs.
    assert!(run(&identity, &data[..4]).is_ok());

    let nan = get(runtime, &fixtures(), "nan").unwrap();
    for _ in 0..10 {
        expect(run(&nan, &[0.0; 4]), ErrorKind::NonFinite, "the model `nan`");
    }
}

#[test]
fn bad_models_are_refused_at_once() {
    let Some(runtime) = runtime() else { return };
    let start = Instant::now();
    let manifest = fixtures();
    expect(get(runtime, &manifest, "truncated"), ErrorKind::ModelCorrupt, "make models");
    expect(get(runtime, &manifest, "not_onnx"), ErrorKind::ModelCorrupt, "`not_onnx`");
    expect(get(runtime, &manifest, "opset_too_new"), ErrorKind::ModelUnsupported, "pset");
    expect(get(runtime, &manifest, "wrong_shape"), ErrorKind::ModelShape, "[1, 5]");

    let (dir, manifest) = spoilt_fixtures(&[]);
    let file = |name: &str| dir.path().join(name);
    std::fs::remove_file(file("mean.onnx")).unwrap();
    expect(get(runtime, &manifest, "mean"), ErrorKind::ModelMissing, "mean.onnx");
    std::fs::create_dir(file("mean.onnx")).unwrap();
    expect(get(runtime, &manifest, "mean"), ErrorKind::ModelCorrupt, "bytes");
    let mut bytes = std::fs::read(file("two_outputs.onnx")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file("two_outputs.onnx"), &bytes).unwrap();
    // (another shape, so that it is not the network that another test has already loaded)
    let other = Placement { threads: 2, ..CPU };
    let refused = registry::get(runtime, &manifest, manifest.model("two_outputs").unwrap(), other);
    expect(refused, ErrorKind::ModelCorrupt, "digest");
    bytes.pop();
    std::fs::write(file("two_outputs.onnx"), &bytes).unwrap();
    let refused = registry::get(runtime, &manifest, manifest.model("two_outputs").unwrap(), other);
    expect(refused, ErrorKind::ModelCorrupt, "160 bytes");
    // A failure is not remembered.
    std::fs::copy(root().join("tests/fixtures/two_outputs.onnx"), file("two_outputs.onnx")).unwrap();
    assert!(registry::get(runtime, &manifest, manifest.model("two_outputs").unwrap(), other).is_ok());

    let (_kept, renamed) = spoilt_fixtures(&[("name = \"input\"", "name = \"other\"")]);
    expect(get(runtime, &renamed, "identity"), ErrorKind::ModelShape, "no input `other`");
    let (_kept, half) = spoilt_fixtures(&[("dtype = \"f32\"", "dtype = \"f16\"")]);
    expect(get(runtime, &half, "identity"), ErrorKind::ModelUnsupported, "only f32");
    // A dozen refusals; each must come within a second even on a busy machine.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn the_face_set_runs_its_five_networks() {
    let Some(library) = real_library() else { return };
    let mut set = FaceModelSet::load(&face_config(library)).unwrap();
    check_face_set(&mut set);
    assert_eq!(set.active_provider().provider, Provider::Cpu);
    assert_eq!(set.active_provider().fallback_reason, None);
}

#[test]
fn the_real_networks_run_if_they_are_fetched() {
    let Some(library) = real_library() else { return };
    let models = root().join("models");
    let fetched =
        Manifest::load(&models).is_ok_and(|m| m.models().iter().all(|e| m.dir().join(&e.file).exists()));
    if !fetched {
        eprintln!("SKIPPED: the models are not fetched; run `make models`");
        return;
    }
    let config = Config { model_dir: Some(models), ..face_config(library) };
    let mut set = FaceModelSet::load(&config).unwrap();
    check_face_set(&mut set);
    let names: Vec<_> = set.digests().into_iter().map(|d| d.0).collect();
    for own in ["deepfake-frame", "face-continuity", "presentation-network"] {
        assert!(names.iter().filter(|n| *n == own).count() == 1, "{names:?}");
    }
    // A gray picture holds no face.
    let mut out = DetectorOutput::default();
    let side = DetectorRange::Short.input_side();
    set.detect(DetectorRange::Short, Array4::zeros((1, side, side, 3)).view(), &mut out).unwrap();
    assert!(out.scores.iter().all(|&s| s < 0.0));
}

fn check_face_set(set: &mut FaceModelSet) {
    let mut detector = DetectorOutput::default();
    for range in [DetectorRange::Short, DetectorRange::Full] {
        let side = range.input_side();
        set.detect(range, Array4::from_elem((1, side, side, 3), 0.1).view(), &mut detector).unwrap();
        assert_eq!(
            (detector.regressors.len(), detector.scores.len()),
            (range.anchors() * 16, range.anchors())
        );
        // A view with gaps gives the same as its copy.
        let wide = Array4::from_shape_fn((1, side, side + 2, 3), |(_, y, x, c)| {
            ((y * 7 + x * 3 + c) % 11) as f32 / 11.0
        });
        let view = wide.slice(ndarray::s![.., .., 1..=side, ..]);
        let (mut a, mut b) = (DetectorOutput::default(), DetectorOutput::default());
        set.detect(range, view, &mut a).unwrap();
        set.detect(range, view.to_owned().view(), &mut b).unwrap();
        assert_eq!(a.scores, b.scores);
        let wrong = set.detect(range, Array4::zeros((1, side, side, 1)).view(), &mut detector);
        expect(wrong, ErrorKind::Inference, "in the shape");
    }
    let mut mesh = MeshOutput::default();
    for kind in [MeshKind::V1, MeshKind::V2] {
        let side = kind.input_side();
        set.mesh(kind, Array4::from_elem((1, side, side, 3), 0.5).view(), &mut mesh).unwrap();
        assert_eq!(mesh.points.len(), kind.points() * 3);
        assert!(mesh.presence.is_finite());
    }
    let subset = *set.blendshape_subset().unwrap();
    let points = subset.map(|i| {
        let at = usize::from(i) * 3;
        [mesh.points[at], mesh.points[at + 1]]
    });
    let mut shapes = [f32::NAN; BLENDSHAPES];
    set.blendshapes(&points, &mut shapes).unwrap();
    assert!(shapes.iter().all(|v| (0.0..=1.0).contains(v)), "{shapes:?}");
    let digests = set.digests();
    let names: Vec<&str> = digests.iter().map(|d| d.0.as_str()).collect();
    let chain = ["blazeface-short", "blazeface-full", "face-mesh-v1", "face-mesh-v2", "face-blendshapes"];
    assert!(names.starts_with(&chain), "{names:?}");
}

#[test]
fn what_was_not_wanted_is_not_there() {
    let Some(library) = real_library() else { return };
    let none = Wanted {
        detector_short: false,
        detector_full: false,
        mesh_v1: false,
        mesh_v2: false,
        blendshapes: false,
        face_signals: false,
    };
    let mut set = FaceModelSet::load(&Config { wanted: none, ..face_config(library) }).unwrap();
    assert!(set.digests().is_empty() && set.blendshape_subset().is_none());
    let input = Array4::zeros((1, 128, 128, 3));
    let e = set.detect(DetectorRange::Short, input.view(), &mut DetectorOutput::default());
    expect(e, ErrorKind::NotLoaded, "face detector");
    expect(set.mesh(MeshKind::V2, input.view(), &mut MeshOutput::default()), ErrorKind::NotLoaded, "mesh");
    expect(set.blendshapes(&[[0.0; 2]; 146], &mut [0.0; 52]), ErrorKind::NotLoaded, "blendshape");
}

#[test]
fn face_manifests_that_do_not_fit_their_roles() {
    let Some(library) = real_library() else { return };
    let text = std::fs::read_to_string(root().join("tests/fixtures/face/manifest.toml")).unwrap();
    let cases = [
        ("role = \"face-mesh-v2\"", "role = \"x\"", ErrorKind::ModelMissing, "face-mesh-v2"),
        ("meaning = \"boxes\"", "meaning = \"x\"", ErrorKind::ModelShape, "`boxes`, of 14336 elements"),
        ("[1, 128, 128, 3]", "[1, 3, 128, 128]", ErrorKind::ModelShape, "[1, 128, 128, 3]"),
        ("[1, 478, 3]", "[1, 477, 3]", ErrorKind::ModelShape, "`landmarks`"),
        ("landmark_subset = [0, ", "landmark_subset = [", ErrorKind::ManifestInvalid, "`landmark_subset`"),
        ("landmark_subset = [0, ", "landmark_subset = [478, ", ErrorKind::ManifestInvalid, "below 478"),
    ];
    for (from, to, kind, contains) in cases {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(root().join("tests/fixtures/face")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        assert!(text.contains(from), "{from}");
        std::fs::write(dir.path().join("manifest.toml"), text.replacen(from, to, 1)).unwrap();
        let config = Config { model_dir: Some(dir.path().into()), ..face_config(library.clone()) };
        expect(FaceModelSet::load(&config), kind, contains);
    }
}

#[test]
fn a_missing_provider_is_an_error_unless_the_fallback_is_allowed() {
    let Some(library) = real_library() else { return };
    // No build of ONNX Runtime has both.
    for provider in [Provider::MiGraphX, Provider::OpenVino] {
        let config = Config { provider, ..face_config(library.clone()) };
        let e = match FaceModelSet::load(&config) {
            Ok(_) => continue,
            Err(e) => e,
        };
        assert_eq!(e.kind(), ErrorKind::ProviderUnavailable);
        assert!(e.to_string().contains(provider.as_str()), "{e}");
        let set = FaceModelSet::load(&Config { allow_fallback: true, ..config }).unwrap();
        let active = set.active_provider();
        assert_eq!(active.provider, Provider::Cpu);
        assert!(active.fallback_reason.as_ref().is_some_and(|r| r.contains(provider.as_str())), "{active:?}");
    }
}

#[test]
fn sets_share_their_networks_and_let_them_go() {
    let Some(library) = real_library() else { return };
    // Three threads: no other test asks for that, so nobody else keeps these networks alive.
    let config = Config { threads: 3, ..face_config(library) };
    let (a, b) = (FaceModelSet::load(&config).unwrap(), FaceModelSet::load(&config).unwrap());
    let c = a.clone();
    let alone = FaceModelSet::load(&Config { threads: 4, ..config.clone() }).unwrap();
    for (((a, b), c), alone) in a.models().zip(b.models()).zip(c.models()).zip(alone.models()) {
        assert!(Arc::ptr_eq(a, b) && Arc::ptr_eq(a, c) && !Arc::ptr_eq(a, alone));
        assert_eq!(a.digest(), alone.digest());
    }
    let weak: Vec<_> = a.models().map(Arc::downgrade).collect();
    drop((a, c));
    assert!(weak.iter().all(|w| w.strong_count() == 1));
    drop(b);
    assert!(weak.iter().all(|w| w.strong_count() == 0), "the registry keeps networks alive");
    assert!(FaceModelSet::load(&config).is_ok());
}

#[test]
fn eight_threads_load_once_and_run_at_the_same_time() {
    let Some(runtime) = runtime() else { return };
    let manifest = fixtures();
    let placement = Placement { threads: 5, ..CPU }; // ours alone
    let barrier = Barrier::new(8);
    let models: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u8)
            .map(|i| {
                let (manifest, barrier) = (&manifest, &barrier);
                scope.spawn(move || {
                    let entry = manifest.model("identity").unwrap();
                    barrier.wait();
                    let model = registry::get(runtime, manifest, entry, placement).unwrap();
                    for n in 0..300_u16 {
                        let data = [f32::from(i), f32::from(n), 1.0, -1.0];
                        assert_eq!(run(&model, &data).unwrap(), [data]);
                    }
                    model
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(models.iter().all(|m| Arc::ptr_eq(m, &models[0])));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat() {
    let Some(library) = real_library() else { return };
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let mut set = FaceModelSet::load(&face_config(library)).unwrap();
    let input = Array4::from_elem((1, 256, 256, 3), 0.5);
    let mut mesh = MeshOutput::default();
    let mut go = |times: usize| {
        for _ in 0..times {
            set.mesh(MeshKind::V2, input.view(), &mut mesh).unwrap();
        }
    };
    go(200);
    let before = resident();
    go(2000);
    let grown = resident().saturating_sub(before);
    // Other tests run beside this one; a leak of one input a run would be 1.5 GB.
    assert!(grown < 300 << 20, "{grown} bytes more after 2000 runs");
}

#[test]
fn a_missing_directory_names_the_command() {
    let missing = Config { model_dir: Some("/no/such/models".into()), ..Config::default() };
    expect(FaceModelSet::load(&missing), ErrorKind::ManifestMissing, "make models");
}
