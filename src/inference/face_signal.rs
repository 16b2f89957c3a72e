//! Networks that watch a face (role `face-signal`): from a manifest's entry to what the analysis knows of the network. Their
//! keys are explained in `models/README.md`; the network itself is in [`super::face_network`].

use std::collections::HashSet;

use crate::analysis::evidence::Family;
use crate::analysis::networks::crop::{Channels, Order, Pixels};
use crate::analysis::networks::memory::MemorySpec;
use crate::analysis::networks::models::LANDMARKS;
use crate::analysis::networks::spec::{NetworkSpec, ScoreSpec};
use crate::analysis::signals::face_signals;

use super::model_entry::ModelEntry;
use super::tensors::TensorSpec;

/// Most numbers that a network of time may keep of each face: 256 KiB.
const MAX_STATE: usize = 1 << 16;
/// Meanings of inputs that are no picture.
const NOT_PICTURES: [&str; 3] = ["landmarks", "state", "seconds"];
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
    check_signal(&signal)?;
    let family = family_of(entry.family.as_deref())?;
    let per_second = within("per-second", entry.per_second.unwrap_or(2.0), 0.01, 30.0)?;
    let economy = entry.per_second_economy.unwrap_or(per_second / 2.0);
    let per_second_economy = within("per-second-economy", economy, 0.005, 30.0)?;
    let window = within("window", entry.window.unwrap_or(3.0), 0.5, 60.0)?;
    let min_face = within("min-face", entry.min_face.unwrap_or(40.0), 1.0, 8192.0)?;
    let min_inside = within("min-inside", entry.min_inside.unwrap_or(0.0), 0.0, 1.0)?;
    let inputs = inputs_of(entry)?;
    let (input, pixels) = picture_of(entry, inputs.picture)?;
    let memory = memory_of(entry, &inputs)?;
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
        landmarks: inputs.landmarks.is_some(),
        memory,
        score,
        heat,
        opposite_of: None,
        calibration: entry.calibration.clone(),
    })
}

/// What the opposite of the score of the network `spec`, the one at `place`, is called, if the entry has one.
///
/// # Errors
/// In words, naming the key that is missing or impossible.
pub(super) fn opposite(
    entry: &ModelEntry,
    spec: &NetworkSpec,
    place: usize,
) -> Result<Option<NetworkSpec>, String> {
    let Some(other) = &entry.opposite else { return Ok(None) };
    let wrong = |what: String| format!("`[model.opposite]`: {what}");
    check_name("name", &other.name).map_err(wrong)?;
    let signal = other.signal.clone().unwrap_or_else(|| other.name.clone());
    check_signal(&signal).map_err(wrong)?;
    let family = family_of(other.family.as_deref()).map_err(wrong)?;
    if let Some(what) = other.calibration.as_ref().and_then(|c| c.fault()) {
        return Err(wrong(format!("`calibration`: {what}")));
    }
    Ok(Some(NetworkSpec {
        name: other.name.clone(),
        signal,
        family,
        heat: None,
        memory: None,
        opposite_of: Some(place),
        calibration: other.calibration.clone(),
        ..spec.clone()
    }))
}

fn family_of(name: Option<&str>) -> Result<Family, String> {
    match name {
        Some("forgery") => Ok(Family::Forgery),
        Some("presentation") => Ok(Family::Presentation),
        Some(other) => Err(format!("`family` {other:?} is neither `forgery` nor `presentation`")),
        None => Err("`family` is missing: `forgery` or `presentation`".into()),
    }
}

fn check_signal(signal: &str) -> Result<(), String> {
    check_name("signal", signal)?;
    if RESERVED.contains(&signal) || face_signals().iter().any(|s| s.name() == signal) {
        return Err(format!("`signal` {signal} is the name of a built-in signal"));
    }
    Ok(())
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

/// Inputs by what they mean.
struct Inputs<'a> {
    picture: &'a TensorSpec,
    landmarks: Option<&'a TensorSpec>,
    state: Option<&'a TensorSpec>,
    seconds: Option<&'a TensorSpec>,
}

fn inputs_of(entry: &ModelEntry) -> Result<Inputs<'_>, String> {
    let mut pictures = entry.inputs.iter().filter(|t| !NOT_PICTURES.contains(&t.meaning.as_str()));
    let (Some(picture), None) = (pictures.next(), pictures.next()) else {
        let others = NOT_PICTURES.join(", ");
        return Err(format!(
            "it must have one input that is a picture, beside those with a `meaning` ({others})"
        ));
    };
    let [landmarks, state, seconds] = NOT_PICTURES.map(|meaning| only(&entry.inputs, "inputs", meaning));
    let inputs = Inputs { picture, landmarks: landmarks?, state: state?, seconds: seconds? };
    let shaped = |input: Option<&TensorSpec>, good: fn(&[i64]) -> bool, want: &str| match input {
        Some(t) if !good(&t.shape) => {
            let (name, shape, meaning) = (&t.name, &t.shape, &t.meaning);
            Err(format!("input `{name}`: `shape` {shape:?} is not {want}, as {meaning} is"))
        }
        _ => Ok(()),
    };
    let points = |s: &[i64]| matches!(s, [-1 | 1, n, 2] if usize::try_from(*n) == Ok(LANDMARKS));
    shaped(inputs.landmarks, points, &format!("[-1, {LANDMARKS}, 2]"))?;
    shaped(inputs.seconds, |s| matches!(s, [-1 | 1, 1]), "[-1, 1]")?;
    let numbers = |s: &[i64]| matches!(s, [-1 | 1, n] if usize::try_from(*n).is_ok_and(|n| (1..=MAX_STATE).contains(&n)));
    shaped(inputs.state, numbers, &format!("[-1, 1 to {MAX_STATE}]"))?;
    Ok(inputs)
}

/// What a network of time keeps of a face: it has an input and an output of the meaning `state`, of the same shape.
fn memory_of(entry: &ModelEntry, inputs: &Inputs<'_>) -> Result<Option<MemorySpec>, String> {
    let settle = within("settle", entry.settle.unwrap_or(2.0), 0.0, 60.0)?;
    let hold = within("hold", entry.hold.unwrap_or(1.0), 0.0, 10.0)?;
    match (inputs.state, state_output(entry)?) {
        (Some(from), Some(to)) if from.shape == to.shape => {
            Ok(Some(MemorySpec { size: from.elements_of_one(), settle, hold }))
        }
        (Some(from), Some(to)) => {
            let (a, b) = (&from.shape, &to.shape);
            Err(format!(
                "input `{}` and output `{}` are one state, but of the shapes {a:?} and {b:?}",
                from.name, to.name
            ))
        }
        (None, None) if inputs.seconds.is_some() || entry.settle.is_some() || entry.hold.is_some() => {
            Err("an input with the `meaning` seconds, `settle` and `hold` are for networks with a `state`"
                .into())
        }
        (None, None) => Ok(None),
        _ => Err("a `state` must be both an input and an output".into()),
    }
}

pub(super) fn state_output(entry: &ModelEntry) -> Result<Option<&TensorSpec>, String> {
    only(&entry.outputs, "outputs", "state")
}

/// The one of them with that meaning, if there is one.
fn only<'a>(tensors: &'a [TensorSpec], what: &str, meaning: &str) -> Result<Option<&'a TensorSpec>, String> {
    let mut found = tensors.iter().filter(|t| t.meaning == meaning);
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        _ => Err(format!("several {what} have the `meaning` {meaning}")),
    }
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

pub(super) fn score_output(entry: &ModelEntry) -> Result<&TensorSpec, String> {
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

pub(super) fn heat_output(entry: &ModelEntry) -> Result<Option<&TensorSpec>, String> {
    only(&entry.outputs, "outputs", "heat-map")
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

#[cfg(test)]
#[path = "face_signal_tests.rs"]
mod tests;
