//! Element `deepfakedetect`: analyses sampled frames beside the stream and attaches what is known to every buffer.
//!
//! `imp` is the GObject behaviour; [`tap`] runs on the streaming thread, [`worker`] beside it, and [`shared`] is all
//! that lies between the two.

mod analyst;
mod challenge;
mod evidence;
mod faces;
mod imp;
mod mailbox;
mod properties;
mod publish;
mod scores;
mod settings;
mod shared;
mod stats;
mod tap;
mod worker;

use gst::prelude::*;
use gstreamer as gst;

pub use settings::{Mode, OnError, ProfileSetting};

glib::wrapper! {
    /// The element `deepfakedetect`.
    pub struct Detect(ObjectSubclass<imp::Detect>)
        @extends gstreamer_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`, or with the process when there is none.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "deepfakedetect", gst::Rank::NONE, Detect::static_type())
}
