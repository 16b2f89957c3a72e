//! Processor time of each signal: microseconds for each face observed (for the stream's signals: each frame analysed),
//! on a made-up face that moves, speaks, blinks and looks around, and of each of the model directory's networks that
//! watch a face, if they are fetched. `cargo bench --bench signals`; a table in Markdown.
//!
//! Prints numbers and asserts nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::evidence::calibration::Calibration;
use gstdeepfake::analysis::face::chain::{Chain, Face};
use gstdeepfake::analysis::face::models::{
    BLENDSHAPE_POINTS, BLENDSHAPES, DetectorOutput, DetectorRange, FaceModels, MeshKind, MeshOutput,
};
use gstdeepfake::analysis::networks::crop::FaceBox;
use gstdeepfake::analysis::networks::look::{Shown, Viewer};
use gstdeepfake::analysis::networks::memory::Memory;
use gstdeepfake::analysis::networks::models::{NetworkInput, NetworkModels, NetworkOutput};
use gstdeepfake::analysis::networks::spec::NetworkSpec;
use gstdeepfake::analysis::pixels::fingerprint::{Fingerprint, Print};
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::analysis::signals::repeat::Repeat;
use gstdeepfake::analysis::signals::{FaceObservation, face_signals};
use gstdeepfake::inference::{Config, FaceModelSet, Wanted};
use ndarray::ArrayView4;
use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const W: usize = 480;
const H: usize = 360;
/// Frames a second of the stream, of which every second one is analysed.
const FPS: u64 = 30;
/// Seconds before the clock runs, so that every memory is full, and seconds that are measured.
const WARM: u64 = 20;
const SECONDS: u64 = 20;
/// The repeat check looks back so far, seconds.
const HISTORY: u64 = 120;

/// A number in -1..1 that looks like chance.
fn chance(n: u64) -> f32 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 40) as f32 / (1u32 << 23) as f32 - 1.0
}

/// A person's moment, seconds.
#[derive(Clone, Copy)]
struct Person(f32);

impl Person {
    fn wave(self, hertz: f32) -> f32 {
        (self.0 * hertz * std::f32::consts::TAU).sin()
    }

    /// Turning of the head, radians.
    fn yaw(self) -> f32 {
        0.15 * self.wave(0.2)
    }

    /// 1 with open eyes, 0 with shut ones: two tenths of a second every three seconds.
    fn open(self) -> f32 {
        if self.0 % 3.1 < 0.2 { 0.1 } else { 1.0 }
    }

    /// Speaks every other five seconds.
    fn mouth(self) -> f32 {
        if self.0 % 10.0 < 5.0 { 0.02 + 0.02 * self.wave(2.3) } else { 0.005 }
    }

    /// The point of the mesh, in shares of the aligned crop; the last number is depth.
    fn point(self, index: usize, of: usize) -> [f32; 3] {
        let side = |x: f32, left: bool| if left { 1.0 - x } else { x };
        let lid = |x: f32, up: bool, left: bool| {
            [side(x, left), 0.42 + if up { -0.014 } else { 0.014 } * self.open()]
        };
        let iris = |k: usize, left: bool| {
            let centre = [side(0.405, left) + 0.008 * self.wave(0.31), 0.42 + 0.003 * self.wave(0.47)];
            let rim = [[0.0, 0.0], [0.012, 0.0], [0.0, -0.012], [-0.012, 0.0], [0.0, 0.012]];
            let [dx, dy] = rim.get(k).copied().unwrap_or_default();
            [centre[0] + dx, centre[1] + dy]
        };
        let a = index as f32 * 2.399_963;
        let r = ((index as f32 + 0.5) / of as f32).sqrt() / 2.95;
        let [x, y] = match index {
            33 | 263 => [side(0.36, index == 263), 0.42],
            133 | 362 => [side(0.45, index == 362), 0.42],
            160 | 387 => lid(0.385, true, index == 387),
            158 | 385 => lid(0.425, true, index == 385),
            144 | 373 => lid(0.385, false, index == 373),
            153 | 380 => lid(0.425, false, index == 380),
            13 => [0.5, 0.66 - self.mouth()],
            14 => [0.5, 0.66 + self.mouth()],
            61 | 291 => [side(0.43, index == 291), 0.66],
            468..473 => iris(index - 468, false),
            473..478 => iris(index - 473, true),
            _ => [0.5 + r * a.cos(), 0.5 + r * a.sin()],
        };
        // A head is round: what is nearer moves farther when it turns.
        let z = -0.25 * (1.0 - 6.0 * ((x - 0.5).powi(2) + (y - 0.5).powi(2))).max(0.0).sqrt();
        [0.5 + (x - 0.5) * self.yaw().cos() - z * self.yaw().sin(), y, z]
    }
}

/// Networks that find that person.
struct Made {
    now: Rc<Cell<Person>>,
    calls: u64,
}

impl FaceModels for Made {
    type Error = Infallible;

    fn detect(
        &mut self,
        range: DetectorRange,
        _: ArrayView4<'_, f32>,
        out: &mut DetectorOutput,
    ) -> Result<(), Infallible> {
        let side = range.input_side() as f32;
        out.regressors = vec![0.0; range.anchors() * 16];
        out.scores = vec![-20.0; range.anchors()];
        // The first anchor is in the middle of the first cell.
        let anchor = if range == DetectorRange::Short { 4.0 } else { 2.0 };
        let (centre, size) = (side / 2.0 - anchor, side / 2.2);
        let row = [centre, centre, size, size, centre - 6.0, centre, centre + 6.0, centre];
        out.scores[0] = 6.0;
        out.regressors[..8].copy_from_slice(&row);
        Ok(())
    }

    fn mesh(
        &mut self,
        kind: MeshKind,
        _: ArrayView4<'_, f32>,
        out: &mut MeshOutput,
    ) -> Result<(), Infallible> {
        let side = kind.input_side() as f32;
        self.calls += 1;
        out.presence = 6.0;
        out.points.clear();
        // The crop follows the face: what is added to the place is a velocity.
        let person = self.now.get();
        let drift = [0.004 * person.wave(0.4), 0.003 * person.wave(0.33)];
        for i in 0..kind.points() {
            let [x, y, z] = person.point(i, kind.points());
            let noise = [0, 1].map(|k| 0.0006 * chance(self.calls * 2048 + i as u64 * 2 + k));
            out.points.extend([x + drift[0] + noise[0], y + drift[1] + noise[1], z].map(|v| v * side));
        }
        Ok(())
    }

    fn blendshapes(
        &mut self,
        _: &[[f32; 2]; BLENDSHAPE_POINTS],
        out: &mut [f32; BLENDSHAPES],
    ) -> Result<(), Infallible> {
        for (i, slot) in out.iter_mut().enumerate() {
            let face = self.now.get().wave(0.2 + 0.05 * i as f32);
            *slot = 0.15 + 0.1 * face + 0.02 * chance(self.calls * 64 + i as u64);
        }
        Ok(())
    }
}

impl NetworkModels for Made {
    fn networks(&self) -> &[Arc<NetworkSpec>] {
        &[]
    }

    fn network(&mut self, _: usize, _: NetworkInput<'_>, _: &mut NetworkOutput) -> Result<(), Infallible> {
        Ok(())
    }
}

/// RGB, textured like skin, with a pulse and a sensor's noise.
fn picture(n: u64, width: usize, height: usize) -> Vec<u8> {
    let person = Person(n as f32 / FPS as f32);
    let mut data = Vec::with_capacity(width * height * 3);
    let (sway, beat) = (3.0 * person.wave(0.4), 1.2 * person.wave(1.2));
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 + sway, y as f32);
            let detail = 30.0 * (u * 0.21).sin() * (v * 0.17).cos() + 12.0 * (u * 0.83 + v * 0.61).sin();
            let noise = 3.0 * chance((n * height as u64 + y as u64) * width as u64 + x as u64);
            for base in [168.0, 128.0 + beat, 104.0] {
                data.push((base + detail + noise) as u8);
            }
        }
    }
    data
}

fn view<'a>(data: &'a [u8], width: usize, height: usize, planes: &'a mut Vec<Plane<'a>>) -> FrameView<'a> {
    planes.push(Plane { data, stride: width * 3 });
    FrameView::new(PixelFormat::Rgb, width, height, Colour::default(), planes).unwrap()
}

/// Time of single calls, and how many of them said something.
#[derive(Default)]
struct Cost {
    times: Vec<Duration>,
    spoke: usize,
}

impl Cost {
    fn time<T>(&mut self, work: impl FnOnce() -> Option<T>) {
        let start = Instant::now();
        let said = std::hint::black_box(work()).is_some();
        self.times.push(start.elapsed());
        self.spoke += usize::from(said);
    }

    /// A row of the table; `rate` is how often it runs, a second.
    fn print(&mut self, name: &str, rate: f64) {
        self.times.sort();
        let n = self.times.len().max(1);
        let us = |d: Duration| d.as_secs_f64() * 1e6;
        let mean = self.times.iter().copied().map(us).sum::<f64>() / n as f64;
        let p99 = self.times.get((n * 99 / 100).min(n - 1)).copied().map_or(0.0, us);
        let (spoke, share) = (self.spoke * 100 / n, mean * rate / 1e4);
        println!("| `{name}` | {mean:.1} | {p99:.1} | {spoke} % | {rate:.1} | {share:.3} % |");
    }
}

fn main() {
    let rate = Profile::Balanced.rates().calibrate.max(Profile::Balanced.rates().alarm);
    let step = FPS / 15;
    let kind = Profile::Balanced.chain(1, 40.0).mesh;
    let now = Rc::new(Cell::new(Person(0.0)));
    let mut chain = Chain::new(
        Made { now: Rc::clone(&now), calls: 0 },
        Profile::Balanced.chain(1, 40.0),
        Some(std::array::from_fn(|i| i as u16)),
    );
    let calibration = Calibration::built_in().unwrap();
    let mut faces: Vec<(u64, Face)> = Vec::new();
    let mut last = (0, Vec::new());
    for n in (0..(WARM + SECONDS) * FPS).step_by(step as usize) {
        let (pts, data) = (n * 1_000_000_000 / FPS, picture(n, W, H));
        now.set(Person(n as f32 / FPS as f32));
        let seen = chain.faces(&view(&data, W, H, &mut Vec::new()), pts, &mut Vec::new(), &mut ()).unwrap();
        faces.extend(seen.into_iter().map(|f| (pts, f)));
        last = (pts, data);
    }
    let quality = faces.iter().map(|(_, f)| f64::from(f.quality.overall())).sum::<f64>() / faces.len() as f64;
    println!(
        "{} observations of one face, mean quality {quality:.2}; the second half is measured\n",
        faces.len()
    );
    println!(
        "| signal | us a run (mean) | us (99th percentile) | speaks in | runs a second | share of a core |"
    );
    println!("|---|---|---|---|---|---|");
    for mut signal in face_signals() {
        let mut cost = Cost::default();
        for (pts, face) in &faces {
            let seen = FaceObservation {
                pts: *pts,
                mesh: &face.mesh,
                kind,
                pose: face.pose,
                quality: face.quality,
                blendshapes: face.blendshapes.as_ref(),
                patch: &face.patch,
                skin: face.skin,
            };
            if *pts < WARM * 1_000_000_000 {
                signal.observe(&seen, &calibration);
            } else {
                cost.time(|| signal.observe(&seen, &calibration));
            }
        }
        cost.print(signal.name(), rate);
    }
    repeats(&calibration, rate, step as usize);
    networks(faces.last().map(|f| &f.1), last);
}

/// `loop` and `freeze`, one check, with a full memory.
fn repeats(calibration: &Calibration, rate: f64, step: usize) {
    let prints: Vec<Print> = (0..(HISTORY + SECONDS) * FPS)
        .map(|n| {
            let data = picture(n, 64, 48);
            (n * 1_000_000_000 / FPS, Fingerprint::of(&view(&data, 64, 48, &mut Vec::new())))
        })
        .collect();
    let (mut repeat, mut cost) = (Repeat::default(), Cost::default());
    for new in prints.chunks(step) {
        if new.first().is_some_and(|p| p.0 < HISTORY * 1_000_000_000) {
            repeat.observe(new, calibration);
        } else {
            cost.time(|| {
                let (looped, freeze) = repeat.observe(new, calibration);
                looped.or(freeze)
            });
        }
    }
    cost.print("loop, freeze", rate);
}

/// The model directory's own networks, with the cutting of their pictures.
fn networks(face: Option<&Face>, (pts, data): (u64, Vec<u8>)) {
    let models = FaceModelSet::load(&Config {
        model_dir: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("models")),
        wanted: Wanted { face_signals: true, ..Wanted::default() },
        ..Config::default()
    });
    let (models, face) = match (models, face) {
        (Ok(models), Some(face)) => (models, face),
        (Err(e), _) => return println!("\nno networks: {e}"),
        (_, None) => return println!("\nno networks: no face was found"),
    };
    let specs = models.networks().to_vec();
    let mut chain = Chain::new(models, Profile::Balanced.chain(1, 40.0), None);
    let mut viewer = Viewer::default();
    let place = FaceBox::of(&face.mesh, face.pose);
    // The opposite of a network is not run.
    for (index, spec) in specs.iter().enumerate().filter(|(_, s)| s.opposite_of.is_none()) {
        let (mut cost, mut memory) = (Cost::default(), spec.memory.map(Memory::new));
        for run in 0..60_u64 {
            let pts = pts + run * 100_000_000;
            let mut planes = Vec::new();
            let view = view(&data, W, H, &mut planes);
            let shown = Shown { frame: &view, face, place: &place, pts };
            let mut look = || viewer.look(&mut chain, index, shown, memory.as_mut()).unwrap();
            if run < 10 {
                look();
            } else {
                cost.time(look);
            }
        }
        cost.print(&spec.name, spec.per_second);
    }
}
