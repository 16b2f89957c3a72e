//! Started, stopped, flushed, renegotiated, many at once: each in a process of its own, which must end with 0 and
//! leave no thread behind.

use crate::common::child::{in_child, is_child, wait_for_threads};
use crate::common::gate::Gate;
use crate::common::{Rig, element, face_models, frames, onnxruntime, stat, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::face::models::MeshKind;
use gstdeepfake::inference::{Config, FaceModelSet, Wanted};
use gstdeepfake::message::DeepfakeMessage;
use gstreamer as gst;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// One test that runs its body in a child process.
macro_rules! in_own_process {
    ($($(#[$doc:meta])* $name:ident / $child:ident => $body:expr;)+) => { $(
        #[test]
        fn $name() {
            in_child(concat!("lifecycle::", stringify!($child)));
        }
        $(#[$doc])*
        #[test]
        #[ignore = "run in a child process"]
        fn $child() {
            if is_child() {
                $body;
                wait_for_threads("deepfake-worker", 0);
            }
        }
    )+ };
}

in_own_process! {
    it_starts_and_stops_a_hundred_times / child_start_stop => start_and_stop();
    it_takes_two_hundred_caps / child_caps => caps_changes();
    it_survives_a_storm_of_flushes / child_flushes => flush_storm();
    it_stops_while_the_analysis_runs / child_stop => stop_in_work();
    sixteen_stop_together / child_sixteen => sixteen();
    elements_share_their_networks / child_sharing => sharing();
}

fn start_and_stop() {
    // One element all the time, and a new one each time.
    let same = element(&[]).unwrap();
    for n in 0..100 {
        let (fresh, mode) = (element(&[]).unwrap(), if n % 3 == 0 { "sync" } else { "live" });
        same.set_property_from_str("mode", mode);
        for element in [&same, &fresh] {
            let mut rig =
                Rig::around(element.clone(), "video/x-raw,format=NV12,width=160,height=120,framerate=25/1");
            wait_for_threads("deepfake-worker", usize::from(element == &fresh || mode == "live"));
            for _ in 0..n % 4 {
                let frame = rig.noise();
                assert_eq!(verdict(&rig.pass(frame)).epoch, 1, "a new run starts with a new count");
            }
            assert_eq!(stat(element, "frames-seen"), n % 4);
            if n % 2 == 0 {
                rig.eos();
            }
            drop(rig);
            assert_eq!(element.current_state(), gst::State::Null);
            wait_for_threads("deepfake-worker", 0);
        }
    }
    for n in 0..100 {
        let target = [gst::State::Ready, gst::State::Paused, gst::State::Playing][n % 3];
        same.set_state(target).unwrap();
        if n % 5 == 0 {
            same.set_state(gst::State::Null).unwrap();
        }
    }
    same.set_state(gst::State::Null).unwrap();
}

fn caps_changes() {
    let mut rig = Rig::new(&[]).unwrap();
    for n in 0..200u64 {
        let format = frames::FORMATS[n as usize % frames::FORMATS.len()];
        let (width, height) = (64 + n % 50, 48 + n % 31);
        let caps = format!("video/x-raw,format={format},width={width},height={height},framerate=25/1");
        rig.set_caps(&caps);
        for _ in 0..2 {
            let frame = rig.noise();
            assert_eq!(verdict(&rig.pass(frame)).epoch, n + 1);
        }
    }
    assert_eq!(stat(&rig.element, "skipped-unreadable"), 0);
    rig.eos();
    assert_eq!(rig.drain(), Vec::<String>::new());
}

fn flush_storm() {
    let mut rig = Rig::new(&[("report-interval", "1")]).unwrap();
    let sink = rig.element.static_pad("sink").unwrap();
    let over = Arc::new(AtomicBool::new(false));
    // A flush begins while a buffer is on its way, and ends when that has come back: then comes a new segment.
    let turn = Arc::new(Mutex::new(()));
    let (stop, turns) = (Arc::clone(&over), Arc::clone(&turn));
    let flusher = std::thread::spawn(move || {
        let mut flushes = 0;
        while !stop.load(Ordering::Relaxed) {
            sink.send_event(gst::event::FlushStart::new());
            let _turn = turns.lock().unwrap();
            sink.send_event(gst::event::FlushStop::new(true));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            sink.send_event(gst::event::Segment::new(&segment));
            flushes += 1;
        }
        flushes
    });
    let mut passed = 0;
    let mut last_epoch = 0;
    for _ in 0..3000 {
        let frame = rig.noise();
        let _turn = turn.lock().unwrap();
        match rig.h.push(frame) {
            Ok(_) => passed += 1,
            Err(gst::FlowError::Flushing) => {}
            Err(other) => panic!("{other}"),
        }
        while let Some(out) = rig.h.try_pull() {
            let epoch = verdict(&out).epoch;
            assert!(epoch >= last_epoch);
            last_epoch = epoch;
        }
    }
    over.store(true, Ordering::Relaxed);
    assert!(flusher.join().unwrap() > 5 && passed > 0);
    // After the storm it works as before.
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    rig.h.push_event(gst::event::Segment::new(&segment));
    rig.drain();
    // The same segment again is no new epoch, so the very next frame need not be a sampled one.
    let mut first = None;
    for _ in 0..6 {
        let frame = rig.noise();
        first = first.or(frame.pts().map(|p| p.nseconds()));
        rig.pass(frame);
    }
    rig.wait_for(|m| matches!(m, DeepfakeMessage::Verdict(v) if v.header.timestamp >= first));
}

fn stop_in_work() {
    for _ in 0..10 {
        let mut rig = Rig::new(&[("report-interval", "1")]).unwrap();
        let gate = Gate::before(&rig.bus, "deepfake-verdict");
        for _ in 0..5 {
            let frame = rig.noise();
            rig.pass(frame);
        }
        gate.wait_for_arrivals(1);
        let element = rig.element.clone();
        let stopping = std::thread::spawn(move || element.set_state(gst::State::Null));
        gate.open();
        stopping.join().unwrap().unwrap();
        wait_for_threads("deepfake-worker", 0);
    }
}

fn sixteen() {
    let mut rigs: Vec<Rig> = (0..16).map(|_| Rig::new(&[("report-interval", "1")]).unwrap()).collect();
    wait_for_threads("deepfake-worker", 16);
    for _ in 0..10 {
        for rig in &mut rigs {
            let frame = rig.noise();
            rig.pass(frame);
        }
    }
    for rig in &mut rigs {
        rig.eos();
        rig.wait_for(|m| matches!(m, DeepfakeMessage::Summary(s) if s.frames_seen == 10));
        let frames = rig.messages.iter().filter(|m| matches!(m, DeepfakeMessage::Verdict(_))).count();
        assert!(frames > 0);
    }
    std::thread::scope(|scope| {
        for rig in &rigs {
            scope.spawn(|| rig.element.set_state(gst::State::Null).unwrap());
        }
    });
}

fn sharing() {
    let load = || {
        let config = Config {
            model_dir: Some(face_models()),
            library: onnxruntime(),
            wanted: Wanted { detector_full: true, ..Wanted::default() },
            threads: 1,
            ..Config::default()
        };
        FaceModelSet::load(&config).unwrap()
    };
    let mut ours = load();
    // This test, and the registry's own look.
    let counts = |set: &FaceModelSet| set.models().map(Arc::strong_count).collect::<Vec<_>>();
    let alone = counts(&ours);
    let elements: Vec<_> = (0..3).map(|_| element(&[]).unwrap()).collect();
    for (n, element) in elements.iter().enumerate() {
        element.set_state(gst::State::Paused).unwrap();
        let more: Vec<_> = counts(&ours).iter().zip(&alone).map(|(a, b)| a - b).collect();
        assert_eq!(more, vec![n + 1; alone.len()], "every element uses the same networks");
    }
    for element in &elements {
        element.set_state(gst::State::Null).unwrap();
    }
    assert_eq!(counts(&ours), alone, "and lets them go");
    // Still in working order.
    use gstdeepfake::analysis::face::models::FaceModels as _;
    let input = ndarray::Array4::<f32>::zeros((1, 256, 256, 3));
    ours.mesh(MeshKind::V2, input.view(), &mut Default::default()).unwrap();
}
