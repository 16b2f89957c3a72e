//! Loading the models and the calibration that a run uses, and noting them for messages, statistics and evidence.

use super::scores::Scores;
use super::settings::Settings;
use super::shared::Shared;
use super::state::Detect;
use crate::analysis::engine::EngineConfig;
use crate::analysis::engine::ignored::{Ignored, UnknownSignal};
use crate::analysis::engine::profile::Profile;
use crate::analysis::evidence::GenuineSessions;
use crate::analysis::evidence::calibration::{BUILT_IN, Calibration};
use crate::analysis::face::models::MeshKind;
use crate::analysis::judgement::decision::OperatingPoint;
use crate::analysis::networks::models::NetworkModels as _;
use crate::analysis::source::provenance::Class;
use crate::evidence::alert_report::{CalibrationUsed, RunInfo, Threshold};
use crate::inference::{self, Digest, ErrorKind, FaceModelSet, Wanted};
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Detect {
    /// Loads what the settings ask for.
    pub(super) fn load(&self, settings: &Settings) -> Result<(FaceModelSet, EngineConfig), StartError> {
        if !settings.require_source.is_empty() && Class::from_name(&settings.require_source).is_none() {
            return Err(StartError::Source(settings.require_source.clone()));
        }
        let profile = Profile::from(settings.profile);
        let chain = profile.chain(settings.max_faces as usize, settings.min_face_size as f32);
        let calibration = Calibration::built_in().map_err(|e| StartError::Calibration(e.to_string()))?;
        let models = FaceModelSet::load(&inference::Config {
            model_dir: settings.model_dir.clone(),
            candidate_dirs: candidate_dirs(),
            library: settings.library.clone(),
            provider: settings.provider.into(),
            device_id: settings.device_id,
            allow_fallback: settings.allow_fallback,
            threads: 1,
            wanted: Wanted {
                detector_short: true,
                detector_full: chain.full_range,
                mesh_v1: chain.mesh == MeshKind::V1,
                mesh_v2: chain.mesh == MeshKind::V2,
                blendshapes: chain.blendshapes,
                face_signals: settings.face_models,
            },
            extra_models: settings.extra_manifests(),
            skip_models: settings.skipped_models(),
        })
        .map_err(StartError::Inference)?;
        let active = models.active_provider();
        gst::info!(super::log::CAT, imp = self, "running on {}", active.provider);
        if let Some(reason) = &active.fallback_reason {
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Init,
                (
                    "Running on {} instead of {}: {reason}",
                    active.provider,
                    settings.provider.to_value().serialize().unwrap_or_default()
                )
            );
        }
        let config = EngineConfig {
            chain,
            mean_time_between_false_alerts: settings.mtbfa(),
            decisions: OperatingPoint { genuine: sessions(settings)?, ..settings.operating_point() },
            calibration: Arc::new(calibration),
            ignored: Ignored::parse(&settings.ignore_signals, models.networks())?,
        };
        Ok((models, config))
    }
}

/// What genuine sessions amount to, by the file that was set or the built-in one.
fn sessions(settings: &Settings) -> Result<Arc<GenuineSessions>, StartError> {
    let Some(path) = &settings.calibration else {
        return GenuineSessions::built_in().map(Arc::new).map_err(|e| StartError::Calibration(e.to_string()));
    };
    let text = std::fs::read_to_string(path)
        .map_err(|e| StartError::Sessions(format!("cannot read `{}`: {e}", path.display())))?;
    let parsed = GenuineSessions::parse(&text);
    parsed.map(Arc::new).map_err(|e| StartError::Sessions(format!("`{}`: {e}", path.display())))
}

/// Notes in `shared` what the run uses, for messages and statistics.
pub fn note(shared: &mut Shared, models: &FaceModelSet, config: &EngineConfig) {
    shared.scores = Scores::new(models.networks());
    shared.threshold = config.threshold(models.networks());
    shared.models = models
        .digests()
        .into_iter()
        .map(|(name, digest)| short_digest(&name, &digest.to_string()))
        .chain([short_digest("calibration", &Digest::of(BUILT_IN.as_bytes()).to_string())])
        .collect();
    shared.decisions = config.decisions.clone();
    shared.ignored = config.ignored.names().map(Into::into).collect();
    shared.provider = models.active_provider().provider.to_string();
    let runtime = models.runtime().info();
    shared.runtime = format!("{} {}", runtime.version, runtime.path.display());
}

/// What evidence says of this run.
pub fn ran(shared: &Shared, settings: &Settings, loaded: Option<&(FaceModelSet, EngineConfig)>) -> RunInfo {
    let models = loaded.map(|(models, _)| models.digests()).unwrap_or_default();
    RunInfo {
        plugin: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        threshold: Threshold {
            nats: shared.threshold,
            mean_time_between_false_alerts: settings.mtbfa(),
            hypotheses: loaded.map_or(0, |(models, config)| config.hypotheses(models.networks())),
        },
        models: models.into_iter().map(|(name, digest)| (name, digest.to_string())).collect(),
        calibration: CalibrationUsed {
            version: loaded.map(|(_, config)| config.calibration.version.clone()).unwrap_or_default(),
            sha256: Digest::of(BUILT_IN.as_bytes()).to_string(),
        },
        ignored_signals: shared.ignored.clone(),
        provider: shared.provider.clone(),
        onnxruntime: shared.runtime.clone(),
    }
}

fn short_digest(name: &str, digest: &str) -> String {
    format!("{name}@sha256:{}", digest.get(..16).unwrap_or(digest))
}

/// Where models may be beside the plugin: in a source tree (`target/<profile>` two levels below `models`) and in an
/// installation (`lib/<arch>/gstreamer-1.0` beside `share`).
fn candidate_dirs() -> Vec<PathBuf> {
    let plugin = gst::Registry::get().find_plugin("deepfake").and_then(|p| p.filename());
    let executable = std::env::current_exe().ok();
    let homes = [plugin, executable].into_iter().flatten();
    homes
        .flat_map(|file| {
            let file = file.canonicalize().unwrap_or(file);
            let above = |n: usize| file.ancestors().nth(n).map(Path::to_path_buf);
            [
                above(2).map(|d| d.join("models")),
                above(3).map(|d| d.join("models")),
                above(4).map(|d| d.join("models")),
                above(2).map(|d| d.join("share/gst-plugin-deepfake/models")),
                above(3).map(|d| d.join("share/gst-plugin-deepfake/models")),
                above(4).map(|d| d.join("share/gst-plugin-deepfake/models")),
            ]
        })
        .flatten()
        .collect()
}

/// Why the element cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Inference(inference::Error),
    #[error("{0}")]
    Calibration(String),
    #[error("require-source: there is no class `{0}`; there are {names}", names = Class::ALL.iter().map(|c| c.name()).collect::<Vec<_>>().join(", "))]
    Source(String),
    #[error("calibration: {0}")]
    Sessions(String),
    #[error("ignore-signals: {0}")]
    Ignored(#[from] UnknownSignal),
}

impl StartError {
    /// As GStreamer reports it.
    pub fn into_message(self) -> gst::ErrorMessage {
        let text = self.to_string();
        let error = match &self {
            Self::Inference(error) => error,
            Self::Calibration(_) => return gst::error_msg!(gst::LibraryError::Init, ("{text}")),
            Self::Sessions(_) => return gst::error_msg!(gst::ResourceError::OpenRead, ("{text}")),
            Self::Ignored(_) | Self::Source(_) => {
                return gst::error_msg!(gst::LibraryError::Settings, ("{text}"));
            }
        };
        let detail = error.detail();
        match error.kind() {
            ErrorKind::LibraryMissing | ErrorKind::ManifestMissing | ErrorKind::ModelMissing => {
                gst::error_msg!(gst::ResourceError::NotFound, ("{text}"), ["{detail}"])
            }
            ErrorKind::LibraryCorrupt | ErrorKind::ModelCorrupt | ErrorKind::ManifestInvalid => {
                gst::error_msg!(gst::ResourceError::OpenRead, ("{text}"), ["{detail}"])
            }
            ErrorKind::ProviderUnavailable => {
                gst::error_msg!(gst::LibraryError::Settings, ("{text}"), ["{detail}"])
            }
            _ => gst::error_msg!(gst::LibraryError::Init, ("{text}"), ["{detail}"]),
        }
    }
}
