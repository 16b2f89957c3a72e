//! The picture of a bundle: risk, sums and every signal over time, with the threshold and the alert marked.

use super::case::Case;
use super::error::Error;
use super::hash_chain::Ground;
use crate::analysis::bundle::Entry;
use crate::analysis::evidence::Family;
use crate::analysis::judgement::verdict::Condition;
use crate::plotting;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeMap;
use std::ops::Range;

const WIDTH: u32 = 1200;
const TITLE: u32 = 74;
const RISK: u32 = 130;
const SUMS: u32 = 200;
const ROW: u32 = 58;
const FOOT: u32 = 34;
/// The times below the last plot.
const TIMES: u32 = 24;
/// Left of the plots: what they show. Right of them: what it adds up to.
const LEFT: u32 = 210;
const RIGHT: u32 = 100;
/// Signals that are drawn, the strongest first.
const MAX_ROWS: usize = 16;
/// Characters of outside text in the head.
const MAX_TEXT: usize = 120;
/// Points farther apart than that are not joined, seconds.
const GAP: f64 = 1.0;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GREY: RGBColor = RGBColor(0x88, 0x88, 0x88);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const RED: RGBColor = RGBColor(0xd0, 0x3b, 0x2f);
const BLUE: RGBColor = RGBColor(0x2f, 0x7f, 0xc4);
/// By family; told apart by most who do not see all colours (Okabe and Ito's set).
const FAMILIES: [RGBColor; 5] = [
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x8a, 0x5f, 0xd0),
];

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>;
type Points = Vec<(f64, f64)>;

/// An RGB picture as PNG.
pub fn encode((width, height): (u32, u32), pixels: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut w| w.write_image_data(pixels));
    written.map_err(|e| Error::Plot(e.to_string()))?;
    Ok(out)
}

/// One signal of one judge.
#[derive(Debug, Default)]
struct Row {
    label: String,
    points: Points,
    /// For the order: nats that it added in all.
    gain: f64,
    /// Nats that it added since the onset, where the alert says so.
    part: Option<f64>,
}

/// What is drawn.
#[derive(Debug, Default)]
struct Traces {
    risk: Points,
    /// Stretches in which no face was judged.
    blind: Vec<(f64, f64)>,
    /// Of the judge that raised the alert.
    sums: [Points; Family::ALL.len()],
    rows: Vec<Row>,
    time: (f64, f64),
}

fn seconds(pts: u64) -> f64 {
    pts as f64 * 1e-9
}

fn finite(v: f64) -> f64 {
    if v.is_finite() { v } else { 0.0 }
}

impl Traces {
    fn of(case: &Case) -> Self {
        let mut traces = Self::default();
        let mut rows: BTreeMap<(bool, Option<u32>, String), Row> = BTreeMap::new();
        let mut last: Option<(f64, bool)> = None;
        for entry in &case.recording.entries {
            let t = seconds(entry.pts());
            match entry.as_ref() {
                Entry::Frame(frame) => {
                    traces.risk.push((t, finite(frame.risk)));
                    if let Some((from, true)) = last {
                        traces.blind.push((from, t));
                    }
                    last = Some((t, frame.condition != Condition::Analysed));
                }
                Entry::Step(step) => {
                    let main = step.track_id == case.alert.track_id;
                    for (points, sum) in traces.sums.iter_mut().zip(&step.after.sums).filter(|_| main) {
                        points.push((t, finite(sum.sum)));
                    }
                    for said in &step.said {
                        let key = (!main, step.track_id, said.signal.to_string());
                        let row = rows.entry(key).or_insert_with(|| Row {
                            label: match step.track_id {
                                Some(id) => format!("face {id}: {}", said.signal),
                                None => format!("stream: {}", said.signal),
                            },
                            part: part(case, main, &said.signal),
                            ..Row::default()
                        });
                        row.points.push((t, finite(said.llr)));
                        row.gain += finite(said.gain);
                    }
                }
                Entry::Ended { .. } => {}
            }
        }
        let ends = case.recording.entries.first().zip(case.recording.entries.last());
        let (from, to) = ends.map_or((0.0, 0.0), |(a, b)| (seconds(a.pts()), seconds(b.pts())));
        // A little room, so that the mark of the alert is not at the border.
        traces.time = (from, to + ((to - from) * 0.02).max(0.1));
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by(|((a, _, _), x), ((b, _, _), y)| a.cmp(b).then(y.gain.total_cmp(&x.gain)));
        traces.rows = rows.into_iter().map(|(_, row)| row).collect();
        traces
    }
}

/// What the alert says that the signal added.
fn part(case: &Case, main: bool, signal: &str) -> Option<f64> {
    case.alert.evidence.iter().find(|e| main && e.signal == signal).map(|e| e.llr)
}

/// Printable, and not longer than the picture is wide.
fn printable(text: &str) -> String {
    let mut out: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        out.push_str("...");
    }
    out
}

/// Minutes and seconds of the stream.
fn clock(t: &f64) -> String {
    let tenths = (t.max(0.0) * 10.0).round() as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// Draws the case. The picture depends on the case alone.
pub fn draw(case: &Case) -> Result<Vec<u8>, Error> {
    plotting::register_fonts();
    let mut traces = Traces::of(case);
    let left_out = traces.rows.len().saturating_sub(MAX_ROWS);
    traces.rows.truncate(MAX_ROWS);
    let rows = ROW * traces.rows.len() as u32 + TIMES;
    let height = TITLE + RISK + SUMS + rows + FOOT;
    let mut pixels = vec![255; (WIDTH * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
        draw_all(&area, case, &traces, left_out).and_then(|()| area.present())
    }
    .map_err(|e| Error::Plot(e.to_string()))?;
    encode((WIDTH, height), &pixels)
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, colour: RGBColor) -> Result<(), Failure> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&colour);
    area.draw(&Text::new(text.to_owned(), at, style.pos(Pos::new(HPos::Left, VPos::Center))))
}

fn draw_all(area: &Area<'_>, case: &Case, traces: &Traces, left_out: usize) -> Result<(), Failure> {
    area.fill(&WHITE)?;
    head(area, case)?;
    let mut from = TITLE;
    let mut next = |height: u32| {
        let part = area.clone().shrink((0, from), (WIDTH, height));
        from += height;
        part
    };
    risk(&next(RISK), case, traces)?;
    sums(&next(SUMS), case, traces)?;
    for (i, row) in traces.rows.iter().enumerate() {
        let last = i + 1 == traces.rows.len();
        signal(&next(if last { ROW + TIMES } else { ROW }), case, traces, row, last)?;
    }
    let foot = match left_out {
        0 => "Signals: log-likelihood ratio of the present window, nats; above the line it speaks for an attack.".to_owned(),
        n => format!("Signals: log-likelihood ratio, nats; {n} more are in the file of the traces."),
    };
    write(&next(FOOT), &foot, (14, FOOT as i32 / 2 + 2), 15, GREY)
}

fn head(area: &Area<'_>, case: &Case) -> Result<(), Failure> {
    let alert = &case.alert;
    let who = alert.track_id.map_or_else(|| "stream".to_owned(), |id| format!("face {id}"));
    let session = if case.session_id.is_empty() { String::new() } else { format!(" of {}", case.session_id) };
    let at = clock(&seconds(alert.pts));
    let how = match case.ground {
        Ground::Statistic => format!("{:.2} nats, threshold {:.2}", alert.statistic, alert.threshold),
        Ground::Policy => "by the policy".to_owned(),
    };
    let title = printable(&format!("Alert at {at}, {who}{session}: {how}"));
    write(area, &title, (14, 22), 24, INK)?;
    let why = alert.evidence.first().map_or_else(String::new, |e| format!("{}: {}", e.signal, e.reason));
    write(area, &printable(&why), (14, 52), 18, GREY)
}

/// The time of the alert, and of its onset, from `low` to `high`.
fn marks(case: &Case, (low, high): (f64, f64)) -> Vec<PathElement<(f64, f64)>> {
    let line =
        |pts: u64, style: ShapeStyle| PathElement::new([(seconds(pts), low), (seconds(pts), high)], style);
    let onset = case.alert.onset_pts.map(|pts| line(pts, GREY.stroke_width(1)));
    onset.into_iter().chain([line(case.alert.pts, RED.stroke_width(2))]).collect()
}

type Chart<'a, 'b> = ChartContext<
    'a,
    BitMapBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// The frame of a plot, with grid, labels at the left and, if it is the last one, times below.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    time: (f64, f64),
    values: Range<f64>,
    labels: usize,
    below: bool,
) -> Result<Chart<'a, 'b>, Failure> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(6)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .y_label_area_size(46)
        .x_label_area_size(if below { TIMES } else { 2 })
        .build_cartesian_2d(time.0..time.1, values)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GREY)
        .x_labels(12)
        .y_labels(labels)
        .x_label_formatter(&|t| if below { clock(t) } else { String::new() })
        .y_label_formatter(&|v| format!("{v:.1}"))
        .label_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    Ok(chart)
}

/// A line through the points, broken where there were none for a while.
fn line(chart: &mut Chart<'_, '_>, points: &Points, style: ShapeStyle) -> Result<(), Failure> {
    for run in points.chunk_by(|a, b| b.0 - a.0 <= GAP) {
        chart.draw_series([PathElement::new(run.to_vec(), style)])?;
    }
    Ok(())
}

fn risk(area: &Area<'_>, case: &Case, traces: &Traces) -> Result<(), Failure> {
    let mut chart = chart(area, traces.time, 0.0..1.1, 3, false)?;
    let blind = |(a, b): &(f64, f64)| Rectangle::new([(*a, 0.0), (*b, 1.1)], GREY.mix(0.25).filled());
    chart.draw_series(traces.blind.iter().map(blind))?;
    line(&mut chart, &traces.risk, BLUE.stroke_width(2))?;
    chart.draw_series(marks(case, (0.0, 1.1)))?;
    write(area, "risk", (14, RISK as i32 / 2 - 12), 20, INK)?;
    write(area, "grey: no face judged", (14, RISK as i32 / 2 + 14), 16, GREY)?;
    write(area, "alert", (WIDTH as i32 - RIGHT as i32 + 10, 20), 18, RED)?;
    let onset = case.alert.onset_pts.map(|_| "onset (thin)");
    write(area, onset.unwrap_or_default(), (WIDTH as i32 - RIGHT as i32 + 10, 44), 16, GREY)
}

fn sums(area: &Area<'_>, case: &Case, traces: &Traces) -> Result<(), Failure> {
    let threshold = case.recording.threshold;
    let top = traces.sums.iter().flatten().map(|p| p.1).fold(threshold, f64::max) * 1.1;
    let top = if top.is_finite() && top > 0.0 { top } else { 1.0 };
    let mut chart = chart(area, traces.time, 0.0..top, 6, traces.rows.is_empty())?;
    for (points, colour) in traces.sums.iter().zip(FAMILIES.into_iter().cycle()) {
        line(&mut chart, points, colour.stroke_width(2))?;
    }
    let at = [(traces.time.0, threshold), (traces.time.1, threshold)];
    chart.draw_series(DashedLineSeries::new(at, 8, 5, RED.stroke_width(1)))?;
    chart.draw_series(marks(case, (0.0, top)))?;
    write(area, "evidence added up, nats", (14, 24), 18, INK)?;
    for (i, (family, colour)) in Family::ALL.iter().zip(FAMILIES.into_iter().cycle()).enumerate() {
        let y = 52 + 24 * i as i32;
        area.draw(&PathElement::new([(14, y), (38, y)], colour.stroke_width(3)))?;
        write(area, family.name(), (46, y), 16, INK)?;
    }
    let y = 52 + 24 * Family::ALL.len() as i32;
    area.draw(&PathElement::new([(14, y), (22, y)], RED.stroke_width(2)))?;
    area.draw(&PathElement::new([(28, y), (38, y)], RED.stroke_width(2)))?;
    write(area, &format!("threshold {threshold:.2}"), (46, y), 16, RED)?;
    let right = WIDTH as i32 - RIGHT as i32 + 10;
    write(area, "added since", (right, SUMS as i32 - 28), 15, GREY)?;
    write(area, "the onset:", (right, SUMS as i32 - 10), 15, GREY)
}

fn signal(area: &Area<'_>, case: &Case, traces: &Traces, row: &Row, last: bool) -> Result<(), Failure> {
    let peak = row.points.iter().fold(1.0f64, |p, v| p.max(v.1.abs())) * 1.1;
    let mut chart = chart(area, traces.time, -peak..peak, 3, last)?;
    for run in row.points.chunk_by(|a, b| b.0 - a.0 <= GAP) {
        for (fill, half) in [(RED, true), (BLUE, false)] {
            let clip = |v: f64| if half { v.max(0.0) } else { v.min(0.0) };
            let mut shape: Points = run.iter().map(|p| (p.0, clip(p.1))).collect();
            if let (Some(first), Some(end)) = (run.first(), run.last()) {
                shape.extend([(end.0, 0.0), (first.0, 0.0)]);
            }
            chart.draw_series([Polygon::new(shape, fill.mix(0.35).filled())])?;
        }
    }
    line(&mut chart, &row.points, INK.stroke_width(1))?;
    chart.draw_series(marks(case, (-peak, peak)))?;
    let middle = ROW as i32 / 2 + 2;
    write(area, &printable(&row.label).chars().take(26).collect::<String>(), (14, middle), 16, INK)?;
    let Some(part) = row.part else { return Ok(()) };
    let colour = if part > 0.0 { RED } else { BLUE };
    write(area, &format!("{part:+.2} nats"), (WIDTH as i32 - RIGHT as i32 + 10, middle), 16, colour)
}
