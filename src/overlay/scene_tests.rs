//! What the scene says in each state: the words, the colours, and that nothing unknown is green.

use super::*;
use crate::analysis::pixels::rect::NormRect;
use proptest::prelude::*;

const ALL: Options = Options { boxes: true, max_reasons: 3, status: true, decision: true };

fn evidence(llr: f64, reason: &str) -> Evidence {
    Evidence { signal: "s".into(), llr, quality: 1.0, reason: reason.into() }
}

fn verdict(state: State, condition: Condition) -> Verdict {
    let track = TrackVerdict {
        track_id: 7,
        rect: NormRect { x: 0.3, y: 0.2, w: 0.3, h: 0.5 },
        state,
        condition,
        risk: 0.5,
        evidence: vec![evidence(2.0, "first"), evidence(-1.0, "second"), evidence(0.5, "third")],
        ..Default::default()
    };
    Verdict { state, condition, risk: 0.5, tracks: vec![track], ..Verdict::not_analysed(1) }
}

fn texts(ops: &[Op]) -> Vec<&str> {
    ops.iter()
        .filter_map(|op| if let Op::Text { text, .. } = op { Some(text.as_str()) } else { None })
        .collect()
}

fn has_fill(ops: &[Op], wanted: Rgb) -> bool {
    ops.iter().any(|op| matches!(op, Op::Fill { colour, .. } if *colour == wanted))
}

#[test]
fn the_label_says_state_and_risk() {
    let ops = build(&verdict(State::Live, Condition::Analysed), None, 640, 360, ALL);
    assert_eq!(texts(&ops), ["LIVE 0.50", "first", "second", "third"]);
    assert!(has_fill(&ops, GREEN));
}

#[test]
fn a_face_on_no_firm_ground_is_not_called_live() {
    for condition in Condition::ALL.iter().filter(|c| **c != Condition::Analysed) {
        let ops = build(&verdict(State::Live, *condition), Some(3_200_000_000), 640, 360, ALL);
        assert!(!has_fill(&ops, GREEN), "{condition}");
        assert!(!texts(&ops).iter().any(|t| t.contains("LIVE")), "{condition}: {:?}", texts(&ops));
        assert_eq!(texts(&ops).len(), 5, "label, reasons and status line: {condition}");
    }
}

#[test]
fn an_old_attack_stays_red() {
    let ops = build(&verdict(State::Attack, Condition::Stale), Some(3_200_000_000), 640, 360, ALL);
    assert_eq!(texts(&ops)[0], "ATTACK 0.50 (stale)");
    assert_eq!(texts(&ops)[4], "STALE - last analysis 3.2 s ago");
}

#[test]
fn a_standing_alert_has_a_banner_with_its_strongest_reason() {
    let mut v = verdict(State::Attack, Condition::Analysed);
    v.alert = true;
    v.stream_evidence = vec![evidence(4.0, "the feed repeats")];
    let ops =
        build(&v, None, 640, 360, Options { boxes: false, max_reasons: 0, status: false, decision: false });
    assert_eq!(texts(&ops), ["ALERT: the feed repeats"]);
}

#[test]
fn the_state_of_the_stream_itself_is_told() {
    let mut v = verdict(State::Live, Condition::Analysed);
    v.state = State::Suspect;
    v.stream_evidence = vec![evidence(2.0, "the feed repeats")];
    let ops = build(&v, None, 640, 360, Options { max_reasons: 0, ..ALL });
    assert_eq!(texts(&ops), ["LIVE 0.50", "STREAM SUSPECT 0.50: the feed repeats"]);
}

#[test]
fn options_hide_what_they_name() {
    let v = verdict(State::Suspect, Condition::Analysed);
    assert!(
        build(&v, None, 640, 360, Options { boxes: false, max_reasons: 0, status: true, decision: true })
            .is_empty()
    );
    assert_eq!(
        texts(&build(&v, None, 640, 360, Options { max_reasons: 1, ..ALL })),
        ["SUSPECT 0.50", "first"]
    );
}

#[test]
fn shortened_text_fits_and_shows_it() {
    assert_eq!(shorten("short", 5), "short");
    assert_eq!(shorten("a longer line", 10), "a longe...");
    assert_eq!(shorten("abc", 2), "...");
}

#[test]
fn the_state_is_told_on_the_smallest_frame() {
    let ops = build(&verdict(State::Live, Condition::TooPoor), None, 1, 1, ALL);
    assert!(ops.iter().any(|op| matches!(op, Op::Text { y: 0.., .. })), "{ops:?}");
}

proptest! {
    #[test]
    fn any_verdict_on_any_frame(
        numbers in prop::collection::vec(prop_oneof![any::<f64>(), -2.0..2.0f64], 8),
        width in 1u32..5000, height in 1u32..5000, reason in ".{0,200}", state in 0usize..4, condition in 0usize..6,
    ) {
        let mut v = verdict(State::ALL[state], Condition::ALL[condition]);
        let t = &mut v.tracks[0];
        t.rect = NormRect { x: numbers[0], y: numbers[1], w: numbers[2], h: numbers[3] };
        t.risk = numbers[4];
        t.evidence = vec![evidence(numbers[5], &reason)];
        v.risk = numbers[6];
        v.alert = true;
        for op in build(&v, Some(u64::MAX), width, height, ALL) {
            if let Op::Text { x, y, size, text, .. } = op {
                prop_assert!(x >= 0 && y >= 0 && size >= 8);
                prop_assert!(text.chars().count() < 600);
            }
        }
    }
}

#[test]
fn a_decision_is_shown_where_there_is_one_and_green_only_for_this_moment() {
    let decided = |decision, condition| {
        let v = Verdict { decision, ..verdict(State::Unknown, condition) };
        let ops = build(
            &v,
            None,
            640,
            360,
            Options { boxes: false, max_reasons: 0, status: false, decision: true },
        );
        let colour = ops.iter().find_map(|op| match op {
            Op::Fill { colour, .. } => Some(*colour),
            Op::Text { .. } => None,
        });
        (colour, texts(&ops).join(" "))
    };
    assert_eq!(decided(Decision::Insufficient, Condition::Analysed), (None, String::new()));
    assert_eq!(decided(Decision::Accept, Condition::Analysed), (Some(GREEN), "ACCEPT 0.0 %".into()));
    assert_eq!(decided(Decision::Accept, Condition::Stale).0, Some(GREY));
    assert_eq!(decided(Decision::Refer, Condition::Stale).0, Some(AMBER));
    assert_eq!(decided(Decision::Reject, Condition::NoFace).0, Some(RED));
}
