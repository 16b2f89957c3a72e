//! Networks that watch a face (role `face-signal`): from a manifest's entry to what the analysis knows of the network,
//! and the network itself. Their keys are explained in `models/README.md`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::analysis::crop::{Channels, Order, Pixels};
use crate::analysis::models::{LANDMARKS, NetworkInput, NetworkOutput};
use crate::analysis::network::{NetworkSpec, ScoreSpec};
use crate::analysis::signals::{Family, face_signals};

use super::environment::Runtime;
use super::error::{Error, ErrorKind};
use super::manifest::{DType, Manifest, ModelEntry, TensorSpec};
use super::registry::{self, Placement};
use super::session::{Input, Model};

/// Most networks of one element, and most manifests beside the model directory's.
pub const MAX_NETWORKS: usize = 16;
const SIDES: std::ops::RangeInclusive<usize> = 16..=1024;
const HEAT_SIDES: std::ops::RangeInclusive<usize> = 2..=64;
const MAX_CLASSES: usize = 1024;
const MAX_NAME: usize = 64;
/// Names of evidence that do not come from [`face_signals`].
const RESERVED: [&str; 6] = ["loop", "freeze", "provenance", "quality", "tracker", "calibration"];
const SCORES: &str = "`attack-logit`, `genuine-logit`, `attack-probability`, `genuine-probability`, `logits` or `probabilities`";

/// What the analysis must know of the network.
///
/// # Errors
/// In words, naming the key that is missing or impossible.
pub fn describe(entry: &ModelEntry) -> Result<NetworkSpec, String> {
    check_name("name", &entry.name)?;
    let signal = entry.signal.clone().unwrap_or_else(|| entry.name.clone());
    check_name("signal", &signal)?;
    if RESERVED.contains(&signal.as_str()) || face_signals().iter().any(|s| s.name() == signal) {
        return Err(format!("`signal` {signal} is the name of a built-in signal"));
    }
    let family = match entry.family.as_deref() {
        Some("forgery") => Family::Forgery,
        Some("presentation") => Family::Presentation,
        Some(other) => return Err(format!("`family` {other:?} is neither `forgery` nor `presentation`")),
        None => return Err("`family` is missing: `forgery` or `presentation`".into()),
    };
    let per_second = within("per-second", entry.per_second.unwrap_or(2.0), 0.01, 30.0)?;
    let economy = entry.per_second_economy.unwrap_or(per_second / 2.0);
    let per_second_economy = within("per-second-economy", economy, 0.005, 30.0)?;
    let window = within("window", entry.window.unwrap_or(3.0), 0.5, 60.0)?;
    let min_face = within("min-face", entry.min_face.unwrap_or(40.0), 1.0, 8192.0)?;
    let min_inside = within("min-inside", entry.min_inside.unwrap_or(0.0), 0.0, 1.0)?;
    let (picture, landmarks) = inputs_of(entry)?;
    let (input, pixels) = picture_of(entry, picture)?;
    let crop = entry.crop.ok_or("`[model.crop]` is missing")?;
    if let Some(what) = crop.fault(input) {
        return Err(format!("`crop`: {what}"));
    }
    let score = score_output(entry)?;
    let heat = heat_output(entry)?.map(heat_sides).transpose()?;
    let score = score_of(score)?;
    if let Some(what) = entry.calibration.as_ref().and_then(|c| c.fault()) {
        return Err(format!("`calibration`: {what}"));
    }
    Ok(NetworkSpec {
        name: entry.name.clone(),
        signal,
        family,
        per_second,
        per_second_economy,
        window,
        min_face,
        min_inside,
        crop,
        input,
        pixels,
        landmarks: landmarks.is_some(),
        score,
        heat,
        calibration: entry.calibration.clone(),
    })
}

fn check_name(key: &str, name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(good) {
        return Err(format!("`{key}` must be 1 to {MAX_NAME} letters, digits, `.`, `_` or `-`"));
    }
    Ok(())
}

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<f64, String> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("`{key}` {value} is not in {low}..{high}"))
    }
}

/// The input that is a picture, and the one that takes the mesh if there is one.
fn inputs_of(entry: &ModelEntry) -> Result<(&TensorSpec, Option<&TensorSpec>), String> {
    let (landmarks, pictures): (Vec<_>, Vec<_>) = entry.inputs.iter().partition(|t| t.meaning == "landmarks");
    let ([picture], [] | [_]) = (pictures.as_slice(), landmarks.as_slice()) else {
        let (a, b) = (pictures.len(), landmarks.len());
        return Err(format!(
            "it must have one input that is a picture and at most one with the `meaning` landmarks, not {a} and {b}"
        ));
    };
    let landmarks = landmarks.first().copied();
    if let Some(input) = landmarks
        && !matches!(input.shape.as_slice(), [-1 | 1, points, 2] if usize::try_from(*points) == Ok(LANDMARKS))
    {
        let (name, shape) = (&input.name, &input.shape);
        return Err(format!(
            "input `{name}`: `shape` {shape:?} is not [-1, {LANDMARKS}, 2], as landmarks are"
        ));
    }
    Ok((picture, landmarks))
}

/// Sides of the input, and how pixels become its numbers.
fn picture_of(entry: &ModelEntry, input: &TensorSpec) -> Result<((usize, usize), Pixels), String> {
    let p = entry.preprocessing.as_ref().ok_or("`[model.preprocessing]` is missing")?;
    let order = match p.layout.as_str() {
        "nchw" => Order::Nchw,
        "nhwc" => Order::Nhwc,
        other => return Err(format!("`preprocessing.layout` {other:?} is neither `nchw` nor `nhwc`")),
    };
    let channels = match p.colour.as_str() {
        "rgb" => Channels::Rgb,
        "bgr" => Channels::Bgr,
        "gray" => Channels::Gray,
        other => return Err(format!("`preprocessing.colour` {other:?} is none of `rgb`, `bgr`, `gray`")),
    };
    let bad = |what: &str| Err(format!("input `{}`: `shape` {:?} {what}", input.name, input.shape));
    let [batch, rest @ ..] = input.shape.as_slice() else { return bad("must be of four dimensions") };
    let rest: Vec<usize> = rest.iter().filter_map(|d| usize::try_from(*d).ok()).collect();
    let (c, h, w) = match (order, rest.as_slice()) {
        (Order::Nchw, [c, h, w]) | (Order::Nhwc, [h, w, c]) => (*c, *h, *w),
        _ => return bad("must be of four dimensions, of which only the first, the batch, may be -1"),
    };
    if !matches!(batch, -1 | 1) {
        return bad("must have a batch of 1 or -1");
    }
    if c != channels.count() {
        return bad(&format!(
            "has {c} channels in layout {}, colour {} has {}",
            p.layout,
            p.colour,
            channels.count()
        ));
    }
    if !SIDES.contains(&w) || !SIDES.contains(&h) {
        return bad("must have sides of 16 to 1024 pixels");
    }
    let all = |v: f32| [v; 3];
    let (gain, offset) = match (&p.range, &p.mean, &p.std) {
        (Some([low, high]), ..) => (all((high - low) / 255.0), all(*low)),
        (None, Some(mean), Some(std)) if mean.len() == c && std.len() == c => {
            let (mut gain, mut offset) = (all(0.0), all(0.0));
            for (((g, o), m), s) in gain.iter_mut().zip(&mut offset).zip(mean).zip(std) {
                (*g, *o) = (1.0 / (255.0 * s), -m / s);
            }
            (gain, offset)
        }
        _ => return Err(format!("`preprocessing.mean` and `std` must be lists of {c}, one a channel")),
    };
    Ok(((w, h), Pixels { order, channels, gain, offset }))
}

fn score_output(entry: &ModelEntry) -> Result<&TensorSpec, String> {
    let is_score = |t: &&TensorSpec| {
        let meaning = t.meaning.strip_prefix("attack-").or(t.meaning.strip_prefix("genuine-"));
        matches!(t.meaning.as_str(), "logits" | "probabilities")
            || matches!(meaning, Some("logit" | "probability"))
    };
    let mut found = entry.outputs.iter().filter(is_score);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("no output has a `meaning` that is a score: {SCORES}")),
        (Some(_), Some(_)) => Err(format!("several outputs have a `meaning` that is a score ({SCORES})")),
    }
}

fn heat_output(entry: &ModelEntry) -> Result<Option<&TensorSpec>, String> {
    let mut found = entry.outputs.iter().filter(|t| t.meaning == "heat-map");
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        _ => Err("several outputs have the `meaning` heat-map".into()),
    }
}

fn heat_sides(tensor: &TensorSpec) -> Result<(usize, usize), String> {
    let sides: Vec<usize> =
        tensor.shape.iter().filter(|d| **d > 1).filter_map(|d| usize::try_from(*d).ok()).collect();
    match sides.as_slice() {
        [rows, columns] if HEAT_SIDES.contains(rows) && HEAT_SIDES.contains(columns) => Ok((*rows, *columns)),
        _ => Err(format!(
            "output `{}`: `shape` {:?} is no heat map: two dimensions of 2 to 64, all others 1 or -1",
            tensor.name, tensor.shape
        )),
    }
}

fn score_of(tensor: &TensorSpec) -> Result<ScoreSpec, String> {
    let (count, name) = (tensor.elements_of_one(), &tensor.name);
    let score = match tensor.meaning.as_str() {
        "attack-logit" => ScoreSpec::Logit { of_attack: true },
        "genuine-logit" => ScoreSpec::Logit { of_attack: false },
        "attack-probability" => ScoreSpec::Probability { of_attack: true },
        "genuine-probability" => ScoreSpec::Probability { of_attack: false },
        meaning => {
            if !(2..=MAX_CLASSES).contains(&count) {
                return Err(format!(
                    "output `{name}`: {meaning} need 2 to {MAX_CLASSES} classes, not {count}"
                ));
            }
            let (genuine, attack) = classes(tensor, count)?;
            ScoreSpec::Classes { probabilities: meaning == "probabilities", genuine, attack }
        }
    };
    if !score.is_for(count) {
        return Err(format!("output `{name}`: {} is one number, not {count}", tensor.meaning));
    }
    Ok(score)
}

fn classes(tensor: &TensorSpec, count: usize) -> Result<(Vec<usize>, Vec<usize>), String> {
    let at = &tensor.name;
    for (key, list) in [("genuine-class", &tensor.genuine_class), ("attack-class", &tensor.attack_class)] {
        if let Some(index) = list.iter().find(|i| **i >= count) {
            return Err(format!(
                "output `{at}`: `{key}` {index} is not one of the {count} classes, 0 to {}",
                count - 1
            ));
        }
        if list.iter().collect::<HashSet<_>>().len() < list.len() {
            return Err(format!("output `{at}`: `{key}` names a class twice"));
        }
    }
    let rest = |list: &[usize]| (0..count).filter(|i| !list.contains(i)).collect::<Vec<_>>();
    let (genuine, attack) = match (tensor.genuine_class.as_slice(), tensor.attack_class.as_slice()) {
        ([], []) => return Err(format!("output `{at}`: say `genuine-class` or `attack-class`")),
        (genuine, []) => (genuine.to_vec(), rest(genuine)),
        ([], attack) => (rest(attack), attack.to_vec()),
        (genuine, attack) => (genuine.to_vec(), attack.to_vec()),
    };
    if genuine.is_empty() || attack.is_empty() || genuine.iter().any(|i| attack.contains(i)) {
        return Err(format!("output `{at}`: each class is either genuine or attack, and there must be both"));
    }
    Ok((genuine, attack))
}

/// Reads the manifests that the user named, each with at least one network that watches a face.
///
/// # Errors
/// `ManifestMissing`, `ManifestInvalid`, `ModelMissing`.
pub fn manifests(paths: &[PathBuf]) -> Result<Vec<Manifest>, Error> {
    let open = |path: &PathBuf| {
        let manifest = Manifest::open(path)?;
        if manifest.face_signals().next().is_none() {
            return Err(manifest.missing("model with the role `face-signal`"));
        }
        Ok(manifest)
    };
    paths.iter().map(|path| open(path).map_err(Error::of_extra_model)).collect()
}

/// A loaded network that watches a face.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub model: Arc<Model>,
    /// Elements of the heat map.
    heat: Option<usize>,
    /// The mesh is the first of the two inputs; none if it is not asked for.
    landmarks_first: Option<bool>,
}

/// Loads the networks of `own` (the model directory's) and of `extra`, and runs each once.
///
/// # Errors
/// `ManifestInvalid` if names are not unique or there are too many, else as [`registry::get`] and [`Model::warm_up`].
pub(super) fn load(
    runtime: &'static Runtime,
    own: &Manifest,
    own_wanted: bool,
    extra: &[Manifest],
    placement: Placement,
) -> Result<(Vec<Watcher>, Vec<Arc<NetworkSpec>>), Error> {
    let mut names: HashSet<String> = own.models().iter().map(|m| m.name.clone()).collect();
    let (mut watchers, mut specs) = (Vec::new(), Vec::<Arc<NetworkSpec>>::new());
    let mine = own.face_signals().filter(|_| own_wanted).map(|entry| (own, entry, false));
    let others = extra.iter().flat_map(|m| m.face_signals().map(move |entry| (m, entry, true)));
    for (manifest, entry, is_extra) in mine.chain(others) {
        let advised = |e: Error| if is_extra { e.of_extra_model() } else { e };
        let invalid = |what: String| advised(Error::new(ErrorKind::ManifestInvalid, what));
        let name = &entry.name;
        if is_extra && !names.insert(name.clone()) {
            return Err(invalid(format!("two models have the name `{name}`")));
        }
        // The manifest was checked when it was read.
        let spec = describe(entry).map_err(|what| invalid(format!("model `{name}`: {what}")))?;
        if specs.iter().any(|s| s.signal == spec.signal) {
            return Err(invalid(format!("two models have the `signal` `{}`", spec.signal)));
        }
        if specs.len() >= MAX_NETWORKS {
            return Err(invalid(format!("there are more than {MAX_NETWORKS} networks that watch a face")));
        }
        watchers.push(Watcher::load(runtime, manifest, entry, &spec, placement).map_err(advised)?);
        specs.push(Arc::new(spec));
    }
    Ok((watchers, specs))
}

impl Watcher {
    fn load(
        runtime: &'static Runtime,
        manifest: &Manifest,
        entry: &ModelEntry,
        spec: &NetworkSpec,
        placement: Placement,
    ) -> Result<Self, Error> {
        // Nobody reads the other outputs, so they may be of any kind.
        let outputs = [score_output(entry).ok(), heat_output(entry).ok().flatten()];
        let outputs: Vec<TensorSpec> = outputs.into_iter().flatten().cloned().collect();
        if let Some(tensor) = entry.inputs.iter().chain(&outputs).find(|t| t.dtype != DType::F32) {
            let what =
                format!("model `{}`: `{}` must be f32, not {:?}", entry.name, tensor.name, tensor.dtype);
            return Err(Error::new(ErrorKind::ModelUnsupported, what));
        }
        let used = ModelEntry { outputs, ..entry.clone() };
        let model = registry::get(runtime, manifest, &used, placement)?;
        let first = |t: &TensorSpec| t.meaning == "landmarks";
        let landmarks_first = spec.landmarks.then(|| entry.inputs.first().is_some_and(first));
        let heat = spec.heat.map(|(rows, columns)| rows * columns);
        let watcher = Self { model, heat, landmarks_first };
        let mut first = watcher.model.warm_up_on(placement)?.into_iter();
        let out = NetworkOutput {
            values: first.next().unwrap_or_default(),
            heat: first.next().unwrap_or_default(),
        };
        watcher.check(&out)?;
        spec.score.attack_logit(&out.values).map_err(|what| watcher.wrong(&what))?;
        Ok(watcher)
    }

    pub fn run(&self, input: NetworkInput<'_>, out: &mut NetworkOutput) -> Result<(), Error> {
        let shape = input.picture.shape();
        // The analysis hands in a whole array in its usual order.
        let data = input.picture.as_slice().ok_or_else(|| self.wrong("was handed a picture in pieces"))?;
        let picture = Input { shape, data };
        let landmarks = Input { shape: &[1, LANDMARKS, 2], data: input.landmarks.as_flattened() };
        let both =
            if self.landmarks_first == Some(true) { [landmarks, picture] } else { [picture, landmarks] };
        let inputs = if self.landmarks_first.is_some() { &both[..] } else { &both[..1] };
        match self.heat {
            Some(_) => self.model.run_into(inputs, &mut [&mut out.values, &mut out.heat])?,
            None => self.model.run_into(inputs, &mut [&mut out.values])?,
        }
        self.check(out)
    }

    /// Dimensions that the graph leaves open are known only now.
    fn check(&self, out: &NetworkOutput) -> Result<(), Error> {
        match self.heat {
            Some(cells) if out.heat.len() != cells => {
                let is = out.heat.len();
                Err(self.wrong(&format!("gives a heat map of {is} cells, its manifest says {cells}")))
            }
            _ => Ok(()),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::ModelShape, format!("the model `{}` {what}", self.model.name()))
    }
}

#[cfg(test)]
#[path = "face_signal_tests.rs"]
mod tests;
