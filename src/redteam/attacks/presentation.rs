//! Presentation: a print or a screen held before a real camera.

use super::surface::{Look, Surface, scan, tone};
use crate::analysis::face::mesh::FaceMesh;
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::forge::edit::{Edit, Edited};
use crate::redteam::forge::parts::{eyes, surface};
use crate::redteam::forge::tile::Tile;
use crate::redteam::forge::triangles::{Sampler, Triangles, fill, hull, paint};
use crate::redteam::light::{Light, Room};
use crate::redteam::motion::{Hand, Motion};
use crate::redteam::picture::dim;
use crate::redteam::print::{self, Page};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use crate::redteam::warp::{Bend, Kernel, warp_bent};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Present {
    pub surface: Surface,
    /// The recording plays on it; one picture when false.
    pub plays: bool,
    /// Height of the picture on it over the height of the camera's; with less than 1 the edge is in sight.
    pub fill: Option<f64>,
    /// How far it is bent, share of a half turn.
    pub curve: f64,
    /// Holes with the attacker's own eyes behind.
    pub eye_holes: bool,
    /// Light of the room, 1 for an office.
    pub level: f64,
    pub motion: Motion,
    pub light: Light,
}

impl Default for Present {
    fn default() -> Self {
        Self {
            surface: Surface::Matte,
            plays: false,
            fill: None,
            curve: 0.0,
            eye_holes: false,
            level: 1.0,
            motion: Motion::default(),
            light: Light::default(),
        }
    }
}

impl Attack for Present {
    fn name(&self) -> &'static str {
        "present"
    }

    fn family(&self) -> Family {
        Family::Presentation
    }

    fn check(&self) -> Result<()> {
        within("fill", self.fill.unwrap_or(1.0), 0.2, 4.0, "0.2 to 4")?;
        within("curve", self.curve, 0.0, 0.8, "0 to 0.8")?;
        within("level", self.level, 0.02, 2.0, "0.02 to 2")?;
        self.motion.check()?;
        self.light.check()
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        if self.eye_holes {
            drop(resources.faces()?);
        }
        let info = source.info().clone();
        let light = match self.surface {
            Surface::Glossy => Light { gloss: self.light.gloss.max(0.18), ..self.light.clone() },
            Surface::Lcd | Surface::Oled => Light { gloss: self.light.gloss.max(0.08), ..self.light.clone() },
            _ => self.light.clone(),
        };
        let show = Show {
            present: self,
            look: self.surface.look(),
            hand: Hand::new(self.motion.clone(), seed),
            room: Room::new(light, seed),
            kernel: Kernel::new(),
            info,
            resources,
            still: None,
            begun: None,
        };
        Ok(Edited::boxed(source, show))
    }
}

/// The print: the picture as it was, its face, and the page.
struct Still {
    mesh: Option<FaceMesh>,
    page: Frame,
    /// From the picture to the page: scale and shift.
    place: (f32, f32, f32),
}

struct Show<'a> {
    present: &'a Present,
    look: Look,
    hand: Hand,
    room: Room,
    kernel: Kernel,
    info: StreamInfo,
    resources: &'a Resources,
    still: Option<Still>,
    begun: Option<u64>,
}

impl Show<'_> {
    fn page(&self, picture: &Frame) -> Result<Frame> {
        let p = self.present;
        let fill = p.fill.unwrap_or_else(|| 1.0 + p.motion.margin());
        let around = if p.fill.is_some_and(|f| f < 1.0) { Page::Paper } else { Page::Backdrop };
        let soften = if self.look.screen { 0.4 } else { 0.6 };
        let mut page = print::make(picture, picture.width(), picture.height(), fill, around, soften)?;
        tone(&mut page, &self.look);
        if self.look.screen && around == Page::Paper {
            bezel(&mut page, fill);
        }
        Ok(page)
    }

    /// The attacker's eyes of this moment, where the print's are.
    fn look_through(&self, page: &mut Frame, still: &Still, live: &Frame) -> Result<()> {
        let (Some(printed), Some(own)) = (&still.mesh, self.resources.face(live, &self.info)?) else {
            return Ok(());
        };
        let (scale, dx, dy) = still.place;
        let onto: Vec<[f32; 3]> =
            surface(printed).iter().map(|p| [p[0] * scale + dx, p[1] * scale + dy, p[2]]).collect();
        let from = surface(&own);
        let (right, left) = eyes();
        for eye in [right, left] {
            let pick = |points: &[[f32; 3]]| -> Vec<[f32; 3]> {
                eye.iter().filter_map(|i| points.get(*i).copied()).collect()
            };
            let (a, b) = (pick(&from), pick(&onto));
            let flat_b: Vec<[f32; 2]> = b.iter().map(|p| [p[0], p[1]]).collect();
            let outline = hull(&flat_b, -0.15);
            let low = outline.iter().fold([f32::MAX; 2], |m, p| [m[0].min(p[0]), m[1].min(p[1])]);
            let high = outline.iter().fold([0.0f32; 2], |m, p| [m[0].max(p[0]), m[1].max(p[1])]);
            let rect = [low[0], low[1], high[0] - low[0], high[1] - low[1]];
            let Some(mut tile) = Tile::around(page, rect, 0.3) else { continue };
            let mut forged = tile.clone();
            paint(&mut forged, &Sampler::new(live), &a, &b, &Triangles::over(&a), false);
            // The eyes lie behind the paper, in its shadow.
            let [luma, ..] = &mut forged.planes;
            luma.iter_mut().for_each(|v| *v *= 0.85);
            let mask = fill(&tile, &outline);
            tile.mix(&forged, &mask, 1.0);
            tile.paste(page);
        }
        Ok(())
    }
}

/// A dark frame of a device around the picture in the middle of the page.
fn bezel(page: &mut Frame, fill: f64) {
    let (w, h) = (page.width() as usize, page.height() as usize);
    let edge = |n: usize| ((1.0 - fill) / 2.0 * n as f64) as usize;
    let (ex, ey) = (edge(w), edge(h));
    let thick = (h / 40).max(3);
    let ring = |v: usize, e: usize, n: usize| v + thick >= e && v + e < n + thick;
    let hole = |v: usize, e: usize, n: usize| v >= e && v + e < n;
    let [y, ..] = page.planes_mut();
    for (row, line) in y.chunks_exact_mut(w.max(1)).enumerate() {
        for (x, p) in line.iter_mut().enumerate() {
            let framed = ring(x, ex, w) && ring(row, ey, h) && !(hole(x, ex, w) && hole(row, ey, h));
            if framed {
                *p = 24;
            }
        }
    }
}

impl Edit for Show<'_> {
    fn edit(&mut self, frame: &Frame, _index: usize) -> Result<Option<Frame>> {
        let begun = *self.begun.get_or_insert(frame.pts_ns);
        let seconds = frame.pts_ns.saturating_sub(begun) as f64 / 1e9;
        if self.still.is_none() && !self.present.plays {
            let mesh = if self.present.eye_holes { self.resources.face(frame, &self.info)? } else { None };
            if self.present.eye_holes && mesh.is_none() {
                return Err(Error::NoFace);
            }
            let p = self.present;
            let fill = p.fill.unwrap_or_else(|| 1.0 + p.motion.margin()) as f32;
            let off = |n: u32| n as f32 * (1.0 - fill) / 2.0;
            let place = (fill, off(frame.width()), off(frame.height()));
            self.still = Some(Still { mesh, page: self.page(frame)?, place });
        }
        let page = match &self.still {
            Some(still) if self.present.eye_holes => {
                let mut page = still.page.clone();
                self.look_through(&mut page, still, frame)?;
                page
            }
            Some(still) => still.page.clone(),
            None => self.page(frame)?,
        };
        let (w, h) = (frame.width(), frame.height());
        let moved = self.hand.homography(seconds, w, h);
        let tilt = self.hand.tilt(seconds);
        // A bent sheet never keeps quite the same bend in the hand.
        let bend = Bend { strength: self.present.curve * (1.0 + 1.5 * tilt.1), width: f64::from(w) };
        let mut out = warp_bent(&page, &moved, bend, &self.kernel).unwrap_or(page);
        if let Some(back) = moved.try_inverse() {
            scan(&mut out, &self.look, &back, seconds);
        }
        self.room.shine(&mut out, &self.info, seconds, tilt);
        if (self.present.level - 1.0).abs() > 1e-6 && !self.look.screen {
            dim(&mut out, self.present.level as f32);
        } else if self.look.screen && self.present.level < 1.0 {
            // A screen shines by itself; the camera only gains more noise.
            dim(&mut out, (self.present.level as f32).max(0.7));
        }
        Ok(Some(out))
    }
}
