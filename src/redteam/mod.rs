//! Attacks made from a genuine recording, to test the detector against. Each is a pure function of the
//! frames, its parameters and a seed. All are `procedural`: made by rule, not by a generator of fakes, and
//! never to be quoted as a result on one.
//!
//! A condition is an attack (what stands before the camera), then the same camera noise and the same
//! encoder for all, so that a control differs from an attack in content only.

mod camera;
mod condition;
mod control;
mod error;
mod faces;
mod forge;
mod generator;
mod inject;
mod joined;
mod light;
mod motion;
mod pairs;
mod photo;
mod print;
mod random;
mod render;
mod replay;
pub mod run;
pub mod sensor;
mod source;
mod splice;
mod stage;
mod warp;

pub use condition::{Condition, Kind, Record};
pub use control::{Freeze, Reencode};
pub use error::{Error, Result};
pub use faces::{Faces, Finder, Networks, Props, Take};
pub use forge::{Animate, Blend, Donor, Drive, Geometry, Part, Restore, Swap};
pub use generator::Generator;
pub use inject::{Content, Inject, Times, Way};
pub use joined::{Joined, Made, control, join, write_manifest};
pub use light::Light;
pub use motion::{Hand, Motion};
pub use pairs::{Labelled, LeftOut, Pair, Unfit, pairs};
pub use photo::Photo;
pub use print::Page;
pub use render::{Rendered, record_path, render_file, scene, scene_with};
pub use replay::{Replay, Seam};
pub use source::{BoxSource, FrameSource, Frames, Scene};
pub use splice::Splice;
pub use stage::{Cadence, Cover, Daily, Gate, Present, Stall, Surface, Trick, What, With};

use serde::{Deserialize, Serialize};

/// The kind of trick, as reports group them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// The face, or a part of it, is another's or was changed.
    Forgery,
    /// One picture that is made to move, or a head that nobody has.
    Animation,
    /// Something held before a real camera.
    Presentation,
    /// The stream's time is tampered with.
    Timing,
    /// Genuine in part.
    Partial,
    /// Another attack, made to look more genuine.
    Adversarial,
    /// Genuine: must not alarm.
    Control,
    /// A stream put where another one is expected; judged by where it comes from, not by its face.
    Injection,
    /// A simulated camera: must not be taken for an injection.
    Camera,
}

impl Family {
    /// Whether it is genuine.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Control | Self::Camera)
    }

    /// Whether it is judged by where the stream comes from, not by what is on the faces.
    pub const fn is_of_source(self) -> bool {
        matches!(self, Self::Injection | Self::Camera)
    }
}

/// One way to attack.
pub trait Attack {
    /// The name on the command line and in the catalogue.
    fn name(&self) -> &'static str;
    fn family(&self) -> Family;
    /// Refuses parameters that make no sense.
    fn check(&self) -> Result<()>;
    /// Whether the scene goes on for as long as frames are asked for.
    fn endless(&self) -> bool {
        false
    }
    /// What [`Attack::render`] gives, of parameters that were checked.
    fn scene<'a>(&'a self, source: BoxSource<'a>, seed: u64, props: &'a Props)
    -> Result<Box<dyn Scene + 'a>>;
    /// The scene before the camera, made from `source`, whose first frame is at PTS 0 or later. Errors
    /// when the parameters make no sense, the source is too short for them, or `props` lack what it needs.
    fn render<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        props: &'a Props,
    ) -> Result<Box<dyn Scene + 'a>> {
        self.check()?;
        self.scene(source, seed, props)
    }
}
