//! Whether a face can be judged at all: six measures, each 0 (hopeless) to 1 (as good as it gets).
//!
//! The measures and their names follow ISO/IEC 29794-5 (face image quality); the ramps between 0 and 1 are
//! ours and conservative: a poor face must add nothing rather than something wrong.

use crate::analysis::face::align::Aligner;
use crate::analysis::face::mesh::{FaceMesh, Pose};
use serde::Serialize;

/// Quality of one face in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// From the distance between the eyes in frame pixels.
    pub size: f32,
    /// Sharpness against the picture's own contrast.
    pub focus: f32,
    /// Neither dark, nor blown out, nor flat.
    pub exposure: f32,
    /// Looking roughly into the camera.
    pub pose: f32,
    /// The mesh network's own confidence that it sees a whole face.
    pub visibility: f32,
    /// Free of coding blocks.
    pub compression: f32,
}

impl Quality {
    /// The product of the worst two measures: one bad measure spoils a face, several mild ones hardly.
    pub fn overall(&self) -> f32 {
        let mut all = self.measures().map(|(_, v)| v);
        all.sort_by(f32::total_cmp);
        all[0] * all[1].sqrt()
    }

    /// The name of the worst measure, for people.
    pub fn worst(&self) -> &'static str {
        self.measures().into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |m| m.0)
    }

    fn measures(&self) -> [(&'static str, f32); 6] {
        [
            ("too small", self.size),
            ("blurred", self.focus),
            ("badly lit", self.exposure),
            ("turned away", self.pose),
            ("hidden", self.visibility),
            ("heavily compressed", self.compression),
        ]
    }
}

/// Below this overall quality a face is "too poor to judge".
pub const TOO_POOR: f32 = 0.15;

/// Measures the face in the aligner's last crop. `luma` is scratch memory.
pub fn measure(aligner: &Aligner, mesh: &FaceMesh, pose: Pose, luma: &mut Vec<f32>) -> Quality {
    let side = aligner.kind().input_side();
    luma.clear();
    if let Some(pixels) = aligner.crop().as_slice() {
        luma.extend(pixels.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]));
    }
    let (mean, contrast, clipped, detail) = statistics(luma, side, aligner.roi().size);
    Quality {
        size: ramp(mesh.interocular(), 14.0, 44.0),
        focus: if contrast > 1e-4 { ramp(detail / contrast, 0.015, 0.07) } else { 0.0 },
        exposure: ramp(mean, 0.06, 0.2)
            * ramp(1.0 - mean, 0.04, 0.15)
            * ramp(contrast, 0.015, 0.06)
            * ramp(1.0 - clipped, 0.5, 0.9),
        pose: ramp(1.25 - pose.yaw.abs(), 0.15, 0.6) * ramp(1.2 - pose.pitch.abs(), 0.15, 0.6),
        visibility: ramp(mesh.presence, 0.5, 0.9),
        compression: compression(aligner),
    }
}

fn ramp(v: f32, zero: f32, one: f32) -> f32 {
    if v.is_finite() { ((v - zero) / (one - zero)).clamp(0.0, 1.0) } else { 0.0 }
}

/// Over the middle half of the crop (the face itself): mean luma, standard deviation, share of clipped pixels
/// and root-mean-square Laplacian at one frame pixel's distance.
fn statistics(luma: &[f32], side: usize, roi_size: f32) -> (f32, f32, f32, f32) {
    let step = ((side as f32 / roi_size.max(1.0)).round() as usize).clamp(1, side / 8);
    let (lo, hi) = (side / 4, side * 3 / 4);
    let (mut n, mut sum, mut sum2, mut clipped, mut lap2) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for y in lo..hi {
        for x in lo..hi {
            let at = |dx: isize, dy: isize| {
                let i = (y as isize + dy) * side as isize + x as isize + dx;
                luma.get(i as usize).copied().unwrap_or_default()
            };
            let (v, s) = (at(0, 0), step as isize);
            n += 1.0;
            sum += v;
            sum2 += v * v;
            clipped += f32::from(u8::from(!(0.02..=0.98).contains(&v)));
            lap2 += (4.0 * v - at(-s, 0) - at(s, 0) - at(0, -s) - at(0, s)).powi(2);
        }
    }
    let mean = sum / n;
    (mean, (sum2 / n - mean * mean).max(0.0).sqrt(), clipped / n, (lap2 / n).sqrt())
}

/// How little stronger the luma steps on the 8-pixel coding grid are than those beside it. 1 when the region was
/// scaled, because the grid is not to be seen then.
///
/// Source: the blockiness part of Wang, Sheikh & Bovik, "No-reference perceptual quality assessment of JPEG
/// compressed images", ICIP 2002.
fn compression(aligner: &Aligner) -> f32 {
    let region = aligner.region();
    if region.width != region.rect.w || region.width < 24 {
        return 1.0;
    }
    let (mut on, mut off) = ((0.0f32, 0.0f32), (0.0f32, 0.0f32));
    for row in region.data.chunks_exact(region.width * 3).step_by(2) {
        for x in 1..region.width {
            // Green stands for luma.
            let step = f32::from(row[x * 3 + 1].abs_diff(row[x * 3 - 2]));
            let slot = if (region.rect.x + x).is_multiple_of(8) { &mut on } else { &mut off };
            slot.0 += step;
            slot.1 += 1.0;
        }
    }
    if on.1 < 1.0 || off.1 < 1.0 || off.0 <= 0.0 {
        return 1.0;
    }
    let ratio = (on.0 / on.1) / (off.0 / off.1);
    ramp(3.0 - ratio, 0.0, 1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_measure_spoils_the_face() {
        let good =
            Quality { size: 1.0, focus: 1.0, exposure: 1.0, pose: 1.0, visibility: 1.0, compression: 1.0 };
        assert_eq!(good.overall(), 1.0);
        let dark = Quality { exposure: 0.1, ..good };
        assert!(dark.overall() < TOO_POOR);
        assert_eq!(dark.worst(), "badly lit");
    }

    #[test]
    fn statistics_see_blur_and_clipping() {
        let side = 64;
        let sharp: Vec<f32> =
            (0..side * side).map(|i| if (i + i / side) % 2 == 0 { 0.3 } else { 0.7 }).collect();
        let flat = vec![1.0; side * side];
        let (mean, contrast, clipped, detail) = statistics(&sharp, side, 64.0);
        assert!((mean - 0.5).abs() < 1e-3 && (contrast - 0.2).abs() < 1e-3 && clipped == 0.0);
        assert!(detail / contrast > 1.0);
        let (_, contrast, clipped, detail) = statistics(&flat, side, 64.0);
        assert!(contrast < 1e-3 && clipped == 1.0 && detail < 1e-3);
    }
}
