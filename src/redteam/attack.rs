//! What every attack is: a name, a family, parameters that are checked, and a scene made from a recording.

use super::error::Result;
use super::resources::Resources;
use super::source::{BoxSource, Scene};
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
    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>>;
    /// The scene before the camera, made from `source`, whose first frame is at PTS 0 or later. Errors
    /// when the parameters make no sense, the source is too short for them, or `resources` lack what it needs.
    fn render<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        self.check()?;
        self.scene(source, seed, resources)
    }
}

impl<A: Attack + ?Sized> Attack for Box<A> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn family(&self) -> Family {
        (**self).family()
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn endless(&self) -> bool {
        (**self).endless()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        (**self).scene(source, seed, resources)
    }
}
