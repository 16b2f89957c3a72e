//! Element `deepfakeoverlay`: draws the verdict that `deepfakedetect` attached onto the frame.

mod canvas;
mod colour;
mod font;
mod imp;
mod scene;

use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    /// The element `deepfakeoverlay`.
    pub struct Overlay(ObjectSubclass<imp::Overlay>)
        @extends gstreamer_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`, or with the process when there is none.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "deepfakeoverlay", gst::Rank::NONE, Overlay::static_type())
}
