//! Photo animation and whole synthetic heads: one picture made to move.

use super::blend::{Blend, blend};
use super::edit::{Edit, Edited};
use super::parts::{Part, surface};
use super::swap::portrait;
use super::tile::Tile;
use super::triangles::{Sampler, Triangles, paint};
use crate::analysis::face::mesh::{FaceMesh, LEFT_EYE, RIGHT_EYE};
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::motion::{Hand, Motion};
use crate::redteam::random::{Band, Use, rng};
use crate::redteam::resources::{Resources, Segment};
use crate::redteam::source::{BoxSource, HeadThenRest, Scene};
use crate::redteam::warp::{Kernel, warp};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What moves the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drive {
    /// Nothing but the camera.
    #[default]
    Camera,
    /// The mesh turned in depth, as if the head moved.
    Parallax,
    /// Lips and jaw alone, as in speech.
    Mouth,
    /// Lids that close now and then.
    Blink,
    /// The landmarks of the recording, how they move from its first picture on.
    Recording,
    /// Head, mouth and lids together.
    All,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Animate {
    pub drive: Drive,
    /// Size of the movement; 1 is that of a calm person.
    pub amount: f64,
    /// Share of another person's face in the picture: 0.5 is a face that nobody has.
    pub morph: f64,
    /// Movement of the camera.
    pub camera: Motion,
}

impl Default for Animate {
    fn default() -> Self {
        Self { drive: Drive::default(), amount: 1.0, morph: 0.0, camera: Motion::STILL }
    }
}

impl Attack for Animate {
    fn name(&self) -> &'static str {
        "animate"
    }

    fn family(&self) -> Family {
        Family::Animation
    }

    fn check(&self) -> Result<()> {
        within("amount", self.amount, 0.0, 5.0, "0 to 5")?;
        within("morph", self.morph, 0.0, 1.0, "0 to 1")?;
        self.camera.check()
    }

    fn scene<'a>(
        &'a self,
        mut source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        // The first picture with a face is animated: an attack that begins in mid-call goes on from there.
        let mut head = Vec::new();
        let (frame, mesh) = loop {
            let Some(frame) = source.next_frame()? else { return Err(Error::NoFace) };
            let mesh = resources.face(&frame, &info)?;
            head.push(frame.clone());
            if let Some(mesh) = mesh {
                break (frame, mesh);
            }
        };
        let still = if self.morph > 0.0 { self.morphed(&frame, &mesh, resources)? } else { frame };
        let mut rng = rng(seed, Use::Forgery, 0);
        let animator = Animator {
            animate: self,
            points: with_border(&mesh, &still),
            triangles: Triangles::over(&with_border(&mesh, &still)),
            interocular: mesh.interocular(),
            still,
            mesh,
            info: info.clone(),
            resources,
            turn: std::array::from_fn(|_| Band::new(&mut rng, 0.15, 0.9)),
            speech: [Band::new(&mut rng, 2.0, 5.0), Band::new(&mut rng, 0.2, 0.6)],
            blinks: blinks(&mut rng),
            hand: Hand::new(self.camera.clone(), seed),
            kernel: Kernel::new(),
            begun: None,
        };
        let source = Box::new(HeadThenRest { head: head.into(), rest: source });
        Ok(Edited::boxed(source, animator))
    }
}

impl Animate {
    fn morphed(&self, frame: &Frame, mesh: &FaceMesh, resources: &Resources) -> Result<Frame> {
        let missing = Error::Missing { attack: "animate", what: "a recording of another person" };
        let segment: &Segment = resources.other.as_ref().ok_or(missing)?;
        let (picture, other) = portrait(segment, resources)?;
        let (from, to) = (surface(&other), surface(mesh));
        let Some(mut target) = Tile::around(frame, mesh.bounds(), 0.12) else { return Ok(frame.clone()) };
        let mut forged = target.clone();
        let covered = paint(&mut forged, &Sampler::new(&picture), &from, &to, &Triangles::over(&from), true);
        let mut mask = Part::Face.mask(&target, mesh);
        mask.iter_mut().zip(covered).for_each(|(m, c)| *m *= c);
        blend(&mut target, forged, &mask, Blend::Colour, 0.05 * mesh.bounds()[2], self.morph as f32);
        let mut out = frame.clone();
        target.paste(&mut out);
        Ok(out)
    }
}

/// The face's points, a ring around the head that gives way, and points at the picture's edge that stay.
fn with_border(mesh: &FaceMesh, frame: &Frame) -> Vec<[f32; 3]> {
    let mut points = surface(mesh);
    let [x, y, w, h] = mesh.bounds();
    let (cx, cy) = (x + w / 2.0, y + h / 2.0);
    for i in 0..16 {
        let a = i as f32 * std::f32::consts::TAU / 16.0;
        points.push([cx + 0.85 * w * a.cos(), cy + 0.85 * h * a.sin(), 0.0]);
    }
    let (fw, fh) = (frame.width() as f32, frame.height() as f32);
    for i in 0..=6 {
        let t = i as f32 / 6.0;
        points.extend([[t * fw, 0.0, 0.0], [t * fw, fh, 0.0]]);
        if i % 6 != 0 {
            points.extend([[0.0, t * fh, 0.0], [fw, t * fh, 0.0]]);
        }
    }
    points
}

/// Times at which the lids close, seconds, a few seconds apart.
fn blinks(rng: &mut ChaCha8Rng) -> Vec<f64> {
    use rand::RngExt;
    let mut at = 0.0;
    let mut next = || {
        at += 1.5 + 4.0 * rng.random::<f64>();
        at
    };
    (0..400).map(|_| next()).collect()
}

/// How far the lids are closed `since` seconds after a blink began: down in 80 ms, up in 170.
fn lid(since: f64) -> f64 {
    match since {
        s if s < 0.0 => 0.0,
        s if s < 0.08 => s / 0.08,
        s if s < 0.25 => 1.0 - (s - 0.08) / 0.17,
        _ => 0.0,
    }
}

struct Animator<'a> {
    animate: &'a Animate,
    still: Frame,
    mesh: FaceMesh,
    points: Vec<[f32; 3]>,
    triangles: Triangles,
    interocular: f32,
    info: StreamInfo,
    resources: &'a Resources,
    turn: [Band; 3],
    speech: [Band; 2],
    blinks: Vec<f64>,
    hand: Hand,
    kernel: Kernel,
    begun: Option<(u64, Option<FaceMesh>)>,
}

impl Animator<'_> {
    fn turned(&self, to: &mut [[f32; 3]], seconds: f64) {
        let amount = self.animate.amount as f32;
        let at = |i: usize| self.turn.get(i).map_or(0.0, |b| b.at(seconds) as f32);
        let (yaw, pitch, roll) = (0.09 * amount * at(0), 0.06 * amount * at(1), 0.03 * amount * at(2));
        let [x, y, w, h] = self.mesh.bounds();
        let (cx, cy) = (x + w / 2.0, y + h / 2.0);
        for p in to.iter_mut().take(crate::analysis::face::mesh::SURFACE + 16) {
            // Nearer is smaller: turning to one side carries what is near along.
            let (dx, dy, z) = (p[0] - cx, p[1] - cy, -p[2]);
            p[0] = cx + dx * yaw.cos() + z * yaw.sin() - dy * roll;
            p[1] = cy + dy * pitch.cos() + z * pitch.sin() + dx * roll;
        }
    }

    fn spoken(&self, to: &mut [[f32; 3]], seconds: f64) {
        let [syllables, phrases] = &self.speech;
        let voiced = (phrases.at(seconds) + 0.6).clamp(0.0, 1.0);
        let open = (0.5 + 0.5 * syllables.at(seconds)).clamp(0.0, 1.3) * voiced * self.animate.amount;
        let lips = self.mesh.at(13);
        let chin = self.mesh.at(152);
        let reach = (chin[1] - lips[1]).abs().max(4.0);
        for p in to.iter_mut().take(crate::analysis::face::mesh::SURFACE) {
            // Below the middle of the lips everything sinks, at the sides of the face less.
            let below = ((p[1] - lips[1] + 0.5) / (0.12 * reach)).clamp(0.0, 1.0);
            let aside = 1.0 - ((p[0] - lips[0]).abs() / (1.3 * self.interocular)).clamp(0.0, 1.0);
            p[1] += below * aside * open as f32 * 0.2 * reach;
        }
    }

    fn blinked(&self, to: &mut [[f32; 3]], seconds: f64) {
        let closed = self.blinks.iter().map(|b| lid(seconds - b)).fold(0.0, f64::max) as f32;
        if closed <= 0.0 {
            return;
        }
        for eye in [RIGHT_EYE, LEFT_EYE] {
            let corner = |i: usize| eye.get(i).map_or([0.0; 2], |i| self.mesh.at(*i));
            let (a, b) = (corner(0), corner(1));
            let centre = [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
            let width = (a[0] - b[0]).hypot(a[1] - b[1]).max(1.0);
            // The lower lid's line: there the upper one comes to lie.
            let line = (corner(4)[1] + corner(5)[1]) / 2.0;
            for p in to.iter_mut().take(crate::analysis::face::mesh::SURFACE) {
                let (dx, dy) = ((p[0] - centre[0]) / (0.55 * width), (p[1] - centre[1]) / (0.6 * width));
                let weight = (1.0 - dx.hypot(dy)).clamp(0.0, 1.0).min(0.35) / 0.35;
                if p[1] < line {
                    p[1] += (line - p[1]) * weight * closed * 0.95;
                }
            }
        }
    }

    fn driven(&self, to: &mut [[f32; 3]], now: &FaceMesh, first: &FaceMesh) {
        let size = self.mesh.interocular() / first.interocular();
        for (i, p) in to.iter_mut().enumerate().take(crate::analysis::face::mesh::SURFACE) {
            let (a, b) = (first.at(i), now.at(i));
            p[0] += (b[0] - a[0]) * size * self.animate.amount as f32;
            p[1] += (b[1] - a[1]) * size * self.animate.amount as f32;
        }
    }
}

impl Edit for Animator<'_> {
    fn edit(&mut self, frame: &Frame, _index: usize) -> Result<Option<Frame>> {
        let drive = self.animate.drive;
        let driver = if drive == Drive::Recording { self.resources.face(frame, &self.info)? } else { None };
        let (begun, first) = self.begun.get_or_insert((frame.pts_ns, None));
        if first.is_none() {
            first.clone_from(&driver);
        }
        let (begun, first) = (*begun, first.clone());
        let seconds = frame.pts_ns.saturating_sub(begun) as f64 / 1e9;
        let mut to = self.points.clone();
        let all = drive == Drive::All;
        if drive == Drive::Mouth || all {
            self.spoken(&mut to, seconds);
        }
        if drive == Drive::Blink || all {
            self.blinked(&mut to, seconds);
        }
        if drive == Drive::Parallax || all {
            self.turned(&mut to, seconds);
        }
        if let (Some(now), Some(first)) = (&driver, &first) {
            self.driven(&mut to, now, first);
        }
        let mut out = self.still.clone();
        if to != self.points {
            let mut tile = Tile::whole(&self.still);
            paint(&mut tile, &Sampler::new(&self.still), &self.points, &to, &self.triangles, true);
            tile.paste(&mut out);
        }
        if self.animate.camera != Motion::STILL {
            let moved = self.hand.homography(seconds, self.info.width, self.info.height);
            out = warp(&out, &moved, &self.kernel).unwrap_or(out);
        }
        Ok(Some(out))
    }
}
