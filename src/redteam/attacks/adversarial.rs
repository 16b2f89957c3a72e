//! Adversarial: an attack made to look more genuine, without knowing the detector's insides.

use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::attacks::photo::Photo;
use crate::redteam::error::{Result, within};
use crate::redteam::forge::parts::{Part, flat};
use crate::redteam::forge::tile::{Tile, blur, byte};
use crate::redteam::forge::triangles::{fill, hull};
use crate::redteam::random::{Band, Use, rng};
use crate::redteam::resources::Resources;
use crate::redteam::sensor_noise::expose;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// What is laid over the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disguise {
    /// The same small noise in every picture, within `strength` grey levels.
    Noise,
    /// A sticker with a pattern on the forehead that moves with the head.
    Patch,
    /// The whole picture sharpened.
    Sharpen,
    /// Noise as a sensor has it: fresh in every picture, more where it is bright.
    Sensor,
    /// The skin's colour beats like a pulse.
    Pulse,
    /// Coarse grain, as of film.
    Grain,
    /// The brightness flickers.
    Flicker,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adversarial<K> {
    pub with: Disguise,
    /// Grey levels, or for `sharpen` how much.
    pub strength: f64,
    pub of: K,
}

impl<K: From<Photo>> Default for Adversarial<K> {
    fn default() -> Self {
        Self { with: Disguise::Noise, strength: 4.0, of: Photo::default().into() }
    }
}

impl<K: Attack> Attack for Adversarial<K> {
    fn name(&self) -> &'static str {
        "cover"
    }

    fn family(&self) -> Family {
        match self.of.family() {
            Family::Control => Family::Control,
            _ => Family::Adversarial,
        }
    }

    fn check(&self) -> Result<()> {
        within("strength", self.strength, 0.0, 100.0, "0 to 100")?;
        self.of.check()
    }

    fn endless(&self) -> bool {
        self.of.endless()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let inner = self.of.render(source, seed, resources)?;
        let mut rng = rng(seed, Use::Adversarial, 0);
        let heart = 0.95 + 0.5 * rng.random::<f64>();
        let info = inner.info().clone();
        let drift = Band::new(&mut rng, 0.05, 0.3);
        Ok(Box::new(DisguisedScene {
            parameters: self,
            inner,
            info,
            seed,
            heart,
            drift,
            fixed: Vec::new(),
            index: 0,
            resources,
        }))
    }
}

struct DisguisedScene<'a, K> {
    parameters: &'a Adversarial<K>,
    inner: Box<dyn Scene + 'a>,
    info: StreamInfo,
    seed: u64,
    heart: f64,
    drift: Band,
    fixed: Vec<i8>,
    index: u64,
    resources: &'a Resources,
}

impl<K> DisguisedScene<'_, K> {
    fn lay(&mut self, frame: &mut Frame) -> Result<()> {
        let strength = self.parameters.strength as f32;
        let seconds = frame.pts_ns as f64 / 1e9;
        let width = frame.width() as usize;
        match self.parameters.with {
            Disguise::Noise => {
                if self.fixed.is_empty() {
                    let mut rng = rng(self.seed, Use::Adversarial, 1);
                    let bound = strength.clamp(0.0, 100.0) as i8;
                    self.fixed =
                        (0..frame.planes()[0].0.len()).map(|_| rng.random_range(-bound..=bound)).collect();
                }
                let [y, ..] = frame.planes_mut();
                y.iter_mut().zip(&self.fixed).for_each(|(p, n)| *p = p.saturating_add_signed(*n));
            }
            Disguise::Sharpen => {
                let [(luma, _, _), ..] = frame.planes();
                let plane: Vec<f32> = luma.iter().map(|p| f32::from(*p)).collect();
                let soft = blur(&plane, width, 1.2);
                let [y, ..] = frame.planes_mut();
                for ((p, v), s) in y.iter_mut().zip(&plane).zip(&soft) {
                    *p = byte(v + (v - s) * strength);
                }
            }
            Disguise::Sensor => expose(frame, f64::from(strength), self.seed, self.index),
            Disguise::Grain => {
                let mut rng = rng(self.seed, Use::Grain, self.index);
                let height = frame.height() as usize;
                let noise: Vec<f32> = (0..width * height).map(|_| StandardNormal.sample(&mut rng)).collect();
                // The blur takes most of the strength: about 2 pixels' worth.
                let grain = blur(&noise, width, 0.9);
                let [y, ..] = frame.planes_mut();
                y.iter_mut().zip(&grain).for_each(|(p, g)| *p = byte(f32::from(*p) + g * strength * 3.0));
            }
            Disguise::Flicker => {
                let beat = (std::f64::consts::TAU * 3.7 * seconds).sin() * 0.5 + self.drift.at(seconds) * 0.5;
                let gamma = 1.0 + f64::from(strength) / 100.0 * beat;
                let table: Vec<u8> =
                    (0..=255u32).map(|v| ((f64::from(v) / 255.0).powf(gamma) * 255.0 + 0.5) as u8).collect();
                let [y, ..] = frame.planes_mut();
                y.iter_mut().for_each(|p| *p = table.get(usize::from(*p)).copied().unwrap_or(*p));
            }
            Disguise::Pulse | Disguise::Patch => self.on_face(frame, strength, seconds)?,
        }
        Ok(())
    }

    fn on_face(&mut self, frame: &mut Frame, strength: f32, seconds: f64) -> Result<()> {
        let Some(mesh) = self.resources.face(frame, &self.info)? else { return Ok(()) };
        let Some(mut tile) = Tile::around(frame, mesh.bounds(), 0.05) else { return Ok(()) };
        if self.parameters.with == Disguise::Pulse {
            let mut mask = Part::Face.mask(&tile, &mesh);
            let eyes = Part::Eyes.mask(&tile, &mesh);
            mask.iter_mut().zip(eyes).for_each(|(m, e)| *m *= 1.0 - e);
            let soft = blur(&mask, tile.w, 0.03 * mesh.bounds()[2]);
            let phase = std::f64::consts::TAU * self.heart * (seconds + 0.03 * self.drift.at(seconds));
            // Steep rise, slow fall with a second bump, strongest in green.
            let beat = (phase.sin() + 0.4 * (2.0 * phase + 0.6).sin()) as f32 * strength;
            let raise = [-0.6 * beat, 0.15 * beat, 0.4 * beat];
            for (plane, raise) in tile.planes.iter_mut().zip(raise) {
                plane.iter_mut().zip(&soft).for_each(|(p, m)| *p += raise * m);
            }
        } else {
            let outline = hull(&flat(&mesh, &[108, 337, 336, 107, 9, 151]), 0.25);
            let mask = fill(&tile, &outline);
            let centre = mesh.at(151);
            let size = (mesh.interocular() / 6.0).max(2.0);
            let mut rng = rng(self.seed, Use::Adversarial, 2);
            let cells: Vec<[f32; 3]> = (0..64)
                .map(|_| {
                    [
                        40.0 + 180.0 * rng.random::<f32>(),
                        60.0 + 140.0 * rng.random::<f32>(),
                        60.0 + 140.0 * rng.random::<f32>(),
                    ]
                })
                .collect();
            for (i, m) in mask.iter().enumerate().filter(|(_, m)| **m > 0.5) {
                let (x, y) = ((tile.x + i % tile.w) as f32, (tile.y + i / tile.w) as f32);
                let cell = |v: f32| ((v / size * 4.0).floor() as i32).rem_euclid(8) as usize;
                let colour =
                    cells.get(cell(x - centre[0]) * 8 + cell(y - centre[1])).copied().unwrap_or([128.0; 3]);
                for (plane, c) in tile.planes.iter_mut().zip(colour) {
                    if let Some(p) = plane.get_mut(i) {
                        *p += (c - *p) * m * 0.9;
                    }
                }
            }
        }
        tile.paste(frame);
        Ok(())
    }
}

impl<K> FrameSource for DisguisedScene<'_, K> {
    fn info(&self) -> &StreamInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(mut frame) = self.inner.next_frame()? else { return Ok(None) };
        self.lay(&mut frame)?;
        self.index += 1;
        Ok(Some(frame))
    }
}

impl<K> Scene for DisguisedScene<'_, K> {
    fn onset_pts(&self) -> Option<u64> {
        self.inner.onset_pts()
    }
}
