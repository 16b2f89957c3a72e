//! The properties that every element with a monitor has.

use gst::prelude::*;
use gstreamer as gst;

/// `policy`, `probe-environment`, `probe-controls` and `session-id`.
pub fn all() -> [glib::ParamSpec; 4] {
    [
        glib::ParamSpecString::builder("policy")
            .nick("Policy")
            .blurb("TOML file of welcome and unwelcome sources; unset: an alert for virtual cameras")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("probe-environment")
            .nick("Look at the machine")
            .blurb("Also look at kernel modules, firmware and container marks of this machine")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoolean::builder("probe-controls")
            .nick("Move the controls")
            .blurb("Move exposure, gain, brightness or focus of a V4L2 camera and see whether the pictures answer; visible for up to 40 s")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("session-id")
            .nick("Session")
            .blurb("The application's name for the call, carried by every message")
            .mutable_playing()
            .build(),
    ]
}
