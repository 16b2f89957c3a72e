//! Element `cameraprovenance`: says where a stream comes from, and passes everything through untouched. For pipelines
//! whose faces are analysed elsewhere; `deepfakedetect` does the same by itself.

mod imp;

use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    /// The element `cameraprovenance`.
    pub struct CameraProvenance(ObjectSubclass<imp::CameraProvenance>)
        @extends gstreamer_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`, or with the process when there is none.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "cameraprovenance", gst::Rank::NONE, CameraProvenance::static_type())
}
