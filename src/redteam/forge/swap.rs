//! Forgery: another face, or a part of one, warped over the recorded face and joined to it.

use super::blend::{Blend, blend};
use super::edit::{Edit, Edited};
use super::parts::{Part, affine, sparse, surface};
use super::tile::{Tile, scale};
use super::triangles::{Sampler, Triangles, paint};
use crate::analysis::face::mesh::FaceMesh;
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::picture::dim;
use crate::redteam::random::{Use, rng};
use crate::redteam::resources::{Resources, Segment};
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Whose face it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Donor {
    /// One picture of another person.
    #[default]
    Still,
    /// Another person's recording, which plays along.
    Other,
    /// The same person at another time.
    Later,
    /// The same picture, shifted and tinted: a blend with itself (Shiohara and Yamasaki, "Detecting deepfakes with
    /// self-blended images", CVPR 2022).
    Own,
}

/// How the donor's points are brought to the target's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Geometry {
    /// About a hundred landmarks, painted flat.
    Sparse,
    /// All 468 points of the mesh, painted by depth.
    #[default]
    Mesh,
    /// As a flat thing that moves along, such as a paper mask.
    Affine,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Swap {
    pub donor: Donor,
    pub geometry: Geometry,
    pub part: Part,
    pub blend: Blend,
    /// Width of the softened edge, share of the face's width.
    pub edge: f64,
    /// 1 hides the original wholly.
    pub strength: f64,
    /// The forged face has no more pixels than this across, as a network's output has: none when absent.
    pub pixels: Option<u32>,
    /// How far the points of [`Donor::Own`] are shifted, share of the face's width.
    pub shift: f64,
    /// How much its colours are changed, grey levels.
    pub tint: f64,
    /// Error of the landmarks from picture to picture, pixels.
    pub jitter: f64,
    /// Light of the room, 1 for an office: of a mask before a camera.
    pub level: f64,
}

impl Default for Swap {
    fn default() -> Self {
        Self {
            donor: Donor::default(),
            geometry: Geometry::default(),
            part: Part::default(),
            blend: Blend::default(),
            edge: 0.03,
            strength: 1.0,
            pixels: None,
            shift: 0.015,
            tint: 5.0,
            jitter: 0.0,
            level: 1.0,
        }
    }
}

impl Attack for Swap {
    fn name(&self) -> &'static str {
        "swap"
    }

    fn family(&self) -> Family {
        // A flat thing that moves with the head is worn before a camera.
        if self.geometry == Geometry::Affine { Family::Presentation } else { Family::Forgery }
    }

    fn check(&self) -> Result<()> {
        within("edge", self.edge, 0.0, 0.5, "0 to 0.5 of the face")?;
        within("strength", self.strength, 0.0, 1.0, "0 to 1")?;
        within("pixels", f64::from(self.pixels.unwrap_or(64)), 8.0, 1024.0, "8 to 1024")?;
        within("shift", self.shift, 0.0, 0.3, "0 to 0.3 of the face")?;
        within("tint", self.tint, 0.0, 60.0, "0 to 60 grey levels")?;
        within("level", self.level, 0.02, 2.0, "0.02 to 2")?;
        within("jitter", self.jitter, 0.0, 20.0, "0 to 20 pixels")
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        let missing = |what| Error::Missing { attack: "swap", what };
        let donor = match self.donor {
            Donor::Other | Donor::Still => {
                Some(resources.other.as_ref().ok_or(missing("a recording of another person"))?)
            }
            Donor::Later => Some(resources.later.as_ref().ok_or(missing("another time of the recording"))?),
            Donor::Own => None,
        };
        let still = match donor {
            Some(segment) if self.donor == Donor::Still => Some(portrait(segment, resources)?),
            _ => None,
        };
        Ok(Edited::boxed(
            source,
            Swapper { swap: self, info, resources, donor, still, seed, triangles: None },
        ))
    }
}

/// The picture in which the face looks most straight into the camera.
pub(crate) fn portrait(segment: &Segment, resources: &Resources) -> Result<(Frame, FaceMesh)> {
    let mut best: Option<(f32, Frame, FaceMesh)> = None;
    for frame in segment.frames.iter().step_by(5) {
        let Some(mesh) = resources.face(frame, &segment.info)? else { continue };
        let pose = mesh.pose();
        let turned = pose.yaw.abs() + 0.5 * pose.pitch.abs() + 0.5 * pose.roll.abs();
        if best.as_ref().is_none_or(|b| turned < b.0) {
            best = Some((turned, frame.clone(), mesh));
        }
    }
    best.map(|b| (b.1, b.2)).ok_or(Error::NoFace)
}

struct Swapper<'a> {
    swap: &'a Swap,
    info: StreamInfo,
    resources: &'a Resources,
    donor: Option<&'a Segment>,
    still: Option<(Frame, FaceMesh)>,
    seed: u64,
    triangles: Option<Triangles>,
}

impl Swapper<'_> {
    fn donor(&self, frame: &Frame, mesh: &FaceMesh, index: usize) -> Result<Option<(Frame, FaceMesh)>> {
        if let Some(still) = &self.still {
            return Ok(Some(still.clone()));
        }
        let Some(segment) = self.donor else { return Ok(Some((frame.clone(), mesh.clone()))) };
        let Some(other) = Resources::swing(segment, index) else { return Ok(None) };
        Ok(self.resources.face(other, &segment.info)?.map(|m| (other.clone(), m)))
    }
}

impl Edit for Swapper<'_> {
    fn edit(&mut self, frame: &Frame, index: usize) -> Result<Option<Frame>> {
        let Some(mesh) = self.resources.face(frame, &self.info)? else { return Ok(None) };
        let Some((picture, other)) = self.donor(frame, &mesh, index)? else { return Ok(None) };
        let swap = self.swap;
        let pick = |m: &FaceMesh| -> Vec<[f32; 3]> {
            let all = surface(m);
            match swap.geometry {
                Geometry::Sparse => sparse().iter().filter_map(|i| all.get(*i).copied()).collect(),
                Geometry::Mesh | Geometry::Affine => all,
            }
        };
        let (from, mut to) = (pick(&other), pick(&mesh));
        let size = mesh.bounds()[2];
        if swap.geometry == Geometry::Affine {
            to = affine(&from, &to);
        }
        let mut tint = [0.0f32; 3];
        if swap.donor == Donor::Own {
            // The same for the whole recording, as a generator's bias would be.
            let mut rng = rng(self.seed, Use::Forgery, 0);
            let mut draw = || rng.random::<f32>() * 2.0 - 1.0;
            tint = [draw(), draw() * 0.5, draw() * 0.5].map(|v| v * swap.tint as f32);
            let move_ = [draw(), draw(), draw(), draw()].map(|v| v * swap.shift as f32);
            let centre = mesh.at(4);
            for p in &mut to {
                p[0] += move_[0] * size + move_[2] * 2.0 * (p[0] - centre[0]);
                p[1] += move_[1] * size + move_[3] * 2.0 * (p[1] - centre[1]);
            }
        }
        if swap.jitter > 0.0 {
            let mut rng = rng(self.seed, Use::Jitter, index as u64);
            for p in &mut to {
                p[0] += (rng.random::<f32>() - 0.5) * 2.0 * swap.jitter as f32;
                p[1] += (rng.random::<f32>() - 0.5) * 2.0 * swap.jitter as f32;
            }
        }
        let Some(mut target) = Tile::around(frame, mesh.bounds(), 0.12) else { return Ok(None) };
        let triangles = self.triangles.get_or_insert_with(|| Triangles::over(&from));
        let mut forged = target.clone();
        let deep = swap.geometry == Geometry::Mesh;
        let covered = paint(&mut forged, &Sampler::new(&picture), &from, &to, triangles, deep);
        for (plane, tint) in forged.planes.iter_mut().zip(tint) {
            plane.iter_mut().for_each(|v| *v += tint);
        }
        if let Some(pixels) = swap.pixels {
            coarsen(&mut forged, size, pixels);
        }
        let mut mask = swap.part.mask(&target, &mesh);
        mask.iter_mut().zip(&covered).for_each(|(m, c)| *m *= c);
        let edge = (swap.edge as f32 * size).max(0.3);
        blend(&mut target, forged, &mask, swap.blend, edge, swap.strength as f32);
        let mut out = frame.clone();
        target.paste(&mut out);
        if (swap.level - 1.0).abs() > 1e-6 {
            dim(&mut out, swap.level as f32);
        }
        Ok(Some(out))
    }
}

/// A face of `size` pixels goes through a picture of so many pixels.
pub(crate) fn coarsen(tile: &mut Tile, size: f32, pixels: u32) {
    let ratio = pixels as f32 / size.max(1.0);
    if ratio >= 1.0 {
        return;
    }
    let small = [tile.w, tile.h].map(|n| ((n as f32 * ratio).round() as usize).max(4));
    let (whole, small) = ((tile.w, tile.h), (small[0], small[1]));
    for plane in &mut tile.planes {
        *plane = scale(&scale(plane, whole, small), small, whole);
    }
}
