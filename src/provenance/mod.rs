//! Camera-source provenance: who made this stream?
//!
//! | of a source | in |
//! |---|---|
//! | where it is: the walk upstream, names and properties | [`walk`], [`identity`] |
//! | what drivers and the device tree say (without GStreamer) | [`device`] with [`device_facts`], [`v4l2`], [`sysfs`] |
//! | what that is worth (without GStreamer) | [`device_checks`], [`known_devices`] |
//! | what PipeWire, a call, the machine say | [`pipewire`], `webrtc`, [`environment`] |
//! | what passes: times, RTP, marks of encoders; pictures | [`probes`], `pictures` |
//! | the signed history of its file (feature `c2pa`) | `signature`, `signed` |
//! | whether the pictures answer when a camera's controls are moved | `experiment`, by `control_writer` and `controls` |
//! | all that is known of it so far | `source_state` |
//! | what leaves the process | [`report`] |
//!
//! [`monitor`] leads all this on a thread of its own; [`recorded`] makes those checks of a recording that need none;
//! [`timed`] asks what may hang. [`policy`] says whether a source is welcome, [`messages`] posts what came of it, and
//! [`properties`] are those that elements with a monitor share.

pub mod device;
pub mod device_checks;
pub mod device_facts;
pub mod known_devices;
pub mod sysfs;
pub mod v4l2;

#[cfg(feature = "plugin")]
mod control_writer;
#[cfg(feature = "plugin")]
mod controls;
#[cfg(feature = "plugin")]
pub mod environment;
#[cfg(feature = "plugin")]
mod experiment;
#[cfg(feature = "plugin")]
pub mod identity;
#[cfg(feature = "plugin")]
pub mod messages;
#[cfg(feature = "plugin")]
pub mod monitor;
#[cfg(feature = "plugin")]
mod pictures;
#[cfg(feature = "plugin")]
pub mod pipewire;
#[cfg(feature = "plugin")]
pub mod policy;
#[cfg(feature = "plugin")]
pub mod probes;
#[cfg(feature = "plugin")]
pub mod properties;
#[cfg(feature = "plugin")]
pub mod recorded;
#[cfg(feature = "plugin")]
pub mod report;
#[cfg(all(feature = "plugin", feature = "c2pa"))]
mod signature;
#[cfg(all(feature = "plugin", feature = "c2pa"))]
pub mod signed;
#[cfg(feature = "plugin")]
mod source_state;
#[cfg(feature = "plugin")]
pub mod timed;
#[cfg(feature = "plugin")]
pub mod walk;
#[cfg(feature = "plugin")]
mod webrtc;
