//! Every attack in one type, as the catalogue writes it down.

use super::attack::{Attack, Family};
use super::attacks::adversarial::{Adversarial, Disguise};
use super::attacks::benign::{Benign, Incident};
use super::attacks::cadence::{Cadence, Stall, Trick};
use super::attacks::control::{Freeze, Reencode};
use super::attacks::generator::Generator;
use super::attacks::partial::PartialAttack;
use super::attacks::photo::Photo;
use super::attacks::presentation::Present;
use super::attacks::replay::Replay;
use super::attacks::splice::Splice;
use super::error::Result;
use super::forge::animate::{Animate, Drive};
use super::forge::restore::Restore;
use super::forge::swap::{Donor, Swap};
use super::inject::attack::Inject;
use super::resources::Resources;
use super::source::{BoxSource, Scene};
use serde::{Deserialize, Serialize};

/// Which attack, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attack", rename_all = "kebab-case")]
pub enum Kind {
    Photo(Photo),
    Loop(Replay),
    Splice(Splice<Box<Kind>>),
    Freeze(Freeze),
    Reencode(Reencode),
    Swap(Swap),
    Restore(Restore),
    Animate(Animate),
    Present(Present),
    Cadence(Cadence),
    #[serde(rename = "gate")]
    Partial(PartialAttack<Box<Kind>>),
    #[serde(rename = "cover")]
    Adversarial(Adversarial<Box<Kind>>),
    Stall(Stall),
    #[serde(rename = "daily")]
    Benign(Benign<Box<Kind>>),
    Generator(Generator),
    Inject(Inject),
}

impl Kind {
    pub fn as_attack(&self) -> &dyn Attack {
        match self {
            Kind::Photo(a) => a,
            Kind::Loop(a) => a,
            Kind::Splice(a) => a,
            Kind::Freeze(a) => a,
            Kind::Reencode(a) => a,
            Kind::Swap(a) => a,
            Kind::Restore(a) => a,
            Kind::Animate(a) => a,
            Kind::Present(a) => a,
            Kind::Cadence(a) => a,
            Kind::Partial(a) => a,
            Kind::Adversarial(a) => a,
            Kind::Stall(a) => a,
            Kind::Benign(a) => a,
            Kind::Generator(a) => a,
            Kind::Inject(a) => a,
        }
    }

    /// The attack that it does something with.
    fn inner(&self) -> Option<&Kind> {
        match self {
            Kind::Benign(d) => d.of.as_deref(),
            Kind::Partial(g) => Some(&g.of),
            Kind::Adversarial(c) => Some(&c.of),
            Kind::Splice(s) => Some(&s.then),
            _ => None,
        }
    }

    /// Whether it needs to know where the face is.
    pub fn needs_faces(&self) -> bool {
        let own = match self {
            Kind::Swap(_) | Kind::Restore(_) | Kind::Animate(_) => true,
            Kind::Benign(d) => d.needs_faces(),
            Kind::Present(p) => p.eye_holes,
            Kind::Adversarial(c) => matches!(c.with, Disguise::Pulse | Disguise::Patch),
            _ => false,
        };
        own || self.inner().is_some_and(Kind::needs_faces)
    }

    /// Whether another person's recording is used.
    pub fn needs_another(&self) -> bool {
        let own = match self {
            Kind::Swap(s) => matches!(s.donor, Donor::Other | Donor::Still),
            Kind::Animate(a) => a.morph > 0.0,
            Kind::Partial(g) => g.company,
            Kind::Benign(d) => d.what == Incident::Visitor,
            _ => false,
        };
        own || self.inner().is_some_and(Kind::needs_another)
    }

    /// Whether another time of the same recording is used.
    pub fn needs_later(&self) -> bool {
        let own = match self {
            Kind::Swap(s) => s.donor == Donor::Later,
            Kind::Cadence(c) => c.trick == Trick::Cut,
            _ => false,
        };
        own || self.inner().is_some_and(Kind::needs_later)
    }

    /// Whether a recording that is one picture is enough.
    pub fn works_on_a_still(&self) -> bool {
        match self {
            Kind::Photo(_) => true,
            Kind::Present(p) => !p.plays && !p.eye_holes,
            Kind::Animate(a) => a.drive != Drive::Recording,
            Kind::Adversarial(c) => c.of.works_on_a_still(),
            _ => false,
        }
    }

    /// Every attack with its default parameters.
    pub fn all() -> Vec<Kind> {
        vec![
            Kind::Photo(Photo::default()),
            Kind::Loop(Replay::default()),
            Kind::Splice(Splice::default()),
            Kind::Freeze(Freeze::default()),
            Kind::Reencode(Reencode::default()),
            Kind::Swap(Swap::default()),
            Kind::Restore(Restore::default()),
            Kind::Animate(Animate::default()),
            Kind::Present(Present::default()),
            Kind::Cadence(Cadence::default()),
            Kind::Partial(PartialAttack::default()),
            Kind::Adversarial(Adversarial::default()),
            Kind::Stall(Stall::default()),
            Kind::Benign(Benign::default()),
            Kind::Generator(Generator::default()),
            Kind::Inject(Inject::default()),
        ]
    }

    /// One line for a person.
    pub fn summary(&self) -> &'static str {
        match self {
            Kind::Photo(_) => "one still of the recording, printed and held in a moving hand",
            Kind::Loop(_) => "a few seconds of the recording again and again",
            Kind::Splice(_) => "genuine for a while, then a photo of the last genuine frame",
            Kind::Freeze(_) => "the picture stops while the stream goes on",
            Kind::Swap(_) => "another face, or a part of one, warped over the recorded face",
            Kind::Restore(_) => "the inner face made smooth, then sharp",
            Kind::Animate(_) => "one picture made to move by its landmarks",
            Kind::Present(_) => "a print or a screen held before a camera",
            Kind::Cadence(_) => "pictures doubled, dropped, cut or timed as no camera does",
            Kind::Partial(_) => "another attack for a part of the time, or on one of two people",
            Kind::Adversarial(_) => "another attack, made to look more genuine",
            Kind::Stall(_) => "control: a network that stalls now and then; must not alarm",
            Kind::Generator(_) => "a generator of the user's own, as a program or a bin of elements",
            Kind::Inject(_) => "a stream put where a camera's is expected; judged by where it comes from",
            Kind::Benign(_) => "control: what happens in honest calls; must not alarm",
            Kind::Reencode(_) => {
                "control: the genuine recording with the same noise and encoder; must not alarm"
            }
        }
    }
}

impl From<Photo> for Box<Kind> {
    fn from(attack: Photo) -> Self {
        Self::new(Kind::Photo(attack))
    }
}

impl From<Swap> for Box<Kind> {
    fn from(attack: Swap) -> Self {
        Self::new(Kind::Swap(attack))
    }
}

impl Attack for Kind {
    fn name(&self) -> &'static str {
        self.as_attack().name()
    }

    fn family(&self) -> Family {
        self.as_attack().family()
    }

    fn check(&self) -> Result<()> {
        self.as_attack().check()
    }

    fn endless(&self) -> bool {
        self.as_attack().endless()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        self.as_attack().scene(source, seed, resources)
    }
}
