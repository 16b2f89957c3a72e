//! The verdict as metadata and as messages: what goes in comes out, through whatever elements; what others
//! write is refused without a panic.

// The lint exempts test functions only, not the helpers beside them.
#![allow(clippy::unwrap_used)]

use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoRegionOfInterestMeta;
use gstdeepfake::analysis::evidence::Evidence;
use gstdeepfake::analysis::judgement::decision::{Decision, Ruling};
use gstdeepfake::analysis::judgement::fusion::Posterior;
use gstdeepfake::analysis::judgement::verdict::{
    Alert, AlertKind, Condition, SCHEMA_VERSION, State, TrackVerdict, Verdict,
};
use gstdeepfake::analysis::pixels::rect::NormRect;
use gstdeepfake::message::{
    self, AlertMessage, DecisionMessage, DeepfakeMessage, EvidenceMessage, Header, SummaryMessage,
    VerdictMessage,
};
use gstdeepfake::meta::{self, Error, Prepared};
use gstreamer as gst;
use gstreamer_check as gst_check;
use gstreamer_video as gst_video;
use proptest::prelude::*;
use std::sync::Arc;

fn init() {
    gstdeepfake::register_static().unwrap();
}

fn sample() -> Verdict {
    let evidence = ["micro-motion", "blink", "pulse", "repeat"].map(|signal| Evidence {
        signal: signal.into(),
        llr: 1.25,
        quality: 0.5,
        reason: format!("{signal} says so in a line of usual length"),
    });
    let track = TrackVerdict {
        track_id: 3,
        rect: NormRect { x: 0.25, y: 0.25, w: 0.5, h: 0.5 },
        state: State::Suspect,
        condition: Condition::Analysed,
        risk: 0.6,
        statistic: 3.5,
        posterior: Posterior { attack: 0.2, forgery: 0.2, ..Posterior::default() },
        evidence: evidence.to_vec(),
    };
    Verdict {
        analysed_pts: Some(1_000),
        state: State::Suspect,
        condition: Condition::Analysed,
        risk: 0.6,
        tracks: vec![track],
        stream_evidence: vec![evidence[3].clone()],
        ..Verdict::not_analysed(2)
    }
}

fn with_verdict(verdict: &Verdict, pts: Option<u64>) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(320 * 240 * 3 / 2).unwrap();
    meta::attach(buffer.get_mut().unwrap(), verdict, pts).unwrap();
    buffer
}

#[test]
fn attached_read_and_removed() {
    init();
    meta::register(); // a second time: nothing happens
    let mut buffer = gst::Buffer::new();
    assert!(meta::read(&buffer).is_none());
    assert!(!meta::remove(buffer.get_mut().unwrap()));
    meta::attach(buffer.get_mut().unwrap(), &sample(), Some(41_000)).unwrap();
    assert_eq!(meta::read(&buffer), Some(Ok(sample())));
    assert_eq!(meta::age(&buffer), Some(40_000));
    assert!(meta::remove(buffer.get_mut().unwrap()));
    assert!(meta::read(&buffer).is_none());
}

#[test]
fn a_second_verdict_takes_the_firsts_place() {
    init();
    let mut buffer = with_verdict(&sample(), Some(5_000));
    let newer = Verdict::not_analysed(9);
    meta::attach(buffer.get_mut().unwrap(), &newer, Some(5_000)).unwrap();
    assert_eq!(meta::read(&buffer), Some(Ok(newer)));
    assert_eq!(buffer.iter_meta::<gst::Meta>().count(), 1);
    assert_eq!(meta::age(&buffer), None, "nothing was analysed, so there is no age");
}

#[test]
fn the_age_is_unknown_without_a_pts_and_never_negative() {
    init();
    assert_eq!(meta::age(&with_verdict(&sample(), None)), None);
    assert_eq!(meta::age(&with_verdict(&sample(), Some(10))), Some(0));
}

#[test]
fn it_survives_what_changes_neither_time_nor_picture() {
    init();
    for element in [
        "identity",
        "queue",
        "tee ! identity",
        "videoconvert ! capsfilter caps=video/x-raw,format=RGB",
        "videoscale ! capsfilter caps=video/x-raw,width=200,height=100",
        "videoconvertscale ! capsfilter caps=video/x-raw,format=NV12,width=640,height=480",
        "videoflip method=none",
        "videocrop left=2",
    ] {
        let mut h = Harness::new_parse(element);
        h.set_src_caps_str("video/x-raw,format=I420,width=320,height=240,framerate=25/1");
        let out = h.push_and_pull(with_verdict(&sample(), Some(7)));
        let read = out.ok().and_then(|b| meta::read(&b));
        assert_eq!(read, Some(Ok(sample())), "{element}");
    }
}

/// Within one process GStreamer's encoder and decoder base classes copy untagged metadata too. No transform
/// function could tell them from a converter, so it is stated here and in the documentation.
#[test]
fn it_stays_with_the_frame_through_a_codec() {
    init();
    let mut h = Harness::new_parse("jpegenc ! jpegdec");
    h.set_src_caps_str("video/x-raw,format=I420,width=320,height=240,framerate=25/1");
    let out = h.push_and_pull(with_verdict(&sample(), Some(7))).unwrap();
    assert_eq!(meta::read(&out), Some(Ok(sample())));
}

#[test]
fn a_copy_outlives_the_original_and_can_be_changed() {
    init();
    let original = with_verdict(&sample(), Some(7));
    let mut copy = original.copy();
    drop(original);
    let other = Verdict::not_analysed(4);
    meta::attach(copy.get_mut().unwrap(), &other, None).unwrap();
    assert_eq!(meta::read(&copy), Some(Ok(other)));
}

type Roi = (String, i32, (u32, u32, u32, u32));

fn rois(buffer: &gst::BufferRef) -> Vec<Roi> {
    let metas = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    metas.map(|r| (r.roi_type().to_owned(), r.id(), r.rect())).collect()
}

#[test]
fn regions_are_replaced_and_others_left_alone() {
    init();
    let mut buffer = gst::Buffer::new();
    let b = buffer.get_mut().unwrap();
    VideoRegionOfInterestMeta::add(b, "face", (1, 2, 3, 4));
    meta::attach_rois(b, &sample(), 640, 480);
    let mut moved = sample();
    moved.tracks[0].rect = NormRect { x: 0.9, y: -0.1, w: 0.5, h: 0.2 };
    meta::attach_rois(b, &moved, 640, 480);
    let face = |id, rect| ("face".to_owned(), id, rect);
    assert_eq!(rois(b), [face(0, (1, 2, 3, 4)), face(3, (576, 0, 64, 48))]);
    let ours = b.iter_meta::<VideoRegionOfInterestMeta>().last().unwrap();
    let param = ours.param(meta::NAME).unwrap();
    assert_eq!(param.get::<&str>("state").unwrap(), "suspect");
    assert_eq!(param.get::<u32>("track-id").unwrap(), 3);
    assert_eq!(param.get::<f64>("risk").unwrap(), 0.6);
    meta::remove_rois(b);
    assert_eq!(rois(b), [face(0, (1, 2, 3, 4))]);
}

#[test]
fn malformed_structures_are_named() {
    init();
    let read = |s: &gst::Structure| Verdict::try_from(s.as_ref());
    let mut s = gst::Structure::from(&sample());
    s.remove_field("risk");
    assert_eq!(read(&s), Err(Error::Missing { field: "risk" }));
    s.set("risk", "high");
    assert!(matches!(read(&s), Err(Error::Type { field: "risk", .. })));
    s.set("risk", 0.5);
    s.set("state", "safe");
    assert_eq!(read(&s), Err(Error::Value { field: "state", value: "safe".into() }));
    s.set("state", "live");
    s.set("tracks", gst::Array::new([1u32]));
    assert!(matches!(read(&s), Err(Error::Type { field: "tracks", .. })));
    s.set("tracks", gst::Array::new([None::<gst::Structure>]));
    assert!(matches!(read(&s), Err(Error::Type { field: "tracks", .. })));
    s.set("schema-version", SCHEMA_VERSION + 1);
    assert_eq!(read(&s), Err(Error::SchemaVersion { found: SCHEMA_VERSION + 1 }));
    s.set_name("other");
    assert!(matches!(read(&s), Err(Error::Name { .. })));
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,20}"
}

fn names<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

/// A time; the one that stands for "none" is no time.
fn time() -> impl Strategy<Value = u64> {
    0..u64::MAX
}

fn evidence() -> impl Strategy<Value = Vec<Evidence>> {
    let one = (text(), -9.0..9.0f64, 0.0..1.0f64, text());
    prop::collection::vec(
        one.prop_map(|(signal, llr, quality, reason)| Evidence { signal, llr, quality, reason }),
        0..4,
    )
}

fn posterior() -> impl Strategy<Value = Posterior> {
    prop::array::uniform5(0.0..1.0f64).prop_map(|[attack, presentation, replay, forgery, injection]| {
        Posterior { attack, presentation, replay, forgery, injection }
    })
}

fn track() -> impl Strategy<Value = TrackVerdict> {
    let numbers = prop::array::uniform6(-2.0..2.0f64);
    (any::<u32>(), numbers, names(State::ALL), names(Condition::ALL), posterior(), evidence()).prop_map(
        |(track_id, [x, y, w, h, risk, statistic], state, condition, posterior, evidence)| TrackVerdict {
            track_id,
            rect: NormRect { x, y, w, h },
            state,
            condition,
            risk,
            statistic,
            posterior,
            evidence,
        },
    )
}

prop_compose! {
    fn verdict()(
        epoch in any::<u64>(), analysed_pts in prop::option::of(time()), state in names(State::ALL),
        condition in names(Condition::ALL), risk in 0.0..1.0f64, alert in any::<bool>(),
        tracks in prop::collection::vec(track(), 0..4), stream_evidence in evidence(),
        posterior in posterior(), decision in names(Decision::ALL), statistic in -9.0..9.0f64,
    ) -> Verdict {
        Verdict {
            epoch, analysed_pts, state, condition, risk, alert, tracks, stream_evidence, statistic, posterior, decision,
            ..Verdict::not_analysed(0)
        }
    }
}

prop_compose! {
    fn header()(
        session in text(), epoch in any::<u64>(), times in prop::array::uniform3(prop::option::of(time())),
        digests in prop::collection::vec(text(), 0..3), provider in text(),
        ignored in prop::collection::vec(text(), 0..3),
    ) -> Header {
        let mut h = Header::default();
        (h.session_id, h.epoch, h.model_digests, h.provider) = (session, epoch, digests, provider);
        h.ignored_signals = ignored;
        [h.timestamp, h.running_time, h.stream_time] = times;
        h
    }
}

fn messages() -> impl Strategy<Value = DeepfakeMessage> {
    let verdicts = (header(), verdict()).prop_map(|(h, v)| VerdictMessage::new(h, v).into());
    let ids = prop::option::of(any::<u32>());
    let alerts = (header(), names(AlertKind::ALL), time(), prop::option::of(time()), ids, evidence());
    let alerts = alerts.prop_map(|(h, kind, pts, onset_pts, track_id, evidence)| {
        let epoch = h.epoch;
        let (statistic, threshold) = (6.5, 6.0);
        AlertMessage::new(h, Alert { kind, epoch, pts, onset_pts, track_id, statistic, threshold, evidence })
            .into()
    });
    let skipped = prop::collection::btree_map("[a-z][a-z-]{0,9}", any::<u64>(), 0..4);
    let times = prop::collection::btree_map(names(State::ALL), any::<u64>(), 0..4);
    let counts = prop::array::uniform3(any::<u64>());
    let summaries = (header(), counts, skipped, times, names(State::ALL), prop::option::of(time()));
    let summaries = summaries.prop_map(|(h, counts, skipped, times, state, first)| {
        let mut s = SummaryMessage::default();
        s.header = h;
        [s.frames_seen, s.frames_sampled, s.frames_analysed] = counts;
        (s.frames_skipped, s.time_in_state) = (skipped, times);
        (s.worst_state, s.first_alert_pts, s.duration) = (state, first, first);
        (s.alerts, s.worst_risk) = (2, 0.75);
        (s.decision, s.probability) = (Decision::Refer, 0.25);
        s.into()
    });
    let kept = (header(), names(AlertKind::ALL), text(), any::<u64>(), text());
    let kept =
        kept.prop_map(|(h, kind, b, line, digest)| EvidenceMessage::new(h, kind, b, (line, digest)).into());
    let reasons = prop::collection::vec(text(), 0..3);
    let ruling = (names(Decision::ALL), posterior(), -9.0..9.0f64, 0.0..90.0f64, reasons, text());
    let ruling = ruling.prop_map(|(decision, posterior, statistic, good_seconds, reasons, needed)| Ruling {
        decision,
        posterior,
        statistic,
        good_seconds,
        reasons,
        needed,
    });
    let decisions = (header(), ruling, any::<bool>());
    let decisions = decisions.prop_map(|(h, ruling, ended)| DecisionMessage::new(h, ruling, ended).into());
    prop_oneof![verdicts, alerts, summaries, kept, decisions]
}

const FIELDS: [&str; 6] = ["track-id", "x", "risk", "state", "evidence", "signal"];

/// Any value that a field can hold, arrays and structures of them among them.
fn any_value() -> impl Strategy<Value = glib::SendValue> {
    let leaf = prop_oneof![
        any::<u32>().prop_map(|v| v.to_send_value()),
        any::<u64>().prop_map(|v| v.to_send_value()),
        any::<f64>().prop_map(|v| v.to_send_value()),
        any::<bool>().prop_map(|v| v.to_send_value()),
        prop_oneof![text(), Just("live".into()), Just("analysed".into())].prop_map(|v| v.to_send_value()),
        Just(None::<String>.to_send_value()),
        Just(None::<gst::Structure>.to_send_value()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let structure = prop::collection::vec((prop::sample::select(&FIELDS[..]), inner.clone()), 0..4);
        prop_oneof![
            // GStreamer's arrays hold values of one type.
            (inner, 0usize..4).prop_map(|(v, n)| gst::Array::from_values(vec![v; n]).to_send_value()),
            structure.prop_map(|fields| {
                let mut s = gst::Structure::new_empty("track");
                fields.into_iter().for_each(|(n, v)| s.set_value(n, v));
                s.to_send_value()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_come_back_as_they_went(verdict in verdict()) {
        init();
        let structure = gst::Structure::from(&verdict);
        prop_assert_eq!(Verdict::try_from(structure.as_ref()), Ok(verdict));
    }

    #[test]
    fn messages_come_back_as_they_went(message in messages()) {
        init();
        let bin = gst::Bin::new();
        let posted = message.to_gst(&bin);
        prop_assert_eq!(posted.src(), Some(bin.upcast_ref()));
        prop_assert_eq!(message::parse(&posted), Some(Ok(message.clone())));
        let json = message.to_json().unwrap();
        prop_assert_eq!(serde_json::from_str::<DeepfakeMessage>(&json).unwrap(), message);
    }

    /// A good structure with one field replaced by anything: read as some verdict or refused, never a panic.
    #[test]
    fn any_field_may_be_anything(
        verdict in verdict(), value in any_value(), index in any::<prop::sample::Index>(),
        name in prop::sample::select(&[message::VERDICT, message::ALERT, message::SUMMARY][..]),
    ) {
        init();
        let mut structure = gst::Structure::from(&VerdictMessage::new(Header::default(), verdict));
        structure.set_name(name);
        let fields: Vec<String> = structure.fields().map(ToString::to_string).collect();
        structure.set_value(index.get(&fields).as_str(), value);
        let message = gst::message::Element::new(structure.clone());
        let parsed = message::parse(&message);
        prop_assert!(parsed.is_some());
        prop_assert!(name == message::VERDICT || matches!(parsed, Some(Err(_))));
        let _ = Verdict::try_from(structure.as_ref());
    }

    #[test]
    fn pixel_boxes_lie_in_the_frame(
        v in prop::array::uniform4(prop_oneof![any::<f64>(), -1.5..1.5f64]), width in 1u32..5000, height in 1u32..5000,
    ) {
        let rect = NormRect { x: v[0], y: v[1], w: v[2], h: v[3] };
        if let Some((x, y, w, h)) = meta::pixel_rect(&rect, width, height) {
            prop_assert!(w > 0 && h > 0 && x + w <= width && y + h <= height);
        } else {
            let inside = v[0] >= 0.0 && v[1] >= 0.0 && v[2] > 0.001 && v[3] > 0.001 && v[0] + v[2] <= 1.0 && v[1] + v[3] <= 1.0;
            prop_assert!(!inside);
        }
    }
}

#[test]
fn other_messages_are_none_of_ours() {
    init();
    assert!(message::parse(&gst::message::Eos::new()).is_none());
    let other = gst::message::Element::new(gst::Structure::new_empty("level"));
    assert!(message::parse(&other).is_none());
}

#[test]
fn text_with_a_nul_is_kept_readable() {
    init();
    let mut verdict = sample();
    verdict.stream_evidence[0].reason = "a\0b".into();
    let read = Verdict::try_from(gst::Structure::from(&verdict).as_ref()).unwrap();
    assert_eq!(read.stream_evidence[0].reason, "a b");
}

/// Not a test: prints what the streaming thread pays a buffer for one face with four pieces of evidence.
#[test]
#[ignore = "measures time"]
fn cost_of_attaching() {
    init();
    let prepared = Prepared::new(Arc::new(sample()));
    let mut buffer = gst::Buffer::new();
    let b = buffer.get_mut().unwrap();
    let mut measure = |what: &str, run: &mut dyn FnMut(&mut gst::BufferRef)| {
        let mut best = f64::MAX;
        for _ in 0..20 {
            let start = std::time::Instant::now();
            (0..2_000).for_each(|_| run(b));
            best = best.min(start.elapsed().as_nanos() as f64 / 2_000.0);
        }
        println!("{what}: {best:.0} ns");
    };
    measure("prepared, attach", &mut |b| prepared.attach(b, Some(9)).unwrap());
    measure("from the verdict, attach", &mut |b| meta::attach(b, &sample(), Some(9)).unwrap());
    measure("read", &mut |b| assert!(meta::read(b).unwrap().is_ok()));
    measure("regions", &mut |b| meta::attach_rois(b, prepared.verdict(), 640, 480));
}
