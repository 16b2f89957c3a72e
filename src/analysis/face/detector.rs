//! BlazeFace: what goes in (letterbox), what the numbers mean (anchors, decoding), and which boxes stay
//! (weighted non-maximum suppression).
//!
//! Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019
//! (arXiv:1907.05047), which also describes blending the overlapping boxes instead of picking one.

use crate::analysis::face::models::{DetectorOutput, DetectorRange};
use crate::analysis::pixels::frame::{FrameView, PixelRect};
use crate::analysis::pixels::region::{RegionError, RegionReader, RgbRegion};
use ndarray::Array4;

/// A face candidate, in pixels of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    pub score: f32,
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    /// Right eye, left eye, nose tip, mouth centre, right ear, left ear (the person's own right and left).
    pub keypoints: [[f32; 2]; 6],
}

impl Detection {
    /// Intersection over union with another box.
    pub fn iou(&self, other: &Self) -> f32 {
        iou([self.x, self.y, self.w, self.h], [other.x, other.y, other.w, other.h])
    }
}

/// Intersection over union of two `[x, y, w, h]` boxes; 0 for empty ones.
pub fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let shared = w * h;
    let union = a[2] * a[3] + b[2] * b[3] - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Where the frame lies inside the square network input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Letterbox {
    /// Input pixels a frame pixel.
    pub scale: f32,
    /// Left and top margin, input pixels.
    pub margin: [f32; 2],
}

impl Letterbox {
    /// The frame centred in a square of `side`, as large as it fits.
    pub fn fit(width: usize, height: usize, side: usize) -> Self {
        let scale = side as f32 / width.max(height) as f32;
        let margin =
            [(side as f32 - width as f32 * scale) / 2.0, (side as f32 - height as f32 * scale) / 2.0];
        Self { scale, margin }
    }
    /// Input pixel to frame pixel.
    pub fn to_frame(&self, x: f32, y: f32) -> [f32; 2] {
        [(x - self.margin[0]) / self.scale, (y - self.margin[1]) / self.scale]
    }
}

/// Prepares detector inputs and decodes detector outputs; keeps its memory between frames.
#[derive(Debug)]
pub struct Detector {
    range: DetectorRange,
    anchors: Vec<[f32; 2]>,
    input: Array4<f32>,
    picture: RgbRegion,
    letterbox: Letterbox,
    candidates: Vec<Detection>,
}

/// Probability below which an anchor is not a candidate (MediaPipe's value for both ranges is 0.5 and 0.6).
const MIN_SCORE: f32 = 0.5;
/// Overlap from which candidates are blended into one.
const SAME_FACE_IOU: f32 = 0.3;

impl Detector {
    pub fn new(range: DetectorRange) -> Self {
        let side = range.input_side();
        Self {
            range,
            anchors: anchors(range),
            input: Array4::zeros((1, side, side, 3)),
            picture: RgbRegion::default(),
            letterbox: Letterbox::default(),
            candidates: Vec::new(),
        }
    }

    pub fn range(&self) -> DetectorRange {
        self.range
    }

    /// Fills the network input (1 x side x side x 3, RGB in -1..1, margins black) from the whole frame.
    pub fn prepare(
        &mut self,
        frame: &FrameView<'_>,
        reader: &mut RegionReader,
    ) -> Result<&Array4<f32>, RegionError> {
        let side = self.range.input_side();
        let whole = PixelRect { x: 0, y: 0, w: frame.width(), h: frame.height() };
        reader.read(frame, whole, side, &mut self.picture)?;
        self.letterbox = Letterbox::fit(frame.width(), frame.height(), side);
        self.input.fill(-1.0);
        let picture = &self.picture;
        let (sx, sy) = picture.scale();
        // Frames up to 1.5 times the input are not scaled by the reader: the letterbox samples them bilinearly.
        let step = 1.0 / f64::from(self.letterbox.scale);
        let shown = |margin: f32| (f64::from(margin).round() as usize).min(side / 2);
        let (mx, my) = (shown(self.letterbox.margin[0]), shown(self.letterbox.margin[1]));
        for v in my..side - my {
            let fy = ((v as f64 + 0.5 - f64::from(self.letterbox.margin[1])) * step) * sy - 0.5;
            for u in mx..side - mx {
                let fx = ((u as f64 + 0.5 - f64::from(self.letterbox.margin[0])) * step) * sx - 0.5;
                let rgb = bilinear(&picture.data, picture.width, picture.height, fx as f32, fy as f32);
                for (c, value) in rgb.into_iter().enumerate() {
                    self.input[[0, v, u, c]] = value / 127.5 - 1.0;
                }
            }
        }
        Ok(&self.input)
    }

    /// Boxes and points of the faces in the last prepared frame, best first. Rows that the network did not
    /// fill, and numbers that are not finite, are ignored.
    pub fn decode(&mut self, raw: &DetectorOutput) -> Vec<Detection> {
        let side = self.range.input_side() as f32;
        self.candidates.clear();
        let rows = raw.regressors.chunks_exact(16).zip(&raw.scores).zip(&self.anchors);
        for ((row, &logit), anchor) in rows {
            let score = 1.0 / (1.0 + (-logit.clamp(-80.0, 80.0)).exp());
            if score < MIN_SCORE || row.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let point =
                |i: usize| self.letterbox.to_frame(row[i] + anchor[0] * side, row[i + 1] + anchor[1] * side);
            let centre = point(0);
            let (w, h) = (row[2] / self.letterbox.scale, row[3] / self.letterbox.scale);
            if w <= 0.0 || h <= 0.0 {
                continue;
            }
            let mut keypoints = [[0.0; 2]; 6];
            for (k, slot) in keypoints.iter_mut().enumerate() {
                *slot = point(4 + 2 * k);
            }
            let (x, y) = (centre[0] - w / 2.0, centre[1] - h / 2.0);
            self.candidates.push(Detection { score, x, y, w, h, keypoints });
        }
        blend(&mut self.candidates)
    }
}

/// Weighted non-maximum suppression: every cluster becomes its score-weighted mean, at its best score.
fn blend(candidates: &mut Vec<Detection>) -> Vec<Detection> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces = Vec::new();
    while let Some(best) = candidates.first().copied() {
        let mut sum = Detection { score: best.score, ..Detection::default() };
        let mut weight = 0.0;
        candidates.retain(|c| {
            if c.iou(&best) < SAME_FACE_IOU && *c != best {
                return true;
            }
            weight += c.score;
            sum.x += c.score * c.x;
            sum.y += c.score * c.y;
            sum.w += c.score * c.w;
            sum.h += c.score * c.h;
            for (s, k) in sum.keypoints.iter_mut().zip(&c.keypoints) {
                s[0] += c.score * k[0];
                s[1] += c.score * k[1];
            }
            false
        });
        sum.x /= weight;
        sum.y /= weight;
        sum.w /= weight;
        sum.h /= weight;
        for k in &mut sum.keypoints {
            k[0] /= weight;
            k[1] /= weight;
        }
        faces.push(sum);
    }
    faces
}

/// Anchor centres, in fractions of the input: two a cell at stride 8 and six at stride 16 for the short range,
/// one a cell at stride 4 for the full range; all of unit size.
fn anchors(range: DetectorRange) -> Vec<[f32; 2]> {
    let levels: &[(usize, usize)] = match range {
        DetectorRange::Short => &[(16, 2), (8, 6)],
        DetectorRange::Full => &[(48, 1)],
    };
    let mut all = Vec::with_capacity(range.anchors());
    for &(cells, each) in levels {
        for y in 0..cells {
            for x in 0..cells {
                let centre = [(x as f32 + 0.5) / cells as f32, (y as f32 + 0.5) / cells as f32];
                all.extend(std::iter::repeat_n(centre, each));
            }
        }
    }
    all
}

/// Bilinear sample of an RGB8 picture at pixel-centre coordinates; the border is repeated outwards.
pub(crate) fn bilinear(data: &[u8], width: usize, height: usize, x: f32, y: f32) -> [f32; 3] {
    let x = x.clamp(0.0, (width - 1) as f32);
    let y = y.clamp(0.0, (height - 1) as f32);
    let (x0, y0) = (x as usize, y as usize);
    let (dx, dy) = (x - x0 as f32, y - y0 as f32);
    let right = if x0 + 1 < width { 3 } else { 0 };
    let below = if y0 + 1 < height { width * 3 } else { 0 };
    let i = (y0 * width + x0) * 3;
    let mut rgb = [0.0; 3];
    for (c, out) in rgb.iter_mut().enumerate() {
        let get = |o: usize| f32::from(data[i + o + c]);
        let top = get(0) + (get(right) - get(0)) * dx;
        let bottom = get(below) + (get(below + right) - get(below)) * dx;
        *out = top + (bottom - top) * dy;
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_match_the_outputs() {
        for range in [DetectorRange::Short, DetectorRange::Full] {
            assert_eq!(anchors(range).len(), range.anchors());
        }
    }

    #[test]
    fn letterbox_is_undone_by_decoding() {
        let mut detector = Detector::new(DetectorRange::Short);
        detector.letterbox = Letterbox::fit(640, 480, 128);
        let mut raw = DetectorOutput { regressors: vec![0.0; 896 * 16], scores: vec![-50.0; 896] };
        // Anchor 0 sits at (4, 4) of the input; move the box to the middle, 32 pixels wide.
        raw.scores[0] = 4.0;
        raw.regressors[..4].copy_from_slice(&[60.0, 60.0, 32.0, 32.0]);
        raw.scores[1] = 3.0;
        raw.regressors[16..20].copy_from_slice(&[61.0, 60.0, 32.0, 32.0]);
        // Not finite: ignored, not propagated.
        raw.scores[2] = 9.0;
        raw.regressors[33] = f32::NAN;
        let faces = detector.decode(&raw);
        assert_eq!(faces.len(), 1);
        let f = faces[0];
        assert!((f.x + f.w / 2.0 - 322.5).abs() < 1.0, "{f:?}");
        assert!((f.y + f.h / 2.0 - 240.0).abs() < 1e-3, "{f:?}");
        assert!((f.w - 160.0).abs() < 1e-3);
    }

    #[test]
    fn distant_faces_stay_apart() {
        let at = |x: f32, score: f32| Detection { score, x, w: 10.0, h: 10.0, ..Detection::default() };
        let faces = blend(&mut vec![at(0.0, 0.7), at(100.0, 0.9), at(1.0, 0.8)]);
        assert_eq!(faces.len(), 2);
        assert_eq!((faces[0].x, faces[0].score), (100.0, 0.9));
    }
}
