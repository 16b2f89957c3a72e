use super::*;
use proptest::prelude::*;

/// Buffers of a source: `times(n)` gives arrival and PTS of frame n, ns.
fn run(rate: Option<(u32, u32)>, frames: u64, times: impl Fn(u64) -> (f64, f64)) -> Vec<Finding> {
    let mut timing = Timing::new(rate);
    for n in 0..frames {
        let (arrival, pts) = times(n);
        timing.observe(5_000_000_000 + arrival as u64, Some(1_000_000_000 + pts as u64), None);
    }
    timing.findings(Class::Physical)
}

/// Something between -1 and 1 that looks random.
fn noise(n: u64) -> f64 {
    let x = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    x as f64 / f64::from(1 << 23) - 1.0
}

fn injection(findings: &[Finding]) -> f64 {
    findings.iter().map(|f| f.injection).sum()
}

const FRAME: f64 = 1e9 / 30.0;

#[test]
fn a_timer_is_told_from_a_camera() {
    let timer = run(Some((30, 1)), 600, |n| {
        (n as f64 * FRAME + 80_000.0 * (1.0 + noise(n)), (n * 1_000_000_000 / 30) as f64)
    });
    assert!(injection(&timer) > 2.0, "{timer:?}");
    let mut sender = Timing::new(Some((30, 1)));
    for n in 0..600u64 {
        sender.observe(n * 33_333_333, Some(n * 33_333_333), None);
    }
    assert_eq!(sender.findings(Class::Network)[0].injection, 0.0);
    let camera = run(Some((30, 1)), 600, |n| {
        let t = n as f64 * FRAME * (1.0 + 40e-6);
        (t + 200_000.0 * (1.0 + noise(n)), t + 50_000.0 * noise(n + 9_999))
    });
    assert!(injection(&camera) < 0.0, "{camera:?}");
    assert!(camera[1].weight > 0.5, "{camera:?}");
}

#[test]
fn whole_milliseconds_are_a_container_s() {
    let found = run(Some((30, 1)), 300, |n| (n as f64 * FRAME, (n as f64 * FRAME / 1e6).round() * 1e6));
    assert_eq!(found[0].injection, COARSE_INJECTION);
}

#[test]
fn frames_added_up_without_a_declared_rate_are_exact_too() {
    let found = run(None, 300, |n| (n as f64 * FRAME, n as f64 * 33_333_333.0));
    assert_eq!(found[0].injection, EXACT_INJECTION, "{found:?}");
    assert!(found[1].injection > 1.0, "the rate was guessed: {found:?}");
}

#[test]
fn a_file_without_a_clock_comes_too_fast() {
    let found = run(Some((25, 1)), 300, |n| (n as f64 * 1e6, n as f64 * 4e7));
    assert_eq!((found[2].class, found[2].injection), (Some(Class::File), FAST_INJECTION));
}

#[test]
fn silent_on_little_and_on_an_unsteady_rate() {
    for found in [
        run(Some((30, 1)), 60, |n| (n as f64 * FRAME, n as f64 * FRAME)),
        run(Some((30, 1)), 0, |_| (0.0, 0.0)),
        // A camera in low light: 30 declared, intervals wander between 40 and 80 ms.
        run(Some((30, 1)), 300, |n| {
            let t = n as f64 * 6e7 + 2e7 * (n as f64 * 0.05).sin() + 1e5 * noise(n);
            (t, t + 1e4 * noise(n + 7))
        }),
    ] {
        assert_eq!(injection(&found), 0.0, "{found:?}");
    }
}

#[test]
fn a_step_back_is_seen_and_the_drift_begins_anew() {
    let found = run(Some((30, 1)), 600, |n| {
        let t = n as f64 * FRAME * (1.0 + 60e-6) + 3e5 * noise(n);
        (t + 1e6, t % 10e9)
    });
    assert_eq!(found[2].injection, BACK_INJECTION, "{found:?}");
    assert!(found[1].injection <= 0.0, "{found:?}");
}

#[test]
fn dropped_frames_are_counted_by_their_times() {
    let found = run(Some((30, 1)), 400, |n| {
        let k = n + n / 7;
        (k as f64 * FRAME + 5e4 * noise(n), (k * 1_000_000_000 / 30) as f64)
    });
    assert_eq!(found[0].injection, EXACT_INJECTION);
    assert!(found[1].injection > 1.0, "{found:?}");
}

/// What a call costs: `cargo test --release timing_cost -- --ignored --nocapture`.
#[test]
#[ignore = "prints a number"]
fn timing_cost() {
    let mut timing = Timing::new(Some((30, 1)));
    let begun = std::time::Instant::now();
    let calls = 2_000_000u64;
    for n in 0..calls {
        timing.observe(std::hint::black_box(n * 33_333_333), Some(n * 33_333_333), None);
    }
    println!("Timing::observe: {:.1} ns a call", begun.elapsed().as_nanos() as f64 / calls as f64);
    let begun = std::time::Instant::now();
    let found = std::hint::black_box(&timing).clone().findings(Class::Physical);
    println!(
        "clone and findings: {:.1} us ({} findings)",
        begun.elapsed().as_nanos() as f64 / 1e3,
        found.len()
    );
}

proptest! {
    #[test]
    fn any_times_give_finite_findings(
        rate in prop::option::of((any::<u32>(), any::<u32>())),
        all in prop::collection::vec(
            (any::<u64>(), prop::option::of(any::<u64>()), prop::option::of(any::<u64>())), 0..700)
    ) {
        let mut timing = Timing::new(rate);
        for (arrival, pts, duration) in &all {
            timing.observe(*arrival, *pts, *duration);
        }
        for finding in timing.findings(Class::Physical) {
            prop_assert!(finding.weight.is_finite() && finding.injection.is_finite());
        }
        timing.reset(rate);
        prop_assert_eq!(timing.findings(Class::Physical).iter().map(|f| f.injection).sum::<f64>(), 0.0);
    }
}
