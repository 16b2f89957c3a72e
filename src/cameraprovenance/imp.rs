//! GObject behaviour of `cameraprovenance`.

use crate::lock::lock;
use crate::message::{Header, ProvenanceMessage};
use crate::provenance::messages::Messages;
use crate::provenance::monitor::{Monitor, Options};
use crate::provenance::properties;
use crate::provenance::report::SourceReport;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

#[derive(Clone, Debug, Default)]
struct Settings {
    policy: Option<PathBuf>,
    probe_environment: bool,
    probe_controls: bool,
    session_id: String,
}

/// See the module.
#[derive(Debug, Default)]
pub struct CameraProvenance {
    settings: Mutex<Settings>,
    monitor: Mutex<Option<Monitor>>,
    /// The policy wants no more of this stream.
    blocked: Arc<AtomicBool>,
}

#[glib::object_subclass]
impl ObjectSubclass for CameraProvenance {
    const NAME: &'static str = "GstCameraProvenance";
    type Type = super::CameraProvenance;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for CameraProvenance {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let [policy, probe_environment, probe_controls, session_id] = properties::all();
            vec![
                policy,
                probe_environment,
                probe_controls,
                session_id,
                gst::ParamSpecArray::builder("sources")
                    .nick("Sources")
                    .blurb("The newest report of every source, with the fields of the deepfake-provenance message")
                    .element_spec(
                        &glib::ParamSpecBoxed::builder::<gst::Structure>("source")
                            .nick("Source")
                            .blurb("One source's report")
                            .read_only()
                            .build(),
                    )
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let text = || value.get::<Option<String>>().ok().flatten().filter(|s| !s.is_empty());
        let mut settings = lock(&self.settings);
        match pspec.name() {
            "policy" => settings.policy = text().map(PathBuf::from),
            "probe-environment" => settings.probe_environment = value.get().unwrap_or_default(),
            "probe-controls" => settings.probe_controls = value.get().unwrap_or_default(),
            "session-id" => settings.session_id = text().unwrap_or_default(),
            _ => {}
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings).clone();
        match pspec.name() {
            "policy" => settings.policy.map(|p| p.to_string_lossy().into_owned()).to_value(),
            "probe-environment" => settings.probe_environment.to_value(),
            "probe-controls" => settings.probe_controls.to_value(),
            "session-id" => settings.session_id.to_value(),
            _ => {
                let reports = lock(&self.monitor).as_ref().map(Monitor::reports).unwrap_or_default();
                let message = |r: &Arc<SourceReport>| {
                    let header = Header { session_id: settings.session_id.clone(), ..Header::default() };
                    gst::Structure::from(&ProvenanceMessage::new(header, SourceReport::clone(r)))
                };
                gst::Array::new(reports.iter().map(message)).to_value()
            }
        }
    }
}

impl GstObjectImpl for CameraProvenance {}

impl ElementImpl for CameraProvenance {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Camera provenance",
                "Filter/Analyzer/Video",
                "Tells where a stream comes from: a camera, a virtual camera, a file, a network, a program",
                "The gst-plugin-deepfake developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::new_any();
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                })
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for CameraProvenance {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = true;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        self.blocked.store(false, Ordering::Release);
        let mut messages = Messages::new(self.obj().upcast_ref(), settings.policy.as_deref())?;
        let options = Options {
            policy: messages.policy(),
            environment: settings.probe_environment,
            controls: settings.probe_controls,
            keep_pictures: true,
        };
        let (blocked, element) = (Arc::clone(&self.blocked), self.obj().downgrade());
        let listener = move |_: &[Arc<SourceReport>], news: &SourceReport| {
            let Some(element) = element.upgrade() else { return };
            let session_id = lock(&element.imp().settings).session_id.clone();
            let running_time = element.current_running_time().map(gst::ClockTime::nseconds);
            let header = Header { session_id, running_time, ..Header::default() };
            if messages.post(news, header, |_| {}, |_| {}) {
                blocked.store(true, Ordering::Release);
            }
        };
        let pad = self.obj().sink_pad().clone();
        let monitor = Monitor::start(&pad, options, Box::new(listener))
            .map_err(|e| gst::error_msg!(gst::ResourceError::Failed, ["cannot start a thread: {e}"]))?;
        *lock(&self.monitor) = Some(monitor);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        // Taken out first: dropping joins a thread, which may want to read properties.
        let monitor = lock(&self.monitor).take();
        drop(monitor);
        Ok(())
    }

    fn submit_input_buffer(
        &self,
        is_discont: bool,
        inbuf: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.blocked.load(Ordering::Acquire) {
            return Err(gst::FlowError::Error);
        }
        self.parent_submit_input_buffer(is_discont, inbuf)
    }
}
