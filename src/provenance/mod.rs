//! Camera-source provenance: who made this stream?
//!
//! `walk` finds the sources upstream, `identity` reads names and properties, [`device`] asks drivers ([`v4l2`], [`sysfs`],
//! with what is [`known`] of makes), `pipewire` asks PipeWire, `webrtc` a call, `probes` and `pictures` look at what passes, `environment` at the machine;
//! where it is wanted, `experiment` moves the camera's `controls` by a `hand` on a thread of its own;
//! with the feature `c2pa`, `signature` has the signed history of a file read (`signed`) beside the stream;
//! `watched` is all of that for one source; `monitor` leads them on a thread of its own (`recorded` makes some of them of a recording, without one), `report` is what comes of it, and `policy` says whether it is welcome.

pub mod device;
pub mod known;
pub mod sysfs;
pub mod v4l2;

#[cfg(feature = "plugin")]
mod controls;
#[cfg(feature = "plugin")]
pub mod environment;
#[cfg(feature = "plugin")]
mod experiment;
#[cfg(feature = "plugin")]
mod hand;
#[cfg(feature = "plugin")]
pub mod identity;
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
pub mod recorded;
#[cfg(feature = "plugin")]
pub mod report;
#[cfg(all(feature = "plugin", feature = "c2pa"))]
mod signature;
#[cfg(all(feature = "plugin", feature = "c2pa"))]
pub mod signed;
#[cfg(feature = "plugin")]
pub mod tell;
#[cfg(feature = "plugin")]
pub mod timed;
#[cfg(feature = "plugin")]
pub mod walk;
#[cfg(feature = "plugin")]
mod watched;
#[cfg(feature = "plugin")]
mod webrtc;
#[cfg(feature = "plugin")]
mod wire;
