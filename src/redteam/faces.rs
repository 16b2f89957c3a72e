//! Where the faces are, for forgeries: the project's own detector and mesh, run once over a recording and kept.

use super::error::{Error, Result};
use crate::analysis::engine::profile::Profile;
use crate::analysis::face::chain::Chain;
use crate::analysis::face::mesh::FaceMesh;
use crate::analysis::pixels::frame::{Colour, FrameView, Matrix, PixelFormat, Plane};
use crate::inference::{Config, FaceModelSet, Wanted};
use crate::recorded::{Frame, StreamInfo};
use std::collections::HashMap;

/// Finds the faces of pictures that come one after the other.
pub trait Finder {
    /// The faces, the largest first.
    fn find(&mut self, frame: &Frame, info: &StreamInfo) -> Result<Vec<FaceMesh>>;
    /// What comes next follows on nothing.
    fn reset(&mut self);
}

/// The networks of the face chain.
#[derive(Debug)]
pub struct Networks(Chain<FaceModelSet>);

/// Least width of a face, pixels.
const MIN_FACE: f32 = 24.0;
const MAX_FACES: usize = 2;

impl Networks {
    /// Loads the networks from where the element finds them.
    ///
    /// # Errors
    /// If networks or ONNX Runtime are missing; the text says what to do.
    pub fn load() -> Result<Self> {
        let wanted = Wanted { detector_full: true, blendshapes: false, ..Wanted::default() };
        let config = Config { wanted, candidate_dirs: beside(), ..Config::default() };
        let models = FaceModelSet::load(&config).map_err(|e| Error::Faces(e.to_string()))?;
        let chain = Profile::Thorough.chain(MAX_FACES, MIN_FACE);
        let chain = crate::analysis::face::chain::ChainConfig { blendshapes: false, ..chain };
        Ok(Self(Chain::new(models, chain, None)))
    }
}

/// Where models may lie beside the program: in a source tree, and in an installation.
fn beside() -> Vec<std::path::PathBuf> {
    let program = std::env::current_exe().and_then(|p| p.canonicalize()).unwrap_or_default();
    let homes: Vec<_> = program.ancestors().skip(2).take(3).collect();
    let of = |name: &str| homes.iter().map(|h| h.join(name)).collect::<Vec<_>>();
    [of("models"), of("share/gst-plugin-deepfake/models")].concat()
}

impl Finder for Networks {
    fn find(&mut self, frame: &Frame, info: &StreamInfo) -> Result<Vec<FaceMesh>> {
        let matrix = if info.colorimetry == "bt709" { Matrix::Bt709 } else { Matrix::Bt601 };
        let colour = Colour { matrix, full_range: info.full_range() };
        let planes = frame.planes().map(|(data, w, _)| Plane { data, stride: w as usize });
        let (w, h) = (frame.width() as usize, frame.height() as usize);
        let view = FrameView::new(PixelFormat::I420, w, h, colour, &planes)
            .map_err(|e| Error::Faces(e.to_string()))?;
        let found = self.0.faces(&view, frame.pts_ns, &mut Vec::new(), &mut ());
        let mut found = found.map_err(|e| Error::Faces(e.to_string()))?;
        found.sort_by(|a, b| (b.rect[2] * b.rect[3]).total_cmp(&(a.rect[2] * a.rect[3])));
        Ok(found.into_iter().map(|f| f.mesh).collect())
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Faces that are known, and how to find those that are not.
pub struct Faces {
    finder: Box<dyn Finder + Send>,
    /// By the address of the pixels; the frame is kept beside, so that no other can come to lie there.
    known: HashMap<usize, (Frame, Vec<FaceMesh>)>,
}

impl std::fmt::Debug for Faces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faces").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

fn address(frame: &Frame) -> usize {
    frame.data().as_ptr() as usize
}

impl Faces {
    pub fn new(finder: Box<dyn Finder + Send>) -> Self {
        Self { finder, known: HashMap::new() }
    }

    /// Finds the faces of a whole recording and keeps them until [`Self::forget`].
    pub fn study(&mut self, frames: &[Frame], info: &StreamInfo) -> Result<()> {
        if frames.iter().all(|f| self.known.contains_key(&address(f))) {
            return Ok(());
        }
        self.finder.reset();
        for frame in frames {
            let found = self.finder.find(frame, info)?;
            self.known.insert(address(frame), (frame.clone(), found));
        }
        self.finder.reset();
        Ok(())
    }

    pub fn forget(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.known.remove(&address(frame));
        }
    }

    /// All faces of a picture.
    pub fn all(&mut self, frame: &Frame, info: &StreamInfo) -> Result<Vec<FaceMesh>> {
        match self.known.get(&address(frame)) {
            Some((_, found)) => Ok(found.clone()),
            None => self.finder.find(frame, info),
        }
    }
}
