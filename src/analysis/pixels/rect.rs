//! A box that survives scaling.

use serde::{Deserialize, Serialize};

/// A box in fractions of the frame's width and height; may reach outside 0..1 for a face cut by the border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NormRect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}
