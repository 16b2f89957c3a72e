//! The genuine recordings, a few seconds at a time, decoded once for many evaluations.

use crate::recorded::{Frame, Reader};
use crate::redteam::error::{Error, Result};
use crate::redteam::faces::{Faces, Networks};
use crate::redteam::kind::Kind;
use crate::redteam::picture::resized;
use crate::redteam::resources::{Resources, Segment};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Recordings larger than this are scaled down, lines: a call's size, and 20,000 evaluations must fit a night.
pub const LINES: u32 = 480;
/// A recording that lacks less than this is long enough, seconds.
const LACKS: f64 = 0.5;
/// Segments that are kept decoded.
const KEPT: usize = 4;
/// A still picture is shown at this rate.
const STILL_FPS: u32 = 25;

const VIDEOS: [&str; 7] = ["avi", "m4v", "mkv", "mov", "mp4", "mpg", "webm"];
const STILLS: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// A genuine recording, or a picture of a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// File name without its folder.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// Who it shows, if the user says so.
    pub person: Option<String>,
    pub still: bool,
    /// Seconds.
    pub length: f64,
}

/// The recordings among `arguments`: files, and what lies in folders, each once. `NAME=PATH` says who it shows, so that
/// nobody's face is swapped with their own.
///
/// # Errors
/// If one cannot be read, or there is none.
pub fn sources(arguments: &[PathBuf]) -> Result<Vec<Source>> {
    let kind =
        |p: &Path| p.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).unwrap_or_default();
    let known = |p: &Path| VIDEOS.contains(&kind(p).as_str()) || STILLS.contains(&kind(p).as_str());
    let mut paths: Vec<(PathBuf, Option<String>)> = Vec::new();
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let named = text.split_once('=').filter(|(name, _)| !name.contains('/') && !argument.exists());
        let person = named.map(|(name, _)| name.to_owned());
        let argument = &named.map_or_else(|| argument.clone(), |(_, path)| PathBuf::from(path));
        if argument.is_dir() {
            let entries =
                walkdir::WalkDir::new(argument).sort_by_file_name().into_iter().filter_map(|e| e.ok());
            let files = entries.map(|e| e.into_path()).filter(|p| p.is_file() && known(p));
            paths.extend(files.map(|p| (p, person.clone())));
        } else {
            paths.push((argument.clone(), person));
        }
    }
    let mut found: Vec<Source> = Vec::new();
    for (path, person) in paths {
        let meta = std::fs::metadata(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        let info = Reader::open(&path)?.info().clone();
        let still = info.fps.is_none() || STILLS.contains(&kind(&path).as_str());
        let length = info.duration_ns.map_or(0.0, |ns| ns as f64 / 1e9);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source { name, path, bytes: meta.len(), person, still, length };
        if !found.iter().any(|f| f.path == source.path || (f.name == source.name && f.bytes == source.bytes))
        {
            found.push(source);
        }
    }
    if found.is_empty() {
        return Err(Error::NoSource);
    }
    Ok(found)
}

impl Source {
    /// How many segments of that length it has; one at least if it is a still or nearly so long.
    pub fn segments(&self, seconds: f64) -> usize {
        if self.still { 1 } else { ((self.length + LACKS) / seconds) as usize }
    }

    fn load(&self, window: usize, seconds: f64) -> Result<Segment> {
        let reader = Reader::open(&self.path)?;
        let mut info = reader.info().clone();
        let mut frames: Vec<Frame> = Vec::new();
        let from = (window as f64 * seconds * 1e9) as u64;
        let until = from + (seconds * 1e9) as u64;
        let mut first = None;
        for frame in reader {
            let frame = frame?;
            let at = frame.pts_ns.saturating_sub(*first.get_or_insert(frame.pts_ns));
            if at >= until {
                break;
            }
            if at >= from {
                let lines = frame.height().min(LINES);
                let width = u64::from(frame.width()) * u64::from(lines) / u64::from(frame.height().max(1));
                frames.push(resized(&frame, width as u32, lines)?.at(at - from, frame.duration_ns));
            }
            if self.still {
                break;
            }
        }
        let Some(head) = frames.first() else { return Err(Error::TooShort { wanted: from as f64 / 1e9 }) };
        (info.width, info.height) = (head.width(), head.height());
        if self.still {
            info.fps = Some((STILL_FPS, 1));
            let picture = head.clone();
            let count = (seconds * f64::from(STILL_FPS)) as u64;
            frames = (0..count).map(|i| picture.at(info.due_ns(i), Some(info.frame_ns()))).collect();
        }
        info.duration_ns = frames.last().map(|f| f.pts_ns + info.frame_ns());
        Ok(Segment { info, frames })
    }
}

/// Decoded segments, the newest used first, and the faces in them.
#[derive(Debug)]
pub struct Store {
    kept: Vec<((PathBuf, usize, u64), Segment)>,
    resources: Resources,
    with_faces: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self { kept: Vec::new(), resources: Resources::NONE, with_faces: false }
    }
}

/// What an evaluation works with.
#[derive(Debug)]
pub struct EvaluationInputs<'a> {
    pub segment: Segment,
    pub resources: &'a Resources,
}

impl Store {
    fn get(&mut self, source: &Source, window: usize, seconds: f64) -> Result<Segment> {
        let key = (source.path.clone(), window, (seconds * 1000.0) as u64);
        if let Some(at) = self.kept.iter().position(|(k, _)| *k == key) {
            let found = self.kept.remove(at);
            let segment = found.1.clone();
            self.kept.insert(0, found);
            return Ok(segment);
        }
        let segment = source.load(window, seconds)?;
        self.kept.insert(0, (key, segment.clone()));
        while self.kept.len() > KEPT {
            if let (Some((_, old)), true) = (self.kept.pop(), self.with_faces) {
                self.resources.faces()?.forget(&old.frames);
            }
        }
        Ok(segment)
    }

    /// Segment `window` of `source`, and what `kind` needs besides: another person, another time, faces.
    pub fn inputs(
        &mut self,
        source: &Source,
        other: Option<&Source>,
        (window, seconds): (usize, f64),
        kind: &Kind,
    ) -> Result<EvaluationInputs<'_>> {
        let segment = self.get(source, window, seconds)?;
        let later = match source.segments(seconds) {
            n if kind.needs_later() && n > 1 && !source.still => {
                Some(self.get(source, (window + 1) % n, seconds)?)
            }
            _ => None,
        };
        let other = match other.filter(|_| kind.needs_another()) {
            Some(other) => Some(self.get(other, window % other.segments(seconds).max(1), seconds)?),
            None => None,
        };
        let faces = kind.needs_faces();
        if faces && !self.with_faces {
            self.resources = Resources::with_faces(Faces::new(Box::new(Networks::load()?)));
            self.with_faces = true;
        }
        if faces {
            for segment in [Some(&segment), later.as_ref(), other.as_ref()].into_iter().flatten() {
                self.resources.study(segment)?;
            }
        }
        self.resources.later = later;
        self.resources.other = other;
        Ok(EvaluationInputs { segment, resources: &self.resources })
    }
}
