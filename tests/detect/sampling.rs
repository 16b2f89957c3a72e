//! Which frames are analysed: by PTS, at the profile's rates, whatever the frame rate; and the budget.

use crate::common::{Rig, stat, verdict};
use gst::prelude::*;
use gstdeepfake::analysis::judgement::verdict::Condition;
use gstreamer as gst;

#[test]
fn rates_follow_the_profile_and_not_the_frame_rate() {
    // Dense for the first three seconds, sparse after: frames a second in each.
    for (profile, dense, sparse) in
        [("economy", 12.0, 8.0), ("balanced", 15.0, 10.0), ("thorough", 30.0, 25.0)]
    {
        for fps in [15, 25, 30, 60] {
            let caps = format!("video/x-raw,format=GRAY8,width=64,height=48,framerate={fps}/1");
            let Some(mut rig) = Rig::with_caps(&[("mode", "sync"), ("profile", profile)], &caps) else {
                return;
            };
            for _ in 0..fps * 13 {
                let frame = rig.black();
                rig.pass(frame);
            }
            let rate = f64::from(fps);
            let wanted = 3.0 * rate.min(dense) + 10.0 * rate.min(sparse);
            let sampled = stat(&rig.element, "frames-sampled") as f64;
            assert!((sampled - wanted).abs() <= 4.0, "{profile} at {fps}: {sampled}, not {wanted}");
        }
    }
}

#[test]
fn a_new_face_is_looked_at_densely() {
    let caps = "video/x-raw,format=I420,width=160,height=120,framerate=60/1";
    let Some(mut rig) = Rig::with_caps(&[("mode", "sync"), ("profile", "economy")], caps) else { return };
    let interval = |rig: &Rig| stat(&rig.element, "sampling-interval");
    for _ in 0..300 {
        let frame = rig.black();
        rig.pass(frame);
    }
    assert_eq!(interval(&rig), 125_000_000);
    for _ in 0..20 {
        let frame = rig.noise();
        rig.pass(frame);
    }
    assert!(interval(&rig) < 100_000_000, "{}", interval(&rig));
}

#[test]
fn gaps_and_jumps_in_time_do_not_stop_the_sampling() {
    let Some(mut rig) = Rig::new(&[("mode", "sync")]) else { return };
    for (n, second) in [0u64, 1, 50, 51, 4000, 3, 4, 5_000_000].into_iter().enumerate() {
        let mut frame = rig.noise();
        frame.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(second));
        let v = verdict(&rig.pass(frame));
        // A step back within an epoch is no frame of the future: it is analysed too.
        assert_eq!(stat(&rig.element, "frames-sampled"), n as u64 + 1, "at {second} s");
        assert_ne!(v.condition, Condition::Failed);
    }
}

/// Milliseconds of analysis a second of stream, and the interval at the end, in live mode.
fn cost(budget: &str) -> Option<(f64, u64)> {
    let caps = "video/x-raw,format=I420,width=640,height=480,framerate=30/1";
    let properties = [("report-interval", "1"), ("profile", "thorough"), ("cpu-budget", budget)];
    let mut rig = Rig::with_caps(&properties, caps)?;
    let total = |rig: &Rig| {
        let stages = rig.element.property::<gst::Structure>("stats").get::<gst::Structure>("stages").unwrap();
        stages.get::<gst::Structure>("total").map_or(0, |t| t.get::<u64>("total-us").unwrap())
    };
    // The first seconds teach the governor what a frame costs.
    let seconds = 20;
    let mut before = 0;
    for n in 0..30 * (seconds + 5) {
        if n == 150 {
            before = total(&rig);
        }
        let frame = rig.noise();
        rig.pass_settled(frame);
    }
    let spent = (total(&rig) - before) as f64 / 1000.0 / seconds as f64;
    Some((spent, stat(&rig.element, "sampling-interval")))
}

#[test]
fn a_budget_stretches_the_interval_until_it_is_kept() {
    let Some((free, dense)) = cost("0") else { return };
    assert!(dense <= 40_000_000, "{dense}");
    // A quarter of what it would take, and at least the smallest budget there is.
    let budget = (free / 4.0).max(1.0) as u32;
    if free < 4.0 {
        eprintln!("SKIPPED: analysis costs only {free:.1} ms a second here; the budget cannot bind");
        return;
    }
    // Other programs make frames dear from one moment to the next, which no governor foresees: best of three.
    let runs: Vec<_> = (0..3).map(|_| cost(&budget.to_string()).unwrap()).collect();
    assert!(runs.iter().all(|(_, sparse)| *sparse > dense), "{runs:?}");
    let least = runs.iter().map(|r| r.0).fold(f64::INFINITY, f64::min);
    assert!(least <= 1.5 * f64::from(budget), "{runs:?} ms a second of {budget}");
}
