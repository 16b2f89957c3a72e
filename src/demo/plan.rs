//! Which clips are judged: the genuine recordings of a folder, and the attacks made from each.

use super::error::Error;
use crate::detect::Mode;
use crate::recorded::Reader;
use crate::redteam;
use crate::redteam::{Condition, Photo, Replay, Seam, Splice};
use std::path::{Path, PathBuf};

/// Seconds from the onset of an attack in which the alert must come. For a loop of [`LOOP_S`] this is the end of its
/// second pass.
pub const LIMIT_S: f64 = 3.0;

const PHOTO_S: f64 = 15.0;
const LOOP_S: f64 = 3.0;
const LOOPS_S: f64 = 18.0;
const SPLICE_S: f64 = 20.0;
const SPLICED_S: f64 = 32.0;
/// How much of a genuine recording a quick run looks at.
const QUICK_S: f64 = 20.0;
const SEED: u64 = 1;

/// What a clip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Genuine,
    Photo,
    Loop,
    Splice,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Photo => "photo",
            Self::Loop => "loop",
            Self::Splice => "splice",
        }
    }

    /// One line for a person.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Genuine => "a recorded call, as it is",
            Self::Photo => "one of its frames, printed, in a moving hand",
            Self::Loop => "3 s of it again and again; the attack begins with the first repeated frame",
            Self::Splice => "20 s of it, then a photo of the last frame",
        }
    }
}

/// A clip to judge.
#[derive(Clone, Debug)]
pub struct Case {
    /// Names the results: `<name>.mp4`, and `clip` in `verdicts.jsonl`.
    pub name: String,
    pub kind: Kind,
    /// The genuine recording that it is, or that it is made from.
    pub source: PathBuf,
    /// How an attack is made; none for a genuine recording.
    pub condition: Option<Condition>,
    pub mode: Mode,
    /// Look no further than this, seconds.
    pub until: Option<f64>,
}

/// What to judge, and what was left out.
#[derive(Debug, Default)]
pub struct Plan {
    pub cases: Vec<Case>,
    /// Why an attack could not be made from a recording.
    pub left_out: Vec<String>,
}

/// Plans the recordings in `clips`. `mode` is that of all clips; without one, all are judged in `sync`, and the first
/// splice `live`. `quick` looks at less; `only` keeps clips of that name, or made from the recording of that name.
///
/// # Errors
/// If there are no recordings, one cannot be read, or none has the name.
pub fn plan(clips: &Path, mode: Option<Mode>, quick: bool, only: Option<&str>) -> Result<Plan, Error> {
    let sources = recordings(clips)?;
    if sources.is_empty() {
        return Err(Error::NoClips(clips.into()));
    }
    let mut plan = Plan::default();
    let base = mode.unwrap_or(Mode::Sync);
    for source in &sources {
        plan.cases.push(Case {
            name: stem(source),
            kind: Kind::Genuine,
            source: source.clone(),
            condition: None,
            mode: base,
            until: quick.then_some(QUICK_S),
        });
    }
    for source in if quick { sources.get(..1).unwrap_or_default() } else { &sources } {
        let seconds = length(source)?;
        for (kind, needed) in [(Kind::Photo, 0.0), (Kind::Loop, LOOP_S), (Kind::Splice, SPLICE_S)] {
            let name = format!("{}-{}", stem(source), kind.name());
            if seconds.is_some_and(|s| s < needed + 0.5) {
                plan.left_out.push(format!("{name}: the recording is shorter than {needed} s"));
                continue;
            }
            let condition = condition(kind, &name);
            plan.cases.push(Case { name, kind, source: source.clone(), condition, mode: base, until: None });
        }
    }
    if mode.is_none()
        && !quick
        && let Some(first) = plan.cases.iter_mut().find(|c| c.kind == Kind::Splice)
    {
        first.mode = Mode::Live;
    }
    if let Some(only) = only {
        let known = plan.cases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        plan.cases.retain(|c| c.name == only || stem(&c.source) == only);
        plan.left_out.retain(|l| l.starts_with(only));
        if plan.cases.is_empty() {
            return Err(Error::UnknownClip { name: only.into(), known });
        }
    }
    Ok(plan)
}

fn condition(kind: Kind, name: &str) -> Option<Condition> {
    let (attack, seconds, noise) = match kind {
        Kind::Genuine => return None,
        Kind::Photo => (redteam::Kind::Photo(Photo::default()), PHOTO_S, 1.5),
        Kind::Loop => {
            let replay = Replay { start: 0.0, length: LOOP_S, repeats: None, seam: Seam::Cut };
            (redteam::Kind::Loop(replay), LOOPS_S, 0.8)
        }
        Kind::Splice => {
            let splice = Splice { onset: SPLICE_S, ..Splice::default() };
            (redteam::Kind::Splice(splice), SPLICED_S, 1.5)
        }
    };
    let mut condition = Condition::new(attack, SEED);
    condition.name = name.into();
    condition.duration = Some(seconds);
    condition.noise = noise;
    Some(condition)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn length(path: &Path) -> Result<Option<f64>, Error> {
    Ok(Reader::open(path)?.info().duration_ns.map(|ns| ns as f64 / 1e9))
}

fn recordings(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { path: folder.into(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let kind = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if path.is_file() && matches!(kind.as_deref(), Some("mp4" | "mov" | "mkv" | "webm")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
