//! The networks of the face chain, as the analysis wants them.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::ArrayView4;

use crate::analysis::face::models::{
    BLENDSHAPE_POINTS, BLENDSHAPES, DetectorOutput, DetectorRange, FaceModels, MeshKind, MeshOutput,
};
use crate::analysis::networks::models::{NetworkInput, NetworkModels, NetworkOutput};
use crate::analysis::networks::spec::NetworkSpec;

use super::environment::{self, Runtime};
use super::error::{Error, ErrorKind};
use super::face_network::{self, FaceNetwork};
use super::manifest::{Manifest, ModelEntry, Role};
use super::provider::{ActiveProvider, Provider};
use super::registry::{self, Placement};
use super::session::{Input, Model};
use super::{Digest, model_dir};

/// Numbers of one box row: box and six points.
const REGRESSORS: usize = 16;

/// Which networks to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// [`DetectorRange::Short`].
    pub detector_short: bool,
    /// [`DetectorRange::Full`].
    pub detector_full: bool,
    /// [`MeshKind::V1`].
    pub mesh_v1: bool,
    /// [`MeshKind::V2`].
    pub mesh_v2: bool,
    /// The blendshapes.
    pub blendshapes: bool,
    /// The model directory's own networks that watch a face.
    pub face_signals: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self {
        detector_short: true,
        detector_full: true,
        mesh_v1: true,
        mesh_v2: true,
        blendshapes: true,
        face_signals: true,
    };
}

impl Default for Wanted {
    /// The near detector, the mesh with irises, the blendshapes, and the networks that watch a face.
    fn default() -> Self {
        Self { detector_full: false, mesh_v1: false, ..Self::ALL }
    }
}

/// How to load the networks. `Default` finds everything by itself and lets `auto` choose the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The model directory; `None` searches (see [`model_dir::find`]).
    pub model_dir: Option<PathBuf>,
    /// Where to look, before the system's places, if no directory is named.
    pub candidate_dirs: Vec<PathBuf>,
    /// The file of ONNX Runtime; `None` searches (see [`super::library::find`]).
    pub library: Option<PathBuf>,
    /// What to run on.
    pub provider: Provider,
    /// Number of the device, where the provider has several.
    pub device_id: u32,
    /// Whether the CPU may stand in for a provider that is not there.
    pub allow_fallback: bool,
    /// Threads that share the work of one operator; 0 counts as 1.
    pub threads: usize,
    /// Which networks.
    pub wanted: Wanted,
    /// Further manifests, or directories that have one, with networks that watch a face.
    pub extra_models: Vec<PathBuf>,
    /// Names of the model directory's own networks that watch a face that are not to be loaded.
    pub skip_models: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model_dir: None,
            candidate_dirs: Vec::new(),
            library: None,
            provider: Provider::Auto,
            device_id: 0,
            allow_fallback: false,
            threads: 1,
            wanted: Wanted::default(),
            extra_models: Vec::new(),
            skip_models: Vec::new(),
        }
    }
}

/// The loaded networks. Cheap to clone: clones, and sets loaded alike anywhere in the process, share them.
#[derive(Clone, Debug)]
pub struct FaceModelSet {
    detector_short: Option<Network>,
    detector_full: Option<Network>,
    mesh_v1: Option<Network>,
    mesh_v2: Option<Network>,
    blendshapes: Option<Network>,
    /// One a network of `specs`; none for one that is the opposite of another.
    face_networks: Vec<Option<FaceNetwork>>,
    specs: Vec<Arc<NetworkSpec>>,
    subset: Option<Arc<[u16; BLENDSHAPE_POINTS]>>,
    active: ActiveProvider,
    runtime: &'static Runtime,
    /// Kept between calls for its capacity.
    scratch: Vec<f32>,
}

/// A model and where the outputs that the trait wants are among its own.
#[derive(Clone, Debug)]
struct Network {
    model: Arc<Model>,
    /// Whether the manifest has the two outputs in the other order.
    swapped: bool,
}

impl FaceModelSet {
    /// Finds the directory and the library, loads the wanted networks and runs each once.
    ///
    /// Takes some hundred milliseconds the first time, next to nothing while another set uses the same
    /// networks. Not for a streaming thread.
    ///
    /// # Errors
    /// Every [`ErrorKind`] but `NotLoaded`.
    pub fn load(config: &Config) -> Result<Self, Error> {
        let manifest = model_dir::find(config.model_dir.as_deref(), &config.candidate_dirs)?;
        let runtime = environment::init(config.library.as_deref(), Some(&manifest))?;
        let extra = face_network::manifests(&config.extra_models)?;
        face_network::check_skipped(&manifest, &config.skip_models)?;
        let mut refused: Option<Error> = None;
        for provider in config.provider.candidates(runtime, config.allow_fallback)? {
            let replaced = provider != config.provider && config.provider != Provider::Auto;
            let fallback_reason = match &refused {
                Some(e) => Some(e.what().to_owned()),
                None if replaced => Some(format!("this ONNX Runtime has no provider `{}`", config.provider)),
                None => None,
            };
            let active = ActiveProvider { provider, device_id: config.device_id, fallback_reason };
            match Self::load_on(runtime, &manifest, &extra, config, active) {
                Err(e) if e.kind() == ErrorKind::ProviderUnavailable => refused = Some(e),
                done => return done,
            }
        }
        Err(refused
            .unwrap_or_else(|| Error::new(ErrorKind::ProviderUnavailable, "no provider is left to try")))
    }

    fn load_on(
        runtime: &'static Runtime,
        manifest: &Manifest,
        extra: &[Manifest],
        config: &Config,
        active: ActiveProvider,
    ) -> Result<Self, Error> {
        let placement = Placement {
            provider: active.provider,
            device_id: active.device_id,
            threads: config.threads.max(1),
        };
        let network = |wanted: bool, role: Role, input: &[usize], outputs: &[(&str, usize)]| {
            if !wanted {
                return Ok(None);
            }
            let entry = manifest.model_by_role(&role)?;
            let swapped = check_role(entry, input, outputs)?;
            let model = registry::get(runtime, manifest, entry, placement)?;
            model.warm_up_on(placement)?;
            Ok(Some(Network { model, swapped }))
        };
        let detector = |wanted, role, range: DetectorRange| {
            let (side, anchors) = (range.input_side(), range.anchors());
            network(
                wanted,
                role,
                &[1, side, side, 3],
                &[("boxes", anchors * REGRESSORS), ("scores", anchors)],
            )
        };
        let mesh = |wanted, role, kind: MeshKind| {
            let (side, points) = (kind.input_side(), kind.points());
            network(wanted, role, &[1, side, side, 3], &[("landmarks", points * 3), ("presence", 1)])
        };
        let wanted = config.wanted;
        let subset = match wanted.blendshapes {
            true => Some(Arc::new(subset(manifest.model_by_role(&Role::FaceBlendshapes)?)?)),
            false => None,
        };
        let skipped = wanted.face_signals.then_some(config.skip_models.as_slice());
        let loaded = face_network::load(runtime, manifest, skipped, extra, placement)?;
        let (face_networks, specs) = loaded.into_iter().unzip();
        Ok(Self {
            detector_short: detector(wanted.detector_short, Role::FaceDetectorShort, DetectorRange::Short)?,
            detector_full: detector(wanted.detector_full, Role::FaceDetectorFull, DetectorRange::Full)?,
            mesh_v1: mesh(wanted.mesh_v1, Role::FaceMeshV1, MeshKind::V1)?,
            mesh_v2: mesh(wanted.mesh_v2, Role::FaceMeshV2, MeshKind::V2)?,
            blendshapes: network(
                wanted.blendshapes,
                Role::FaceBlendshapes,
                &[1, BLENDSHAPE_POINTS, 2],
                &[("blendshapes", BLENDSHAPES)],
            )?,
            face_networks,
            specs,
            subset,
            active,
            runtime,
            scratch: Vec::new(),
        })
    }

    /// The loaded models, in a fixed order.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        let all =
            [&self.detector_short, &self.detector_full, &self.mesh_v1, &self.mesh_v2, &self.blendshapes];
        let face_networks = self.face_networks.iter().flatten().map(|w| &w.model);
        all.into_iter().flatten().map(|network| &network.model).chain(face_networks)
    }

    /// Name and SHA-256 of each loaded model, in a fixed order.
    pub fn digests(&self) -> Vec<(String, Digest)> {
        self.models().map(|model| (model.name().to_owned(), model.digest())).collect()
    }

    /// What the networks run on, and why it is not what was asked for, if it is not.
    pub fn active_provider(&self) -> &ActiveProvider {
        &self.active
    }

    /// The ONNX Runtime that runs them.
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// Which points of [`MeshKind::V2`] the blendshapes read, in order; `None` if they were not loaded.
    pub fn blendshape_subset(&self) -> Option<&[u16; BLENDSHAPE_POINTS]> {
        self.subset.as_deref()
    }
}

impl FaceModels for FaceModelSet {
    type Error = Error;

    fn detect(
        &mut self,
        range: DetectorRange,
        input: ArrayView4<'_, f32>,
        out: &mut DetectorOutput,
    ) -> Result<(), Error> {
        let network = match range {
            DetectorRange::Short => &self.detector_short,
            DetectorRange::Full => &self.detector_full,
        };
        loaded(network, "face detector")?.run(input, &mut out.regressors, &mut out.scores)
    }

    fn mesh(
        &mut self,
        kind: MeshKind,
        input: ArrayView4<'_, f32>,
        out: &mut MeshOutput,
    ) -> Result<(), Error> {
        let network = match kind {
            MeshKind::V1 => &self.mesh_v1,
            MeshKind::V2 => &self.mesh_v2,
        };
        loaded(network, "face mesh")?.run(input, &mut out.points, &mut self.scratch)?;
        // `check_role` saw that there is exactly one.
        out.presence = self.scratch.first().copied().unwrap_or_default();
        Ok(())
    }

    fn blendshapes(
        &mut self,
        points: &[[f32; 2]; BLENDSHAPE_POINTS],
        out: &mut [f32; BLENDSHAPES],
    ) -> Result<(), Error> {
        let network = loaded(&self.blendshapes, "blendshape model")?;
        let input = Input { shape: &[1, BLENDSHAPE_POINTS, 2], data: points.as_flattened() };
        network.model.run_into(&[input], &mut [&mut self.scratch])?;
        for (to, from) in out.iter_mut().zip(&self.scratch) {
            *to = *from;
        }
        Ok(())
    }
}

impl NetworkModels for FaceModelSet {
    fn networks(&self) -> &[Arc<NetworkSpec>] {
        &self.specs
    }

    fn network(
        &mut self,
        index: usize,
        input: NetworkInput<'_>,
        out: &mut NetworkOutput,
    ) -> Result<(), Error> {
        let missing = || Error::new(ErrorKind::NotLoaded, format!("network {index} was not loaded"));
        self.face_networks.get(index).and_then(Option::as_ref).ok_or_else(missing)?.run(input, out)
    }
}

impl Network {
    fn run(&self, input: ArrayView4<'_, f32>, a: &mut Vec<f32>, b: &mut Vec<f32>) -> Result<(), Error> {
        let (a, b) = if self.swapped { (b, a) } else { (a, b) };
        let mut run =
            |data: &[f32]| self.model.run_into(&[Input { shape: input.shape(), data }], &mut [a, b]);
        match input.as_slice() {
            Some(data) => run(data),
            // A view into something larger; the analysis passes whole arrays, so this copy is rare.
            None => run(&input.iter().copied().collect::<Vec<_>>()),
        }
    }
}

fn loaded<'a>(network: &'a Option<Network>, what: &str) -> Result<&'a Network, Error> {
    network.as_ref().ok_or_else(|| Error::new(ErrorKind::NotLoaded, format!("this {what} was not loaded")))
}

/// Whether the manifest describes what the role means; says if its two outputs are in the other order.
fn check_role(entry: &ModelEntry, input: &[usize], outputs: &[(&str, usize)]) -> Result<bool, Error> {
    let wrong = |what: String| {
        let role = &entry.role;
        Err(Error::new(
            ErrorKind::ModelShape,
            format!("the model `{}` cannot be a {role}: {what}", entry.name),
        ))
    };
    match entry.inputs.as_slice() {
        [only] if only.admits(input) => {}
        _ => return wrong(format!("it must have one input of the shape {input:?}")),
    }
    if entry.outputs.len() != outputs.len() {
        return wrong(format!("it must have {} outputs", outputs.len()));
    }
    for (meaning, elements) in outputs {
        match entry.outputs.iter().find(|t| t.meaning == *meaning) {
            Some(tensor) if tensor.elements_of_one() == *elements => {}
            _ => {
                return wrong(format!(
                    "it must have an output that means `{meaning}`, of {elements} elements"
                ));
            }
        }
    }
    Ok(entry.outputs.first().map(|t| t.meaning.as_str()) != outputs.first().map(|(meaning, _)| *meaning))
}

fn subset(entry: &ModelEntry) -> Result<[u16; BLENDSHAPE_POINTS], Error> {
    let subset: Option<[u16; BLENDSHAPE_POINTS]> = entry.landmark_subset.as_slice().try_into().ok();
    let points = MeshKind::V2.points();
    subset.filter(|s| s.iter().all(|&i| usize::from(i) < points)).ok_or_else(|| {
        let what = format!(
            "model `{}`: `landmark_subset` must be {BLENDSHAPE_POINTS} indices below {points}",
            entry.name
        );
        Error::new(ErrorKind::ManifestInvalid, what)
    })
}
