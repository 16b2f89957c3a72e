//! The aligned crop: an upright square around a face, whatever the head's roll, as network input and as the
//! picture from which quality and skin colours are read.

use crate::analysis::face::detector::{Detection, bilinear};
use crate::analysis::face::mesh::FaceMesh;
use crate::analysis::face::models::{MeshKind, MeshOutput};
use crate::analysis::pixels::frame::{FrameView, PixelRect};
use crate::analysis::pixels::region::{RegionError, RegionReader, RgbRegion};
use ndarray::Array4;

/// A square in the frame, turned by the face's roll.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Roi {
    /// Centre, frame pixels.
    pub cx: f32,
    pub cy: f32,
    /// Side, frame pixels.
    pub size: f32,
    /// Clockwise on the screen, radians.
    pub angle: f32,
}

/// How much wider than the face the crop is (MediaPipe's margin for its face meshes).
const MARGIN: f32 = 1.5;

impl Roi {
    /// From a detector box and its eye points.
    pub fn from_detection(d: &Detection) -> Self {
        let [right, left] = [d.keypoints[0], d.keypoints[1]];
        let angle = (left[1] - right[1]).atan2(left[0] - right[0]);
        Self { cx: d.x + d.w / 2.0, cy: d.y + d.h / 2.0, size: d.w.max(d.h) * MARGIN, angle }
    }

    /// From the last mesh: where the face will be looked for in the next frame.
    pub fn from_mesh(mesh: &FaceMesh) -> Self {
        let [x, y, w, h] = mesh.bounds();
        Self { cx: x + w / 2.0, cy: y + h / 2.0, size: w.max(h) * MARGIN, angle: mesh.pose().roll }
    }

    /// Whether it is a place in a frame of that size at all.
    pub fn is_sane(&self, width: usize, height: usize) -> bool {
        let (w, h) = (width as f32, height as f32);
        let finite = [self.cx, self.cy, self.size, self.angle].iter().all(|v| v.is_finite());
        finite
            && self.size >= 8.0
            && self.size <= 4.0 * w.max(h)
            && (-0.5 * w..1.5 * w).contains(&self.cx)
            && (-0.5 * h..1.5 * h).contains(&self.cy)
    }

    /// Crop coordinates (0..1 each way) to frame pixels.
    pub fn to_frame(&self, u: f32, v: f32) -> [f32; 2] {
        let (x, y) = ((u - 0.5) * self.size, (v - 0.5) * self.size);
        let (sin, cos) = self.angle.sin_cos();
        [self.cx + x * cos - y * sin, self.cy + x * sin + y * cos]
    }

    /// Frame pixels to crop coordinates (0..1 each way).
    pub fn to_crop(&self, p: [f32; 2]) -> [f32; 2] {
        let (x, y) = (p[0] - self.cx, p[1] - self.cy);
        let (sin, cos) = self.angle.sin_cos();
        [0.5 + (x * cos + y * sin) / self.size, 0.5 + (y * cos - x * sin) / self.size]
    }

    pub(crate) fn bounds(&self, width: usize, height: usize) -> PixelRect {
        let (sin, cos) = self.angle.sin_cos();
        let half = self.size / 2.0 * (sin.abs() + cos.abs());
        let clip = |v: f32, hi: usize| v.clamp(0.0, hi as f32) as usize;
        let (x, y) = (clip((self.cx - half).floor(), width), clip((self.cy - half).floor(), height));
        let (r, b) = (clip((self.cx + half).ceil(), width), clip((self.cy + half).ceil(), height));
        PixelRect { x, y, w: r.saturating_sub(x), h: b.saturating_sub(y) }
    }
}

/// Gives `put` the colour (0..255) of each of the `side` x `side` pixels of the square `roi`, row by row, with the place
/// for it that `pixels` has. `region` shows the square as far as it lies in the frame; its border is repeated.
pub(crate) fn sample<P>(
    region: &RgbRegion,
    roi: Roi,
    side: usize,
    pixels: impl Iterator<Item = P>,
    mut put: impl FnMut(P, [f32; 3]),
) {
    let (sx, sy) = region.scale();
    let (sx, sy) = (sx as f32, sy as f32);
    let (ox, oy) = (region.rect.x as f32, region.rect.y as f32);
    let step = 1.0 / side as f32;
    let [x0, y0] = roi.to_frame(step / 2.0, step / 2.0);
    let (sin, cos) = roi.angle.sin_cos();
    let d = roi.size * step;
    let places = (0..side).flat_map(|v| (0..side).map(move |u| (u as f32, v as f32)));
    for (px, (u, v)) in pixels.zip(places) {
        let fx = (x0 - v * d * sin + u * d * cos - ox) * sx - 0.5;
        let fy = (y0 + v * d * cos + u * d * sin - oy) * sy - 0.5;
        put(px, bilinear(&region.data, region.width, region.height, fx, fy));
    }
}

/// Cuts aligned crops; keeps its memory between frames.
#[derive(Debug)]
pub struct Aligner {
    kind: MeshKind,
    crop: Array4<f32>,
    region: RgbRegion,
    roi: Roi,
}

impl Aligner {
    pub fn new(kind: MeshKind) -> Self {
        let side = kind.input_side();
        Self {
            kind,
            crop: Array4::zeros((1, side, side, 3)),
            region: RgbRegion::default(),
            roi: Roi::default(),
        }
    }

    pub fn kind(&self) -> MeshKind {
        self.kind
    }

    /// Fills the crop (1 x side x side x 3, RGB in 0..1) from `roi`; outside the frame its border is repeated.
    pub fn cut(
        &mut self,
        frame: &FrameView<'_>,
        roi: Roi,
        reader: &mut RegionReader,
    ) -> Result<&Array4<f32>, RegionError> {
        let side = self.kind.input_side();
        self.roi = roi;
        let rect = roi.bounds(frame.width(), frame.height());
        reader.read(frame, rect, side + side / 4, &mut self.region)?;
        if let Some(pixels) = self.crop.as_slice_mut() {
            sample(&self.region, roi, side, pixels.chunks_exact_mut(3), |px, rgb| {
                px[0] = rgb[0] / 255.0;
                px[1] = rgb[1] / 255.0;
                px[2] = rgb[2] / 255.0;
            });
        }
        Ok(&self.crop)
    }

    /// The last crop.
    pub fn crop(&self) -> &Array4<f32> {
        &self.crop
    }
    /// The square that the last crop shows.
    pub fn roi(&self) -> Roi {
        self.roi
    }
    /// The frame region from which the last crop was sampled.
    pub fn region(&self) -> &RgbRegion {
        &self.region
    }

    /// Takes the network's points from crop to frame coordinates.
    pub fn mesh(&self, raw: &MeshOutput, out: &mut FaceMesh) {
        let side = self.kind.input_side() as f32;
        out.presence = 1.0 / (1.0 + (-raw.presence.clamp(-80.0, 80.0)).exp());
        out.points.clear();
        out.points.extend(raw.points.chunks_exact(3).take(self.kind.points()).map(|p| {
            let [x, y] = self.roi.to_frame(p[0] / side, p[1] / side);
            [x, y, p[2] / side * self.roi.size]
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};

    #[test]
    fn crop_and_frame_coordinates_invert() {
        let roi = Roi { cx: 200.0, cy: 150.0, size: 80.0, angle: 0.7 };
        for (u, v) in [(0.0, 0.0), (0.3, 0.9), (1.0, 0.5)] {
            let [a, b] = roi.to_crop(roi.to_frame(u, v));
            assert!((a - u).abs() < 1e-5 && (b - v).abs() < 1e-5);
        }
    }

    #[test]
    fn a_turned_crop_shows_the_picture_upright() {
        // Brightness grows along x in the frame; a crop turned by 90 degrees must see it grow along -v.
        let (w, h) = (320usize, 240usize);
        let data: Vec<u8> = (0..w * h).map(|i| ((i % w) * 255 / w) as u8).collect();
        let plane = Plane { data: &data, stride: w };
        let frame = FrameView::new(PixelFormat::Gray8, w, h, Colour::default(), &[plane]).unwrap();
        let mut aligner = Aligner::new(MeshKind::V1);
        let roi = Roi { cx: 160.0, cy: 120.0, size: 100.0, angle: std::f32::consts::FRAC_PI_2 };
        let crop = aligner.cut(&frame, roi, &mut RegionReader::default()).unwrap();
        let (top, bottom) = (crop[[0, 5, 96, 0]], crop[[0, 186, 96, 0]]);
        assert!(top > bottom + 0.2, "{top} {bottom}");
        assert!((crop[[0, 96, 5, 0]] - crop[[0, 96, 186, 0]]).abs() < 0.02);
        assert!((crop[[0, 96, 96, 0]] - 0.5).abs() < 0.02);
    }

    #[test]
    fn a_crop_over_the_border_repeats_it() {
        let data = vec![200u8; 64 * 64];
        let frame = FrameView::new(
            PixelFormat::Gray8,
            64,
            64,
            Colour::default(),
            &[Plane { data: &data, stride: 64 }],
        )
        .unwrap();
        let mut aligner = Aligner::new(MeshKind::V2);
        let roi = Roi { cx: 2.0, cy: 60.0, size: 90.0, angle: 0.3 };
        let crop = aligner.cut(&frame, roi, &mut RegionReader::default()).unwrap();
        assert!(crop.iter().all(|&v| (v - 200.0 / 255.0).abs() < 1e-4));
    }
}
