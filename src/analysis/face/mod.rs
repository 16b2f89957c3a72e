//! From a picture to followed faces: detection, tracking, mesh, quality.

pub mod align;
pub mod chain;
pub mod detector;
pub mod mesh;
pub mod meter;
pub mod models;
pub mod patch;
pub mod quality;
pub mod tracker;
