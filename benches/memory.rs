//! Resident memory over time, for 1, 2 and 16 streams of looped 720p video in `mode=live`: flat after the start?
//! `cargo bench --bench memory`; `BENCH_MINUTES` for each number of streams (0.25 by default), `BENCH_STREAMS` (for
//! example `1,16`). The real networks if they are fetched, else the small ones.
//!
//! Prints numbers and asserts nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use gstdeepfake::message;
use gstreamer as gst;
use std::time::{Duration, Instant};

#[path = "../tests/common/mod.rs"]
mod common;

const CAPS: &str = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1";

fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split_ascii_whitespace().nth(1).and_then(|p| p.parse().ok()).unwrap_or_default();
    pages * 4096.0 / 1e6
}

/// A second of video: a clip's, or noise.
fn pictures() -> Vec<gst::Buffer> {
    common::clip::pictures(CAPS, 30).unwrap_or_else(|| {
        let info = gstreamer_video::VideoInfo::from_caps(&CAPS.parse::<gst::Caps>().unwrap()).unwrap();
        (0..30).map(|n| common::frames::noise(&info, n, gst::ClockTime::ZERO)).collect()
    })
}

fn run(streams: usize, pictures: &[gst::Buffer], length: Duration) {
    let real = common::real_models_and_clip("cap13_edit2.mp4");
    let models = real.map_or_else(common::face_models, |(models, _)| models);
    let mut rigs: Vec<common::Rig> = (0..streams)
        .map(|_| {
            let models = models.to_str().unwrap();
            common::Rig::around(
                common::element(&[("model-dir", models), ("profile", "economy")]).unwrap(),
                CAPS,
            )
        })
        .collect();
    let before = resident_mb();
    let (start, frame) = (Instant::now(), Duration::from_nanos(1_000_000_000 / 30));
    let (mut n, mut next) = (0u64, length / 4);
    println!("{streams} stream(s): {before:.1} MB when started");
    while start.elapsed() < length {
        for rig in &mut rigs {
            let mut buffer = pictures[n as usize % pictures.len()].copy();
            buffer.get_mut().unwrap().set_pts(rig.pts(n));
            rig.pass(buffer);
            // An application reads its messages.
            while let Some(popped) = rig.bus.pop() {
                let _ = message::parse(&popped);
            }
        }
        n += 1;
        if start.elapsed() >= next {
            println!("    {:6.1} s  {:8.1} MB", start.elapsed().as_secs_f64(), resident_mb());
            next += length / 8;
        }
        let due = frame * n as u32;
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    let analysed: u64 = rigs.iter().map(|r| common::stat(&r.element, "frames-analysed")).sum();
    let late = start.elapsed().as_secs_f64() - n as f64 / 30.0;
    println!(
        "    {:6.1} s  {:8.1} MB   {:.1} analyses a second a stream; {late:.1} s behind",
        start.elapsed().as_secs_f64(),
        resident_mb(),
        analysed as f64 / start.elapsed().as_secs_f64() / streams as f64
    );
}

fn main() {
    let Some(_) = common::onnxruntime() else { return };
    common::init();
    let variable = |name: &str| std::env::var(name).ok();
    let minutes: f64 = variable("BENCH_MINUTES").and_then(|m| m.parse().ok()).unwrap_or(0.25);
    let streams = variable("BENCH_STREAMS").unwrap_or_else(|| "1,2,16".into());
    let pictures = pictures();
    println!("{:.1} MB with {} decoded pictures and no stream", resident_mb(), pictures.len());
    for count in streams.split(',').filter_map(|s| s.trim().parse().ok()) {
        run(count, &pictures, Duration::from_secs_f64(minutes * 60.0));
    }
}
