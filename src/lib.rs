//! GStreamer plugin `deepfake`: says during a live call whether the face is a real person in front of a real camera.

pub mod analysis;
#[cfg(feature = "tools")]
pub mod batch;
#[cfg(feature = "plugin")]
pub mod cameraprovenance;
#[cfg(feature = "tools")]
pub mod demo;
#[cfg(feature = "plugin")]
pub mod detect;
#[cfg(feature = "tools")]
pub mod evaluation;
#[cfg(feature = "plugin")]
pub mod evidence;
#[cfg(feature = "plugin")]
mod formats;
pub mod inference;
#[cfg(feature = "plugin")]
mod lock;
#[cfg(feature = "plugin")]
pub mod message;
#[cfg(feature = "plugin")]
pub mod meta;
#[cfg(feature = "plugin")]
pub mod overlay;
#[cfg(feature = "plugin")]
mod plotting;
pub mod provenance;
#[cfg(feature = "tools")]
pub mod recorded;
#[cfg(feature = "tools")]
pub mod redteam;
#[cfg(feature = "tools")]
pub mod report;
#[cfg(feature = "plugin")]
mod structure;
#[cfg(feature = "plugin")]
mod view;

#[cfg(feature = "plugin")]
use gstreamer as gst;

#[cfg(feature = "plugin")]
fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    meta::register();
    overlay::register(Some(plugin))?;
    detect::register(Some(plugin))?;
    cameraprovenance::register(Some(plugin))?;
    Ok(())
}

#[cfg(feature = "plugin")]
gst::plugin_define!(
    deepfake,
    "Tells whether the face in a video call is a real person in front of a real camera",
    plugin_init,
    env!("CARGO_PKG_VERSION"),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_REPOSITORY")
);

/// Initialises GStreamer and makes the elements available in this process without a plugin file, for
/// applications that link this crate and for tests. Further calls return the first one's result.
#[cfg(feature = "plugin")]
pub fn register_static() -> Result<(), glib::BoolError> {
    static DONE: std::sync::OnceLock<Result<(), glib::BoolError>> = std::sync::OnceLock::new();
    DONE.get_or_init(|| {
        gst::init().map_err(|e| glib::bool_error!("GStreamer cannot be initialised: {e}"))?;
        plugin_desc::plugin_register_static()
    })
    .clone()
}
