//! GObject behaviour of `deepfakedetect`: type, properties, signals, pads, and the calls of the base class.

use super::log::CAT;
use super::state::Detect;
use super::{challenge_requests, properties, stats};
use crate::formats::FORMATS;
use crate::lock::lock;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{BaseTransformMode, GenerateOutputSuccess};
use gst_base::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_base as gst_base;
use gstreamer_video as gst_video;
use std::sync::LazyLock;

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
                        element.imp().begin_session();
                    }
                    None
                })
                .build();
            vec![challenge_requests::signal(), decide_signal(), reset]
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
            ("stats", Some(shared)) => Some(stats::stats(&shared)),
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
        self.start_run()
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.stop_run()
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        self.take_caps(incaps)
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
            Err(gst::loggable_error!(CAT, "no element downstream proposes an allocation"))
        }
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match self.take_sink_event(&event) {
            Some(served) => served,
            None => self.parent_sink_event(event),
        }
    }

    fn src_event(&self, event: gst::Event) -> bool {
        match self.challenge_event(&event) {
            Some(opened) => opened,
            None => self.parent_src_event(event),
        }
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(buffer) = self.take_queued_buffer() else {
            return Ok(GenerateOutputSuccess::NoOutput);
        };
        self.process(buffer).map(GenerateOutputSuccess::Buffer)
    }
}

/// The action signal `decide`: what the session would end in now, as a structure with the fields of `deepfake-decision`.
fn decide_signal() -> glib::subclass::Signal {
    glib::subclass::Signal::builder("decide")
        .return_type::<gst::Structure>()
        .action()
        .class_handler(|values| {
            let element = values.first().and_then(|v| v.get::<super::Detect>().ok());
            let publisher = element.and_then(|element| element.imp().publisher());
            Some(publisher.map(|p| gst::Structure::from(&p.decide())).to_value())
        })
        .build()
}
