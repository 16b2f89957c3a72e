//! Element `deepfakedetect`: analyses sampled frames beside the stream and attaches what is known to every buffer.
//!
//! [`state`] is what the element holds; [`imp`] is the GObject behaviour, which calls [`start`], [`events`], [`process`] and
//! [`challenge_requests`]. On the streaming thread runs [`streaming`], beside it [`worker`] with the [`analyst`]; [`shared`] is
//! all that both use. [`publish`] posts messages, [`evidence_writer`] keeps the evidence of alerts.

mod analyst;
mod challenge_requests;
mod challenges;
mod counters;
mod events;
mod evidence_writer;
mod failure;
mod imp;
mod job;
mod load;
mod log;
mod mailbox;
mod process;
mod properties;
mod publish;
mod scores;
mod settings;
mod shared;
mod start;
mod state;
mod stats;
mod streaming;
mod thumbnails;
mod worker;

use gst::prelude::*;
use gstreamer as gst;

pub use settings::{Mode, OnError, ProfileSetting};

glib::wrapper! {
    /// The element `deepfakedetect`.
    pub struct Detect(ObjectSubclass<state::Detect>)
        @extends gstreamer_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with `plugin`, or with the process when there is none.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "deepfakedetect", gst::Rank::NONE, Detect::static_type())
}
