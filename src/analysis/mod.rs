//! Pure logic: no GStreamer, no ONNX Runtime, no clock, no I/O. Time comes in as nanoseconds.
//!
//! The way of a frame: [`frame`] -> [`chain`] ([`detector`], [`tracker`], [`align`], [`mesh`], [`quality`]) ->
//! [`signals`] -> [`cusum`] -> [`alert`] -> [`verdict`]; [`engine`] leads it.

pub mod alert;
pub mod align;
pub mod calibration;
pub mod chain;
pub mod challenge;
pub mod crop;
pub mod cusum;
pub mod detector;
pub mod engine;
pub mod evidence;
pub mod fingerprint;
pub mod frame;
pub mod geometry;
pub mod ignored;
pub mod memory;
pub mod mesh;
pub mod models;
pub mod network;
pub mod parts;
pub mod patch;
pub mod profile;
pub mod provenance;
pub mod quality;
pub mod region;
pub mod rtp;
pub mod sampler;
pub mod signals;
pub mod source;
mod texture;
pub mod tracker;
pub mod verdict;
mod watch;
