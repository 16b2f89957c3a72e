//! From a recording and a condition to a file, with the record of what it holds beside it.

use super::attack::Attack;
use super::condition::{Condition, Record};
use super::error::{Error, Result, within};
use super::faces::{Faces, Networks};
use super::picture::{crop, even};
use super::resources::Resources;
use super::sensor_noise::Camera;
use super::source::{BoxSource, FrameSource, From0, Scene};
use crate::recorded::{Reader, Writer};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Length of an endless attack on a source that does not tell its own length, or has none (a still).
const DEFAULT_SECONDS: f64 = 10.0;

/// What [`render_file`] did.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub record: Record,
    /// The file was there already, made from the same recording under the same condition.
    pub reused: bool,
}

/// Where the record of a rendered file lies: the same name, ending in `.json`.
pub fn record_path(output: &Path) -> PathBuf {
    output.with_extension("json")
}

/// The condition's frames as they go into the encoder: attack, then camera noise; PTS from 0.
///
/// # Errors
/// If a parameter makes no sense, or the attack needs to know where the face is (see [`scene_with`]).
pub fn scene<'a>(source: BoxSource<'a>, condition: &'a Condition) -> Result<Box<dyn Scene + 'a>> {
    scene_with(source, condition, &Resources::NONE)
}

/// As [`scene`], with what forgeries need.
///
/// # Errors
/// If a parameter makes no sense, or `resources` lack what the attack needs.
pub fn scene_with<'a>(
    source: BoxSource<'a>,
    condition: &'a Condition,
    resources: &'a Resources,
) -> Result<Box<dyn Scene + 'a>> {
    within("start", condition.start, 0.0, 86_400.0, "seconds from 0 up")?;
    within("noise", condition.noise, 0.0, 50.0, "0 to 50 grey levels")?;
    let source = Box::new(From0::new(source, (condition.start * 1e9) as u64));
    let scene = condition.kind.render(source, condition.seed, resources)?;
    Ok(Box::new(Camera::new(scene, condition.noise, condition.seed)))
}

/// Renders `condition` from `input` into `output` (MP4) and writes the record beside it. Does nothing when
/// both are there already from the same input and condition. `progress` is called with the seconds done and the
/// seconds expected, and stops the work by returning false. On an error no output file is left behind.
pub fn render_file(
    input: &Path,
    output: &Path,
    condition: &Condition,
    progress: &mut dyn FnMut(f64, f64) -> bool,
) -> Result<Rendered> {
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same(input, output) || same(input, &record_path(output)) {
        return Err(Error::OverInput(output.into()));
    }
    if let Some(duration) = condition.duration {
        within("duration", duration, 0.01, 86_400.0, "seconds above 0")?;
    }
    let digest = digest(input)?;
    if let Some(record) = existing(output, condition, &digest) {
        return Ok(Rendered { record, reused: true });
    }
    let reader = Reader::open(input)?;
    let known = reader.info().duration_ns.map(|ns| ns as f64 / 1e9 - condition.start).filter(|s| *s > 0.5);
    let endless = condition.kind.as_attack().endless();
    let limit = condition.duration.or(endless.then(|| known.unwrap_or(DEFAULT_SECONDS)));
    let expected = limit.or(known).unwrap_or(DEFAULT_SECONDS);
    let mut resources = Resources::default();
    if condition.kind.needs_faces() {
        resources = Resources::with_faces(Faces::new(Box::new(Networks::load()?)));
    }
    let mut scene = scene_with(Box::new(reader), condition, &resources)?;
    let info = even(scene.info().clone());
    // A record of an earlier file must not stand beside a new one whose making failed half-way.
    let _ = std::fs::remove_file(record_path(output));
    let mut writer = Writer::create(output, &info, condition.codec)?;
    let (mut frames, mut base, mut end) = (0u64, None, 0u64);
    while let Some(frame) = scene.next_frame()? {
        let pts = frame.pts_ns.saturating_sub(*base.get_or_insert(frame.pts_ns));
        let seconds = pts as f64 / 1e9;
        if limit.is_some_and(|limit| seconds > limit - 1e-6) {
            break;
        }
        let frame = frame.at(pts, frame.duration_ns);
        writer.push(&crop(frame, info.width, info.height)?)?;
        frames += 1;
        end = pts.saturating_add(info.frame_ns());
        if !progress(seconds, expected) {
            return Err(Error::Cancelled);
        }
    }
    if frames == 0 {
        return Err(Error::TooShort { wanted: condition.start });
    }
    writer.finish()?;
    let onset = scene.onset_pts().map(|pts| pts.saturating_sub(base.unwrap_or(0)));
    let record = Record {
        schema_version: Record::SCHEMA_VERSION,
        name: condition.name.clone(),
        family: condition.kind.as_attack().family(),
        procedural: true,
        onset_s: onset.filter(|pts| *pts < end).map(|pts| pts as f64 / 1e9),
        seed: condition.seed,
        condition: condition.clone(),
        source: input.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        source_sha256: digest,
        frames,
        width: info.width,
        height: info.height,
        fps: info.fps.map(|(n, d)| f64::from(n) / f64::from(d)),
        duration_s: end as f64 / 1e9,
    };
    let path = record_path(output);
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(&path, text).map_err(|source| Error::File { path, source })?;
    Ok(Rendered { record, reused: false })
}

fn existing(output: &Path, condition: &Condition, digest: &str) -> Option<Record> {
    let length = std::fs::metadata(output).ok()?.len();
    let record: Record = serde_json::from_slice(&std::fs::read(record_path(output)).ok()?).ok()?;
    let same = record.schema_version == Record::SCHEMA_VERSION
        && record.condition == *condition
        && record.source_sha256 == digest
        && length > 0;
    same.then_some(record)
}

fn digest(path: &Path) -> Result<String> {
    let failed = |source| Error::File { path: path.into(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0u8; 1 << 16];
    loop {
        let n = file.read(&mut block).map_err(failed)?;
        if n == 0 {
            break;
        }
        hasher.update(block.get(..n).unwrap_or_default());
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
