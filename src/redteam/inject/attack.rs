//! An injection as the catalogue writes it down: its way in, what it shows, the times it bears.

use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, Scene};
use serde::{Deserialize, Serialize};

/// How the stream gets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The application pushes it (`appsrc`).
    #[default]
    Application,
    /// Another pipeline of the process (`intervideosrc`).
    Pipeline,
    /// Shared memory, as another program offers it (`shmsrc`).
    Memory,
    /// A file that is opened as one.
    File,
    /// A test pattern (`videotestsrc`).
    Pattern,
    /// RTP over the loopback interface, with sender reports.
    Network,
    /// A device that says it is a camera, and whose driver lies perfectly.
    Camera,
}

/// What it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// The recording as it was decoded.
    #[default]
    Recording,
    /// A second of it, again and again.
    Looped,
    /// Two seconds of it, forwards and backwards.
    Mirrored,
    /// Every fourth picture twice: a film of 24 pictures a second at 30.
    PulledUp,
    /// A second of it, once smaller and enlarged again.
    Enlarged,
    /// Two seconds of it as x264 codes them, again and again, where a camera's own H.264 is expected.
    Coded,
    /// What a simulated camera sees now: genuine, unless its times or its way are not.
    Simulated,
}

/// The times it bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// As a driver stamps what comes over a bus.
    #[default]
    Camera,
    /// To the nanosecond, as a program computes them.
    Exact,
    /// In whole milliseconds, as some containers have them.
    Milliseconds,
    /// Three times as fast as they say.
    Hurried,
    /// Two in a hundred faster than they say.
    Skewed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inject {
    pub way: Way,
    pub content: Content,
    pub times: Times,
    /// How old the network's sender reports are, seconds.
    pub report_age: u32,
    /// Light of the simulated scene, against a well lit one (1).
    pub light: f64,
}

impl Default for Inject {
    fn default() -> Self {
        Self {
            way: Way::default(),
            content: Content::default(),
            times: Times::default(),
            report_age: 0,
            light: 1.0,
        }
    }
}

impl Inject {
    /// What a call looks like that nobody has tampered with.
    pub(super) fn is_genuine(&self) -> bool {
        self.content == Content::Simulated
            && self.times == Times::Camera
            && self.report_age == 0
            && matches!(self.way, Way::Camera | Way::Network)
    }

    /// Whether the recording is shown at all.
    pub(super) fn shows_recording(&self) -> bool {
        self.content != Content::Simulated && self.way != Way::Pattern
    }
}

impl Attack for Inject {
    fn name(&self) -> &'static str {
        "inject"
    }

    fn family(&self) -> Family {
        if self.is_genuine() { Family::Camera } else { Family::Injection }
    }

    fn check(&self) -> Result<()> {
        within("light", self.light, 0.02, 10.0, "0.02 to 10")?;
        let old = f64::from(self.report_age);
        let most = if self.way == Way::Network { 1e9 } else { 0.0 };
        within("report-age", old, 0.0, most, "0, or seconds for the way `network`")?;
        if self.content == Content::Coded && self.way != Way::Camera {
            return Err(Error::Injection("the content `coded` needs the way `camera`"));
        }
        Ok(())
    }

    fn scene<'a>(
        &'a self,
        _source: BoxSource<'a>,
        _seed: u64,
        _props: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        Err(Error::Injection("it is a way in, not a picture, and cannot be rendered; `run` tries it"))
    }
}
