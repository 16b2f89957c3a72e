//! `deepfakeoverlay` in a harness: every format and size, what it leaves alone, and what it draws.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used)]

use gst_check::Harness;
use gst_video::prelude::*;
use gstdeepfake::analysis::evidence::Evidence;
use gstdeepfake::analysis::judgement::verdict::{Condition, State, TrackVerdict, Verdict};
use gstdeepfake::analysis::pixels::rect::NormRect;
use gstdeepfake::meta;
use gstreamer as gst;
use gstreamer_check as gst_check;
use gstreamer_video as gst_video;

const FORMATS: [&str; 15] = [
    "I420", "YV12", "NV12", "NV21", "YUY2", "UYVY", "RGB", "BGR", "RGBA", "BGRA", "ARGB", "ABGR", "RGBx",
    "BGRx", "GRAY8",
];
const SIZES: [(u32, u32); 4] = [(640, 360), (1920, 1080), (321, 241), (16, 16)];

fn evidence(signal: &str, llr: f64, reason: &str) -> Evidence {
    Evidence { signal: signal.into(), llr, quality: 0.8, reason: reason.into() }
}

fn track(id: u32, x: f64, state: State, risk: f64) -> TrackVerdict {
    let evidence = match state {
        State::Attack | State::Suspect => vec![
            evidence("micro-motion", 2.6, "photo-like motion: the face moves as one plane"),
            evidence("blink", 1.4, "no blink in 21 s"),
            evidence("pulse", -0.6, "weak pulse at 71 bpm"),
        ],
        _ => vec![
            evidence("micro-motion", -2.2, "the head turns as a solid does"),
            evidence("blink", -1.5, "4 blinks of natural length"),
            evidence("pulse", -0.9, "pulse at 68 bpm"),
        ],
    };
    TrackVerdict {
        track_id: id,
        rect: NormRect { x, y: 0.16, w: 0.22, h: 0.48 },
        state,
        condition: Condition::Analysed,
        risk,
        statistic: risk * 6.0,
        posterior: Default::default(),
        evidence,
    }
}

fn verdict(tracks: Vec<TrackVerdict>) -> Verdict {
    let worst = tracks.iter().map(|t| t.state).max().unwrap_or_default();
    Verdict {
        analysed_pts: Some(0),
        state: worst,
        condition: if tracks.is_empty() { Condition::NoFace } else { Condition::Analysed },
        risk: tracks.iter().map(|t| t.risk).fold(0.0, f64::max),
        alert: worst == State::Attack,
        tracks,
        ..Verdict::not_analysed(1)
    }
}

fn of_state(state: State) -> Verdict {
    verdict(vec![track(1, 0.38, state, 0.5)])
}

fn video_info(format: &str, width: u32, height: u32) -> gst_video::VideoInfo {
    let format = gst_video::VideoFormat::from_string(format);
    gst_video::VideoInfo::builder(format, width, height).fps((25, 1)).build().unwrap()
}

fn harness(element: &str, info: &gst_video::VideoInfo) -> Harness {
    gstdeepfake::register_static().unwrap();
    let mut h = Harness::new_parse(element);
    h.set_src_caps(info.to_caps().unwrap());
    h
}

fn frame(info: &gst_video::VideoInfo) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; info.size()]);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40));
    buffer
}

fn with(mut buffer: gst::Buffer, verdict: &Verdict) -> gst::Buffer {
    meta::attach(buffer.make_mut(), verdict, Some(40_000_000)).unwrap();
    buffer
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

#[test]
fn every_format_and_size_is_drawn_on() {
    gst::init().unwrap();
    for format in FORMATS {
        for (width, height) in SIZES {
            let info = video_info(format, width, height);
            let mut h = harness("deepfakeoverlay", &info);
            let input = with(frame(&info), &of_state(State::Attack));
            let before = bytes(&input);
            let after = h.push_and_pull(input).unwrap();
            assert_ne!(before, bytes(&after), "{format} {width}x{height}");
            assert_eq!(before.len(), after.size());
            assert!(meta::read(&after).is_some(), "the verdict goes on downstream");
        }
    }
}

/// The overlay's pixels and GStreamer's own conversion of an RGB overlay must agree in every format: wrong
/// plane, offset, subsampling, range or matrix would show as another colour.
#[test]
fn colours_are_the_same_in_every_format() {
    gst::init().unwrap();
    for format in FORMATS {
        let info = video_info(format, 320, 240);
        let mut h = harness(
            "deepfakeoverlay max-reasons=0 show-status=false ! videoconvert dither=none ! capsfilter caps=video/x-raw,format=RGB",
            &info,
        );
        let out = h.push_and_pull(with(frame(&info), &of_state(State::Attack))).unwrap();
        // The banner covers the top of the frame: red over a dark ground, at its right end without text.
        let pixels = bytes(&out);
        let at = 3 * (2 * 320 + 300);
        let [r, g, b] = pixels[at..at + 3] else { unreachable!() };
        if format == "GRAY8" {
            assert!(r == g && g == b);
        } else {
            assert!(r > 180 && g < 90 && b < 90 && r - g > 110, "{format}: {r} {g} {b}");
        }
    }
}

#[test]
fn without_a_verdict_the_very_memory_passes() {
    gst::init().unwrap();
    let info = video_info("I420", 640, 360);
    let mut h = harness("deepfakeoverlay", &info);
    let input = frame(&info);
    let kept = input.clone(); // a second holder: a write or make_mut would have to copy
    let output = h.push_and_pull(input).unwrap();
    assert_eq!(kept.as_ptr(), output.as_ptr());
    assert_eq!(kept.peek_memory(0).as_ptr(), output.peek_memory(0).as_ptr());
}

#[test]
fn a_shared_frame_is_not_drawn_on_for_its_other_holder() {
    gst::init().unwrap();
    let info = video_info("NV12", 640, 360);
    let mut h = harness("deepfakeoverlay", &info);
    let input = with(frame(&info), &of_state(State::Live));
    let kept = input.clone();
    let before = bytes(&kept);
    let output = h.push_and_pull(input).unwrap();
    assert_eq!(before, bytes(&kept));
    assert_ne!(before, bytes(&output));
}

#[test]
fn invisible_changes_nothing_and_half_opacity_changes_less() {
    gst::init().unwrap();
    let info = video_info("GRAY8", 640, 360);
    let change = |opacity: f64| {
        let mut h = harness(&format!("deepfakeoverlay opacity={opacity}"), &info);
        let input = with(frame(&info), &of_state(State::Live));
        let before = bytes(&input);
        let after = bytes(&h.push_and_pull(input).unwrap());
        before.iter().zip(&after).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    let (none, half, full) = (change(0.0), change(0.5), change(1.0));
    assert_eq!(none, 0);
    assert!(half > full * 4 / 10 && half < full * 6 / 10, "{half} of {full}");
}

#[test]
fn padded_lines_and_plane_offsets_are_respected() {
    gst::init().unwrap();
    let info = video_info("I420", 320, 240);
    let (stride, chroma) = (384usize, 200usize);
    let offsets = [64, 64 + stride * 240, 64 + stride * 240 + chroma * 120];
    let size = offsets[2] + chroma * 120;
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; size]);
    let strides = [stride as i32, chroma as i32, chroma as i32];
    let flags = gst_video::VideoFrameFlags::empty();
    let format = gst_video::VideoFormat::I420;
    let inner = buffer.get_mut().unwrap();
    gst_video::VideoMeta::add_full(inner, flags, format, 320, 240, &offsets, &strides).unwrap();
    let mut h = harness("deepfakeoverlay", &info);
    let out = bytes(&h.push_and_pull(with(buffer, &of_state(State::Attack))).unwrap());
    assert!(out[..64].iter().all(|b| *b == 100), "before the first plane");
    let padding = |line: usize| &out[64 + line * stride + 320..64 + (line + 1) * stride];
    assert!((0..240).all(|l| padding(l).iter().all(|b| *b == 100)), "padding of the luma lines");

    // The same picture as in a frame without padding.
    let mut plain = harness("deepfakeoverlay", &info);
    let plain = bytes(&plain.push_and_pull(with(frame(&info), &of_state(State::Attack))).unwrap());
    for line in 0..240 {
        assert_eq!(out[64 + line * stride..][..320], plain[line * 320..][..320], "line {line}");
    }
    for line in 0..120 {
        let at = 320 * 240 + line * 160;
        assert_eq!(out[offsets[1] + line * chroma..][..160], plain[at..][..160], "chroma line {line}");
    }
}

#[test]
fn the_box_has_the_states_colour() {
    gst::init().unwrap();
    let info = video_info("RGB", 640, 360);
    let corner = |state: State| {
        let mut h = harness("deepfakeoverlay max-reasons=0 show-status=false", &info);
        let out = bytes(&h.push_and_pull(with(frame(&info), &of_state(state))).unwrap());
        // Middle of the strong left edge, within its lower corner arm.
        let (x, y) = ((0.38 * 640.0) as usize + 2, ((0.16 + 0.48) * 360.0) as usize - 12);
        let at = 3 * (y * 640 + x);
        [out[at], out[at + 1], out[at + 2]]
    };
    assert_eq!(corner(State::Attack), [226, 36, 44]);
    assert_eq!(corner(State::Live), [0, 190, 128]);
    assert_eq!(corner(State::Suspect), [255, 176, 0]);
    assert_eq!(corner(State::Unknown), [160, 166, 173]);
}

#[test]
fn unreadable_metadata_is_told_once_and_the_frame_passes() {
    gst::init().unwrap();
    let info = video_info("I420", 64, 64);
    let mut h = harness("deepfakeoverlay", &info);
    let bus = gst::Bus::new();
    h.element().unwrap().set_bus(Some(&bus));
    for _ in 0..3 {
        let mut input = frame(&info);
        let mut meta = gst::meta::CustomMeta::add(input.get_mut().unwrap(), meta::NAME).unwrap();
        meta.mut_structure().set("schema-version", "one");
        let before = bytes(&input);
        assert_eq!(before, bytes(&h.push_and_pull(input).unwrap()));
    }
    let mut warnings = 0;
    while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
        let gst::MessageView::Warning(warning) = message.view() else { unreachable!() };
        assert!(warning.error().to_string().contains("schema-version"), "{}", warning.error());
        warnings += 1;
    }
    assert_eq!(warnings, 1);
}

#[test]
fn other_formats_are_not_accepted() {
    gst::init().unwrap();
    gstdeepfake::register_static().unwrap();
    let overlay = gst::ElementFactory::make("deepfakeoverlay").build().unwrap();
    let template = overlay.pad_template("sink").unwrap();
    let high = gst::Caps::builder("video/x-raw").field("format", "I420_10LE").build();
    assert!(!template.caps().can_intersect(&high));
}

#[test]
fn properties_have_their_documented_defaults() {
    gst::init().unwrap();
    gstdeepfake::register_static().unwrap();
    let overlay = gst::ElementFactory::make("deepfakeoverlay").build().unwrap();
    assert!(overlay.property::<bool>("show-boxes"));
    assert!(overlay.property::<bool>("show-status"));
    assert_eq!(overlay.property::<u32>("max-reasons"), 3);
    assert_eq!(overlay.property::<f64>("opacity"), 1.0);
}

/// A picture to draw on: a gradient with a bright oval in each face's place.
fn scenery(info: &gst_video::VideoInfo, verdict: &Verdict) -> gst::Buffer {
    let (w, h) = (info.width() as usize, info.height() as usize);
    let mut data = vec![0u8; info.size()];
    for (i, pixel) in data.chunks_exact_mut(4).enumerate() {
        let (x, y) = ((i % w) as f64 / w as f64, (i / w) as f64 / h as f64);
        let face = verdict.tracks.iter().any(|t| {
            let (dx, dy) = ((x - t.rect.x) / t.rect.w - 0.5, (y - t.rect.y) / t.rect.h - 0.5);
            dx * dx / 0.16 + dy * dy / 0.22 < 1.0
        });
        let tint = if face { [214.0, 172.0, 148.0] } else { [60.0 + 90.0 * x, 80.0 + 60.0 * y, 110.0] };
        for (p, t) in pixel.iter_mut().zip(tint) {
            *p = t as u8;
        }
    }
    gst::Buffer::from_mut_slice(data)
}

/// Not a test: writes sample pictures into the folder that `DEEPFAKE_SHOTS` names.
#[test]
#[ignore = "writes pictures for a person to look at"]
fn screenshots() {
    gst::init().unwrap();
    let folder = std::path::PathBuf::from(std::env::var("DEEPFAKE_SHOTS").unwrap());
    let mut stale = of_state(State::Live);
    stale.condition = Condition::Stale;
    let mut poor = of_state(State::Unknown);
    poor.condition = Condition::TooPoor;
    poor.tracks[0].condition = Condition::TooPoor;
    poor.tracks[0].evidence.clear();
    let samples = [
        ("live", verdict(vec![track(1, 0.38, State::Live, 0.03)])),
        ("attack", verdict(vec![track(1, 0.38, State::Attack, 1.0)])),
        ("no-face", verdict(vec![])),
        ("two", verdict(vec![track(1, 0.12, State::Live, 0.08), track(2, 0.64, State::Suspect, 0.61)])),
        ("stale", stale),
        ("too-poor", poor),
    ];
    for (width, height) in [(640, 360), (1920, 1080), (360, 640)] {
        for (name, verdict) in &samples {
            let info = video_info("RGBx", width, height);
            let mut h = harness(
                "videoconvert ! capsfilter caps=video/x-raw,format=I420 ! deepfakeoverlay ! videoconvert ! pngenc",
                &info,
            );
            let mut buffer = scenery(&info, verdict);
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
            meta::attach(buffer.get_mut().unwrap(), verdict, Some(3_400_000_000)).unwrap();
            let png = h.push_and_pull(buffer).unwrap();
            std::fs::write(folder.join(format!("{name}-{width}x{height}.png")), bytes(&png)).unwrap();
        }
    }
}

/// Not a test: prints what drawing costs a frame, one face with three reasons, banner and all.
#[test]
#[ignore = "measures time"]
fn cost_of_drawing() {
    gst::init().unwrap();
    for (width, height) in [(640, 360), (1920, 1080)] {
        for format in ["I420", "NV12", "BGRx"] {
            let info = video_info(format, width, height);
            let mut h = harness("deepfakeoverlay", &info);
            let mut buffer = with(frame(&info), &of_state(State::Attack));
            let mut best = std::time::Duration::MAX;
            for _ in 0..30 {
                let start = std::time::Instant::now();
                buffer = h.push_and_pull(buffer).unwrap();
                best = best.min(start.elapsed());
            }
            println!("{format} {width}x{height}: {} us", best.as_micros());
        }
    }
}
