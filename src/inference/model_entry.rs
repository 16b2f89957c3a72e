//! One network of a manifest, as it is written there. What is checked of it is in [`super::manifest`].

use std::path::PathBuf;

use serde::Deserialize;

use super::digest::Digest;
use super::role::Role;
use super::tensors::{Preprocessing, TensorSpec};
use crate::analysis::networks::crop::CropSpec;
use crate::analysis::networks::spec::NetworkCalibration;

/// One network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ModelEntry {
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Path, relative to the model directory.
    pub file: PathBuf,
    /// Digest of the file.
    #[serde(deserialize_with = "digest")]
    pub sha256: Digest,
    /// Size of the file, bytes.
    pub size: u64,
    /// SPDX expression; empty where the manifest is silent.
    #[serde(default, alias = "license")]
    pub licence: String,
    /// Indices of the mesh points that the network reads.
    #[serde(default)]
    pub landmark_subset: Vec<u16>,
    /// Names of the output elements.
    #[serde(default)]
    pub labels: Vec<String>,
    /// How pixels become the input, for networks that read pixels.
    pub preprocessing: Option<Preprocessing>,
    /// Of networks that watch a face, as are the following; see [`super::face_signal`].
    pub family: Option<String>,
    /// Name of the evidence.
    pub signal: Option<String>,
    /// Runs a second.
    #[serde(rename = "per-second")]
    pub per_second: Option<f64>,
    /// The same in the economical profile.
    #[serde(rename = "per-second-economy")]
    pub per_second_economy: Option<f64>,
    /// Seconds of scores that are averaged.
    pub window: Option<f64>,
    /// Least width of a face, pixels.
    #[serde(rename = "min-face")]
    pub min_face: Option<f64>,
    /// Least share of the picture that lies within the frame.
    #[serde(rename = "min-inside")]
    pub min_inside: Option<f64>,
    /// Of networks of time: seconds of pictures before their score counts.
    pub settle: Option<f64>,
    /// Of networks of time: seconds for which a face may be away and is still the same.
    pub hold: Option<f64>,
    /// Which part of the picture goes in.
    pub crop: Option<CropSpec>,
    /// What its score is worth.
    pub calibration: Option<NetworkCalibration>,
    /// What the score says with the sign turned.
    pub opposite: Option<Opposite>,
    /// Inputs.
    #[serde(default, rename = "input")]
    pub inputs: Vec<TensorSpec>,
    /// Outputs, in the order of the results.
    #[serde(default, rename = "output")]
    pub outputs: Vec<TensorSpec>,
}

/// A network's score with the sign turned, as a signal of its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Opposite {
    /// Unique name.
    pub name: String,
    /// `forgery` or `presentation`.
    pub family: Option<String>,
    /// Name of the evidence; the name where the manifest is silent.
    pub signal: Option<String>,
    /// What its score is worth.
    pub calibration: Option<NetworkCalibration>,
}

/// Reads a digest from text.
pub(super) fn digest<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|e| serde::de::Error::custom(format!("`sha256` {e}")))
}
