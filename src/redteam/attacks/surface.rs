//! What a print or a screen does to a picture shown on it.

use crate::recorded::Frame;
use serde::{Deserialize, Serialize};

/// What the picture is shown on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    #[default]
    Matte,
    Glossy,
    /// A phone: raised black, stripes of red, green and blue.
    Lcd,
    /// Deep black, strong colours, a grid of diamonds.
    Oled,
    /// A large monitor: its pixels are finer than the camera's.
    Monitor4k,
    /// Weak contrast, a little blur, brighter in the middle, bands of its colour wheel.
    Projector,
}

/// The numbers behind a [`Surface`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub contrast: f32,
    pub black: f32,
    pub saturation: f32,
    /// Display gamma against the camera's, 1 for none.
    pub gamma: f32,
    /// Distance of its pixels in the camera's, across; no grid when 0.
    pub pitch: f32,
    /// Depth of the grid in luma and in chroma.
    pub grid: (f32, f32),
    /// Depth, count in the picture and speed (pictures a second) of bands from its refresh.
    pub bands: (f32, f32, f32),
    /// Halftone dots: distance and depth.
    pub dots: (f32, f32),
    /// Darker towards the edges.
    pub vignette: f32,
    pub screen: bool,
}

const PRINT: Look = Look {
    contrast: 0.82,
    black: 12.0,
    saturation: 0.85,
    gamma: 1.0,
    pitch: 0.0,
    grid: (0.0, 0.0),
    bands: (0.0, 0.0, 0.0),
    dots: (2.3, 0.05),
    vignette: 0.0,
    screen: false,
};

impl Surface {
    pub const fn look(self) -> Look {
        let screen = Look { dots: (0.0, 0.0), screen: true, ..PRINT };
        match self {
            Self::Matte => PRINT,
            Self::Glossy => Look { contrast: 0.95, black: 5.0, saturation: 1.0, dots: (1.7, 0.03), ..PRINT },
            Self::Lcd => Look {
                contrast: 0.9,
                black: 14.0,
                saturation: 0.95,
                gamma: 0.95,
                pitch: 1.37,
                grid: (0.1, 5.0),
                bands: (0.03, 1.5, 0.7),
                ..screen
            },
            Self::Oled => Look {
                contrast: 1.08,
                black: -4.0,
                saturation: 1.25,
                gamma: 1.1,
                pitch: 1.71,
                grid: (0.14, 4.0),
                bands: (0.06, 3.0, 2.3),
                ..screen
            },
            Self::Monitor4k => Look {
                contrast: 0.95,
                black: 8.0,
                saturation: 1.0,
                pitch: 0.61,
                grid: (0.04, 2.0),
                bands: (0.02, 1.0, 0.4),
                ..screen
            },
            Self::Projector => Look {
                contrast: 0.7,
                black: 24.0,
                saturation: 0.8,
                gamma: 0.9,
                bands: (0.05, 2.0, 5.1),
                vignette: 0.35,
                ..screen
            },
        }
    }
}

/// What holds still on the page: tones and dots.
pub fn tone(page: &mut Frame, look: &Look) {
    let table: Vec<u8> = (0..=255)
        .map(|v| {
            let v = ((v as f32 - 16.0) / 219.0).clamp(0.0, 1.0).powf(look.gamma) * 219.0;
            (v * look.contrast + look.black + 16.5) as u8
        })
        .collect();
    let width = page.width() as usize;
    let [y, u, v] = page.planes_mut();
    let (pitch, depth) = look.dots;
    for (row, line) in y.chunks_exact_mut(width.max(1)).enumerate() {
        for (x, p) in line.iter_mut().enumerate() {
            let value = f32::from(table.get(usize::from(*p)).copied().unwrap_or(*p));
            let dot = if depth > 0.0 {
                // A screen of 45 degrees, coarser than the print's real one as far as the camera can tell.
                let (a, b) = ((x + row) as f32 / pitch, (x as f32 - row as f32) / pitch);
                1.0 + depth * (std::f32::consts::TAU * a).cos() * (std::f32::consts::TAU * b).cos()
            } else {
                1.0
            };
            *p = (value * dot + 0.5) as u8;
        }
    }
    for p in u.iter_mut().chain(v) {
        *p = ((f32::from(*p) - 128.0) * look.saturation + 128.5) as u8;
    }
}

/// What the screen adds for the camera: its grid, which beats with the camera's own, and bands of its refresh. `back`
/// goes from the picture to the page.
pub fn scan(frame: &mut Frame, look: &Look, back: &nalgebra::Matrix3<f64>, seconds: f64) {
    if !look.screen {
        return;
    }
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (strength, count, speed) = look.bands;
    let tau = std::f32::consts::TAU;
    let grid = look.pitch > 0.0;
    let turns = if grid { tau / look.pitch } else { 0.0 };
    let [y, u, v] = frame.planes_mut();
    for (row, line) in y.chunks_exact_mut(w.max(1)).enumerate() {
        let at = row as f32 / h as f32;
        let band = 1.0 + strength * (tau * (at * count - seconds as f32 * speed)).sin();
        let tall = at - 0.5;
        for (x, p) in line.iter_mut().enumerate() {
            let mut gain = band;
            if grid {
                let (a, b) = on_page(back, x as f64 + 0.5, row as f64 + 0.5);
                gain *= 1.0 + look.grid.0 * 0.5 * ((turns * a).cos() + (turns * b).cos());
            }
            if look.vignette > 0.0 {
                let wide = x as f32 / w as f32 - 0.5;
                gain *= 1.0 - look.vignette * 2.0 * (wide * wide + tall * tall);
            }
            *p = ((f32::from(*p) - 16.0) * gain + 16.5) as u8;
        }
    }
    if !grid {
        return;
    }
    let half = w.div_ceil(2).max(1);
    for (plane, phase) in [(u, 0.0f32), (v, tau / 3.0)] {
        for (row, line) in plane.chunks_exact_mut(half).enumerate() {
            for (x, p) in line.iter_mut().enumerate() {
                // Red, green and blue lie beside each other: they beat a third of a turn apart.
                let (a, _) = on_page(back, 2.0 * x as f64 + 1.0, 2.0 * row as f64 + 1.0);
                *p = (f32::from(*p) + look.grid.1 * (turns * a + phase).cos() + 0.5) as u8;
            }
        }
    }
}

fn on_page(back: &nalgebra::Matrix3<f64>, x: f64, y: f64) -> (f32, f32) {
    let z = back[(2, 0)] * x + back[(2, 1)] * y + back[(2, 2)];
    let z = if z.abs() < 1e-9 { 1e-9 } else { z };
    let a = (back[(0, 0)] * x + back[(0, 1)] * y + back[(0, 2)]) / z;
    let b = (back[(1, 0)] * x + back[(1, 1)] * y + back[(1, 2)]) / z;
    (a as f32, b as f32)
}
