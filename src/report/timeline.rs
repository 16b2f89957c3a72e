//! One recording over time: its risk and states above, what each signal said below.

use super::error::Error;
use super::plots::{GREY, GRID, RED, picture};
use crate::analysis::judgement::verdict::{Condition, State};
use crate::batch::{Moment, Scanned};
use plotters::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SIZE: (u32, u32) = (400, 236);
const TEXT: u32 = 13;
const RISK: RGBColor = RGBColor(0x2f, 0x7f, 0xc4);
/// Behind the risk: what was said of that stretch.
const LIVE: RGBColor = RGBColor(0x2e, 0x9e, 0x5b);
const SUSPECT: RGBColor = RGBColor(0xe0, 0xa0, 0x00);

/// Colours of signals, told apart on light and dark, and by most who do not see all colours (Okabe and Ito's set,
/// without its black, and two more).
const COLOURS: [RGBColor; 9] = [
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xa0, 0x9a, 0x20),
    RGBColor(0x8a, 0x5f, 0xd0),
    RGBColor(0x7a, 0x7f, 0x85),
];

/// A colour for every signal of a report, in the order of their names: the same on every time line.
pub fn palette<'a>(scanned: impl Iterator<Item = &'a Scanned>) -> BTreeMap<&'a str, RGBColor> {
    let names: BTreeSet<&str> =
        scanned.flat_map(|s| &s.timeline).flat_map(|m| m.llr.keys()).map(String::as_str).collect();
    names.into_iter().zip(COLOURS.iter().copied().cycle()).collect()
}

/// The signals that said anything of this recording, with their colours.
pub fn signals<'a>(scanned: &Scanned, palette: &BTreeMap<&'a str, RGBColor>) -> Vec<(&'a str, RGBColor)> {
    let said = |name: &str| scanned.timeline.iter().any(|m| m.llr.get(name).is_some_and(|l| l.abs() > 0.05));
    palette.iter().filter(|(name, _)| said(name)).map(|(n, c)| (*n, *c)).collect()
}

/// A colour that stands for it in the page.
pub fn hex(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

fn nats(value: &f64) -> String {
    if value.abs() < 0.5 { "0".into() } else { format!("{value:+.0}") }
}

/// `None` if there is nothing to draw.
pub fn draw(scanned: &Scanned, signals: &[(&str, RGBColor)]) -> Result<Option<String>, Error> {
    let line = &scanned.timeline;
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return Ok(None) };
    if last.at_s <= first.at_s {
        return Ok(None);
    }
    let ends = line.iter().skip(1).map(|m| m.at_s).chain([last.at_s]);
    let stretches: Vec<(&Moment, f64)> = line.iter().zip(ends).collect();
    let time = first.at_s..last.at_s;
    let peak = line.iter().flat_map(|m| m.llr.values()).fold(1.0f64, |p, l| p.max(l.abs())).ceil();
    picture(SIZE, "risk and evidence over time", |area| {
        let (above, below) = area.split_vertically(if signals.is_empty() { SIZE.1 } else { 112 });
        let mut chart = ChartBuilder::on(&above)
            .margin(6)
            .margin_right(12)
            .x_label_area_size(if signals.is_empty() { 36 } else { 4 })
            .y_label_area_size(62)
            .build_cartesian_2d(time.clone(), 0.0..1.08)?;
        for (moment, end) in &stretches {
            let band = match (moment.state, moment.condition) {
                (State::Attack, _) => RED.mix(0.3),
                (State::Suspect, _) => SUSPECT.mix(0.28),
                (_, Condition::NoFace | Condition::TooPoor | Condition::NotAnalysed) => GREY.mix(0.3),
                (State::Live, _) => LIVE.mix(0.22),
                _ => continue,
            };
            chart.draw_series([Rectangle::new([(moment.at_s, 0.0), (*end, 1.08)], band.filled())])?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .y_labels(3)
            .x_labels(if signals.is_empty() { 6 } else { 0 })
            .y_label_formatter(&|v| format!("{:.0} %", v * 100.0))
            .x_label_formatter(&|v| format!("{v:.0} s"))
            .y_desc("risk")
            .label_style(("sans-serif", TEXT))
            .axis_desc_style(("sans-serif", TEXT))
            .draw()?;
        let risk: Vec<_> = line.iter().map(|m| (m.at_s, m.risk)).collect();
        chart.draw_series([PathElement::new(risk, RISK.stroke_width(2))])?;
        for alert in scanned.alerts.iter().filter(|a| time.contains(&a.at_s)) {
            let at = [(alert.at_s, 0.0), (alert.at_s, 1.08)];
            chart.draw_series([PathElement::new(at, RED.stroke_width(3))])?;
        }
        if signals.is_empty() {
            return Ok(());
        }
        let mut chart = ChartBuilder::on(&below)
            .margin(6)
            .margin_right(12)
            .x_label_area_size(24)
            .y_label_area_size(62)
            .build_cartesian_2d(time.clone(), -peak..peak)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|v| format!("{v:.0} s"))
            .y_label_formatter(&nats)
            .y_desc("nats")
            .label_style(("sans-serif", TEXT))
            .axis_desc_style(("sans-serif", TEXT))
            .draw()?;
        for (name, colour) in signals {
            // A signal that is silent for a while leaves a gap.
            for run in line.chunk_by(|a, b| a.llr.contains_key(*name) == b.llr.contains_key(*name)) {
                let points: Vec<_> = run.iter().filter_map(|m| Some((m.at_s, *m.llr.get(*name)?))).collect();
                if points.len() > 1 {
                    chart.draw_series([PathElement::new(points, colour.stroke_width(2))])?;
                }
            }
        }
        Ok(())
    })
    .map(Some)
}
