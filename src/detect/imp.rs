//! GObject behaviour of `deepfakedetect`.

use super::analyst::{AnalysisError, Analyst};
use super::challenge;
use super::evidence::Keeper;
use super::properties;
use super::publish::Publisher;
use super::scores::Scores;
use super::settings::{Mode, OnError, Settings};
use super::shared::Shared;
use super::stats::bump;
use super::tap::Tap;
use super::worker::{self, Worker};
use crate::analysis::challenge::Reason;
use crate::analysis::engine::ignored::{Ignored, UnknownSignal};
use crate::analysis::engine::profile::Profile;
use crate::analysis::engine::{Engine, EngineConfig};
use crate::analysis::evidence::calibration::{BUILT_IN, Calibration};
use crate::analysis::face::chain::ChainError;
use crate::analysis::face::models::MeshKind;
use crate::analysis::judgement::verdict::{Alert, Condition, Verdict};
use crate::analysis::networks::models::NetworkModels as _;
use crate::evidence::alert_report::{CalibrationUsed, RunInfo, Threshold};
use crate::formats::FORMATS;
use crate::inference::{self, Digest, ErrorKind, FaceModelSet, Wanted};
use crate::lock::lock;
use crate::provenance::monitor::{Monitor, Options};
use crate::provenance::report::SourceReport;
use crate::provenance::tell::Teller;
use atomic_refcell::AtomicRefCell;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{BaseTransformMode, GenerateOutputSuccess};
use gst_base::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use gstreamer_video as gst_video;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("deepfakedetect", gst::DebugColorFlags::empty(), Some("Deepfake detection"))
});

/// How long EOS waits for the analysis of the last frame.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs between start and stop. Used by the streaming thread; start and stop never meet it.
#[derive(Debug)]
struct Running {
    tap: Tap,
    /// In sync mode the streaming thread analyses itself.
    analyst: Option<Analyst>,
    /// In live mode; joined when dropped.
    worker: Option<Worker>,
    publisher: Option<Publisher>,
    /// Joined when dropped.
    _monitor: Option<Monitor>,
    /// Joined when dropped, after all who may raise an alert.
    _keeper: Option<Keeper>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Detect {
    settings: Mutex<Settings>,
    running: AtomicRefCell<Option<Running>>,
    /// Of the present run, or of the last one: statistics stay readable after the end.
    shared: Mutex<Option<Arc<Shared>>>,
    /// The segment last seen: the same one again starts no new epoch.
    segment: Mutex<Option<gst::Segment>>,
    /// Of the present run.
    publisher: Mutex<Option<Publisher>>,
}

#[glib::object_subclass]
impl ObjectSubclass for Detect {
    const NAME: &'static str = "GstDeepfakeDetect";
    type Type = super::Detect;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for Detect {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::all);
        &PROPERTIES
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let reset = glib::subclass::Signal::builder("reset")
                .action()
                .class_handler(|values| {
                    let element = values.first().and_then(|v| v.get::<super::Detect>().ok());
                    if let Some(element) = element {
                        element.imp().begin_epoch("reset");
                    }
                    None
                })
                .build();
            vec![challenge::signal(), reset]
        });
        &SIGNALS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        properties::set(&mut lock(&self.settings), pspec.name(), value);
        if let Some(shared) = self.shared() {
            // The others are not looked at before the next start.
            shared.change_settings(|s| properties::set(s, pspec.name(), value));
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if let Some(value) = properties::get(&lock(&self.settings), pspec.name()) {
            return value;
        }
        let shared = self.shared();
        let structure = match (pspec.name(), shared) {
            ("stats", Some(shared)) => Some(properties::stats(&shared)),
            ("verdict", Some(shared)) => {
                let published = shared.published.load();
                Some(gst::Structure::from(&**published.verdict()))
            }
            _ => None,
        };
        structure.to_value()
    }
}

impl GstObjectImpl for Detect {}

impl ElementImpl for Detect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Deepfake detector",
                "Filter/Analyzer/Video",
                "Tells whether the faces in live video are real people before a real camera, and why",
                "The gst-plugin-deepfake developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list(FORMATS)
                .width_range(16..=8192)
                .height_range(16..=8192)
                .build();
            let template =
                |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps);
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| template(name, direction).ok())
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for Detect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        crate::meta::register();
        let settings = lock(&self.settings).clone();
        let rates = Profile::from(settings.profile).rates();
        let interval = rates.interval(Default::default());
        let mut shared = Shared::new(settings.clone(), interval);
        let loaded = self.load(&settings);
        if let Ok((models, config)) = &loaded {
            shared.scores = Scores::new(models.networks());
            shared.threshold = config.threshold(models.networks());
            shared.models = models
                .digests()
                .into_iter()
                .map(|(name, digest)| short_digest(&name, &digest.to_string()))
                .chain([short_digest("calibration", &Digest::of(BUILT_IN.as_bytes()).to_string())])
                .collect();
            shared.ignored = config.ignored.names().map(Into::into).collect();
            shared.provider = models.active_provider().provider.to_string();
            let runtime = models.runtime().info();
            shared.runtime = format!("{} {}", runtime.version, runtime.path.display());
        }
        let shared = Arc::new(shared);
        *lock(&self.shared) = Some(Arc::clone(&shared));
        *lock(&self.segment) = None;
        let ran = ran(&shared, &settings, loaded.as_ref().ok());
        let keeper = Keeper::start(&self.obj(), &settings, &shared, ran)?;
        let recorder = keeper.as_ref().map(Keeper::recorder);
        let publisher = Publisher::new(&self.obj(), Arc::clone(&shared), recorder);
        *lock(&self.publisher) = Some(publisher.clone());
        let monitor = self.monitor(&settings, &shared, &publisher)?;
        let eyes = monitor.as_ref().map(Monitor::eyes);
        let mut running = Running {
            tap: Tap::new(Arc::clone(&shared)),
            analyst: None,
            worker: None,
            publisher: Some(publisher.clone()),
            _monitor: monitor,
            _keeper: keeper,
        };
        match loaded {
            Ok((models, config)) => {
                let subset = models.blendshape_subset().copied();
                let engine = Engine::new(models, config, subset);
                let analyst = Analyst::new(engine, Arc::clone(&shared), publisher, eyes);
                if settings.mode == Mode::Sync {
                    running.analyst = Some(analyst);
                } else {
                    let worker = Worker::start(analyst, self.obj().downgrade()).map_err(|e| {
                        gst::error_msg!(gst::ResourceError::Failed, ["cannot start the worker thread: {e}"])
                    })?;
                    running.worker = Some(worker);
                }
            }
            Err(error) if settings.on_error == OnError::Pass => {
                shared.broken.store(true, Ordering::Release);
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NotFound,
                    ("Video passes unanalysed: {error}"),
                    ["{error}"]
                );
            }
            Err(error) => return Err(error.into_message()),
        }
        *self.running.borrow_mut() = Some(running);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.end_challenge(0, Reason::Stopped);
        lock(&self.publisher).take();
        // Dropping joins the worker; the borrow ends first.
        let running = self.running.borrow_mut().take();
        drop(running);
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|e| gst::loggable_error!(CAT, "caps are no video: {e}"))?;
        if let (Some(shared), Some(frame)) = (self.shared(), frame_duration(&info)) {
            shared.challenges.set_frame(frame);
        }
        let changed = self.running.borrow_mut().as_mut().is_none_or(|running| running.tap.set_info(info));
        // A renegotiation that ends where it began is no new stream.
        if changed {
            self.begin_epoch("caps");
        }
        Ok(())
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // What downstream wants of its buffers is what this element wants: it only looks.
        if self.obj().src_pad().peer_query(query) {
            Ok(())
        } else {
            Err(gst::loggable_error!(CAT, "nobody downstream proposes an allocation"))
        }
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        // An event that asks for a challenge has arrived: it goes no further.
        if let Some(opened) = self.challenge_event(&event) {
            return opened;
        }
        match event.view() {
            gst::EventView::FlushStart(_) => {
                if let Some(shared) = self.shared()
                    && shared.mailbox.interrupt().is_some()
                {
                    bump(&shared.counters.stale);
                }
            }
            gst::EventView::FlushStop(_) => {
                *lock(&self.segment) = None;
                self.begin_epoch("flush");
            }
            gst::EventView::StreamStart(_) => self.begin_epoch("stream-start"),
            gst::EventView::Segment(e) => {
                let old = lock(&self.segment).replace(e.segment().clone());
                if old.as_ref() != Some(e.segment()) {
                    self.begin_epoch("segment");
                }
            }
            gst::EventView::Eos(_) => self.finish(),
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        match self.challenge_event(&event) {
            Some(opened) => opened,
            None => self.parent_src_event(event),
        }
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(mut buffer) = self.take_queued_buffer() else {
            return Ok(GenerateOutputSuccess::NoOutput);
        };
        let mut running = self.running.try_borrow_mut().map_err(|_| gst::FlowError::Flushing)?;
        let Some(Running { tap, analyst, .. }) = running.as_mut() else {
            return Err(gst::FlowError::Flushing);
        };
        let shared = Arc::clone(tap.shared());
        if shared.blocked.load(Ordering::Acquire) {
            return Err(gst::FlowError::Error);
        }
        let broken = shared.broken.load(Ordering::Acquire);
        if broken && shared.settings().on_error == OnError::Fail {
            return Err(gst::FlowError::Error);
        }
        let segment = self.obj().segment();
        let tapped = tap.look(&buffer, segment.downcast_ref::<gst::ClockTime>());
        if let Some(report) = tapped.overdue {
            self.tell_challenge(report);
        }
        if tapped.interlaced {
            gst::element_imp_warning!(
                self,
                gst::StreamError::NotImplemented,
                ("Interlaced video passes unanalysed: put `deinterlace` before deepfakedetect")
            );
        }
        if tapped.timeless {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("Buffers without PTS and frame rate pass unanalysed: put `videorate` or a clock before deepfakedetect")
            );
        }
        if broken {
            let failed = Verdict {
                condition: Condition::Failed,
                ..Verdict::not_analysed(shared.epoch.load(Ordering::Acquire))
            };
            let last = shared.published.load().verdict().condition;
            if last != Condition::Failed {
                shared.publish(Arc::new(failed), u64::MAX);
            }
            if tapped.job.is_some() {
                bump(&shared.counters.failed);
            }
        } else if let Some(job) = tapped.job {
            match analyst {
                Some(analyst) => {
                    if let Err(error) = analyst.analyse(&job)
                        && worker::report(self, &shared, &error)
                        && shared.settings().on_error == OnError::Fail
                    {
                        return Err(gst::FlowError::Error);
                    }
                }
                None => {
                    if shared.mailbox.put(job).is_some() {
                        bump(&shared.counters.replaced);
                    }
                }
            }
        }
        if let Err(error) = tap.attach(&mut buffer) {
            gst::warning!(CAT, imp = self, "cannot attach the verdict: {error}");
        }
        Ok(GenerateOutputSuccess::Buffer(buffer))
    }
}

impl Detect {
    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        lock(&self.shared).clone()
    }

    pub(super) fn publisher(&self) -> Option<Publisher> {
        lock(&self.publisher).clone()
    }

    pub(super) fn segment_now(&self) -> Option<gst::Segment> {
        lock(&self.segment).clone()
    }

    fn begin_epoch(&self, why: &str) {
        if let Some(shared) = self.shared() {
            gst::debug!(CAT, imp = self, "new epoch: {why}");
            // Read before: the next buffer may begin the epoch as soon as it is wished for.
            let next = shared.epoch.load(Ordering::Acquire) + 1;
            shared.new_epoch.store(true, Ordering::Release);
            self.end_challenge(next, Reason::NewEpoch);
        }
    }

    /// End of stream: the last frame is waited for, a little, and the account is given.
    fn finish(&self) {
        let publisher = match self.running.try_borrow() {
            Ok(running) => running.as_ref().and_then(|r| r.publisher.clone()),
            Err(_) => None,
        };
        if let Some(shared) = self.shared()
            && !shared.broken.load(Ordering::Acquire)
            && !shared.mailbox.drain(DRAIN)
        {
            gst::warning!(CAT, imp = self, "end of stream before the last frame was analysed");
        }
        if let Some(shared) = self.shared()
            && let Some(report) = shared.challenges.cancel(Reason::EndOfStream)
        {
            self.tell_challenge(report);
        }
        if let Some(publisher) = publisher {
            publisher.summary();
        }
    }

    /// Starts to find out where the stream comes from, if that is wanted. Not in sync mode: what a recording gives must not
    /// depend on the pace of another thread.
    fn monitor(
        &self,
        settings: &Settings,
        shared: &Arc<Shared>,
        publisher: &Publisher,
    ) -> Result<Option<Monitor>, gst::ErrorMessage> {
        if !settings.provenance || settings.mode == Mode::Sync {
            return Ok(None);
        }
        let (shared, publisher) = (Arc::clone(shared), publisher.clone());
        let mut teller = Teller::new(self.obj().upcast_ref(), settings.policy.as_deref())?;
        if let Some(recorder) = publisher.recorder() {
            recorder.set_policy(Arc::clone(&teller.policy().text));
        }
        let options = Options {
            policy: teller.policy(),
            environment: settings.probe_environment,
            controls: settings.probe_controls,
            keep_pictures: false,
        };
        let listener = move |reports: &[Arc<SourceReport>], news: &SourceReport| {
            // Of several sources the most suspicious one speaks for the stream.
            let worst = reports.iter().max_by(|a, b| a.injection.total_cmp(&b.injection));
            shared.source.store(worst.map(|r| Arc::new(r.source())));
            if let Some(recorder) = publisher.recorder() {
                recorder.set_sources(reports);
            }
            let raised = |pts| publisher.count_alert(pts);
            let done = |alert: &Alert| publisher.keep_policy_alert(alert);
            if teller.tell(news, publisher.source_header(), raised, done) {
                shared.blocked.store(true, Ordering::Release);
            }
        };
        let pad = self.obj().sink_pad().clone();
        Monitor::start(&pad, options, Box::new(listener))
            .map(Some)
            .map_err(|e| gst::error_msg!(gst::ResourceError::Failed, ["cannot start a thread: {e}"]))
    }

    fn load(&self, settings: &Settings) -> Result<(FaceModelSet, EngineConfig), StartError> {
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
        gst::info!(CAT, imp = self, "running on {}", active.provider);
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
            mean_time_between_false_alerts: settings.mtbfa,
            calibration: Arc::new(calibration),
            ignored: Ignored::parse(&settings.ignore_signals, models.networks())?,
        };
        Ok((models, config))
    }

    /// Tells the application that a frame could not be analysed.
    pub(super) fn tell_failure(&self, error: &AnalysisError) {
        let fatal = lock(&self.settings).on_error == OnError::Fail;
        let detail = match error {
            AnalysisError::Chain(ChainError::Model(e)) => e.detail(),
            other => other.to_string(),
        };
        if fatal {
            gst::element_imp_error!(self, gst::LibraryError::Failed, ("{error}"), ["{detail}"]);
        } else if self.shared().is_some_and(|s| s.counters.failed.load(Ordering::Relaxed) == 1) {
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Failed,
                ("Analysis failed, the video passes: {error}"),
                ["{detail}"]
            );
        } else {
            gst::warning!(CAT, imp = self, "analysis failed: {detail}");
        }
    }
}

/// Nanoseconds between two frames; `None` where the caps do not tell.
fn frame_duration(info: &gst_video::VideoInfo) -> Option<u64> {
    let (n, d) = (u64::try_from(info.fps().numer()).ok()?, u64::try_from(info.fps().denom()).ok()?);
    (n > 0).then(|| 1_000_000_000 * d / n)
}

/// Where models may lie beside the plugin: in a source tree (`target/<profile>` two levels below `models`) and in an
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
                above(3).map(|d| d.join("share/gst-plugin-deepfake/models")),
                above(4).map(|d| d.join("share/gst-plugin-deepfake/models")),
            ]
        })
        .flatten()
        .collect()
}

/// What evidence says of this run.
fn ran(shared: &Shared, settings: &Settings, loaded: Option<&(FaceModelSet, EngineConfig)>) -> RunInfo {
    let models = loaded.map(|(models, _)| models.digests()).unwrap_or_default();
    RunInfo {
        plugin: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        threshold: Threshold {
            nats: shared.threshold,
            mean_time_between_false_alerts: settings.mtbfa,
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

/// Why the element cannot start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Inference(inference::Error),
    #[error("{0}")]
    Calibration(String),
    #[error("ignore-signals: {0}")]
    Ignored(#[from] UnknownSignal),
}

impl StartError {
    fn into_message(self) -> gst::ErrorMessage {
        let text = self.to_string();
        let error = match &self {
            Self::Inference(error) => error,
            Self::Calibration(_) => return gst::error_msg!(gst::LibraryError::Init, ("{text}")),
            Self::Ignored(_) => return gst::error_msg!(gst::LibraryError::Settings, ("{text}")),
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
