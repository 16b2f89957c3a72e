//! Controls: what happens in honest calls, and must not alarm.

use crate::analysis::face::mesh::{FaceMesh, LEFT_EYE, LIPS, RIGHT_EYE};
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Error, Result, within};
use crate::redteam::forge::edit::{Edit, Edited};
use crate::redteam::forge::parts::{flat, outline};
use crate::redteam::forge::tile::{Tile, blur, byte};
use crate::redteam::forge::triangles::{Sampler, fill, hull};
use crate::redteam::picture::{dim, resized};
use crate::redteam::random::{Band, Use, rng};
use crate::redteam::resources::{Resources, Segment};
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use serde::{Deserialize, Serialize};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incident {
    /// All but the person is blurred.
    Background,
    /// Lips, lids and cheeks coloured.
    MakeUp,
    /// Reflections on glasses.
    Glare,
    /// Little light.
    Dark,
    /// A small sensor, sharpened too much.
    OldWebcam,
    /// Darker skin, by a curve of tones.
    DarkerSkin,
    /// Left and right exchanged.
    Mirrored,
    /// A hand passes before the face.
    Hand,
    /// The head leaves the picture by its side and comes back.
    Away,
    /// Another person walks through behind.
    Visitor,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Benign<K> {
    pub what: Incident,
    /// 1 is plain to see.
    #[serde(default = "usual_amount")]
    pub amount: f64,
    /// An attack to which it happens; none for a control.
    pub of: Option<K>,
}

fn usual_amount() -> f64 {
    1.0
}

impl<K> Benign<K> {
    pub(crate) fn needs_faces(&self) -> bool {
        matches!(
            self.what,
            Incident::Background | Incident::MakeUp | Incident::Glare | Incident::Hand | Incident::Visitor
        )
    }
}

impl<K> Default for Benign<K> {
    fn default() -> Self {
        Self { what: Incident::Mirrored, amount: 1.0, of: None }
    }
}

impl<K: Attack> Attack for Benign<K> {
    fn name(&self) -> &'static str {
        "daily"
    }

    fn family(&self) -> Family {
        match self.of.as_ref().map(|of| of.family()) {
            None | Some(Family::Control) => Family::Control,
            Some(_) => Family::Partial,
        }
    }

    fn check(&self) -> Result<()> {
        within("amount", self.amount, 0.0, 2.0, "0 to 2")?;
        self.of.as_ref().map_or(Ok(()), |of| of.check())
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let missing = Error::Missing { attack: "daily", what: "a recording of another person" };
        let other = match (self.what, &resources.other) {
            (Incident::Visitor, None) => return Err(missing),
            (_, other) => other.as_ref(),
        };
        let mut rng = rng(seed, Use::Adversarial, 0);
        let sway = [Band::new(&mut rng, 0.1, 0.5), Band::new(&mut rng, 0.1, 0.4)];
        let info = source.info().clone();
        let editor = IncidentEditor {
            what: self.what,
            amount: self.amount,
            info,
            resources,
            other,
            sway,
            phase: (seed % 7) as f64 / 7.0,
        };
        match &self.of {
            None => Ok(Edited::boxed(source, editor)),
            Some(of) => {
                let inner = of.render(source, seed, resources)?;
                Ok(Box::new(BenignOverAttack { inner, editor, index: 0 }))
            }
        }
    }
}

/// An attack to which something happens.
struct BenignOverAttack<'a> {
    inner: Box<dyn Scene + 'a>,
    editor: IncidentEditor<'a>,
    index: usize,
}

impl FrameSource for BenignOverAttack<'_> {
    fn info(&self) -> &StreamInfo {
        self.inner.info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.inner.next_frame()? else { return Ok(None) };
        self.index += 1;
        let changed = self.editor.edit(&frame, self.index - 1)?;
        Ok(Some(changed.map_or_else(|| frame.clone(), |c| c.at(frame.pts_ns, frame.duration_ns))))
    }
}

impl Scene for BenignOverAttack<'_> {
    fn onset_pts(&self) -> Option<u64> {
        self.inner.onset_pts()
    }
}

struct IncidentEditor<'a> {
    what: Incident,
    amount: f64,
    info: StreamInfo,
    resources: &'a Resources,
    other: Option<&'a Segment>,
    sway: [Band; 2],
    /// Where in its course the first picture is, 0 to 1.
    phase: f64,
}

impl IncidentEditor<'_> {
    fn sway(&self, axis: usize, seconds: f64) -> f32 {
        self.sway.get(axis).map_or(0.0, |b| b.at(seconds) as f32)
    }

    fn background(&self, frame: &Frame, mesh: &FaceMesh) -> Option<Frame> {
        let mut tile = Tile::whole(frame);
        let [x, y, w, h] = mesh.bounds();
        let (cx, bottom) = (x + w / 2.0, frame.height() as f32);
        let mut person = fill(&tile, &outline(mesh, 0.3));
        let chin = y + 0.9 * h;
        let body = [
            [cx - 0.4 * w, chin],
            [cx + 0.4 * w, chin],
            [cx + 1.4 * w, chin + 0.7 * h],
            [cx + 1.5 * w, bottom],
            [cx - 1.5 * w, bottom],
            [cx - 1.4 * w, chin + 0.7 * h],
        ];
        person.iter_mut().zip(fill(&tile, &body)).for_each(|(p, b)| *p = p.max(b));
        let soft = blur(&person, tile.w, 2.0);
        let behind: Vec<f32> = soft.iter().map(|p| 1.0 - p).collect();
        let far = tile.blurred(9.0);
        tile.mix(&far, &behind, self.amount.min(1.0) as f32);
        let mut out = frame.clone();
        tile.paste(&mut out);
        Some(out)
    }

    fn painted(&self, frame: &Frame, mesh: &FaceMesh, seconds: f64) -> Option<Frame> {
        let mut tile = Tile::around(frame, mesh.bounds(), 0.1)?;
        let size = mesh.interocular();
        let amount = self.amount as f32;
        let mut lay = |polygon: &[[f32; 2]], colour: [f32; 3], strength: f32, edge: f32| {
            let mask = blur(&fill(&tile, polygon), tile.w, edge);
            for (plane, c) in tile.planes.iter_mut().zip(colour) {
                plane.iter_mut().zip(&mask).for_each(|(p, m)| *p += c * strength * m);
            }
        };
        if self.what == Incident::MakeUp {
            lay(&hull(&flat(mesh, &LIPS), 0.02), [-18.0, -4.0, 22.0], amount, 0.02 * size);
            for eye in [RIGHT_EYE, LEFT_EYE] {
                lay(&hull(&flat(mesh, &eye), 0.5), [-16.0, 6.0, 2.0], amount, 0.06 * size);
            }
            for cheek in [[117, 118, 101, 205, 187], [346, 347, 330, 425, 411]] {
                lay(&hull(&flat(mesh, &cheek), 0.1), [2.0, -2.0, 9.0], amount, 0.12 * size);
            }
        } else {
            // A window in each glass: it moves as the head turns.
            let pose = mesh.pose();
            for eye in [RIGHT_EYE, LEFT_EYE] {
                let [a, b] = [mesh.at(eye[0]), mesh.at(eye[1])];
                let shift =
                    [pose.yaw * 0.8 * size, pose.pitch * 0.8 * size + 0.02 * size * self.sway(0, seconds)];
                let c = [(a[0] + b[0]) / 2.0 + shift[0], (a[1] + b[1]) / 2.0 + shift[1]];
                let (w, h) = (0.16 * size, 0.1 * size);
                let window = [
                    [c[0] - w, c[1] - h],
                    [c[0] + w, c[1] - 1.3 * h],
                    [c[0] + w, c[1] + h],
                    [c[0] - w, c[1] + 0.7 * h],
                ];
                lay(&window, [95.0, 4.0, -6.0], amount, 0.02 * size);
            }
        }
        let mut out = frame.clone();
        tile.paste(&mut out);
        Some(out)
    }

    fn hand(&self, frame: &Frame, mesh: &FaceMesh, seconds: f64) -> Option<Frame> {
        // Two seconds in every five it is before the face.
        let course = (seconds / 5.0 + self.phase).fract() * 2.5;
        if course >= 1.0 {
            return None;
        }
        let mut tile = Tile::whole(frame);
        let [x, y, w, h] = mesh.bounds();
        let reach = (course as f32 * std::f32::consts::PI).sin();
        let palm = [x + w * (1.5 - 1.1 * reach) + 2.0 * self.sway(1, seconds), y + 0.6 * h];
        let mut mask = vec![0.0f32; tile.w * tile.h];
        let mut add = |polygon: Vec<[f32; 2]>| {
            mask.iter_mut().zip(fill(&tile, &polygon)).for_each(|(m, f)| *m = m.max(f));
        };
        let oval = |c: [f32; 2], rx: f32, ry: f32, lean: f32| -> Vec<[f32; 2]> {
            let turn = |i: i32| i as f32 * std::f32::consts::TAU / 20.0;
            (0..20)
                .map(|i| [c[0] + rx * turn(i).cos() + lean * ry * turn(i).sin(), c[1] + ry * turn(i).sin()])
                .collect()
        };
        add(oval(palm, 0.27 * w, 0.25 * h, 0.0));
        for finger in -2..=2 {
            let f = finger as f32;
            let tip = [palm[0] + 0.11 * w * f, palm[1] - 0.33 * h + 0.03 * h * f * f];
            add(oval(tip, 0.055 * w, 0.22 * h, -0.12 * f));
        }
        let soft = blur(&mask, tile.w, 1.0);
        // The skin of the forehead, shaded round.
        let patch = Tile::around(
            frame,
            {
                let c = mesh.at(151);
                [c[0] - 3.0, c[1] - 3.0, 6.0, 6.0]
            },
            0.0,
        )?;
        let skin = [0, 1, 2].map(|i| patch.moments(i, &vec![1.0; patch.w * patch.h]).0);
        let shade = blur(&mask, tile.w, 0.08 * w);
        let texture = Sampler::new(frame);
        let mut over = tile.clone();
        for i in (0..tile.w * tile.h).filter(|i| mask.get(*i).is_some_and(|m| *m > 0.0)) {
            let (px, py) = ((i % tile.w) as f32, (i / tile.w) as f32);
            let grain = texture.at(mesh.at(151)[0] + px % 7.0, mesh.at(151)[1] + py % 5.0)[0] - skin[0];
            let light = 0.75 + 0.3 * shade.get(i).copied().unwrap_or(1.0);
            for (c, plane) in over.planes.iter_mut().enumerate() {
                if let Some(p) = plane.get_mut(i) {
                    *p = if c == 0 {
                        skin[0] * light + 0.5 * grain
                    } else {
                        skin.get(c).copied().unwrap_or(128.0)
                    };
                }
            }
        }
        tile.mix(&over, &soft, 1.0);
        let mut out = frame.clone();
        tile.paste(&mut out);
        Some(out)
    }

    fn visitor(
        &self,
        frame: &Frame,
        mesh: Option<&FaceMesh>,
        index: usize,
        seconds: f64,
    ) -> Result<Option<Frame>> {
        let Some(other) = self.other.and_then(|t| Resources::swing(t, index)) else { return Ok(None) };
        let (w, h) = (frame.width() as f32, frame.height() as f32);
        let small = resized(other, frame.width() / 2, frame.height() / 2)?;
        let course = (seconds / 7.0 + self.phase).fract() as f32;
        let (x, y) = (w * (1.5 * course - 0.5), 0.12 * h + 2.0 * self.sway(0, seconds));
        let mut tile = Tile::whole(frame);
        let (rx, ry) = (0.15 * w, 0.24 * h);
        let c = [x + w / 4.0, y + h / 4.0];
        let turn = |i: i32| i as f32 * std::f32::consts::TAU / 24.0;
        let shape: Vec<[f32; 2]> =
            (0..24).map(|i| [c[0] + rx * turn(i).cos(), c[1] + ry * turn(i).sin()]).collect();
        let mut mask = fill(&tile, &shape);
        if let Some(mesh) = mesh {
            // Behind the one who calls.
            mask.iter_mut().zip(fill(&tile, &outline(mesh, 0.35))).for_each(|(m, f)| *m *= 1.0 - f);
        }
        let soft = blur(&mask, tile.w, 2.0);
        let texture = Sampler::new(&small);
        let mut over = tile.clone();
        for i in (0..tile.w * tile.h).filter(|i| soft.get(*i).is_some_and(|m| *m > 0.0)) {
            let colour = texture.at((i % tile.w) as f32 + 0.5 - x, (i / tile.w) as f32 + 0.5 - y);
            for (plane, v) in over.planes.iter_mut().zip(colour) {
                if let Some(p) = plane.get_mut(i) {
                    *p = v;
                }
            }
        }
        tile.mix(&over, &soft, 1.0);
        let mut out = frame.clone();
        tile.paste(&mut out);
        Ok(Some(out))
    }
}

/// Every row of every plane, changed.
fn rows(frame: &Frame, change: impl Fn(&mut [u8])) -> Frame {
    let widths = frame.planes().map(|(_, w, _)| (w as usize).max(1));
    let mut out = frame.clone();
    for (plane, w) in out.planes_mut().into_iter().zip(widths) {
        plane.chunks_exact_mut(w).for_each(&change);
    }
    out
}

impl Edit for IncidentEditor<'_> {
    fn edit(&mut self, frame: &Frame, index: usize) -> Result<Option<Frame>> {
        let seconds = frame.pts_ns as f64 / 1e9;
        let amount = self.amount as f32;
        let face = || self.resources.face(frame, &self.info);
        Ok(match self.what {
            Incident::Background => face()?.and_then(|m| self.background(frame, &m)),
            Incident::MakeUp | Incident::Glare => face()?.and_then(|m| self.painted(frame, &m, seconds)),
            Incident::Hand => face()?.and_then(|m| self.hand(frame, &m, seconds)),
            Incident::Visitor => self.visitor(frame, face()?.as_ref(), index, seconds)?,
            Incident::Mirrored => Some(rows(frame, <[u8]>::reverse)),
            Incident::Dark => {
                let mut out = frame.clone();
                dim(&mut out, 0.2 / amount.max(0.1));
                Some(out)
            }
            Incident::DarkerSkin => {
                let mut out = frame.clone();
                let table: Vec<u8> = (0..=255u16)
                    .map(|v| byte((f32::from(v) / 255.0).powf(1.0 + 0.8 * amount) * 255.0))
                    .collect();
                let [y, ..] = out.planes_mut();
                y.iter_mut().for_each(|p| *p = table.get(usize::from(*p)).copied().unwrap_or(*p));
                Some(out)
            }
            Incident::OldWebcam => {
                let small = resized(frame, frame.width() * 2 / 5, frame.height() * 2 / 5)?;
                let mut out = resized(&small, frame.width(), frame.height())?;
                let mut tile = Tile::whole(&out);
                let soft = tile.blurred(1.5);
                let ([luma, ..], [low, ..]) = (&mut tile.planes, &soft.planes);
                luma.iter_mut().zip(low).for_each(|(p, s)| *p += (*p - s) * 1.5 * amount);
                tile.paste(&mut out);
                Some(out)
            }
            Incident::Away => {
                // The picture slides to the side and back, once in six seconds; its border goes on.
                let course = (seconds / 6.0 + self.phase).fract();
                let out_of_sight = (1.0 - (std::f64::consts::TAU * course).cos()) / 2.0;
                let share = 0.55 * f64::from(amount) * out_of_sight.powi(2);
                Some(rows(frame, |line| {
                    let shift = (share * line.len() as f64) as usize;
                    let edge = line.first().copied().unwrap_or(0);
                    let keep = line.len().saturating_sub(shift);
                    line.copy_within(..keep, shift.min(line.len()));
                    line.get_mut(..shift).unwrap_or_default().fill(edge);
                }))
            }
        })
    }

    fn attacks(&self) -> bool {
        false
    }
}
