//! Attacks made from a genuine recording, to test the detector against. Each is a pure function of the
//! frames, its parameters and a seed. All are `procedural`: no generator of fakes made them, and they are
//! never to be quoted as a result on one.
//!
//! A condition is an attack (what stands before the camera), then the same camera noise and the same
//! encoder for all, so that a control differs from an attack in content only.

mod attack;
mod attacks;
mod buffers;
mod condition;
mod error;
mod faces;
mod forge;
mod inject;
mod kind;
mod light;
mod motion;
mod pair_writer;
mod pairs;
mod picture;
mod print;
mod random;
mod render;
mod resources;
pub mod run;
pub mod sensor;
mod sensor_noise;
mod source;
mod warp;

pub use attack::{Attack, Family};
pub use attacks::adversarial::{Adversarial, Disguise};
pub use attacks::benign::{Benign, Incident};
pub use attacks::cadence::{Cadence, Stall, Trick};
pub use attacks::control::{Freeze, Reencode};
pub use attacks::generator::Generator;
pub use attacks::partial::PartialAttack;
pub use attacks::photo::Photo;
pub use attacks::presentation::Present;
pub use attacks::replay::{Replay, Seam};
pub use attacks::splice::Splice;
pub use attacks::surface::Surface;
pub use condition::{Condition, Record};
pub use error::{Error, Result};
pub use faces::{Faces, Finder, Networks};
pub use forge::animate::{Animate, Drive};
pub use forge::blend::Blend;
pub use forge::parts::Part;
pub use forge::restore::Restore;
pub use forge::swap::{Donor, Geometry, Swap};
pub use inject::attack::{Content, Inject, Times, Way};
pub use kind::Kind;
pub use light::Light;
pub use motion::{Hand, Motion};
pub use pair_writer::{ManifestRow, SplicedPair, control, join, write_manifest};
pub use pairs::{Labelled, LeftOut, Pair, Unfit, pairs};
pub use print::Page;
pub use render::{Rendered, record_path, render_file, scene, scene_with};
pub use resources::{Resources, Segment};
pub use source::{BoxSource, FrameSource, Frames, Scene};
