//! Simulated cameras.

use super::judge::Case;
use super::{Make, chain};
use gstdeepfake::analysis::pixels::rect::NormRect;
use gstdeepfake::analysis::source::provenance::Class;
use gstdeepfake::analysis::source::{Coding, Origin};
use gstdeepfake::recorded::Frame;
use gstdeepfake::redteam::sensor::{Clock, Isp, Pixels, Room, Sensor};

/// What leaves the camera.
#[derive(Clone, Copy, Debug)]
pub enum Out {
    Raw,
    Jpeg(u32),
    H264(u32),
}

/// Pictures in a row, and of the small ones.
const ROW: usize = 12;
const SMALL: usize = 240;
/// Frames whose times are looked at: 20 s at 30 a second.
const TIMES: usize = 600;

/// `count` frames of a camera with the face's place in them.
pub fn shoot(sensor: &Sensor, room: u64, count: usize) -> Vec<(Frame, Option<NormRect>)> {
    let room = Room::new(room);
    let mut camera = sensor.start(room.clone()).unwrap();
    (0..count)
        .map(|_| {
            let (frame, stamp) = camera.frame().unwrap();
            let [x, y, w, h] = room.face(sensor.width, sensor.height, stamp.exposed_ns as f64 / 1e9);
            (frame, Some(NormRect { x, y, w, h }))
        })
        .collect()
}

pub fn small(sensor: &Sensor, room: u64) -> Vec<Frame> {
    let small = Sensor { width: 96, height: 64, ..sensor.clone() };
    shoot(&small, room, SMALL).into_iter().map(|f| f.0).collect()
}

pub fn times(sensor: &Sensor) -> Vec<(u64, u64)> {
    let mut camera = sensor.start(Room::new(0)).unwrap();
    (0..TIMES).map(|_| camera.skip()).map(|s| (s.arrival_ns, s.pts_ns)).collect()
}

pub fn honest(sensor: &Sensor, room: u64, out: Out) -> Option<Case> {
    let pictures = shoot(sensor, room, ROW);
    let (frames, faces): (Vec<_>, Vec<_>) = pictures.into_iter().unzip();
    let (frames, coding) = match out {
        Out::Raw => (frames, Coding::Raw),
        Out::Jpeg(q) => (chain::pictures(&frames, &sensor.info(), &chain::jpeg(q))?, Coding::Intra),
        Out::H264(kbit) => (chain::pictures(&frames, &sensor.info(), &chain::h264(kbit))?, Coding::Inter),
    };
    Some(Case {
        origin: Origin { claim: Class::Physical, coding, altered: false },
        rate: sensor.rate,
        times: times(sensor),
        pictures: frames.into_iter().zip(faces).collect(),
        small: small(sensor, room),
        marks: Vec::new(),
    })
}

/// Name, size, rate, light, drift, output; the other parameters vary with the number.
type Variant = (&'static str, (u32, u32), (u32, u32), f64, f64, Out);

const VARIANTS: [Variant; 32] = [
    ("webcam 640x480", (640, 480), (30, 1), 1.0, 25.0, Out::Raw),
    ("webcam 640x480, evening", (640, 480), (30, 1), 0.3, -40.0, Out::Raw),
    ("webcam 320x240", (320, 240), (30, 1), 1.0, 60.0, Out::Raw),
    ("webcam 320x240, dusk", (320, 240), (15, 1), 0.1, -15.0, Out::Raw),
    ("webcam 1280x720 at 10", (1280, 720), (10, 1), 1.0, 33.0, Out::Raw),
    ("webcam 800x600", (800, 600), (20, 1), 0.5, -70.0, Out::Raw),
    ("webcam 640x360, 29.97 declared", (640, 360), (30_000, 1001), 0.8, 20.0, Out::Raw),
    ("webcam 640x480, night, half rate", (640, 480), (30, 1), 0.04, 28.0, Out::Raw),
    ("webcam 352x288 at 25", (352, 288), (25, 1), 0.7, -22.0, Out::Raw),
    ("webcam 424x240 at 60", (424, 240), (60, 1), 0.6, 48.0, Out::Raw),
    ("infrared, no colour filter", (640, 480), (30, 1), 0.5, 17.0, Out::Raw),
    ("infrared, small", (320, 240), (30, 1), 0.2, -35.0, Out::Raw),
    ("smoothed hard", (640, 480), (30, 1), 0.5, 41.0, Out::Raw),
    ("smoothed hard, bright", (640, 480), (30, 1), 3.0, -12.0, Out::Raw),
    ("sharpened hard", (640, 480), (30, 1), 0.6, 30.0, Out::Raw),
    ("no processing", (640, 480), (30, 1), 1.0, -55.0, Out::Raw),
    ("large clean sensor", (640, 480), (30, 1), 1.0, 9.0, Out::Raw),
    ("large clean sensor 1280x720", (1280, 720), (30, 1), 1.0, -8.0, Out::Raw),
    ("rolling shutter, busy computer", (640, 480), (30, 1), 0.8, 75.0, Out::Raw),
    ("loses frames", (640, 480), (30, 1), 0.4, -30.0, Out::Raw),
    ("jpeg 90, 1280x720", (1280, 720), (30, 1), 1.0, 26.0, Out::Jpeg(90)),
    ("jpeg 75, 640x480", (640, 480), (30, 1), 0.6, -45.0, Out::Jpeg(75)),
    ("jpeg 50, 640x480, dusk", (640, 480), (30, 1), 0.15, 38.0, Out::Jpeg(50)),
    ("jpeg 85, 800x600", (800, 600), (24, 1), 1.0, 52.0, Out::Jpeg(85)),
    ("h264 2000, 1280x720", (1280, 720), (30, 1), 1.0, -28.0, Out::H264(2000)),
    ("h264 600, 640x480", (640, 480), (30, 1), 0.5, 31.0, Out::H264(600)),
    ("averages over time, bright", (640, 480), (30, 1), 1.0, -33.0, Out::Raw),
    ("averages over time, evening", (640, 480), (30, 1), 0.3, 44.0, Out::Raw),
    ("averages over time, strongly", (640, 480), (30, 1), 0.6, 27.0, Out::Raw),
    ("averages over time, clean sensor", (640, 480), (30, 1), 1.0, -19.0, Out::Raw),
    ("on the nominal rate by chance", (640, 480), (30, 1), 1.0, 1.5, Out::Raw),
    ("jpeg 80, averages over time", (640, 480), (30, 1), 0.7, 36.0, Out::Jpeg(80)),
];

/// The sensor of a variant.
pub fn sensor(number: usize) -> Sensor {
    let (name, (width, height), rate, light, drift_ppm, _) = VARIANTS[number];
    let mut pixels = Pixels::default();
    let mut isp = Isp { denoise: [0.3, 0.5, 0.7][number % 3], ..Isp::default() };
    let mut clock = Clock { drift_ppm, ..Clock::default() };
    clock.stamp_us = [5.0, 30.0, 150.0, 600.0][number % 4];
    clock.delay_us = [60.0, 250.0, 900.0][number % 3];
    if name.starts_with("infrared") {
        pixels.bayer = false;
    }
    if name.starts_with("smoothed hard") {
        isp.denoise = 1.0;
    }
    if name.starts_with("sharpened hard") {
        isp.sharpen = 1.5;
    }
    if name == "no processing" {
        (isp.denoise, isp.sharpen) = (0.0, 0.0);
    }
    if name.contains("averages over time") {
        isp.temporal = if name.ends_with("strongly") { 0.8 } else { 0.5 };
    }
    if name.contains("clean") {
        (pixels.well, pixels.read, pixels.bits) = (40_000.0, 2.0, 12);
    }
    if name.starts_with("rolling") {
        clock.delay_us = 4_000.0;
    }
    if name.starts_with("loses") {
        clock.lost = 0.05;
    }
    let shutter = if name.starts_with("rolling") { 0.8 } else { 0.0 };
    Sensor { width, height, rate, light, pixels, isp, clock, shutter, seed: 100 + number as u64 }
}

pub fn all() -> Vec<(String, Make)> {
    let make = |i: usize| -> (String, Make) {
        let (name, .., out) = VARIANTS[i];
        (name.to_owned(), Box::new(move || honest(&sensor(i), 20 + i as u64, out)))
    };
    (0..VARIANTS.len()).map(make).collect()
}
