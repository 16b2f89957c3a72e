//! Writes the recordings of pairs: genuine up to the onset and attacked from there on, and genuine all the way. Both go
//! through one lossless encoder, so that coding is no clue to which is which.

use super::error::{Error, Result};
use super::pairs::{Pair, Unfit, enough};
use super::picture::{crop, even};
use crate::batch::Label;
use crate::recorded::{Codec, Frame, Reader, StreamInfo, Writer};
use std::path::Path;

/// Is called with the seconds that are done and those that are expected, and stops the work by returning false.
pub type Progress<'a> = dyn FnMut(f64, f64) -> bool + 'a;

/// A spliced recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplicedPair {
    /// Time of the first frame of the attack, seconds.
    pub onset_s: f64,
    pub frames: u64,
}

/// A line of the manifest of the recordings that were written.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestRow {
    /// Within the folder of the manifest.
    pub file: String,
    pub label: Label,
    /// What it was made from, as the manifest of that names it.
    pub genuine: String,
    pub attack: Option<String>,
}

/// Writes to `output` (MP4) the genuine recording up to `asked` seconds (none: see [`Pair::onset`]) and the attack from
/// there on, frame by frame, until the shorter one ends: time goes on, nothing is shown twice. On an error no file is
/// left behind.
///
/// # Errors
/// If the two do not fit each other or do not run in step, or if one cannot be read or the output not be written.
pub fn join(
    pair: &Pair,
    asked: Option<f64>,
    output: &Path,
    progress: &mut Progress<'_>,
) -> Result<SplicedPair, Unfit> {
    let [mut genuine, mut attack] = [Reader::open(&pair.genuine.path)?, Reader::open(&pair.attack.path)?];
    let onset = pair.onset(genuine.info(), attack.info(), asked)?;
    let frame_ns = genuine.info().frame_ns();
    let expected = [genuine.info(), attack.info()].into_iter().filter_map(|i| i.duration_ns).min();
    let mut out = Output::create(output, genuine.info(), expected)?;
    let mut bases = None;
    let mut begun = None;
    while let (Some(real), Some(fake)) = (genuine.next().transpose()?, attack.next().transpose()?) {
        let (from, from_attack) = *bases.get_or_insert((real.pts_ns, fake.pts_ns));
        let (at, at_attack) = (real.pts_ns.saturating_sub(from), fake.pts_ns.saturating_sub(from_attack));
        if at.abs_diff(at_attack) > frame_ns / 2 {
            let [genuine, attack] = [at, at_attack].map(|ns| ns as f64 / 1e9);
            return Err(Unfit::OutOfStep { index: out.frames, genuine, attack });
        }
        // Half a frame of room: rounded time stamps must not move the switch by a frame.
        let genuine_still = at.saturating_add(frame_ns / 2) < (onset * 1e9) as u64;
        if !genuine_still {
            begun.get_or_insert(at);
        }
        out.push(if genuine_still { real } else { fake }, at, progress)?;
    }
    // The headers may have promised more than there is.
    let end = out.end as f64 / 1e9;
    let onset_s = begun.map_or(onset, |ns| ns as f64 / 1e9);
    enough(end + frame_ns as f64 / 1e9, onset_s)?;
    let frames = out.finish()?;
    Ok(SplicedPair { onset_s, frames })
}

/// Writes the recording at `input` to `output` as [`join`] would, without an attack. Returns the number of frames.
///
/// # Errors
/// If it cannot be read or the output not be written.
pub fn control(input: &Path, output: &Path, progress: &mut Progress<'_>) -> Result<u64> {
    let mut reader = Reader::open(input)?;
    let mut out = Output::create(output, reader.info(), reader.info().duration_ns)?;
    let mut base = None;
    while let Some(frame) = reader.next().transpose()? {
        let at = frame.pts_ns.saturating_sub(*base.get_or_insert(frame.pts_ns));
        out.push(frame, at, progress)?;
    }
    out.finish()
}

struct Output {
    writer: Writer,
    info: StreamInfo,
    expected: f64,
    frames: u64,
    /// Where the last frame ends, ns.
    end: u64,
}

impl Output {
    fn create(path: &Path, info: &StreamInfo, expected: Option<u64>) -> Result<Self> {
        let info = even(info.clone());
        let writer = Writer::create(path, &info, Codec::Lossless)?;
        Ok(Self { writer, info, expected: expected.unwrap_or_default() as f64 / 1e9, frames: 0, end: 0 })
    }

    fn push(&mut self, frame: Frame, at: u64, progress: &mut Progress<'_>) -> Result<()> {
        let frame = frame.at(at, None);
        self.writer.push(&crop(frame, self.info.width, self.info.height)?)?;
        self.frames += 1;
        self.end = at.saturating_add(self.info.frame_ns());
        let done = at as f64 / 1e9;
        if progress(done, self.expected.max(done)) { Ok(()) } else { Err(Error::Cancelled) }
    }

    fn finish(self) -> Result<u64> {
        self.writer.finish()?;
        Ok(self.frames)
    }
}

impl Pair {
    /// How the manifest names the genuine recording, written once more to `file`.
    pub fn genuine_row(&self, file: String) -> ManifestRow {
        let identity_group = Some(self.people().0);
        let source = self.genuine.label.source.clone();
        let label = Label { attack: Some(false), identity_group, source, ..Label::default() };
        ManifestRow { file, label, genuine: self.genuine.name.clone(), attack: None }
    }

    /// How the manifest names the spliced recording in `file`.
    pub fn spliced_row(&self, file: String, spliced: &SplicedPair) -> ManifestRow {
        let kind = self.attack.label.attack_type.as_deref().unwrap_or("attack");
        let label = Label {
            attack: Some(true),
            attack_type: Some(format!("{kind}, from onset")),
            pair_id: None,
            identity_group: Some(self.people().1),
            source: self.attack.label.source.clone(),
            onset_s: Some(spliced.onset_s),
        };
        ManifestRow {
            file,
            label,
            genuine: self.genuine.name.clone(),
            attack: Some(self.attack.name.clone()),
        }
    }
}

/// Writes the manifest of `rows` to `path`; [`crate::batch::read_manifest`] reads it.
///
/// # Errors
/// If it cannot be written.
pub fn write_manifest(path: &Path, rows: &[ManifestRow]) -> Result<()> {
    let failed = |source: std::io::Error| Error::File { path: path.into(), source };
    let file = std::fs::File::create(path).map_err(failed)?;
    let mut out = csv::Writer::from_writer(file);
    let broken = |e: csv::Error| failed(std::io::Error::other(e));
    let head = ["path", "label", "attack_type", "pair_id", "identity_group", "source", "onset_s"];
    out.write_record(head.into_iter().chain(["genuine", "attack"])).map_err(broken)?;
    for m in rows {
        let l = &m.label;
        let onset = l.onset_s.map(|s| format!("{s:.6}")).unwrap_or_default();
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let row = [
            m.file.clone(),
            if l.attack == Some(true) { "fake" } else { "real" }.into(),
            text(&l.attack_type),
            text(&l.pair_id),
            text(&l.identity_group),
            text(&l.source),
            onset,
            m.genuine.clone(),
            text(&m.attack),
        ];
        out.write_record(row).map_err(broken)?;
    }
    out.flush().map_err(failed)
}
