use super::*;
use crate::analysis::pixels::frame::{Colour, PixelFormat, Plane};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const BEGIN: u64 = 5 * SECOND;

/// Numbers between -1 and 1 that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}

fn steps(bits: u64) -> Vec<Step> {
    schedule(bits).enumerate().map(|(n, high)| Step { pts: BEGIN + n as u64 * SECOND, high }).collect()
}

/// Five pictures a second, of what `luma` says at a time and whether the control stood high (as the camera knew `late` ns
/// ago).
fn trace(steps: &[Step], late: u64, mut luma: impl FnMut(u64, bool) -> f64) -> Trace {
    let mut trace = Trace::default();
    for n in 0..=(BEGIN / SECOND + 2 * PAIRS as u64 + 2) * 5 {
        let pts = n * SECOND / 5;
        let high = steps.iter().rev().find(|s| s.pts + late <= pts).is_some_and(|s| s.high);
        let luma = luma(pts, high);
        trace.push(Sample { pts, luma, sharpness: luma / 50.0 });
    }
    trace
}

fn judged(bits: u64, late: u64, luma: impl FnMut(u64, bool) -> f64) -> Answer {
    let steps = steps(bits);
    let end = BEGIN + 2 * PAIRS as u64 * SECOND;
    answer(&trace(&steps, late, luma), &steps, end, Quantity::Luma)
}

#[test]
fn a_camera_answers_at_any_usual_delay() {
    for late in [0, 150_000_000, 400_000_000, 800_000_000] {
        let mut random = Random(late + 3);
        let found = judged(0b0110_1001, late, |_, high| 110.0 + f64::from(high) * 3.0 + random.next());
        assert!(matches!(found, Answer::Follows { effect, .. } if effect > 1.5), "{late}: {found:?}");
    }
}

#[test]
fn a_device_that_shows_its_own_film_is_silent() {
    let mut random = Random(9);
    let found = judged(0b0110_1001, 0, |_, _| 110.0 + 0.2 * random.next());
    assert!(matches!(found, Answer::Silent { bound } if bound < 1.0), "{found:?}");
    assert_eq!(judged(0b0110_1001, 0, |_, _| 110.0), Answer::Silent { bound: 0.0 });
}

#[test]
fn motion_hides_the_answer_and_is_no_silence() {
    let mut random = Random(4);
    let mut walk = 0.0;
    let found = judged(0b1100_0101, 0, |_, _| {
        walk += 4.0 * random.next();
        110.0 + walk
    });
    assert_eq!(found, Answer::Unclear);
}

#[test]
fn an_answer_the_wrong_way_is_none() {
    let mut random = Random(2);
    let found = judged(0b0011_1010, 0, |_, high| 110.0 - f64::from(high) * 4.0 + random.next());
    assert!(matches!(found, Answer::Contrary { .. }), "{found:?}");
}

#[test]
fn clipped_pictures_and_gaps_are_not_measured() {
    assert_eq!(judged(1, 0, |_, _| 2.0), Answer::Unmeasured);
    let steps = steps(1);
    assert_eq!(answer(&Trace::default(), &steps, BEGIN + 16 * SECOND, Quantity::Luma), Answer::Unmeasured);
    let whole = trace(&steps, 0, |_, _| 100.0);
    assert_eq!(answer(&whole, &steps[..9], BEGIN + 9 * SECOND, Quantity::Luma), Answer::Unmeasured);
}

#[test]
fn focus_may_answer_either_way() {
    for sign in [1.0, -1.0] {
        let (steps, mut random) = (steps(0b0110_0101), Random(8));
        let pictures =
            trace(&steps, 200_000_000, |_, high| 100.0 + sign * f64::from(high) * 10.0 + random.next());
        let found = answer(&pictures, &steps, BEGIN + 16 * SECOND, Quantity::Sharpness);
        assert!(matches!(found, Answer::Follows { .. }), "{sign}: {found:?}");
    }
}

/// The promise of [`ALPHA`]: pictures that know nothing of the order, whatever it is that moves them, held against every
/// order that can be drawn.
#[test]
fn false_answers_are_as_rare_as_promised() {
    let quasi = |random: &mut Random, kind: u64, pts: u64, walk: &mut f64| {
        let t = pts as f64 / 1e9;
        *walk += random.next();
        110.0
            + match kind {
                0 => 20.0 * random.next(),
                1 => 3.0 * *walk,
                2 => 10.0 * (t * std::f64::consts::PI).sin(),
                _ => 5.0 * t + 8.0 * f64::from((t as u32).is_multiple_of(2)),
            }
    };
    for kind in 0..4 {
        let mut answers = 0u32;
        let orders = 1u64 << PAIRS;
        for bits in 0..orders {
            // The same film each time.
            let (mut random, mut walk) = (Random(77 + kind), 0.0);
            let found = judged(bits, 0, |pts, _| quasi(&mut random, kind, pts, &mut walk).clamp(20.0, 235.0));
            answers += u32::from(matches!(found, Answer::Follows { .. }));
        }
        let share = f64::from(answers) / orders as f64;
        assert!(share <= ALPHA, "kind {kind}: {share}");
    }
}

#[test]
fn a_picture_is_measured() {
    let of = |data: &[u8]| {
        let plane = Plane { data, stride: 64 };
        let frame = FrameView::new(PixelFormat::Gray8, 64, 48, Colour::default(), &[plane]).unwrap();
        Sample::of(&frame, 7)
    };
    let flat = of(&[100; 64 * 48]);
    assert_eq!((flat.pts, flat.luma, flat.sharpness), (7, 100.0, 0.0));
    let stripes: Vec<u8> = (0..64 * 48).map(|i| if i % 2 == 0 { 90 } else { 110 }).collect();
    let stripes = of(&stripes);
    assert!((stripes.luma - 100.0).abs() < 1e-9 && stripes.sharpness > 5.0, "{stripes:?}");
}

#[test]
fn answers_are_weighed() {
    let follows = Answer::Follows { effect: 4.0, delay: 100_000_000 };
    let silent = Answer::Silent { bound: 0.3 };
    let both = judge(&[("exposure", silent), ("brightness", follows)]);
    assert!(both.class == Some(Class::Physical) && both.injection < 0.0, "{both:?}");
    let one = judge(&[("exposure", silent)]);
    let two = judge(&[("exposure", silent), ("gain", silent)]);
    assert!(one.class == Some(Class::Virtual) && two.injection > one.injection && one.injection > 0.0);
    assert!(two.reason.contains("exposure and gain"), "{two:?}");
    assert!(judge(&[("gain", Answer::Refused)]).injection > 0.0);
    assert!(judge(&[("gain", Answer::Contrary { effect: 2.0 })]).injection > 0.0);
    for nothing in [&[][..], &[("gain", Answer::Unclear)], &[("gain", Answer::Unmeasured)]] {
        let finding = judge(nothing);
        assert_eq!((finding.weight, finding.injection), (0.0, 0.0), "{finding:?}");
    }
}

#[test]
fn a_step_goes_where_there_is_room() {
    assert_eq!(values(-64, 64, 1, 0, Scale::Linear), Some((0, 16)));
    assert_eq!(values(-64, 64, 1, 60, Scale::Linear), Some((44, 60)));
    assert_eq!(values(3, 2047, 1, 156, Scale::Ratio), Some((156, 234)));
    assert_eq!(values(3, 2047, 1, 2000, Scale::Ratio), Some((1000, 2000)));
    assert_eq!(values(0, 0, 1, 0, Scale::Linear), None);
    assert_eq!(values(0, 10, 1, 11, Scale::Linear), None, "a driver that contradicts itself");
}

proptest! {
    #[test]
    fn values_stay_in_the_range(
        bounds in any::<(i32, i32)>(), step in any::<i32>(), current in any::<i32>(), ratio in any::<bool>()
    ) {
        let scale = if ratio { Scale::Ratio } else { Scale::Linear };
        if let Some((low, high)) = values(bounds.0, bounds.1, step, current, scale) {
            prop_assert!(bounds.0 <= low && low < high && high <= bounds.1);
            prop_assert!(low == current || high == current);
        }
    }

    #[test]
    fn a_schedule_is_balanced(bits in any::<u64>()) {
        let all: Vec<bool> = schedule(bits).collect();
        prop_assert_eq!(all.len(), 2 * PAIRS);
        prop_assert!(all.chunks(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn any_trace_is_survived(
        samples in prop::collection::vec((any::<u64>(), any::<f64>()), 0..200),
        times in prop::collection::vec((any::<u64>(), any::<bool>()), 0..20),
        end in any::<u64>(),
    ) {
        let mut trace = Trace::default();
        for (pts, v) in &samples {
            trace.push(Sample { pts: *pts, luma: *v, sharpness: -*v });
        }
        let steps: Vec<Step> = times.iter().map(|(pts, high)| Step { pts: *pts, high: *high }).collect();
        for quantity in [Quantity::Luma, Quantity::Sharpness] {
            let finding = judge(&[("gain", answer(&trace, &steps, end, quantity))]);
            prop_assert!(finding.weight.is_finite() && finding.injection.is_finite());
        }
    }
}
