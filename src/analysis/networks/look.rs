//! Shows a face to a network: places and cuts its picture, runs the network, and makes one attack logit of what comes out.

use super::crop::{Cropper, FaceBox, Placed};
use super::memory::Memory;
use super::models::{LANDMARKS, NetworkInput, NetworkModels, NetworkOutput};
use super::parts::PartHeat;
use crate::analysis::face::chain::{Chain, ChainError, Face};
use crate::analysis::pixels::frame::FrameView;

/// One run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub pts: u64,
    /// Attack logit.
    pub score: f64,
    /// Width of the face, frame pixels.
    pub px: f64,
    pub heat: Option<PartHeat>,
    /// Whether the network has watched long enough to be believed.
    pub settled: bool,
}

impl Look {
    /// The same run as the network's opposite sees it.
    pub fn opposed(self) -> Self {
        Self { score: -self.score, heat: None, ..self }
    }
}

/// See the module. Keeps its buffers between looks.
#[derive(Debug, Default)]
pub struct Viewer {
    cropper: Cropper,
    landmarks: Vec<[f32; 2]>,
    out: NetworkOutput,
}

/// A face in one frame, as it is shown to networks.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub frame: &'a FrameView<'a>,
    pub face: &'a Face,
    /// Where the face lies in the frame.
    pub place: &'a FaceBox,
    /// Of the frame, ns.
    pub pts: u64,
}

impl Viewer {
    /// Shows a face to the network at `index`; `None` if there is no picture of it to show. `memory` is what a network of
    /// time remembers of this face.
    ///
    /// # Errors
    /// If the picture cannot be read, the network fails, or what it gives is not what its manifest promises.
    pub fn look<M: NetworkModels>(
        &mut self,
        chain: &mut Chain<M>,
        index: usize,
        shown: Shown<'_>,
        mut memory: Option<&mut Memory>,
    ) -> Result<Option<Look>, ChainError<M::Error>> {
        let (models, reader) = chain.lend();
        let Some(spec) = models.networks().get(index).cloned() else { return Ok(None) };
        let Shown { frame, face, place, pts } = shown;
        let size = (frame.width(), frame.height());
        let enough = |p: Placed| f64::from(p.inside(size)) >= spec.min_inside;
        if !spec.crop.place(place, spec.input, size).is_some_and(enough) {
            return Ok(None);
        }
        let Some(placed) = self.cropper.cut(frame, place, &spec.crop, spec.input, reader)? else {
            return Ok(None);
        };
        self.landmarks.clear();
        if spec.landmarks {
            self.landmarks.extend((0..LANDMARKS).map(|i| placed.to_picture(face.mesh.at(i))));
        }
        let out = &mut self.out;
        let picture = self.cropper.input(&spec.pixels, spec.input)?;
        let wrong = |what| ChainError::Output { model: spec.name.clone(), what };
        let (state, seconds) = memory.as_deref_mut().map_or((&[][..], 0.0), |m| m.recall(pts));
        let input = NetworkInput { picture, landmarks: &self.landmarks, state, seconds };
        models.network(index, input, out).map_err(ChainError::Model)?;
        let score = spec.score.attack_logit(&out.values).map_err(wrong)?;
        let settled = memory.map_or(Ok(true), |m| m.keep(pts, &mut out.state)).map_err(wrong)?;
        let heat = spec.heat.map(|(_, columns)| PartHeat::of(&out.heat, columns, &placed, &face.mesh));
        Ok(Some(Look { pts, score, px: place.px(), heat, settled }))
    }
}
