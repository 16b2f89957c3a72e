//! What is drawn, and where: a verdict and a frame size become a list of filled boxes and lines of text.
//!
//! Nothing here may look like "safe" when it is not known: a face whose ground is not `analysed` loses the
//! green, and a stream without a judged face says in words why.

use super::canvas::Rect;
use super::colour::{AMBER, BLACK, GREEN, GREY, RED, Rgb, WHITE, of_state, text_on};
use super::font;
use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::decision::Decision;
use crate::analysis::judgement::verdict::{Condition, State, TrackVerdict, Verdict};

/// One thing to draw; later ones cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A filled box; opacity 0..=1 before the element's own.
    Fill { rect: Rect, colour: Rgb, opacity: f64 },
    /// A line of text from its top left corner, `size` pixels an em.
    Text { x: i32, y: i32, size: u16, colour: Rgb, text: String },
}

/// What the user wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub boxes: bool,
    /// 0 for none.
    pub max_reasons: usize,
    pub status: bool,
    pub decision: bool,
}

/// Evidence bars are full at this many nats.
const FULL_LLR: f64 = 3.0;
/// A reason's panel is at least this wide, in characters, where the frame has room.
const PANEL_CHARS: usize = 48;

/// The sizes that follow from the frame's.
struct Metrics {
    width: i32,
    height: i32,
    text: u16,
    line: i32,
    row: i32,
    pad: i32,
}

impl Metrics {
    fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.min(1 << 16) as i32, height.min(1 << 16) as i32);
        let base = width.min(height);
        let text = (6 + base / 45).clamp(8, 96);
        Self {
            width,
            height,
            text: text as u16,
            line: ((base + 120) / 240).max(1),
            row: text * 27 / 20,
            pad: (text / 3).max(2),
        }
    }
}

/// Builds the scene. `age` is the time since the analysed frame in nanoseconds, where it is known.
pub fn build(verdict: &Verdict, age: Option<u64>, width: u32, height: u32, options: Options) -> Vec<Op> {
    let m = Metrics::new(width, height);
    let mut ops = Vec::new();
    let banner = banner_text(verdict);
    let top = if banner.is_some() { m.row + 2 * m.pad } else { 0 };
    for track in &verdict.tracks {
        draw_track(&mut ops, &m, verdict, track, top, options);
    }
    if options.status
        && let Some((colour, text)) = status_text(verdict, age)
    {
        draw_status(&mut ops, &m, colour, &text);
    }
    if options.decision {
        draw_decision(&mut ops, &m, verdict);
    }
    if let Some(text) = banner {
        fill(&mut ops, Rect { x: 0, y: 0, w: m.width, h: top }, RED, 0.88);
        let room = font::fitting(m.width - 2 * m.pad, m.text);
        ops.push(Op::Text { x: m.pad, y: m.pad, size: m.text, colour: WHITE, text: shorten(&text, room) });
    }
    ops
}

fn fill(ops: &mut Vec<Op>, rect: Rect, colour: Rgb, opacity: f64) {
    ops.push(Op::Fill { rect, colour, opacity });
}

/// `text` in at most `room` characters.
fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

fn upper(name: &str) -> String {
    name.replace('-', " ").to_uppercase()
}

/// The condition under which a face is shown: the stream's, where that says that the boxes are old.
fn ground(verdict: &Verdict, track: &TrackVerdict) -> Condition {
    match verdict.condition {
        Condition::Stale | Condition::Failed | Condition::NotAnalysed => verdict.condition,
        _ => track.condition,
    }
}

fn track_label(verdict: &Verdict, track: &TrackVerdict) -> (Rgb, String) {
    let ground = ground(verdict, track);
    // More than one face: say which.
    let id = if verdict.tracks.len() > 1 { format!("#{} ", track.track_id) } else { String::new() };
    let state = upper(track.state.name());
    match (ground, track.state) {
        (Condition::Analysed, state_now) => (of_state(state_now), format!("{id}{state} {:.2}", track.risk)),
        // What was good is no longer known to be; what was bad still is.
        (_, State::Live | State::Unknown) => (GREY, format!("{id}{}", upper(ground.name()))),
        (_, bad) => (of_state(bad), format!("{id}{state} {:.2} ({})", track.risk, ground.name())),
    }
}

fn draw_track(
    ops: &mut Vec<Op>,
    m: &Metrics,
    verdict: &Verdict,
    track: &TrackVerdict,
    top: i32,
    options: Options,
) {
    let Some((x, y, w, h)) = crate::meta::pixel_rect(&track.rect, m.width as u32, m.height as u32) else {
        return;
    };
    let face = Rect { x: x as i32, y: y as i32, w: w as i32, h: h as i32 };
    let (colour, label) = track_label(verdict, track);
    if options.boxes {
        draw_frame(ops, m, face, colour);
        draw_label(ops, m, face, top, colour, &label);
        draw_risk(ops, m, face, colour, track.risk);
    }
    if options.max_reasons > 0 && !track.evidence.is_empty() {
        let fresh = ground(verdict, track) == Condition::Analysed;
        let evidence = track.evidence.iter().take(options.max_reasons).collect::<Vec<_>>();
        draw_reasons(ops, m, face, top, verdict.tracks.len(), &evidence, fresh);
    }
}

/// The face's box: a thin line with strong corners on a dark edge, so that it shows on any picture.
fn draw_frame(ops: &mut Vec<Op>, m: &Metrics, f: Rect, colour: Rgb) {
    let l = m.line;
    edges(ops, Rect { x: f.x - 1, y: f.y - 1, w: f.w + 2, h: f.h + 2 }, l + 2, BLACK, 0.35);
    edges(ops, f, l, colour, 0.9);
    let (arm_x, arm_y) = (f.w / 5, f.h / 5);
    for (right, bottom) in [(false, false), (true, false), (false, true), (true, true)] {
        let cx = if right { f.x + f.w - arm_x } else { f.x };
        let cy = if bottom { f.y + f.h - arm_y } else { f.y };
        let thick_x = if right { f.x + f.w - 2 * l } else { f.x };
        let thick_y = if bottom { f.y + f.h - 2 * l } else { f.y };
        fill(ops, Rect { x: cx, y: thick_y, w: arm_x, h: 2 * l }, colour, 1.0);
        fill(ops, Rect { x: thick_x, y: cy, w: 2 * l, h: arm_y }, colour, 1.0);
    }
}

fn edges(ops: &mut Vec<Op>, r: Rect, l: i32, colour: Rgb, opacity: f64) {
    fill(ops, Rect { h: l, ..r }, colour, opacity);
    fill(ops, Rect { y: r.y + r.h - l, h: l, ..r }, colour, opacity);
    let (y, h) = (r.y + l, r.h - 2 * l);
    fill(ops, Rect { y, h, w: l, ..r }, colour, opacity);
    fill(ops, Rect { x: r.x + r.w - l, y, h, w: l }, colour, opacity);
}

/// The strip with the state's word and the risk, above the box or, where there is no room, in it.
fn draw_label(ops: &mut Vec<Op>, m: &Metrics, f: Rect, top: i32, colour: Rgb, label: &str) {
    let label = shorten(label, font::fitting(m.width - 2 * m.pad, m.text));
    let w = font::width(label.len(), m.text) + 2 * m.pad;
    let above = f.y - m.row - m.line;
    let y = if above >= top { above } else { f.y.max(top) };
    let x = f.x.min(m.width - w).max(0);
    fill(ops, Rect { x, y, w, h: m.row }, colour, 0.92);
    let text_y = y + (m.row - i32::from(m.text) * 6 / 5) / 2;
    ops.push(Op::Text { x: x + m.pad, y: text_y, size: m.text, colour: text_on(colour), text: label });
}

/// How far the statistic is on its way to an alert, as a bar under the box.
fn draw_risk(ops: &mut Vec<Op>, m: &Metrics, f: Rect, colour: Rgb, risk: f64) {
    let bar = Rect { x: f.x, y: (f.y + f.h + m.line).min(m.height - 2 * m.line), w: f.w, h: 2 * m.line };
    fill(ops, bar, BLACK, 0.7);
    // NaN casts to 0.
    let filled = (risk.clamp(0.0, 1.0) * f64::from(f.w)).round() as i32;
    fill(ops, Rect { w: filled, ..bar }, colour, 1.0);
}

/// The strongest reasons under the box, each with a bar: to the right and red for an attack, to the left and
/// green for a live person; grey where they are of an earlier moment (not `fresh`).
fn draw_reasons(
    ops: &mut Vec<Op>,
    m: &Metrics,
    f: Rect,
    top: i32,
    faces: usize,
    evidence: &[&Evidence],
    fresh: bool,
) {
    // Too small a frame for words.
    if m.height < 8 * m.row {
        return;
    }
    let cell = font::width(4, m.text);
    let share = m.width / i32::try_from(faces).unwrap_or(i32::MAX).max(1);
    let widest = evidence.iter().map(|e| e.reason.chars().count()).max().unwrap_or(0);
    let wanted = font::width(widest.min(PANEL_CHARS), m.text) + cell + 3 * m.pad;
    let w = wanted.max(f.w).min(share);
    let room = font::fitting(w - cell - 3 * m.pad, m.text);
    let rows = i32::try_from(evidence.len()).unwrap_or(0);
    let h = rows * m.row + m.pad;
    let x = (f.x + (f.w - w) / 2).min(m.width - w).max(0);
    // Above the status line's place; over the face's lower part where there is no room below it.
    let below = f.y + f.h + 4 * m.line;
    let y = below.min(m.height - h - m.row - 3 * m.pad).max(top);
    fill(ops, Rect { x, y, w, h }, BLACK, 0.62);
    for (e, row) in evidence.iter().zip(0..) {
        let line_y = y + m.pad / 2 + row * m.row;
        let middle = x + m.pad + cell / 2;
        let bar_h = (i32::from(m.text) / 2).max(2);
        let bar_y = line_y + (m.row - bar_h) / 2;
        let length = ((e.llr.abs() / FULL_LLR).min(1.0) * f64::from(cell) / 2.0).round() as i32;
        let (bar_x, colour) = if e.llr > 0.0 { (middle, RED) } else { (middle - length, GREEN) };
        let colour = if fresh { colour } else { GREY };
        fill(ops, Rect { x: bar_x, y: bar_y, w: length, h: bar_h }, colour, 1.0);
        fill(ops, Rect { x: middle, y: line_y + m.row / 8, w: 1, h: m.row * 3 / 4 }, WHITE, 0.7);
        let text_y = line_y + (m.row - i32::from(m.text) * 6 / 5) / 2;
        let text = shorten(&e.reason, room);
        ops.push(Op::Text { x: x + 2 * m.pad + cell, y: text_y, size: m.text, colour: WHITE, text });
    }
}

/// The evidence that speaks loudest for an attack, of the stream or of the worst face.
fn worst_reason(verdict: &Verdict) -> Option<&str> {
    let worst = verdict.tracks.iter().max_by(|a, b| {
        (a.state, a.risk).partial_cmp(&(b.state, b.risk)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let of_face = worst.into_iter().flat_map(|t| &t.evidence);
    let all = of_face.chain(&verdict.stream_evidence).filter(|e| e.llr > 0.0);
    all.max_by(|a, b| a.llr.total_cmp(&b.llr)).map(|e| e.reason.as_str())
}

fn banner_text(verdict: &Verdict) -> Option<String> {
    if !verdict.alert {
        return None;
    }
    Some(match worst_reason(verdict) {
        Some(reason) => format!("ALERT: {reason}"),
        None => "ALERT".to_owned(),
    })
}

/// What must be said that no box says: that there is no judgement and why, or that the stream itself is bad.
fn status_text(verdict: &Verdict, age: Option<u64>) -> Option<(Rgb, String)> {
    let text = match verdict.condition {
        Condition::NotAnalysed => (GREY, "NOT ANALYSED YET - no verdict".to_owned()),
        Condition::NoFace => (GREY, "NO FACE - nothing to judge".to_owned()),
        Condition::TooPoor => (GREY, "TOO POOR TO JUDGE - no verdict from this picture".to_owned()),
        Condition::Failed => (AMBER, "ANALYSIS FAILED - no verdict".to_owned()),
        Condition::Stale => {
            let since =
                age.map_or(String::new(), |ns| format!(" - last analysis {:.1} s ago", ns as f64 / 1e9));
            (AMBER, format!("STALE{since}"))
        }
        Condition::Analysed => {
            // The stream's own state shows in no box.
            let in_a_box = verdict.tracks.iter().any(|t| t.state >= verdict.state);
            if in_a_box {
                return None;
            }
            let why = verdict.stream_evidence.first().map_or(String::new(), |e| format!(": {}", e.reason));
            let state = upper(verdict.state.name());
            (of_state(verdict.state), format!("STREAM {state} {:.2}{why}", verdict.risk))
        }
    };
    Some(text)
}

/// What the session would end in now, in the lower right corner. Not enough to say is what the status line speaks of.
fn draw_decision(ops: &mut Vec<Op>, m: &Metrics, verdict: &Verdict) {
    let colour = match verdict.decision {
        Decision::Insufficient => return,
        // An acceptance of an earlier moment is none of this one.
        Decision::Accept if verdict.condition != Condition::Analysed => GREY,
        Decision::Accept => GREEN,
        Decision::Refer => AMBER,
        Decision::Reject => RED,
    };
    let text = format!("{} {:.1} %", upper(verdict.decision.name()), 100.0 * verdict.posterior.attack);
    let text = shorten(&text, font::fitting(m.width - 4 * m.pad, m.text));
    let (w, h) = (font::width(text.len(), m.text) + 2 * m.pad, m.row);
    let (x, y) = ((m.width - w - m.pad).max(0), (m.height - h - m.pad).max(0));
    fill(ops, Rect { x, y, w, h }, colour, 0.92);
    let text_y = y + (h - i32::from(m.text) * 6 / 5) / 2;
    ops.push(Op::Text { x: x + m.pad, y: text_y, size: m.text, colour: text_on(colour), text });
}

fn draw_status(ops: &mut Vec<Op>, m: &Metrics, colour: Rgb, text: &str) {
    let mark = i32::from(m.text) / 2;
    let text = shorten(text, font::fitting(m.width - 5 * m.pad - mark, m.text));
    let (w, h) = (font::width(text.len(), m.text) + mark + 3 * m.pad, m.row + m.pad);
    // On a frame of a few lines its beginning is what must be seen.
    let (x, y) = (m.pad, (m.height - h - m.pad).max(0));
    fill(ops, Rect { x, y, w, h }, BLACK, 0.72);
    fill(ops, Rect { x: x + m.pad, y: y + (h - mark) / 2, w: mark, h: mark }, colour, 1.0);
    let text_y = y + (h - i32::from(m.text) * 6 / 5) / 2;
    ops.push(Op::Text { x: x + 2 * m.pad + mark, y: text_y, size: m.text, colour: WHITE, text });
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
