//! What the simulated camera looks at: a room in linear light, made of smooth functions, so that no pixel grid, codec or
//! scaler has been there before; and a head that moves in it.

use crate::redteam::random::{Band, Use, rng};
use rand::RngExt;

/// A picture in linear light, RGB, 1 is white. Rows from above.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[f32; 3]>,
}

/// One room with one head.
#[derive(Clone, Debug)]
pub struct Room {
    things: Vec<Thing>,
    waves: Vec<[f32; 4]>,
    sway: [Band; 2],
    skin: [f32; 3],
    /// What stands still, as it was last drawn.
    still: Option<Linear>,
}

/// An ellipse or a rectangle with soft borders, in heights of the picture.
#[derive(Clone, Debug)]
struct Thing {
    at: [f32; 2],
    half: [f32; 2],
    round: bool,
    soft: f32,
    colour: [f32; 3],
}

impl Thing {
    /// How much of it is at a place, 0..1.
    fn cover(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = ((x - self.at[0]) / self.half[0], (y - self.at[1]) / self.half[1]);
        let out = if self.round { dx.hypot(dy) - 1.0 } else { dx.abs().max(dy.abs()) - 1.0 };
        let d = out * self.half[0].min(self.half[1]) / self.soft;
        (0.5 - d).clamp(0.0, 1.0)
    }
}

impl Room {
    pub fn new(seed: u64) -> Self {
        let mut rng = rng(seed, Use::Choice, 1);
        let mut uniform = |low: f32, high: f32| low + (high - low) * rng.random::<f32>();
        let things = (0..9)
            .map(|_| {
                let grey = uniform(0.04, 0.7);
                Thing {
                    at: [uniform(0.0, 1.78), uniform(0.0, 1.0)],
                    half: [uniform(0.05, 0.35), uniform(0.05, 0.35)],
                    round: uniform(0.0, 1.0) < 0.4,
                    soft: uniform(0.004, 0.03),
                    colour: [grey * uniform(0.7, 1.2), grey, grey * uniform(0.7, 1.2)],
                }
            })
            .collect();
        let waves = (0..6)
            .map(|_| [uniform(-9.0, 9.0), uniform(-9.0, 9.0), uniform(0.0, 6.3), uniform(0.01, 0.05)])
            .collect();
        let tone = uniform(0.12, 0.5);
        let sway = std::array::from_fn(|_| Band::new(&mut rng, 0.1, 0.8));
        Self { things, waves, sway, skin: [tone * 1.25, tone, tone * 0.8], still: None }
    }

    /// Where the head is: middle and half axes, in heights of the picture.
    fn head(&self, seconds: f64, aspect: f32) -> ([f32; 2], [f32; 2]) {
        let sway = |b: &Band| 0.02 * b.at(seconds) as f32;
        ([aspect / 2.0 + sway(&self.sway[0]), 0.52 + sway(&self.sway[1])], [0.2, 0.29])
    }

    /// The head's rectangle at a time, as fractions of the picture: x, y, width, height.
    pub fn face(&self, width: u32, height: u32, seconds: f64) -> [f64; 4] {
        let aspect = width as f32 / height as f32;
        let (at, half) = self.head(seconds, aspect);
        let x = |v: f32| f64::from(v / aspect);
        [x(at[0] - half[0]), f64::from(at[1] - half[1]), x(2.0 * half[0]), f64::from(2.0 * half[1])]
    }

    /// The room at a time; `rolling` seconds pass from the first row to the last.
    pub fn linear(&mut self, width: u32, height: u32, seconds: f64, rolling: f64) -> Linear {
        let (w, h) = (width as usize, height as usize);
        let unit = 1.0 / height as f32;
        if self.still.as_ref().is_none_or(|s| (s.width, s.height) != (w, h)) {
            let pixels = (0..w * h).map(|i| {
                let (x, y) = (((i % w) as f32 + 0.5) * unit, ((i / w) as f32 + 0.5) * unit);
                self.background(x, y)
            });
            self.still = Some(Linear { width: w, height: h, pixels: pixels.collect() });
        }
        let mut out = self.still.clone().unwrap_or(Linear { width: w, height: h, pixels: Vec::new() });
        for row in 0..h {
            let moment = seconds + rolling * row as f64 / h as f64;
            let (at, half) = self.head(moment, width as f32 * unit);
            let y = (row as f32 + 0.5) * unit;
            if (y - at[1]).abs() > half[1] * 1.2 {
                continue;
            }
            let column = |x: f32| ((x / unit).max(0.0) as usize).min(w);
            let (left, right) = (column(at[0] - half[0] * 1.2), column(at[0] + half[0] * 1.2));
            for i in left..right {
                let x = (i as f32 + 0.5) * unit;
                if let Some(pixel) = out.pixels.get_mut(row * w + i) {
                    self.draw_head(pixel, (x - at[0]) / half[0], (y - at[1]) / half[1]);
                }
            }
        }
        out
    }

    fn background(&self, x: f32, y: f32) -> [f32; 3] {
        let wall = 0.35 + 0.25 * (0.9 * x - 0.4 * y).sin();
        let mut c = [wall * 1.02, wall, wall * 0.95];
        for thing in &self.things {
            let k = thing.cover(x, y);
            for (c, t) in c.iter_mut().zip(thing.colour) {
                *c += k * (t - *c);
            }
        }
        let cloth: f32 =
            self.waves.iter().map(|[a, b, p, s]| s * (6.0 * a * x + 6.0 * b * y + p).sin()).sum();
        c.map(|c| (c * (1.0 + cloth)).clamp(0.005, 0.98))
    }

    /// `x`, `y`: place in half axes of the head.
    fn draw_head(&self, pixel: &mut [f32; 3], x: f32, y: f32) {
        let soft = |d: f32, width: f32| (0.5 - d / width).clamp(0.0, 1.0);
        let shade = 1.0 - 0.35 * (0.6 * x + 0.3 * y);
        let blob = |bx: f32, by: f32, rx: f32, ry: f32| soft(((x - bx) / rx).hypot((y - by) / ry) - 1.0, 0.5);
        let dark =
            blob(-0.4, -0.15, 0.14, 0.07).max(blob(0.4, -0.15, 0.14, 0.07)).max(blob(0.0, 0.5, 0.3, 0.06));
        let hair = soft(y + 0.62 + 0.1 * x * x, 0.08);
        let k = soft(x.hypot(y) - 1.0, 0.05);
        for (p, skin) in pixel.iter_mut().zip(self.skin) {
            let mut c = skin * shade * (1.0 - 0.75 * dark);
            c += hair * (0.04 - c);
            *p += k * (c.clamp(0.005, 0.98) - *p);
        }
    }
}
