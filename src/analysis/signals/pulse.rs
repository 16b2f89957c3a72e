//! Pulse: the blood volume pulse in the colour of forehead and cheeks, where sampling and picture allow it.
//!
//! Method: POS, Wang, den Brinker, Stuijk & de Haan, "Algorithmic principles of remote PPG", IEEE TBME 2017. Agreement
//! between face regions as liveness cue: Liu et al., "3D mask face anti-spoofing with remote photoplethysmography",
//! ECCV 2016. A pulse is weak evidence (a good swap inherits its driver's), so the calibration keeps it on a short lead.

use super::signal::{FaceObservation, FaceSignal, Held};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, seconds};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::collections::VecDeque;
use std::sync::Arc;

/// Seconds of colour that are judged together.
pub const WINDOW: f64 = 8.0;
/// Seconds between two judgements.
const EVERY: f64 = 1.0;
/// The trace is resampled to this many samples a second.
const RATE: f64 = 15.0;
/// Frames a second below which nothing is said: the upper end of the pulse band must be sampled.
const MIN_FPS: f64 = 7.5;
/// Length of the sliding projection, seconds (as in the paper).
const PROJECTION: f64 = 1.6;
/// Length of the zero-padded spectrum.
const SPECTRUM: usize = 512;
/// Pulse band, Hz: 42 to 180 beats a minute.
const BAND: (f64, f64) = (0.7, 3.0);
/// Quality below which colour means nothing.
const MIN_QUALITY: f32 = 0.35;
/// Names of the features, in order.
pub const FEATURES: [&str; 3] = ["snr-forehead-db", "snr-cheeks-db", "agreement"];

/// See the module.
#[derive(Default)]
pub struct Pulse {
    samples: VecDeque<(u64, [[f32; 3]; 3])>,
    held: Held,
    fft: Option<Arc<dyn Fft<f64>>>,
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").field("samples", &self.samples.len()).finish_non_exhaustive()
    }
}

impl FaceSignal for Pulse {
    fn name(&self) -> &'static str {
        "pulse"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        if self.samples.back().is_some_and(|s| seen.pts <= s.0 || seconds(s.0, seen.pts) > 0.5) {
            self.interrupt();
        }
        if seen.quality.overall() < MIN_QUALITY {
            self.interrupt();
            return None;
        }
        self.samples.push_back((seen.pts, seen.skin));
        while self.samples.front().is_some_and(|s| seconds(s.0, seen.pts) > WINDOW) {
            self.samples.pop_front();
        }
        let span = seconds(self.samples.front()?.0, seen.pts);
        if span < 0.95 * WINDOW || (self.samples.len() as f64) < MIN_FPS * span {
            self.held.hush();
            return None;
        }
        if self.held.is_due(seen.pts, EVERY) {
            let reading = self.judge(calibration, f64::from(seen.quality.overall()));
            self.held.keep(seen.pts, reading);
        }
        self.held.reading()
    }

    fn interrupt(&mut self) {
        self.samples.clear();
        self.held = Held::default();
    }
}

impl Pulse {
    fn judge(&mut self, calibration: &Calibration, quality: f64) -> Option<Reading> {
        let forehead = pos(&self.resample(|s| s[0]));
        let cheeks = pos(&self.resample(|s| {
            let mean = |c: usize| (s[1][c] + s[2][c]) / 2.0;
            [mean(0), mean(1), mean(2)]
        }));
        let fft = self.fft.get_or_insert_with(|| FftPlanner::new().plan_fft_forward(SPECTRUM));
        let (a, b) = (spectrum(&**fft, &forehead)?, spectrum(&**fft, &cheeks)?);
        let agreement = correlation(&a.in_band, &b.in_band);
        let features = vec![a.snr_db, b.snr_db, agreement];
        let llr = calibration.logistic("pulse").and_then(|c| c.llr(&features));
        Some(Reading {
            rate: llr.unwrap_or_default() / WINDOW,
            impulse: 0.0,
            stands: false,
            llr: llr.unwrap_or_default(),
            quality: if llr.is_some() { quality } else { 0.0 },
            reason: if llr.is_some_and(|l| l > 0.0) {
                "no pulse to be seen in forehead and cheeks".into()
            } else {
                format!("pulse-like colour at {:.0} a minute", 60.0 * b.peak_hz)
            },
            features,
        })
    }

    /// Linear interpolation of one region's colour to [`RATE`].
    fn resample(&self, region: impl Fn(&[[f32; 3]; 3]) -> [f32; 3]) -> Vec<[f64; 3]> {
        let Some(first) = self.samples.front() else { return Vec::new() };
        let n = (WINDOW * 0.95 * RATE) as usize;
        let mut after = self.samples.iter().zip(self.samples.iter().skip(1)).peekable();
        let mut out = Vec::with_capacity(n);
        for i in 0..n {
            let t = i as f64 / RATE;
            while after.peek().is_some_and(|(_, b)| seconds(first.0, b.0) < t) {
                after.next();
            }
            let Some((a, b)) = after.peek() else { break };
            let (ta, tb) = (seconds(first.0, a.0), seconds(first.0, b.0));
            let w = ((t - ta) / (tb - ta).max(1e-6)).clamp(0.0, 1.0);
            let (ca, cb) = (region(&a.1), region(&b.1));
            out.push([0, 1, 2].map(|c| f64::from(ca[c]) * (1.0 - w) + f64::from(cb[c]) * w));
        }
        out
    }
}

/// Plane-orthogonal-to-skin projection with overlap-add.
fn pos(rgb: &[[f64; 3]]) -> Vec<f64> {
    let length = (PROJECTION * RATE) as usize;
    let mut pulse = vec![0.0; rgb.len()];
    for (start, window) in rgb.windows(length).enumerate() {
        let mean = [0, 1, 2].map(|c| window.iter().map(|p| p[c]).sum::<f64>() / length as f64);
        if mean.iter().any(|m| *m < 1e-4) {
            continue;
        }
        let project = |p: &[f64; 3]| {
            let (r, g, b) = (p[0] / mean[0], p[1] / mean[1], p[2] / mean[2]);
            (g - b, -2.0 * r + g + b)
        };
        let (x, y): (Vec<f64>, Vec<f64>) = window.iter().map(project).unzip();
        let alpha = deviation(&x) / deviation(&y).max(1e-12);
        let h: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + alpha * y).collect();
        let centre = h.iter().sum::<f64>() / length as f64;
        for (slot, v) in pulse.iter_mut().skip(start).zip(&h) {
            *slot += v - centre;
        }
    }
    pulse
}

struct Spectrum {
    snr_db: f64,
    peak_hz: f64,
    in_band: Vec<f64>,
}

/// Power in the pulse band: how much lies at the strongest line and its first harmonic, against the rest.
///
/// Source of the measure: de Haan & Jeanne, "Robust pulse rate from chrominance-based rPPG", IEEE TBME 2013.
fn spectrum(fft: &dyn Fft<f64>, pulse: &[f64]) -> Option<Spectrum> {
    const N: usize = SPECTRUM;
    if pulse.len() < 32 || pulse.len() > N {
        return None;
    }
    let n = pulse.len() as f64;
    let mut buffer: Vec<Complex<f64>> = pulse
        .iter()
        .enumerate()
        .map(|(i, v)| {
            let hann = 0.5 - 0.5 * (std::f64::consts::TAU * (i as f64 + 0.5) / n).cos();
            Complex::new(v * hann, 0.0)
        })
        .collect();
    buffer.resize(N, Complex::default());
    fft.process(&mut buffer);
    let hz = RATE / N as f64;
    let power: Vec<f64> = buffer.iter().take(N / 2).map(Complex::norm_sqr).collect();
    let (lo, hi) = ((BAND.0 / hz) as usize, (BAND.1 / hz) as usize);
    let in_band = power.get(lo..hi)?.to_vec();
    let peak = lo + in_band.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?.0;
    let width = 0.2 / hz;
    let near = |bin: usize, line: usize| (bin as f64 - line as f64).abs() <= width;
    let (mut signal, mut rest) = (1e-18, 1e-18);
    for (bin, p) in power.iter().enumerate().take(N / 2).skip(lo) {
        if bin as f64 * hz > 2.0 * BAND.1 {
            break;
        }
        if near(bin, peak) || near(bin, 2 * peak) { signal += p } else { rest += p }
    }
    Some(Spectrum { snr_db: 10.0 * f64::log10(signal / rest), peak_hz: peak as f64 * hz, in_band })
}

fn deviation(v: &[f64]) -> f64 {
    let n = v.len().max(1) as f64;
    let mean = v.iter().sum::<f64>() / n;
    (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let (ma, mb) = (mean(a), mean(b));
    let cov: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / a.len().max(1) as f64;
    cov / (deviation(a) * deviation(b)).max(1e-30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::face::mesh::{FaceMesh, Pose};
    use crate::analysis::face::models::MeshKind;
    use crate::analysis::face::quality::Quality;

    /// Features after 12 s of skin colour with a pulse of that many beats a minute and amplitude.
    fn watch(fps: f64, bpm: f64, amplitude: f32) -> Option<Reading> {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Pulse::default();
        let mesh = FaceMesh::default();
        let mut noise = 7u32;
        let mut last = None;
        for i in 0..(12.0 * fps) as u64 {
            let t = i as f64 / fps;
            let beat = amplitude * (std::f64::consts::TAU * bpm / 60.0 * t).sin() as f32;
            let mut skin = [[0.0; 3]; 3];
            for patch in &mut skin {
                let mut random = || {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (noise >> 8) as f32 / (1 << 24) as f32 - 0.5
                };
                let light = 1.0 + 0.01 * (0.8 * t).sin() as f32;
                *patch = [
                    0.6 * light * (1.0 + 0.33 * beat) + 0.001 * random(),
                    0.45 * light * (1.0 + beat) + 0.001 * random(),
                    0.4 * light * (1.0 + 0.6 * beat) + 0.001 * random(),
                ];
            }
            let one = Quality {
                size: 1.0,
                focus: 1.0,
                exposure: 1.0,
                pose: 1.0,
                visibility: 1.0,
                compression: 1.0,
            };
            let seen = FaceObservation {
                pts: (t * 1e9) as u64,
                mesh: &mesh,
                kind: MeshKind::V1,
                pose: Pose::default(),
                quality: one,
                blendshapes: None,
                patch: &crate::analysis::face::patch::Patch::default(),
                skin,
            };
            last = signal.observe(&seen, &calibration);
        }
        last
    }

    #[test]
    fn a_pulse_is_found_and_its_absence_too() {
        for bpm in [55.0, 72.0, 120.0] {
            let with = watch(15.0, bpm, 0.006).unwrap();
            let without = watch(15.0, bpm, 0.0).unwrap();
            assert!(
                with.features[1] > without.features[1] + 4.0,
                "{bpm}: {:?} {:?}",
                with.features,
                without.features
            );
            assert!(with.features[2] > 0.8);
            if with.reason.contains("at ") {
                let text = with.reason.split(' ').nth(3).unwrap();
                assert!((text.parse::<f64>().unwrap() - bpm).abs() < 4.0, "{}", with.reason);
            }
        }
    }

    #[test]
    fn too_few_frames_say_nothing() {
        assert!(watch(5.0, 72.0, 0.006).is_none());
    }
}
