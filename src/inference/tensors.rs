//! What goes in and comes out of a network, as a manifest says it.

use serde::Deserialize;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DType {
    F32,
    F16,
    I64,
    I32,
    U8,
}

/// One input or output of a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[non_exhaustive]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// What an output says (`boxes`, `scores`, `landmarks`, ...); empty where the manifest is silent.
    #[serde(default)]
    pub meaning: String,
    /// Classes of an output that holds a number for each.
    #[serde(default, rename = "genuine-class", deserialize_with = "one_or_many")]
    pub genuine_class: Vec<usize>,
    /// See [`genuine_class`](Self::genuine_class).
    #[serde(default, rename = "attack-class", deserialize_with = "one_or_many")]
    pub attack_class: Vec<usize>,
    /// Dimensions, -1 where they may vary.
    pub shape: Vec<i64>,
    /// Element type.
    pub dtype: DType,
}

impl TensorSpec {
    /// Number of elements with every varying dimension taken as 1 (a batch of one).
    pub fn elements_of_one(&self) -> usize {
        self.shape.iter().map(|&d| usize::try_from(d.max(1)).unwrap_or(1)).product()
    }

    /// The shape with every varying dimension taken as 1.
    pub fn shape_of_one(&self) -> Vec<usize> {
        self.shape.iter().map(|&d| usize::try_from(d.max(1)).unwrap_or(1)).collect()
    }

    /// Whether a tensor of this shape is one of these.
    pub fn admits(&self, shape: &[usize]) -> bool {
        self.shape.len() == shape.len()
            && self.shape.iter().zip(shape).all(|(&want, &is)| want < 0 || i64::try_from(is) == Ok(want))
    }
}

/// How pixels become the first input.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Preprocessing {
    /// `nhwc` or `nchw`.
    pub layout: String,
    /// `rgb`, `bgr`, `gray`.
    pub colour: String,
    /// What 0 and 255 become.
    pub range: Option<[f32; 2]>,
    /// Instead of `range`: subtracted from values in 0..1, for each channel of the input.
    pub mean: Option<Vec<f32>>,
    /// See [`mean`](Self::mean): what is left is divided by this.
    pub std: Option<Vec<f32>>,
}

impl Preprocessing {
    /// What is wrong with the numbers, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match (&self.range, &self.mean, &self.std) {
            (Some(r), None, None) if r.iter().all(|v| v.is_finite()) && r[0] < r[1] => None,
            (Some(_), None, None) => Some("`preprocessing.range` is not an ascending pair"),
            (None, Some(mean), Some(std))
                if mean.len() == std.len()
                    && mean.iter().all(|v| v.is_finite())
                    && std.iter().all(|v| v.is_finite() && *v >= 1e-6) =>
            {
                None
            }
            (None, Some(_), Some(_)) => {
                Some("`preprocessing.mean` and `std` must be finite, equally long, and `std` above 0")
            }
            _ => Some("`preprocessing` must have either `range` or both `mean` and `std`"),
        }
    }
}

/// An index, or a list of them.
fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<usize>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a class index from 0, or a list of them")]
    enum OneOrMany {
        One(usize),
        Many(Vec<usize>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(index) => vec![index],
        OneOrMany::Many(all) => all,
    })
}
