//! Blinks: a live person blinks every few seconds, a photo never does.
//!
//! Rate and its spread between people: Bentivoglio et al., "Analysis of blink rate patterns in normal subjects",
//! Movement Disorders 1997 (17 a minute at rest, 26 in conversation, 4.5 reading). Detection by the eye aspect
//! ratio: Soukupova & Cech, CVWW 2016, relative to the person's own open eye, because absolute ratios differ
//! between people and glasses.

use super::signal::{FaceObservation, FaceSignal};
use crate::analysis::evidence::calibration::Calibration;
use crate::analysis::evidence::{Family, Reading, seconds, trim};
use std::collections::VecDeque;

/// Seconds of openness that define the open eye.
const BASELINE: f64 = 8.0;
/// Most samples kept for it.
const MAX_SAMPLES: usize = 480;
/// Openness, relative to the open eye, below which it counts as closing, and above which as open again.
const CLOSED: f32 = 0.62;
const REOPENED: f32 = 0.78;
/// Longest closure that is still a blink, seconds (longer: the eyes are shut, or the head is down).
const LONGEST: f64 = 0.8;
/// The largest gap between frames at which a blink can be seen, seconds.
const MAX_GAP: f64 = 0.26;

/// See the module.
#[derive(Debug, Default)]
pub struct Blink {
    openness: VecDeque<(u64, f32)>,
    closing_since: Option<u64>,
    /// Watched time since the last blink (or since watching began), seconds.
    waited: f64,
    blinks: u32,
    watched: f64,
}

impl Blink {
    /// Blinks seen so far.
    pub fn count(&self) -> u32 {
        self.blinks
    }

    /// Ninetieth percentile of the recent openness.
    fn open_eye(&self) -> Option<f32> {
        if self.openness.len() < 5 {
            return None;
        }
        let mut all: Vec<f32> = self.openness.iter().map(|o| o.1).collect();
        all.sort_by(f32::total_cmp);
        all.get(all.len() * 9 / 10).copied().filter(|v| *v > 0.05)
    }
}

impl FaceSignal for Blink {
    fn name(&self) -> &'static str {
        "blink"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn observe(&mut self, seen: &FaceObservation<'_>, calibration: &Calibration) -> Option<Reading> {
        let last = self.openness.back().map(|o| o.0);
        if last.is_some_and(|l| seen.pts <= l || seconds(l, seen.pts) > 2.0) {
            self.interrupt();
        }
        let [right, left] = seen.mesh.eye_openness();
        let now = (right + left) / 2.0;
        let usable = now.is_finite() && seen.pose.yaw.abs() < 0.7 && seen.pose.pitch.abs() < 0.7;
        if !usable {
            self.closing_since = None;
            return None;
        }
        let gap = last.map_or(0.0, |l| seconds(l, seen.pts));
        self.openness.push_back((seen.pts, now));
        trim(&mut self.openness, MAX_SAMPLES, |o| seconds(o.0, seen.pts) > BASELINE);
        let open = self.open_eye()?;
        let relative = now / open;
        let mut event = false;
        match self.closing_since {
            None if relative < CLOSED => self.closing_since = Some(seen.pts),
            Some(since) if relative > REOPENED => {
                event = seconds(since, seen.pts) <= LONGEST;
                self.closing_since = None;
            }
            _ => {}
        }
        let model = calibration.waiting("blink")?;
        let before = model.llr(self.waited);
        // Between two frames too far apart a blink may pass unseen: such time does not count as waited.
        if gap <= MAX_GAP {
            self.waited += gap;
            self.watched += gap;
        }
        let after = model.llr(self.waited);
        let mut reading = Reading {
            rate: if gap > 0.0 { (after - before) / gap } else { 0.0 },
            llr: after,
            quality: f64::from(seen.quality.overall()),
            features: vec![self.waited, f64::from(relative), f64::from(u8::from(event))],
            ..Reading::default()
        };
        if event {
            self.blinks += 1;
            self.waited = 0.0;
            reading.rate = 0.0;
            reading.impulse = model.event_llr * model.fusion_weight;
            reading.llr = reading.impulse;
        }
        reading.reason = if self.blinks == 0 {
            format!("no blink in {:.0} s", self.waited)
        } else if self.waited > 3.0 * model.mean {
            format!("no blink for {:.0} s ({} before)", self.waited, self.blinks)
        } else {
            let s = if self.blinks == 1 { "" } else { "s" };
            format!("{} blink{s} in {:.0} s", self.blinks, self.watched)
        };
        Some(reading)
    }

    fn interrupt(&mut self) {
        self.openness.clear();
        self.closing_since = None;
        self.waited = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::face::mesh::{FaceMesh, LEFT_EYE, Pose, RIGHT_EYE};
    use crate::analysis::face::models::MeshKind;
    use crate::analysis::face::quality::Quality;

    fn eyes(open: f32) -> FaceMesh {
        let mut mesh = FaceMesh { points: vec![[0.0; 3]; 468], presence: 1.0 };
        for eye in [RIGHT_EYE, LEFT_EYE] {
            mesh.points[eye[1]] = [30.0, 0.0, 0.0];
            for (upper, lower) in [(eye[2], eye[4]), (eye[3], eye[5])] {
                mesh.points[upper] = [15.0, 5.0 * open, 0.0];
                mesh.points[lower] = [15.0, -5.0 * open, 0.0];
            }
        }
        mesh
    }

    /// Blinks counted and evidence summed over 40 s of a trace given as openness at a time.
    fn watch(fps: f64, trace: impl Fn(f64) -> f32) -> (u32, f64) {
        let calibration = Calibration::built_in().unwrap();
        let mut signal = Blink::default();
        let mut sum = 0.0;
        let quality =
            Quality { size: 1.0, focus: 1.0, exposure: 1.0, pose: 1.0, visibility: 1.0, compression: 1.0 };
        for i in 0..(40.0 * fps) as u64 {
            let t = i as f64 / fps;
            let mesh = eyes(trace(t));
            let seen = FaceObservation {
                pts: (t * 1e9) as u64,
                mesh: &mesh,
                kind: MeshKind::V1,
                pose: Pose::default(),
                quality,
                blendshapes: None,
                patch: &crate::analysis::face::patch::Patch::default(),
                skin: [[0.5; 3]; 3],
            };
            if let Some(r) = signal.observe(&seen, &calibration) {
                sum += r.rate / fps + r.impulse;
            }
        }
        (signal.count(), sum)
    }

    /// A raised-cosine blink of 0.3 s every four seconds.
    fn blinking(t: f64) -> f32 {
        let phase = t % 4.0 - 2.0;
        if phase.abs() < 0.15 { 0.5 - 0.5 * (phase / 0.15 * std::f64::consts::PI).cos() as f32 } else { 1.0 }
    }

    #[test]
    fn blinks_are_counted_at_call_rates() {
        for fps in [10.0, 15.0, 25.0, 30.0] {
            assert_eq!(watch(fps, blinking).0, 10, "{fps} frames a second");
        }
    }

    #[test]
    fn a_stare_speaks_for_a_photo_and_blinks_for_a_person() {
        let (none, stare) = watch(15.0, |t| 1.0 + 0.03 * (7.0 * t).sin() as f32);
        let (_, person) = watch(15.0, blinking);
        assert_eq!(none, 0);
        assert!(stare > 1.0 && person < -1.0, "{stare} {person}");
    }

    #[test]
    fn shut_eyes_are_no_blink_and_slow_sampling_is_no_stare() {
        assert_eq!(watch(15.0, |t| if t > 10.0 && t < 15.0 { 0.1 } else { 1.0 }).0, 0);
        assert_eq!(watch(2.0, |_| 1.0).1, 0.0);
    }
}
