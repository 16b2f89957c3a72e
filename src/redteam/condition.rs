//! A condition as the catalogue writes it down, and the record beside a rendered file.

use super::{
    Animate, Attack, Cadence, Cover, Daily, Donor, Family, Freeze, Gate, Generator, Inject, Photo, Present,
    Reencode, Replay, Restore, Splice, Stall, Swap, Trick, What, With,
};
use crate::recorded::Codec;
use serde::{Deserialize, Serialize};

/// Which attack, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "attack", rename_all = "kebab-case")]
pub enum Kind {
    Photo(Photo),
    Loop(Replay),
    Splice(Splice),
    Freeze(Freeze),
    Reencode(Reencode),
    Swap(Swap),
    Restore(Restore),
    Animate(Animate),
    Present(Present),
    Cadence(Cadence),
    Gate(Gate),
    Cover(Cover),
    Stall(Stall),
    Daily(Daily),
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
            Kind::Gate(a) => a,
            Kind::Cover(a) => a,
            Kind::Stall(a) => a,
            Kind::Daily(a) => a,
            Kind::Generator(a) => a,
            Kind::Inject(a) => a,
        }
    }

    /// The attack that it does something with.
    fn inner(&self) -> Option<&Kind> {
        match self {
            Kind::Daily(d) => d.of.as_deref(),
            Kind::Gate(g) => Some(&g.of),
            Kind::Cover(c) => Some(&c.of),
            Kind::Splice(s) => Some(&s.then),
            _ => None,
        }
    }

    /// Whether it needs to know where the face is.
    pub fn needs_faces(&self) -> bool {
        let own = match self {
            Kind::Swap(_) | Kind::Restore(_) | Kind::Animate(_) => true,
            Kind::Daily(d) => d.needs_faces(),
            Kind::Present(p) => p.eye_holes,
            Kind::Cover(c) => matches!(c.with, With::Pulse | With::Patch),
            _ => false,
        };
        own || self.inner().is_some_and(Kind::needs_faces)
    }

    /// Whether another person's recording is used.
    pub fn needs_another(&self) -> bool {
        let own = match self {
            Kind::Swap(s) => matches!(s.donor, Donor::Other | Donor::Still),
            Kind::Animate(a) => a.morph > 0.0,
            Kind::Gate(g) => g.company,
            Kind::Daily(d) => d.what == What::Visitor,
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
            Kind::Animate(a) => a.drive != super::Drive::Recording,
            Kind::Cover(c) => c.of.works_on_a_still(),
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
            Kind::Gate(Gate::default()),
            Kind::Cover(Cover::default()),
            Kind::Stall(Stall::default()),
            Kind::Daily(Daily::default()),
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
            Kind::Gate(_) => "another attack for a part of the time, or on one of two people",
            Kind::Cover(_) => "another attack, made to look more genuine",
            Kind::Stall(_) => "control: a network that stalls now and then; must not alarm",
            Kind::Generator(_) => "a generator of the user's own, as a program or a bin of elements",
            Kind::Inject(_) => "a stream put where a camera's is expected; judged by where it comes from",
            Kind::Daily(_) => "control: what happens in honest calls; must not alarm",
            Kind::Reencode(_) => {
                "control: the genuine recording with the same noise and encoder; must not alarm"
            }
        }
    }
}

/// Everything that decides what the rendered frames are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    /// A name for reports.
    pub name: String,
    pub kind: Kind,
    pub seed: u64,
    /// Where in the recording the source begins, seconds.
    #[serde(default)]
    pub start: f64,
    /// Length of the output, seconds; what the recording gives (or 10 s of an endless attack) when absent.
    #[serde(default)]
    pub duration: Option<f64>,
    /// Sensor noise at middle grey, standard deviation in 8-bit steps.
    #[serde(default = "Condition::default_noise")]
    pub noise: f64,
    #[serde(default = "Condition::default_codec")]
    pub codec: Codec,
}

impl Condition {
    fn default_noise() -> f64 {
        1.0
    }

    fn default_codec() -> Codec {
        Codec::H264 { bitrate_kbit: 600 }
    }

    /// An attack with the usual camera and a call's usual bit rate.
    pub fn new(kind: Kind, seed: u64) -> Self {
        Self {
            name: kind.as_attack().name().into(),
            kind,
            seed,
            start: 0.0,
            duration: None,
            noise: Self::default_noise(),
            codec: Self::default_codec(),
        }
    }
}

/// What lies beside a rendered file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub schema_version: u32,
    pub name: String,
    pub family: Family,
    /// Made by rule, not by a generator of fakes; never to be quoted as a result on one.
    pub procedural: bool,
    /// When the attack begins in the rendered file, seconds; none for a control.
    pub onset_s: Option<f64>,
    pub seed: u64,
    pub condition: Condition,
    /// File name of the recording, without its folder.
    pub source: String,
    pub source_sha256: String,
    pub frames: u64,
    pub width: u32,
    pub height: u32,
    pub fps: Option<f64>,
    pub duration_s: f64,
}

impl Record {
    /// Raised also when the same condition comes to give other frames: old files are then made anew.
    pub const SCHEMA_VERSION: u32 = 1;
}
