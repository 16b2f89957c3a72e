//! The settings of `deepfakedetect` as types, and their defaults.

use crate::analysis::engine::profile::Profile;
use crate::analysis::judgement::decision::OperatingPoint;
use crate::inference::Provider;
use std::path::PathBuf;

/// Whether the streaming thread waits for the analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDeepfakeDetectMode")]
pub enum Mode {
    /// Analyse beside the stream; the newest sampled frame wins and nothing ever waits.
    #[default]
    #[enum_value(name = "Beside the stream: never waits for the analysis", nick = "live")]
    Live,
    /// Analyse every sampled frame before it passes: for recordings; the same result every run.
    #[enum_value(name = "In the stream: every sampled frame is analysed before it passes", nick = "sync")]
    Sync,
}

/// See [`Profile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDeepfakeDetectProfile")]
pub enum ProfileSetting {
    #[enum_value(name = "Fewest milliseconds a stream: mesh without irises", nick = "economy")]
    Economy,
    #[default]
    #[enum_value(name = "Mesh with irises and expressions", nick = "balanced")]
    Balanced,
    #[enum_value(name = "Nearly every frame", nick = "thorough")]
    Thorough,
}

impl From<ProfileSetting> for Profile {
    fn from(p: ProfileSetting) -> Self {
        match p {
            ProfileSetting::Economy => Self::Economy,
            ProfileSetting::Balanced => Self::Balanced,
            ProfileSetting::Thorough => Self::Thorough,
        }
    }
}

/// What a failure of the analysis does to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDeepfakeDetectOnError")]
pub enum OnError {
    /// The video goes on, with a warning on the bus and `failed` in every verdict.
    #[enum_value(name = "Warn, let the video pass, and say `failed` in every verdict", nick = "pass")]
    Pass,
    /// The element reports an error and the stream ends.
    #[default]
    #[enum_value(name = "Stop the stream with an error", nick = "fail")]
    Fail,
}

pub const DEFAULT_MAX_FACES: u32 = 2;
pub const MAX_MAX_FACES: u32 = 16;
pub const DEFAULT_MIN_FACE_SIZE: u32 = 40;
pub const DEFAULT_ATTACK_PRIOR: f64 = 0.001;
pub const DEFAULT_MIN_GOOD_FACE: f64 = 5.0;
pub const DEFAULT_REPORT_INTERVAL: u64 = 1_000_000_000;
pub const DEFAULT_EVIDENCE_SECONDS: u32 = 30;
pub const MAX_EVIDENCE_SECONDS: u32 = 600;

/// A snapshot is taken wherever they are used.
#[derive(Clone, Debug)]
pub struct Settings {
    pub mode: Mode,
    pub profile: ProfileSetting,
    /// Milliseconds of analysis a second of stream; 0 = no bound.
    pub cpu_budget: u32,
    pub max_faces: u32,
    /// Pixels.
    pub min_face_size: u32,
    pub model_dir: Option<PathBuf>,
    /// Run the model directory's own networks that watch a face.
    pub face_models: bool,
    /// Manifests or directories, separated by colons.
    pub extra_models: String,
    /// Names of own networks that are not loaded, separated by commas.
    pub skip_models: String,
    /// Names of signals that count for nothing, separated by commas.
    pub ignore_signals: String,
    pub library: Option<PathBuf>,
    pub provider: ProviderSetting,
    pub device_id: u32,
    pub allow_fallback: bool,
    /// Which presets hold where nothing else is set.
    pub purpose: Purpose,
    /// Hours.
    pub mtbfa: Option<f64>,
    /// Shares of genuine sessions.
    pub max_false_refer: Option<f64>,
    pub max_false_reject: Option<f64>,
    /// Seconds.
    pub session_length: Option<f64>,
    pub attack_prior: f64,
    /// Seconds.
    pub min_good_face: f64,
    pub require_challenges: u32,
    /// Name of a class; empty: any.
    pub require_source: String,
    /// File of genuine sessions; `None`: the built-in ones.
    pub calibration: Option<PathBuf>,
    /// Nanoseconds; 0 = only on change.
    pub report_interval: u64,
    pub session_id: String,
    pub on_error: OnError,
    /// Find out where the stream comes from.
    pub provenance: bool,
    pub policy: Option<PathBuf>,
    pub probe_environment: bool,
    pub probe_controls: bool,
    /// Where bundles go; `None`: none are made.
    pub evidence_dir: Option<PathBuf>,
    /// Seconds of analysis before an alert that its bundle holds.
    pub evidence_seconds: u32,
    /// Pictures of the faces as well.
    pub evidence_thumbnails: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            profile: ProfileSetting::default(),
            cpu_budget: 0,
            max_faces: DEFAULT_MAX_FACES,
            min_face_size: DEFAULT_MIN_FACE_SIZE,
            model_dir: None,
            face_models: true,
            extra_models: String::new(),
            skip_models: String::new(),
            ignore_signals: String::new(),
            library: None,
            provider: ProviderSetting::Auto,
            device_id: 0,
            allow_fallback: false,
            purpose: Purpose::default(),
            mtbfa: None,
            max_false_refer: None,
            max_false_reject: None,
            session_length: None,
            attack_prior: DEFAULT_ATTACK_PRIOR,
            min_good_face: DEFAULT_MIN_GOOD_FACE,
            require_challenges: 0,
            require_source: String::new(),
            calibration: None,
            report_interval: DEFAULT_REPORT_INTERVAL,
            session_id: String::new(),
            on_error: OnError::default(),
            provenance: true,
            policy: None,
            probe_environment: false,
            probe_controls: false,
            evidence_dir: None,
            evidence_seconds: DEFAULT_EVIDENCE_SECONDS,
            evidence_thumbnails: false,
        }
    }
}

impl Settings {
    /// The paths of `extra_models`. Empty ones name nothing.
    pub fn extra_manifests(&self) -> Vec<PathBuf> {
        self.extra_models.split(':').filter(|p| !p.is_empty()).map(PathBuf::from).collect()
    }

    /// Mean time between false alerts, hours: what was set, or the purpose's.
    pub fn mtbfa(&self) -> f64 {
        self.mtbfa.unwrap_or(self.purpose.mtbfa())
    }

    /// How sessions are decided: what was set, or the purpose's. Genuine sessions are not in it: they come of a file.
    pub fn operating_point(&self) -> OperatingPoint {
        OperatingPoint {
            max_false_refer: self.max_false_refer.unwrap_or(self.purpose.max_false_refer()),
            max_false_reject: self.max_false_reject.unwrap_or(self.purpose.max_false_reject()),
            session_length: self.session_length.unwrap_or(self.purpose.session_length()),
            attack_prior: self.attack_prior,
            min_good_face: self.min_good_face,
            require_challenges: self.require_challenges,
            require_source: Some(self.require_source.clone()).filter(|s| !s.is_empty()),
            genuine: Default::default(),
        }
    }

    /// The names in `skip_models`. Empty ones name nothing.
    pub fn skipped_models(&self) -> Vec<String> {
        self.skip_models.split(',').map(str::trim).filter(|n| !n.is_empty()).map(Into::into).collect()
    }
}

/// What the element is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDeepfakeDetectPurpose")]
pub enum Purpose {
    #[default]
    #[enum_value(name = "Calls that are watched all day: few false alerts", nick = "call")]
    Call,
    #[enum_value(name = "Video KYC: sessions of a minute that end in a decision", nick = "kyc")]
    Kyc,
    #[enum_value(
        name = "Recordings that a person looks at anyway: rather a suspicion too many",
        nick = "forensic"
    )]
    Forensic,
}

impl Purpose {
    /// Mean time between false alerts, hours.
    pub const fn mtbfa(self) -> f64 {
        match self {
            Self::Call => 100.0,
            Self::Kyc | Self::Forensic => 10.0,
        }
    }
    /// Share of genuine sessions that may be referred.
    pub const fn max_false_refer(self) -> f64 {
        match self {
            Self::Call | Self::Kyc => 0.05,
            Self::Forensic => 0.2,
        }
    }
    /// Share of genuine sessions that may be rejected.
    pub const fn max_false_reject(self) -> f64 {
        match self {
            Self::Call | Self::Kyc => 0.001,
            Self::Forensic => 0.01,
        }
    }
    /// Expected length of a session, seconds.
    pub const fn session_length(self) -> f64 {
        match self {
            Self::Call => 600.0,
            Self::Kyc | Self::Forensic => 60.0,
        }
    }
}

/// See [`Provider`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDeepfakeDetectProvider")]
pub enum ProviderSetting {
    #[default]
    #[enum_value(name = "CUDA if it is there and starts, else CPU", nick = "auto")]
    Auto,
    #[enum_value(name = "CPU", nick = "cpu")]
    Cpu,
    #[enum_value(name = "NVIDIA CUDA", nick = "cuda")]
    Cuda,
    #[enum_value(name = "NVIDIA TensorRT", nick = "tensorrt")]
    TensorRt,
    #[enum_value(name = "Intel OpenVINO", nick = "openvino")]
    OpenVino,
    #[enum_value(name = "AMD ROCm", nick = "rocm")]
    Rocm,
    #[enum_value(name = "AMD MIGraphX", nick = "migraphx")]
    MiGraphX,
}

impl From<ProviderSetting> for Provider {
    fn from(p: ProviderSetting) -> Self {
        match p {
            ProviderSetting::Auto => Self::Auto,
            ProviderSetting::Cpu => Self::Cpu,
            ProviderSetting::Cuda => Self::Cuda,
            ProviderSetting::TensorRt => Self::TensorRt,
            ProviderSetting::OpenVino => Self::OpenVino,
            ProviderSetting::Rocm => Self::Rocm,
            ProviderSetting::MiGraphX => Self::MiGraphX,
        }
    }
}
