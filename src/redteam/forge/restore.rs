//! Forgery: the inner face made smooth, then sharp, as networks that "restore" faces leave it.

use super::edit::{Edit, Edited};
use super::parts::Part;
use super::tile::{Tile, blur};
use crate::recorded::{Frame, StreamInfo};
use crate::redteam::attack::{Attack, Family};
use crate::redteam::error::{Result, within};
use crate::redteam::resources::Resources;
use crate::redteam::source::{BoxSource, FrameSource, Scene};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Restore {
    /// Blur that takes the skin's grain, share of the distance of the eyes.
    pub smooth: f64,
    /// Sharpening of what is left.
    pub sharpen: f64,
    pub part: Part,
    pub strength: f64,
    /// The inner face alone is changed, and it counts as genuine: a beauty filter.
    pub beauty: bool,
}

impl Default for Restore {
    fn default() -> Self {
        Self { smooth: 0.03, sharpen: 1.2, part: Part::Inner, strength: 1.0, beauty: false }
    }
}

impl Attack for Restore {
    fn name(&self) -> &'static str {
        "restore"
    }

    fn family(&self) -> Family {
        if self.beauty { Family::Control } else { Family::Forgery }
    }

    fn check(&self) -> Result<()> {
        within("smooth", self.smooth, 0.0, 0.5, "0 to 0.5 of the distance of the eyes")?;
        within("sharpen", self.sharpen, 0.0, 10.0, "0 to 10")?;
        within("strength", self.strength, 0.0, 1.0, "0 to 1")
    }

    fn scene<'a>(
        &'a self,
        source: BoxSource<'a>,
        _seed: u64,
        resources: &'a Resources,
    ) -> Result<Box<dyn Scene + 'a>> {
        let info = source.info().clone();
        drop(resources.faces()?);
        Ok(Edited::boxed(source, Restorer { restore: self, info, resources }))
    }
}

struct Restorer<'a> {
    restore: &'a Restore,
    info: StreamInfo,
    resources: &'a Resources,
}

impl Edit for Restorer<'_> {
    fn edit(&mut self, frame: &Frame, _index: usize) -> Result<Option<Frame>> {
        let Some(mesh) = self.resources.face(frame, &self.info)? else { return Ok(None) };
        let Some(mut tile) = Tile::around(frame, mesh.bounds(), 0.1) else { return Ok(None) };
        let r = self.restore;
        let smooth = tile.blurred((r.smooth as f32 * mesh.interocular()).max(0.4));
        let wide = smooth.blurred(1.5);
        let mut sharp = smooth;
        let ([luma, ..], [low, ..]) = (&mut sharp.planes, &wide.planes);
        luma.iter_mut().zip(low).for_each(|(s, w)| *s += (*s - w) * r.sharpen as f32);
        let mut mask = r.part.mask(&tile, &mesh);
        if r.beauty {
            // Such filters spare eyes and lips.
            for part in [Part::Eyes, Part::Mouth] {
                let spared = part.mask(&tile, &mesh);
                mask.iter_mut().zip(spared).for_each(|(m, s)| *m *= 1.0 - s);
            }
        }
        let mask = blur(&mask, tile.w, 0.04 * mesh.bounds()[2]);
        tile.mix(&sharp, &mask, r.strength as f32);
        let mut out = frame.clone();
        tile.paste(&mut out);
        Ok(Some(out))
    }

    fn attacks(&self) -> bool {
        !self.restore.beauty
    }
}
