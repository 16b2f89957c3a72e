//! Networks that watch a face, loaded and run. What is known of one: [`super::face_signal`].

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::analysis::networks::models::{LANDMARKS, NetworkInput, NetworkOutput};
use crate::analysis::networks::spec::NetworkSpec;

use super::environment::Runtime;
use super::error::{Error, ErrorKind};
use super::face_signal::{describe, heat_output, opposite, score_output, state_output};
use super::manifest::{DType, Manifest, ModelEntry, TensorSpec};
use super::registry::{self, Placement};
use super::session::{Input, Model};

/// Most networks of one element, and most manifests beside the model directory's.
pub const MAX_NETWORKS: usize = 16;

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

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Picture,
    Landmarks,
    State,
    Seconds,
}

impl Meaning {
    fn of(meaning: &str) -> Self {
        match meaning {
            "landmarks" => Self::Landmarks,
            "state" => Self::State,
            "seconds" => Self::Seconds,
            _ => Self::Picture,
        }
    }
}

/// A network and what is known of it; one that is the opposite of another has nothing to run.
type Loaded = (Option<FaceNetwork>, Arc<NetworkSpec>);

/// A loaded network that watches a face.
#[derive(Clone, Debug)]
pub(super) struct FaceNetwork {
    pub model: Arc<Model>,
    /// Elements of the heat map.
    heat: Option<usize>,
    /// What goes in, in the manifest's order.
    inputs: Vec<Meaning>,
    /// Whether there is a state to give back with the next picture.
    remembers: bool,
}

/// Whether all names are those of networks of the model directory that watch a face.
///
/// # Errors
/// `ModelMissing` with the names that there are.
pub fn check_skipped(own: &Manifest, names: &[String]) -> Result<(), Error> {
    let known: Vec<&str> = own.face_signals().map(|m| m.name.as_str()).collect();
    match names.iter().find(|n| !known.contains(&n.as_str())) {
        Some(name) => {
            let there = if known.is_empty() { "none".into() } else { known.join(", ") };
            let what =
                format!("there is no network `{name}` to skip in {}; there are {there}", own.dir().display());
            Err(Error::new(ErrorKind::ModelMissing, what))
        }
        None => Ok(()),
    }
}

/// Loads the networks of `own` (the model directory's, but for the names in `skipped`; `None`: none of them) and of
/// `extra`, and runs each once. Opposites of networks stand behind them, with nothing to run.
///
/// # Errors
/// `ManifestInvalid` if names are not unique or there are too many, else as [`registry::get`] and [`Model::warm_up`].
pub(super) fn load(
    runtime: &'static Runtime,
    own: &Manifest,
    skipped: Option<&[String]>,
    extra: &[Manifest],
    placement: Placement,
) -> Result<Vec<Loaded>, Error> {
    let mut names: HashSet<String> = own.models().iter().map(|m| m.name.clone()).collect();
    let mut loaded = Vec::<Loaded>::new();
    let mine = own
        .face_signals()
        .filter(|m| skipped.is_some_and(|s| !s.contains(&m.name)))
        .map(|entry| (own, entry, false));
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
        let opposite = opposite(entry, &spec, loaded.len());
        let opposite = opposite.map_err(|what| invalid(format!("model `{name}`: {what}")))?;
        if let Some(other) = &opposite
            && !names.insert(other.name.clone())
        {
            return Err(invalid(format!("two models have the name `{}`", other.name)));
        }
        let network = FaceNetwork::load(runtime, manifest, entry, &spec, placement).map_err(advised)?;
        let both = [Some((spec, Some(network))), opposite.map(|other| (other, None))];
        for (spec, network) in both.into_iter().flatten() {
            if loaded.iter().any(|(_, s)| s.signal == spec.signal) {
                return Err(invalid(format!("two models have the `signal` `{}`", spec.signal)));
            }
            if loaded.len() >= MAX_NETWORKS {
                return Err(invalid(format!(
                    "there are more than {MAX_NETWORKS} networks that watch a face"
                )));
            }
            loaded.push((network, Arc::new(spec)));
        }
    }
    Ok(loaded)
}

impl FaceNetwork {
    fn load(
        runtime: &'static Runtime,
        manifest: &Manifest,
        entry: &ModelEntry,
        spec: &NetworkSpec,
        placement: Placement,
    ) -> Result<Self, Error> {
        // The other outputs are not read, so they may be of any kind.
        let optional = [heat_output(entry), state_output(entry)].map(|o| o.ok().flatten());
        let outputs = [score_output(entry).ok()].into_iter().chain(optional);
        let outputs: Vec<TensorSpec> = outputs.flatten().cloned().collect();
        if let Some(tensor) = entry.inputs.iter().chain(&outputs).find(|t| t.dtype != DType::F32) {
            let what =
                format!("model `{}`: `{}` must be f32, not {:?}", entry.name, tensor.name, tensor.dtype);
            return Err(Error::new(ErrorKind::ModelUnsupported, what));
        }
        let used = ModelEntry { outputs, ..entry.clone() };
        let model = registry::get(runtime, manifest, &used, placement)?;
        let inputs = entry.inputs.iter().map(|t| Meaning::of(&t.meaning)).collect();
        let heat = spec.heat.map(|(rows, columns)| rows * columns);
        let network = Self { model, heat, inputs, remembers: spec.memory.is_some() };
        let mut out = NetworkOutput::default();
        for (to, from) in
            network.slots(&mut out).into_iter().flatten().zip(network.model.warm_up_on(placement)?)
        {
            *to = from;
        }
        network.check(&out)?;
        spec.score.attack_logit(&out.values).map_err(|what| network.wrong(&what))?;
        Ok(network)
    }

    /// Where the model's outputs go, in its order; `None` for those that it has not.
    fn slots<'a>(&self, out: &'a mut NetworkOutput) -> [Option<&'a mut Vec<f32>>; 3] {
        [
            Some(&mut out.values),
            self.heat.is_some().then_some(&mut out.heat),
            self.remembers.then_some(&mut out.state),
        ]
    }

    pub fn run(&self, input: NetworkInput<'_>, out: &mut NetworkOutput) -> Result<(), Error> {
        // The analysis passes a whole array in its usual order.
        let picture = input
            .picture
            .as_slice()
            .ok_or_else(|| self.wrong("was given a picture that is not one block of memory"))?;
        let (length, seconds) = ([1, input.state.len()], [input.seconds]);
        let of = |meaning: &Meaning| match meaning {
            Meaning::Picture => Input { shape: input.picture.shape(), data: picture },
            Meaning::Landmarks => Input { shape: &[1, LANDMARKS, 2], data: input.landmarks.as_flattened() },
            Meaning::State => Input { shape: &length, data: input.state },
            Meaning::Seconds => Input { shape: &[1, 1], data: &seconds },
        };
        let inputs: Vec<Input<'_>> = self.inputs.iter().map(of).collect();
        let mut outputs: Vec<&mut Vec<f32>> = self.slots(out).into_iter().flatten().collect();
        self.model.run_into(&inputs, &mut outputs)?;
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
