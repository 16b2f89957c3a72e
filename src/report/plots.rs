//! The plots of an evaluation. The page's style sheet turns black and the grid's grey into its own colours, so that
//! they are legible on light and dark.

use super::error::Error;
use crate::evaluation::calibration::Reliability;
use crate::evaluation::intervals::Rate;
use crate::evaluation::roc::{Point, Roc};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{NoDefaultFormatting, ReversibleRanged, ValueFormatter};
use plotters::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

pub const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub const BLUE: RGBColor = RGBColor(0x2f, 0x7f, 0xc4);
pub const RED: RGBColor = RGBColor(0xd0, 0x3b, 0x2f);
pub const GREY: RGBColor = RGBColor(0x88, 0x88, 0x88);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<std::io::Error>;

/// Draws into a picture of that size; `label` tells what it shows to those who do not see it, and is no outside text.
pub fn picture(
    (width, height): (u32, u32),
    label: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>,
) -> Result<String, Error> {
    crate::plotting::register_fonts();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|e| Error::Plot(e.to_string()))?;
    }
    Ok(svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1))
}

const SIZE: (u32, u32) = (400, 340);
const TEXT: u32 = 14;

fn percent(share: &f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A plot of shares against shares, with its diagonal.
fn shares(
    area: &Area<'_>,
    (x, y): (&str, &str),
    draw: impl FnOnce(&mut Shares<'_, '_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(44)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GREY)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&percent)
        .y_label_formatter(&percent)
        .x_desc(x)
        .y_desc(y)
        .label_style(("sans-serif", TEXT))
        .axis_desc_style(("sans-serif", TEXT))
        .draw()?;
    chart.draw_series([PathElement::new([(0.0, 0.0), (1.0, 1.0)], GREY.mix(0.6))])?;
    draw(&mut chart)
}

type Shares<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// Attacks caught against genuine clips taken for attacks. `in_force`: BPCER and APCER of the alerts.
pub fn roc(roc: &Roc, in_force: Option<(f64, f64)>) -> Result<String, Error> {
    picture(SIZE, "ROC curve", |area| {
        shares(area, ("genuine clips taken for attacks (BPCER)", "attacks caught (1 - APCER)"), |chart| {
            let points = roc.points.iter().map(|p| (p.bpcer, 1.0 - p.apcer));
            chart.draw_series([PathElement::new(points.collect::<Vec<_>>(), BLUE.stroke_width(2))])?;
            let point = in_force.map(|(bpcer, apcer)| Circle::new((bpcer, 1.0 - apcer), 5, RED.filled()));
            chart.draw_series(point)?;
            Ok(())
        })
    })
}

/// What was claimed against what was so.
pub fn reliability(r: &Reliability) -> Result<String, Error> {
    picture(SIZE, "Reliability diagram", |area| {
        shares(area, ("risk shown", "attacks among these clips"), |chart| {
            for bin in &r.bins {
                let (x, i) = (bin.claimed, bin.observed.interval);
                chart.draw_series([PathElement::new(
                    [(x, i.low), (x, i.high)],
                    BLUE.mix(0.6).stroke_width(2),
                )])?;
                // The area goes with the number of clips.
                let size = 3.0 + 9.0 * (bin.observed.of as f64 / r.clips as f64).sqrt();
                chart.draw_series([Circle::new((x, bin.observed.rate), size as i32, BLUE.filled())])?;
            }
            Ok(())
        })
    })
}

/// The marks of a detection error trade-off plot, and how far it reaches.
const MARKS: [f64; 7] = [0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99];
const REACH: (f64, f64) = (0.006, 0.994);

/// An axis on which normally distributed scores make a straight line.
struct Probit(std::ops::Range<f64>);

fn probit(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share.clamp(REACH.0, REACH.1))
}

impl Ranged for Probit {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.0.start) / (self.0.end - self.0.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: plotters::coord::ranged1d::KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        MARKS.map(probit).to_vec()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.clone()
    }
}

impl ReversibleRanged for Probit {
    fn unmap(&self, _: i32, _: (i32, i32)) -> Option<f64> {
        None
    }
}

impl ValueFormatter<f64> for Probit {
    fn format(value: &f64) -> String {
        format!("{:.0} %", Normal::standard().cdf(*value) * 100.0)
    }
}

/// The same errors on axes that spread the small ones: Martin et al., "The DET curve in assessment of detection task
/// performance", Eurospeech 1997.
pub fn det(roc: &Roc, in_force: Option<(f64, f64)>) -> Result<String, Error> {
    let axis = || Probit(probit(0.0)..probit(1.0));
    picture(SIZE, "DET curve", |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(16)
            .x_label_area_size(44)
            .y_label_area_size(62)
            .build_cartesian_2d(axis(), axis())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .x_desc("genuine clips taken for attacks (BPCER)")
            .y_desc("attacks missed (APCER)")
            .label_style(("sans-serif", TEXT))
            .axis_desc_style(("sans-serif", TEXT))
            .draw()?;
        let at = |p: &Point| (probit(p.bpcer), probit(p.apcer));
        let points: Vec<_> = roc.points.iter().map(at).collect();
        chart.draw_series([PathElement::new(points, BLUE.stroke_width(2))])?;
        let point = in_force.map(|(b, a)| Circle::new((probit(b), probit(a)), 5, RED.filled()));
        chart.draw_series(point)?;
        Ok(())
    })
}

/// A rate with its interval on a line from 0 to 100 %, small enough for a table.
pub fn bar(rate: &Rate) -> Result<String, Error> {
    let (width, height, margin) = (200u32, 22u32, 7.0);
    picture((width, height), "rate with its 95 % interval", |area| {
        let x = |share: f64| (margin + share * (f64::from(width) - 2.0 * margin)) as i32;
        let middle = height as i32 / 2;
        area.draw(&PathElement::new([(x(0.0), middle), (x(1.0), middle)], GRID))?;
        for share in [0.0, 0.5, 1.0] {
            area.draw(&PathElement::new([(x(share), middle - 4), (x(share), middle + 4)], GRID))?;
        }
        let i = rate.interval;
        area.draw(&PathElement::new(
            [(x(i.low), middle), (x(i.high), middle)],
            BLUE.mix(0.6).stroke_width(4),
        ))?;
        area.draw(&Circle::new((x(rate.rate), middle), 5, BLUE.filled()))
    })
}
