//! Small pictures of the newest faces, for evidence: kept only if `evidence-thumbnails` is set.

use crate::analysis::judgement::verdict::Verdict;
use crate::analysis::networks::crop::{CropSpec, Cropper, FaceBox, Filter, Outside, Shape};
use crate::analysis::pixels::frame::FrameView;
use crate::analysis::pixels::region::RegionReader;
use crate::evidence::case::Face;
use std::collections::VecDeque;
use std::sync::Arc;

/// Pixels a side.
const SIDE: u32 = 112;
/// Pictures that are kept in all (0.3 MB), and the time between two of one face, ns.
const MOST: usize = 8;
const EVERY: u64 = 1_000_000_000;
/// The face with a little of what is about it.
const CROP: CropSpec =
    CropSpec::Box { scale: 1.3, shape: Shape::Square, outside: Outside::Repeat, filter: Filter::Area };

/// See the module.
#[derive(Debug, Default)]
pub struct Thumbnails {
    kept: VecDeque<Arc<Face>>,
    cropper: Cropper,
    reader: RegionReader,
}

impl Thumbnails {
    /// Cuts out the faces of a verdict; a picture of each is kept every second.
    pub fn add(&mut self, frame: &FrameView<'_>, verdict: &Verdict) {
        let Some(pts) = verdict.analysed_pts else { return };
        for track in &verdict.tracks {
            let last = self.kept.iter().rev().find(|f| f.track_id == track.track_id).map(|f| f.pts);
            let rested = last.is_none_or(|l| pts.saturating_sub(l) >= EVERY);
            if !rested {
                continue;
            }
            let (w, h) = (frame.width() as f64, frame.height() as f64);
            let r = track.rect;
            let bounds = [r.x * w, r.y * h, r.w * w, r.h * h].map(|v| v as f32);
            let face = FaceBox { bounds, roll: 0.0 };
            let side = SIDE as usize;
            // A face that cannot be cut is not kept; it is only an illustration.
            if let Ok(Some(_)) = self.cropper.cut(frame, &face, &CROP, (side, side), &mut self.reader) {
                if self.kept.len() >= MOST {
                    self.kept.pop_front();
                }
                let pixels = self.cropper.picture().to_vec();
                self.kept.push_back(Arc::new(Face { pts, track_id: track.track_id, side: SIDE, pixels }));
            }
        }
    }

    /// The oldest first.
    pub fn kept(&self) -> Vec<Arc<Face>> {
        self.kept.iter().cloned().collect()
    }

    pub fn clear(&mut self) {
        self.kept.clear();
    }
}
