//! The attacks are what they say they are: planar, repeating, on time, the same for the same seed; and bad
//! input is refused with a text that helps.
#![cfg(feature = "tools")]
// Clippy lets tests unwrap, but not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use gstdeepfake::recorded::{Codec, Frame, Reader, StreamInfo, Writer};
use gstdeepfake::redteam::*;
use gstreamer as gst;
use gstreamer::prelude::*;
use std::path::{Path, PathBuf};

/// Runs a launch line to its end.
fn launch(line: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(line).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let wait = gst::ClockTime::from_seconds(30);
    let message = pipeline.bus().unwrap().timed_pop_filtered(wait, &wanted).expect("no end");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

fn synthetic(folder: &Path, seconds: u32) -> PathBuf {
    let path = folder.join("ball.mp4");
    let frames = seconds * 25;
    launch(&format!(
        "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format=I420,width=160,height=120,\
         framerate=25/1 ! x264enc threads=1 tune=zerolatency ! mp4mux ! filesink location={}",
        path.display()
    ));
    path
}

/// A smooth picture with detail everywhere, and a different one for every index.
fn picture(index: u64, width: u32, height: u32) -> Frame {
    let wave = |x: u32, y: u32, k: f64| {
        let (x, y) = (f64::from(x) * k, f64::from(y) * k);
        128.0 + 45.0 * (x * 0.11 + index as f64 * 0.3).sin() + 45.0 * (y * 0.13 + x * 0.05).cos()
    };
    let plane = |w: u32, h: u32, k: f64| {
        (0..h).flat_map(move |y| (0..w).map(move |x| wave(x, y, k) as u8)).collect::<Vec<u8>>()
    };
    let mut data = plane(width, height, 1.0);
    data.extend(plane(width / 2, height / 2, 2.0));
    data.extend(plane(width / 2, height / 2, 2.0));
    Frame::new(index * 40_000_000, Some(40_000_000), width, height, data).unwrap()
}

fn pictures(count: u64) -> Frames {
    Frames::new(StreamInfo::new(160, 120, (25, 1)), (0..count).map(|i| picture(i, 160, 120)))
}

fn condition(kind: Kind, noise: f64) -> Condition {
    Condition { noise, ..Condition::new(kind, 5) }
}

fn frames(source: Frames, condition: &Condition, count: usize) -> (Vec<Frame>, Option<u64>) {
    let mut scene = scene(Box::new(source), condition).unwrap();
    let mut out = Vec::new();
    while out.len() < count
        && let Some(frame) = scene.next_frame().unwrap()
    {
        out.push(frame);
    }
    (out, scene.onset_pts())
}

fn rising(frames: &[Frame]) {
    for pair in frames.windows(2) {
        let step = pair[1].pts_ns - pair[0].pts_ns;
        assert!((39_000_000..=41_000_000).contains(&step), "step of {step} ns");
    }
}

#[test]
fn same_seed_same_frames() {
    // Those that need to know where a face is are tested beside the catalogue.
    // And a way in shows no pictures of its own.
    let pictures_of = |k: &Kind| !matches!(k, Kind::Inject(_));
    let alone =
        |k: &Kind| pictures_of(k) && !k.needs_faces() && !k.needs_another() && k.as_attack().check().is_ok();
    for kind in Kind::all().into_iter().filter(alone) {
        let kind = match kind {
            Kind::Splice(s) => Kind::Splice(Splice { onset: 0.5, ..s }),
            Kind::Loop(l) => Kind::Loop(Replay { length: 0.4, ..l }),
            other => other,
        };
        let one = condition(kind, 2.0);
        let (a, _) = frames(pictures(30), &one, 25);
        let (b, _) = frames(pictures(30), &one, 25);
        assert!(a == b, "{}", one.name);
        let (c, _) = frames(pictures(30), &Condition { seed: 6, ..one.clone() }, 25);
        assert!(a != c, "{} ignores the seed", one.name);
        rising(&a);
        let written = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&written).unwrap(), one);
    }
}

/// Luma at a place between pixels.
fn bilinear(frame: &Frame, x: f64, y: f64) -> f64 {
    let (x, y) = (x - 0.5, y - 0.5);
    let (ix, iy) = (x.floor() as usize, y.floor() as usize);
    let (tx, ty) = (x.fract(), y.fract());
    let p = |dx: usize, dy: usize| f64::from(frame.data()[(iy + dy) * frame.width() as usize + ix + dx]);
    (p(0, 0) * (1.0 - tx) + p(1, 0) * tx) * (1.0 - ty) + (p(0, 1) * (1.0 - tx) + p(1, 1) * tx) * ty
}

/// Root mean square of what the known homography between two frames leaves, in the middle of the picture.
fn residual(a: &Frame, b: &Frame, hand: &Hand) -> f64 {
    let at = |f: &Frame| hand.homography(f.pts_ns as f64 / 1e9, f.width(), f.height());
    let move_ = at(a) * at(b).try_inverse().unwrap();
    let (mut sum, mut n) = (0.0, 0.0);
    for y in 25..95 {
        for x in 30..130 {
            let p = move_ * nalgebra::Vector3::new(f64::from(x) + 0.5, f64::from(y) + 0.5, 1.0);
            let seen = f64::from(b.data()[y as usize * 160 + x as usize]);
            sum += (seen - bilinear(a, p.x / p.z, p.y / p.z)).powi(2);
            n += 1.0;
        }
    }
    f64::sqrt(sum / n)
}

#[test]
fn photo_is_planar() {
    let photo = Photo { at: Some(0.0), light: Light::NONE, ..Photo::default() };
    let hand = Hand::new(photo.motion.clone(), 5);
    let (clean, onset) = frames(pictures(1), &condition(Kind::Photo(photo.clone()), 0.0), 50);
    assert_eq!(onset, Some(0));
    assert_eq!(clean.len(), 50);
    rising(&clean);
    let still = Hand::new(Motion::STILL, 5);
    for later in [&clean[7], &clean[20], &clean[49]] {
        let (with, without) = (residual(&clean[0], later, &hand), residual(&clean[0], later, &still));
        assert!(with < 1.0, "left over: {with}");
        assert!(without > 3.0 * with, "hardly moved: {without} against {with}");
    }
    // With noise only the noise is left: that of one frame whole, that of the other averaged by bilinear.
    let (noisy, _) = frames(pictures(1), &condition(Kind::Photo(photo), 3.0), 50);
    let left = residual(&noisy[0], &noisy[20], &hand);
    assert!((3.0..4.8).contains(&left), "{left}");
}

#[test]
fn loop_repeats_exactly_before_the_noise() {
    let replay = |seam, repeats| {
        let replay = Replay { start: 0.2, length: 0.4, repeats, seam };
        frames(pictures(40), &condition(Kind::Loop(replay), 0.0), 35)
    };
    let (cut, onset) = replay(Seam::Cut, None);
    rising(&cut);
    assert_eq!(onset, Some(400_000_000));
    assert_eq!(cut[0].data(), picture(5, 160, 120).data());
    (0..25).for_each(|i| assert!(cut[i].data() == cut[i + 10].data(), "frame {i}"));
    let (thrice, _) = replay(Seam::Cut, Some(3));
    assert_eq!(thrice.len(), 30);
    let (pong, _) = replay(Seam::PingPong, None);
    rising(&pong);
    assert_eq!(pong[9].data(), picture(14, 160, 120).data());
    (1..9).for_each(|i| assert!(pong[i].data() == pong[18 - i].data(), "frame {i}"));
    let (fade, _) = replay(Seam::CrossFade(0.12), None);
    rising(&fade);
    (7..28).for_each(|i| assert!(fade[i].data() == fade[i + 7].data(), "frame {i}"));

    let loop_ = Kind::Loop(Replay { length: 0.4, ..Replay::default() });
    let (noisy, _) = frames(pictures(40), &condition(loop_, 0.8), 20);
    assert!(noisy[0].data() != noisy[10].data(), "the noise is repeated too");
}

#[test]
fn splice_switches_on_time() {
    let splice = Kind::Splice(Splice { onset: 0.6, ..Splice::default() });
    let (out, onset) = frames(pictures(40), &condition(splice, 0.0), 40);
    assert_eq!(onset, Some(600_000_000));
    rising(&out);
    for (i, frame) in out.iter().enumerate() {
        let genuine = frame.data() == picture(i as u64, 160, 120).data();
        assert_eq!(genuine, i < 15, "frame {i}");
    }
    let then = Box::new(Kind::Loop(Replay { length: 0.2, ..Replay::default() }));
    let (out, _) = frames(pictures(40), &condition(Kind::Splice(Splice { onset: 0.6, then }), 0.0), 40);
    rising(&out);
    assert!(out[16].data() == out[21].data());
}

#[test]
fn freeze_stops_and_goes_on() {
    let freeze = Kind::Freeze(Freeze { onset: 0.4, hold: Some(0.4) });
    let (out, onset) = frames(pictures(30), &condition(freeze, 0.0), 30);
    assert_eq!(onset, Some(400_000_000));
    (10..20).for_each(|i| assert!(out[i].data() == out[9].data(), "frame {i}"));
    assert_eq!(out[20].data(), picture(20, 160, 120).data());
    let (out, onset) = frames(pictures(30), &condition(Kind::Reencode(Reencode::default()), 0.0), 99);
    assert_eq!((out.len(), onset), (30, None));
    assert!(out.iter().enumerate().all(|(i, f)| *f == picture(i as u64, 160, 120)));
}

#[test]
fn lossless_files_give_back_every_pixel_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    // Rows of luma or chroma that are no multiples of four bytes as well.
    for (width, height) in [(158, 118), (156, 122), (160, 120)] {
        let info = StreamInfo::new(width, height, (25, 1));
        let mut writer = Writer::create(&path, &info, Codec::Lossless).unwrap();
        let sent: Vec<Frame> = (0..30).map(|i| picture(i, width, height)).collect();
        sent.iter().for_each(|f| writer.push(f).unwrap());
        assert!(!path.exists(), "a half-written file under its final name");
        writer.finish().unwrap();
        let got: Vec<Frame> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(got.len(), sent.len());
        for (a, b) in sent.iter().zip(&got) {
            assert_eq!((a.pts_ns, a.data()), (b.pts_ns, b.data()));
        }
        std::fs::remove_file(&path).unwrap();
    }
    let (info, still) = (StreamInfo::new(160, 120, (25, 1)), picture(3, 160, 120));
    let mut writer = Writer::create(folder.path().join("b.mp4"), &info, Codec::Lossless).unwrap();
    writer.push(&still).unwrap();
    assert!(writer.push(&still).unwrap_err().to_string().contains("rising PTS"));
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a dropped writer leaves files");
}

#[test]
fn a_rendered_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let input = synthetic(folder.path(), 2);
    let output = folder.path().join("out.mp4");
    let mut wanted = condition(Kind::Splice(Splice { onset: 1.0, ..Splice::default() }), 1.0);
    let render = |c: &Condition| render_file(&input, &output, c, &mut |_, _| true).unwrap();
    let first = render(&wanted);
    assert!(!first.reused && first.record.procedural);
    assert_eq!((first.record.frames, first.record.onset_s), (50, Some(1.0)));
    let second = render(&wanted);
    assert!(second.reused && second.record == first.record);
    let coded = |p: &Path| Reader::open(p).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let before = coded(&output);
    rising(&before);
    std::fs::remove_file(record_path(&output)).unwrap();
    assert!(!render(&wanted).reused);
    assert!(coded(&output) == before, "the encoder is not deterministic");
    wanted.seed = 9;
    assert!(!render(&wanted).reused);
    let error = render_file(&input, &input, &wanted, &mut |_, _| true).unwrap_err();
    assert!(matches!(error, Error::OverInput(_)), "{error}");
}

#[test]
fn bad_input_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let refused = |path: &Path| match Reader::open(path) {
        Err(error) => error.to_string(),
        Ok(reader) => reader.filter_map(Result::err).map(|e| e.to_string()).next().expect("no error"),
    };
    let says = |path: &Path, text: &str| {
        let error = refused(path);
        assert!(error.contains(text), "{error}");
    };
    says(&place("missing.mp4"), "cannot open");
    says(folder.path(), "is not a file");
    std::fs::write(place("empty.mp4"), b"").unwrap();
    says(&place("empty.mp4"), "cannot be decoded");
    std::fs::write(place("noise.bin"), vec![0xa5; 4096]).unwrap();
    says(&place("noise.bin"), "cannot be decoded");
    std::fs::write(place("text.txt"), "no video here\n".repeat(99)).unwrap();
    says(&place("text.txt"), "cannot be decoded");
    launch(&format!(
        "audiotestsrc num-buffers=50 ! vorbisenc ! oggmux ! filesink location={}",
        place("tone.ogg").display()
    ));
    says(&place("tone.ogg"), "has no video");

    // The header at the end is lost with the cut; the header in front outlives it.
    let whole = std::fs::read(synthetic(folder.path(), 2)).unwrap();
    std::fs::write(place("cut.mp4"), &whole[..whole.len() / 2]).unwrap();
    says(&place("cut.mp4"), "cannot be decoded");
    let fast = place("fast.mp4");
    let loop_ = Kind::Loop(Replay { length: 1.0, repeats: Some(12), ..Replay::default() });
    render_file(&place("ball.mp4"), &fast, &condition(loop_, 1.0), &mut |_, _| true).unwrap();
    let whole = std::fs::read(&fast).unwrap();
    std::fs::write(place("cut2.mp4"), &whole[..whole.len() / 2]).unwrap();
    says(&place("cut2.mp4"), "cut off");

    let ball = place("ball.mp4");
    let fails = |kind: Kind, text: &str| {
        let output = place("never.mp4");
        let error = render_file(&ball, &output, &condition(kind, 1.0), &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!output.exists() && !record_path(&output).exists());
    };
    fails(Kind::Splice(Splice { onset: 60.0, ..Splice::default() }), "ends before 60.00 s");
    fails(Kind::Loop(Replay { start: 1.0, length: 5.0, ..Replay::default() }), "ends before");
    fails(Kind::Photo(Photo { soften: f64::NAN, ..Photo::default() }), "soften");
    fails(Kind::Photo(Photo { at: Some(30.0), ..Photo::default() }), "ends before 30.00 s");
}

#[test]
fn real_clips_render() {
    let clips = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fetched/clips");
    let Ok(folder) = std::fs::read_dir(&clips) else {
        println!("skipped: no clips under models/fetched/clips; fetch them to run this test");
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let path = |e: std::io::Result<std::fs::DirEntry>| e.ok().map(|e| e.path());
    for clip in folder.filter_map(path).filter(|p| p.extension().is_some_and(|e| e == "mp4")) {
        let splice = Splice { onset: 2.0, ..Splice::default() };
        let wanted = Condition { duration: Some(4.0), ..condition(Kind::Splice(splice), 1.5) };
        let name = out.path().join(clip.file_name().unwrap());
        let record = render_file(&clip, &name, &wanted, &mut |_, _| true).unwrap().record;
        assert!((record.onset_s.unwrap() - 2.0).abs() < 0.03, "{record:?}");
        assert_eq!(Reader::open(&name).unwrap().map(Result::unwrap).count() as u64, record.frames);
    }
}
