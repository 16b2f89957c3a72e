//! What the verdict on each buffer says, and of which epoch it is.

use crate::common::{Rig, element, verdict};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use gstdeepfake::analysis::judgement::verdict::Condition;
use gstdeepfake::meta;
use gstreamer as gst;
use gstreamer_video as gst_video;
use proptest::prelude::*;

const SETTLED: (&str, &str) = ("report-interval", "1");

fn regions(buffer: &gst::BufferRef) -> usize {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().filter(|r| r.roi_type() == meta::ROI_TYPE).count()
}

#[test]
fn first_not_analysed_then_a_face_then_none() {
    let Some(mut rig) = Rig::new(&[SETTLED]) else { return };
    let frame = rig.noise();
    let first = verdict(&rig.pass_settled(frame));
    // The worker may be done before the metadata is attached, but it cannot know more than this frame.
    match first.condition {
        Condition::NotAnalysed => assert_eq!((first.analysed_pts, first.tracks.len()), (None, 0)),
        _ => assert_eq!(first.analysed_pts, Some(0)),
    }
    assert_eq!(first.epoch, 1);
    let frame = rig.noise();
    let second = rig.pass_settled(frame);
    let v = verdict(&second);
    assert!(matches!(v.condition, Condition::Analysed | Condition::TooPoor), "{}", v.condition);
    assert_eq!((v.analysed_pts, v.tracks.len(), regions(&second)), (Some(0), 1, 1));
    assert_eq!(meta::age(&second), Some(40_000_000));
    let rect = v.tracks[0].rect;
    let (x, y) = (rect.x + rect.w / 2.0, rect.y + rect.h / 2.0);
    assert!((x - 0.5).abs() < 0.1 && (y - 0.5).abs() < 0.15, "the face is in the middle: {rect:?}");

    let Some(mut rig) = Rig::new(&[SETTLED]) else { return };
    for _ in 0..5 {
        let frame = rig.black();
        rig.pass_settled(frame);
    }
    let frame = rig.black();
    let last = rig.pass_settled(frame);
    assert_eq!((verdict(&last).condition, verdict(&last).tracks.len()), (Condition::NoFace, 0));
    assert_eq!(regions(&last), 0);
}

#[test]
fn in_sync_mode_a_sampled_frame_carries_its_own_verdict() {
    let Some(mut rig) = Rig::new(&[("mode", "sync")]) else { return };
    for n in 0..10 {
        let frame = rig.noise();
        let before = crate::common::stat(&rig.element, "frames-sampled");
        let out = rig.pass(frame);
        let sampled = crate::common::stat(&rig.element, "frames-sampled") > before;
        assert_eq!(verdict(&out).analysed_pts == out.pts().map(|p| p.nseconds()), sampled, "frame {n}");
    }
}

#[test]
fn only_the_newest_verdict_and_regions_are_on_a_buffer() {
    // A second detector downstream, or a buffer that comes round again.
    let Some(mut rig) = Rig::new(&[("mode", "sync")]) else { return };
    let frame = rig.noise();
    let mut out = rig.pass(frame);
    assert_eq!(regions(&out), 1);
    {
        let out = out.make_mut();
        VideoRegionOfInterestMeta::add(out, "face", (1, 2, 3, 4));
        out.set_pts(gst::ClockTime::from_mseconds(200));
    }
    let again = rig.pass(out);
    let verdicts = again
        .iter_meta::<gst::Meta>()
        .filter(|m| m.try_as_custom_meta().is_some_and(|c| c.structure().name() == meta::NAME));
    assert_eq!(verdicts.count(), 1);
    assert_eq!(regions(&again), 2, "ours once, and the one that others made");
}

#[test]
fn what_is_not_renewed_grows_stale() {
    let Some(mut rig) = Rig::new(&[SETTLED]) else { return };
    for _ in 0..3 {
        let frame = rig.noise();
        rig.pass_settled(frame);
    }
    // The gate is a flush of nothing: from here on the worker is given no time, because it is stopped at the bus.
    let gate = crate::common::gate::Gate::before(&rig.bus, "deepfake-verdict");
    let mut last = Condition::Analysed;
    for n in 0..200 {
        let frame = rig.noise();
        let out = rig.pass(frame);
        let v = verdict(&out);
        let age = meta::age(&out).unwrap();
        if age > 1_100_000_000 {
            assert_eq!(v.condition, Condition::Stale, "frame {n}, age {age}");
        } else if age < 900_000_000 {
            assert_ne!(v.condition, Condition::Stale, "frame {n}, age {age}");
        }
        last = v.condition;
    }
    assert_eq!(last, Condition::Stale);
    drop(gate);
}

#[test]
fn without_pts_the_frame_rate_tells_when_a_verdict_is_stale() {
    let Some(mut rig) = Rig::new(&[SETTLED]) else { return };
    let gate = crate::common::gate::Gate::before(&rig.bus, "deepfake-verdict");
    let mut conditions = Vec::new();
    for n in 0..100 {
        let mut frame = rig.noise();
        frame.get_mut().unwrap().set_pts(gst::ClockTime::NONE);
        conditions.push(verdict(&rig.pass(frame)).condition);
        if n == 0 {
            gate.wait_for_arrivals(1);
        }
    }
    assert_eq!(*conditions.last().unwrap(), Condition::Stale);
}

#[test]
fn a_region_of_interest_outside_a_cropped_picture_does_no_harm() {
    let Some(mut rig) = Rig::new(&[("mode", "sync")]) else { return };
    for crop in [(0, 0, 160, 120), (20, 10, 64, 64), (150, 110, 10, 10), (500, 500, 9, 9), (0, 0, 0, 0)] {
        let mut frame = rig.noise();
        gst_video::VideoCropMeta::add(frame.get_mut().unwrap(), crop);
        let out = rig.pass(frame);
        for region in out.iter_meta::<VideoRegionOfInterestMeta>() {
            let (x, y, w, h) = region.rect();
            assert!(w > 0 && h > 0 && x + w <= 160 && y + h <= 120, "{crop:?}: {:?}", region.rect());
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Frames(u8),
    Caps,
    SameCaps,
    Reconfigure,
    Segment,
    SameSegment,
    Flush,
    StreamStart,
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Step::*;
    let any = prop_oneof![
        4 => (1u8..6).prop_map(Frames),
        1 => Just(Caps), 1 => Just(SameCaps), 1 => Just(Reconfigure), 1 => Just(Segment),
        1 => Just(SameSegment), 1 => Just(Flush), 1 => Just(StreamStart), 1 => Just(Reset)
    ];
    prop::collection::vec(any, 1..25)
}

fn epochs_are_kept(mode: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let properties = [("mode", mode), ("profile", "thorough")];
    let Some(mut rig) = Rig::new(&properties) else { return Ok(()) };
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    let (mut expected, mut pending, mut wide, mut streams) = (0, true, false, 0);
    for step in steps {
        let mut event = |e: gst::Event| {
            assert!(rig.h.push_event(e));
        };
        match step {
            Step::Frames(count) => {
                for _ in 0..*count {
                    expected += u64::from(std::mem::take(&mut pending));
                    let frame = rig.noise();
                    let v = verdict(&rig.pass(frame));
                    prop_assert_eq!(v.epoch, expected, "a verdict of another epoch");
                    prop_assert!(v.condition != Condition::Failed);
                }
            }
            Step::Caps | Step::SameCaps => {
                wide ^= matches!(step, Step::Caps);
                let width = if wide { 200 } else { 160 };
                rig.set_caps(&format!("video/x-raw,format=I420,width={width},height=120,framerate=25/1"));
                pending |= matches!(step, Step::Caps);
                // The harness sends its own segment after caps: the default one.
                pending |= segment.start() != Some(gst::ClockTime::ZERO);
                segment.set_start(gst::ClockTime::ZERO);
            }
            Step::Reconfigure => {
                rig.h.push_upstream_event(gst::event::Reconfigure::new());
            }
            Step::Segment => {
                let next = segment.start().unwrap_or_default() + gst::ClockTime::from_nseconds(1);
                segment.set_start(next);
                event(gst::event::Segment::new(&segment));
                pending = true;
            }
            Step::SameSegment => event(gst::event::Segment::new(&segment)),
            Step::Flush => {
                event(gst::event::FlushStart::new());
                event(gst::event::FlushStop::new(true));
                event(gst::event::Segment::new(&segment));
                pending = true;
            }
            Step::StreamStart => {
                streams += 1;
                event(gst::event::StreamStart::new(&format!("stream {streams}")));
                pending = true;
            }
            Step::Reset => {
                rig.element.emit_by_name::<()>("reset", &[]);
                pending = true;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_buffer_carries_a_verdict_of_another_epoch(live in any::<bool>(), steps in steps()) {
        epochs_are_kept(if live { "live" } else { "sync" }, &steps)?;
    }
}

#[test]
fn a_reset_of_a_stopped_element_does_nothing() {
    let Some(element) = element(&[]) else { return };
    element.emit_by_name::<()>("reset", &[]);
    assert!(element.property::<Option<gst::Structure>>("verdict").is_none());
}
