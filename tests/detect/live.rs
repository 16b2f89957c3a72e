//! `mode=live`: the streaming thread waits for nothing, and holds on to next to nothing.

use crate::common::gate::Gate;
use crate::common::{Rig, accounted, frames, stat, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::Condition;
use gstdeepfake::message::DeepfakeMessage;
use gstreamer as gst;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const EVERY: (&str, &str) = ("report-interval", "1");
const VERDICT: &str = "deepfake-verdict";

/// Pixels that tell when they are let go.
struct Counted(Vec<u8>, Arc<AtomicI64>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

fn counted(rig: &mut Rig, alive: &Arc<AtomicI64>) -> gst::Buffer {
    let (n, pts) = (rig.made, rig.pts(rig.made));
    rig.made += 1;
    let noise = frames::noise(&rig.info, n, pts);
    alive.fetch_add(1, Ordering::SeqCst);
    let bytes = noise.map_readable().unwrap().to_vec();
    let mut buffer = gst::Buffer::from_slice(Counted(bytes, Arc::clone(alive)));
    buffer.get_mut().unwrap().set_pts(pts);
    buffer
}

#[test]
fn a_stuck_analysis_holds_up_nothing_and_at_most_two_buffers() {
    let Some(mut rig) = Rig::new(&[EVERY]) else { return };
    let gate = Gate::before(&rig.bus, VERDICT);
    let alive = Arc::new(AtomicI64::new(0));
    for n in 0..500 {
        let buffer = counted(&mut rig, &alive);
        let out = rig.pass(buffer);
        if n == 0 {
            gate.wait_for_arrivals(1);
        }
        drop(out);
        assert!(alive.load(Ordering::SeqCst) <= 2, "frame {n}: {} are held", alive.load(Ordering::SeqCst));
    }
    let sampled = stat(&rig.element, "frames-sampled");
    assert!(sampled > 150, "{sampled}");
    assert_eq!(stat(&rig.element, "frames-analysed"), 1);
    assert_eq!(stat(&rig.element, "skipped-replaced"), sampled - 2);
    gate.open();
    rig.wait_for(|m| matches!(m, DeepfakeMessage::Verdict(v) if v.header.timestamp > Some(0)));
    // The newest of those that waited was analysed, and the next buffer carries that.
    let buffer = counted(&mut rig, &alive);
    let v = verdict(&rig.pass(buffer));
    // (Or its own verdict, if the worker is that quick.)
    assert!([499, 500].map(|n| Some(rig.pts(n).nseconds())).contains(&v.analysed_pts), "{v:?}");
    assert_ne!(v.condition, Condition::Stale);
    rig.eos();
    rig.drain();
    assert_eq!(alive.load(Ordering::SeqCst), 0, "nothing is held after the end");
    assert_eq!(accounted(&rig.element), stat(&rig.element, "frames-sampled"));
}

#[test]
fn the_end_waits_for_the_frame_in_work_and_tells_once() {
    let Some(mut rig) = Rig::new(&[EVERY]) else { return };
    let gate = Gate::before(&rig.bus, VERDICT);
    let frame = rig.noise();
    rig.pass(frame);
    gate.wait_for_arrivals(1);
    std::thread::scope(|scope| {
        let gate = &*gate;
        scope.spawn(move || gate.open());
        rig.eos();
    });
    rig.drain();
    let kinds: Vec<_> = rig.messages.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 3, "a verdict, the decision and the summary: {:?}", rig.messages);
    assert!(matches!(&rig.messages[1], DeepfakeMessage::Decision(m) if m.is_final));
    let Some(DeepfakeMessage::Summary(s)) = rig.messages.last() else { panic!("no summary at the end") };
    assert_eq!((s.frames_seen, s.frames_sampled, s.frames_analysed), (1, 1, 1));
    assert!(s.frames_skipped.is_empty());
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let Some(mut rig) = Rig::new(&[EVERY]) else { return };
    let gate = Gate::before(&rig.bus, VERDICT);
    for n in 0..10 {
        let frame = rig.noise();
        rig.pass(frame);
        if n == 0 {
            gate.wait_for_arrivals(1);
        }
    }
    let start = Instant::now();
    rig.eos();
    let took = start.elapsed();
    // Two seconds and some grace: this is a deadline, not a speed.
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(30), "{took:?}");
    let DeepfakeMessage::Summary(s) = rig.wait_for(|m| matches!(m, DeepfakeMessage::Summary(_))) else {
        unreachable!()
    };
    let skipped: u64 = s.frames_skipped.values().sum();
    assert_eq!(s.frames_sampled, s.frames_analysed + skipped, "{s:?}");
    assert_eq!(s.frames_skipped.get("unfinished"), Some(&1), "{s:?}");
    drop(gate);
    rig.drain();
    let summaries = rig.messages.iter().filter(|m| matches!(m, DeepfakeMessage::Summary(_)));
    assert_eq!(summaries.count(), 1);
}

#[test]
fn a_flush_ends_the_wait_at_the_end() {
    let Some(mut rig) = Rig::new(&[EVERY]) else { return };
    let gate = Gate::before(&rig.bus, VERDICT);
    let frame = rig.noise();
    rig.pass(frame);
    gate.wait_for_arrivals(1);
    // Nothing tells from outside that the drain has begun: flush until the end has come through.
    let sink = rig.element.static_pad("sink").unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let done = Arc::clone(&over);
    let flusher = std::thread::spawn(move || {
        while !done.load(Ordering::SeqCst) {
            sink.send_event(gst::event::FlushStart::new());
            sink.send_event(gst::event::FlushStop::new(true));
            std::thread::yield_now();
        }
    });
    let start = Instant::now();
    rig.h.push_event(gst::event::Eos::new());
    over.store(true, Ordering::SeqCst);
    flusher.join().unwrap();
    assert!(start.elapsed() < Duration::from_millis(1900), "the drain was not interrupted");
    drop(gate);
}

#[test]
fn after_a_stuck_epoch_its_result_is_void() {
    let Some(mut rig) = Rig::new(&[EVERY]) else { return };
    let gate = Gate::before(&rig.bus, VERDICT);
    let frame = rig.noise();
    rig.pass(frame);
    gate.wait_for_arrivals(1);
    let waiting = rig.noise();
    let mut waiting = waiting;
    waiting.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(500));
    rig.pass(waiting);
    rig.element.emit_by_name::<()>("reset", &[]);
    let frame = rig.noise();
    let v = verdict(&rig.pass(frame));
    assert_eq!((v.epoch, v.condition), (2, Condition::NotAnalysed));
    assert_eq!(stat(&rig.element, "skipped-stale-epoch"), 1, "the one that waited");
    gate.open();
    let DeepfakeMessage::Verdict(m) =
        rig.wait_for(|m| matches!(m, DeepfakeMessage::Verdict(v) if v.header.epoch == 2))
    else {
        unreachable!()
    };
    assert_eq!(m.header.timestamp, Some(rig.pts(2).nseconds()));
}

#[test]
fn results_that_come_late_are_void() {
    let caps = "video/x-raw,format=I420,width=640,height=480,framerate=25/1";
    let Some(mut rig) = Rig::with_caps(&[("profile", "thorough")], caps) else { return };
    let late = |rig: &Rig| stat(&rig.element, "skipped-stale-epoch");
    let mut epoch = 1;
    while epoch < 300 && late(&rig) < 20 {
        // The worker takes the first frame of an epoch; while it is at it, the epoch ends.
        for n in 0..30 {
            let frame = if n == 0 { rig.noise() } else { rig.black() };
            assert_eq!(verdict(&rig.pass(frame)).epoch, epoch, "frame {n}");
            std::thread::yield_now();
        }
        for n in 0..2 {
            let frame = rig.noise();
            assert_eq!(verdict(&rig.pass(frame)).epoch, epoch, "frame {n} before the reset");
        }
        rig.element.emit_by_name::<()>("reset", &[]);
        epoch += 1;
    }
    assert!(late(&rig) > 0, "no result was ever late: this test has shown nothing");
}
