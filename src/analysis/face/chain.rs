//! From a frame to faces: detection, tracking, mesh, blendshapes, quality and skin colours.

use super::align::{Aligner, Roi};
use super::detector::{Detection, Detector};
use super::mesh::{FaceMesh, Pose, SKIN_PATCHES};
use super::meter::{Meter, Stage};
use super::models::{
    BLENDSHAPE_POINTS, BLENDSHAPES, DetectorOutput, DetectorRange, FaceModels, MeshKind, MeshOutput,
};
use super::patch::Patch;
use super::quality::{self, Quality};
use super::tracker::{Track, Tracker};
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::pixels::geometry::Point;
use crate::analysis::pixels::region::{RegionError, RegionReader};
use thiserror::Error;

/// Why a frame could not be analysed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChainError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Model(E),
    #[error(transparent)]
    Region(#[from] RegionError),
    /// What a network gave is not what its manifest promises.
    #[error("the model `{model}` {what}; correct its manifest")]
    Output { model: String, what: String },
}

/// What the chain looks for, and how thoroughly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainConfig {
    /// Networks that watch a face run less often.
    pub economy: bool,
    pub mesh: MeshKind,
    pub blendshapes: bool,
    /// Whether the full-range detector looks for small faces when the short-range one finds none.
    pub full_range: bool,
    pub max_faces: usize,
    /// Least width of a face, frame pixels.
    pub min_face: f32,
    /// Time between two looks of the detector while every face is followed, ns.
    pub redetect: u64,
}

/// One followed face in one frame.
#[derive(Clone, Debug, Default)]
pub struct Face {
    pub track_id: u32,
    /// When the track began, ns.
    pub since: u64,
    /// `[x, y, w, h]`, frame pixels, smoothed.
    pub rect: [f32; 4],
    pub mesh: FaceMesh,
    pub pose: Pose,
    pub quality: Quality,
    pub blendshapes: Option<[f32; BLENDSHAPES]>,
    pub patch: Patch,
    pub skin: [[f32; 3]; 3],
}

/// Probability below which the mesh network did not find a face.
const MIN_PRESENCE: f32 = 0.5;
/// Time between two full-range looks when nobody is there, ns.
const FULL_EVERY: u64 = 500_000_000;

/// See the module. Keeps its memory between frames.
#[derive(Debug)]
pub struct Chain<M> {
    models: M,
    config: ChainConfig,
    reader: RegionReader,
    short: Detector,
    full: Detector,
    aligner: Aligner,
    tracker: Tracker,
    raw: (DetectorOutput, MeshOutput),
    luma: Vec<f32>,
    subset: Option<[u16; BLENDSHAPE_POINTS]>,
    detected: Option<u64>,
    detected_full: Option<u64>,
}

impl<M: FaceModels> Chain<M> {
    /// `subset`: the landmarks that the blendshape network reads; without it there are no blendshapes.
    pub fn new(models: M, config: ChainConfig, subset: Option<[u16; BLENDSHAPE_POINTS]>) -> Self {
        Self {
            models,
            config,
            reader: RegionReader::default(),
            short: Detector::new(DetectorRange::Short),
            full: Detector::new(DetectorRange::Full),
            aligner: Aligner::new(config.mesh),
            tracker: Tracker::new(config.max_faces, config.min_face),
            raw: Default::default(),
            luma: Vec::new(),
            subset,
            detected: None,
            detected_full: None,
        }
    }

    /// Forgets all faces.
    pub fn reset(&mut self) {
        self.tracker = Tracker::new(self.config.max_faces, self.config.min_face);
        self.detected = None;
        self.detected_full = None;
    }

    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Who runs the networks.
    pub fn models(&self) -> &M {
        &self.models
    }

    /// For networks beside the chain: who runs them, and what reads their pictures.
    pub fn lend(&mut self) -> (&mut M, &mut RegionReader) {
        (&mut self.models, &mut self.reader)
    }

    /// The same faces are still there, whose ids it returns: the picture has not changed. `ended` as in [`Chain::faces`].
    pub fn hold(&mut self, pts: u64, ended: &mut Vec<u32>) -> Vec<u32> {
        for t in self.tracker.followed() {
            self.tracker.seen(t.id, t.rect, t.roi, pts);
        }
        ended.extend(self.tracker.expire(pts));
        self.tracker.followed().iter().map(|t| t.id).collect()
    }

    /// Finds the faces of the frame at `pts` (ns). `ended` receives the ids of the faces that are gone for good, also when
    /// it fails.
    pub fn faces(
        &mut self,
        frame: &FrameView<'_>,
        pts: u64,
        ended: &mut Vec<u32>,
        meter: &mut dyn Meter,
    ) -> Result<Vec<Face>, ChainError<M::Error>> {
        let seen = self.seen(frame, pts, meter);
        // Who is gone is gone, also in a frame that could not be looked at to its end.
        ended.extend(self.tracker.expire(pts));
        let mut faces = seen?;
        faces.retain(|f| !ended.contains(&f.track_id));
        faces.sort_by_key(|f| f.track_id);
        Ok(faces)
    }

    fn seen(
        &mut self,
        frame: &FrameView<'_>,
        pts: u64,
        meter: &mut dyn Meter,
    ) -> Result<Vec<Face>, ChainError<M::Error>> {
        let due = self.detected.is_none_or(|d| pts.saturating_sub(d) >= self.config.redetect || pts < d);
        if due || self.tracker.wants_detection() {
            self.detect(frame, pts, meter)?;
        }
        let mut faces = Vec::new();
        for track in self.tracker.followed() {
            match self.face(frame, &track, pts, meter)? {
                Some(face) => faces.push(face),
                None => self.tracker.lose(track.id),
            }
        }
        Ok(faces)
    }

    fn detect(
        &mut self,
        frame: &FrameView<'_>,
        pts: u64,
        meter: &mut dyn Meter,
    ) -> Result<(), ChainError<M::Error>> {
        self.detected = Some(pts);
        let mut found =
            look(&mut self.short, &mut self.models, frame, &mut self.reader, &mut self.raw.0, meter)?;
        let rested = self.detected_full.is_none_or(|d| pts.saturating_sub(d) >= FULL_EVERY || pts < d);
        if found.is_empty() && self.config.full_range && rested {
            self.detected_full = Some(pts);
            found = look(&mut self.full, &mut self.models, frame, &mut self.reader, &mut self.raw.0, meter)?;
        }
        self.tracker.offer(&found, pts);
        Ok(())
    }

    fn face(
        &mut self,
        frame: &FrameView<'_>,
        track: &Track,
        pts: u64,
        meter: &mut dyn Meter,
    ) -> Result<Option<Face>, ChainError<M::Error>> {
        if !track.roi.is_sane(frame.width(), frame.height()) {
            return Ok(None);
        }
        meter.begin(Stage::Pixels);
        let crop = self.aligner.cut(frame, track.roi, &mut self.reader)?;
        meter.begin(Stage::Mesh);
        self.models.mesh(self.config.mesh, crop.view(), &mut self.raw.1).map_err(ChainError::Model)?;
        let mut mesh = FaceMesh::default();
        self.aligner.mesh(&self.raw.1, &mut mesh);
        let roi = Roi::from_mesh(&mesh);
        let complete = mesh.points.len() == self.config.mesh.points();
        if !complete || mesh.presence < MIN_PRESENCE || !roi.is_sane(frame.width(), frame.height()) {
            return Ok(None);
        }
        self.tracker.seen(track.id, mesh.bounds(), roi, pts);
        let blendshapes = self.blendshapes(&mesh, meter)?;
        meter.begin(Stage::Quality);
        let pose = mesh.pose();
        let quality = quality::measure(&self.aligner, &mesh, pose, &mut self.luma);
        let skin = SKIN_PATCHES.map(|patch| self.patch_colour(&mesh, patch));
        let rect = self.tracker.tracks().iter().find(|t| t.id == track.id).map_or(track.rect, |t| t.rect);
        Ok(Some(Face {
            track_id: track.id,
            since: track.first_pts,
            rect,
            mesh,
            pose,
            quality,
            blendshapes,
            patch: Patch::cut(&self.aligner),
            skin,
        }))
    }

    fn blendshapes(
        &mut self,
        mesh: &FaceMesh,
        meter: &mut dyn Meter,
    ) -> Result<Option<[f32; BLENDSHAPES]>, ChainError<M::Error>> {
        let Some(subset) = self.subset.filter(|_| self.config.blendshapes && mesh.has_irises()) else {
            return Ok(None);
        };
        meter.begin(Stage::Blendshapes);
        let points = subset.map(|i| mesh.at(usize::from(i)));
        let mut out = [0.0; BLENDSHAPES];
        self.models.blendshapes(&points, &mut out).map_err(ChainError::Model)?;
        Ok(Some(out))
    }

    /// Mean linear colour of a skin patch of the crop, by even-odd filling of its polygon on every other pixel.
    fn patch_colour(&self, mesh: &FaceMesh, patch: &[usize]) -> [f32; 3] {
        let side = self.config.mesh.input_side();
        let roi = self.aligner.roi();
        let polygon: Vec<Point> =
            patch.iter().map(|&i| roi.to_crop(mesh.at(i)).map(|v| v * side as f32)).collect();
        let Some(pixels) = self.aligner.crop().as_slice() else { return [0.0; 3] };
        let top = polygon.iter().fold(f32::INFINITY, |m, p| m.min(p[1])).max(0.0) as usize;
        let bottom = polygon.iter().fold(0.0f32, |m, p| m.max(p[1])).min(side as f32) as usize;
        let (mut sum, mut n) = ([0.0f32; 3], 0.0f32);
        for y in (top..bottom).step_by(2) {
            let mut cuts: Vec<f32> = polygon
                .iter()
                .zip(polygon.iter().cycle().skip(1))
                .filter(|(a, b)| (a[1] <= y as f32) != (b[1] <= y as f32))
                .map(|(a, b)| a[0] + (y as f32 - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
                .collect();
            cuts.sort_by(f32::total_cmp);
            for span in cuts.chunks_exact(2) {
                let (from, to) = (span[0].max(0.0) as usize, span[1].clamp(0.0, side as f32) as usize);
                for x in (from..to).step_by(2) {
                    let Some(px) = pixels.get((y * side + x) * 3..(y * side + x) * 3 + 3) else { continue };
                    for (s, v) in sum.iter_mut().zip(px) {
                        // Display gamma undone by a square: close enough for ratios of colours.
                        *s += v * v;
                    }
                    n += 1.0;
                }
            }
        }
        if n > 0.0 { sum.map(|s| s / n) } else { [0.0; 3] }
    }
}

fn look<M: FaceModels>(
    detector: &mut Detector,
    models: &mut M,
    frame: &FrameView<'_>,
    reader: &mut RegionReader,
    raw: &mut DetectorOutput,
    meter: &mut dyn Meter,
) -> Result<Vec<Detection>, ChainError<M::Error>> {
    meter.begin(Stage::Pixels);
    let range = detector.range();
    let input = detector.prepare(frame, reader)?;
    meter.begin(Stage::Detector);
    models.detect(range, input.view(), raw).map_err(ChainError::Model)?;
    Ok(detector.decode(raw))
}
