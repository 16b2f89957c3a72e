//! A scan as one HTML file that needs nothing else: no network, no script.

pub(crate) mod plots;
#[cfg(test)]
mod tests;
mod timeline;
mod view;

pub(crate) use view::is_picture;

use crate::batch::{Comparison, Record};
use crate::evaluation::Evaluation;
use minijinja::{Environment, UndefinedBehavior};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    #[error(transparent)]
    Template(#[from] minijinja::Error),
}

/// The style of all reports, to be put into a page that needs nothing else.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What goes into a report.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub records: &'a [Record],
    /// Of the labelled recordings, if there are any.
    pub evaluation: Option<&'a Evaluation>,
    pub comparison: Option<&'a Comparison>,
    /// When it was made, for people.
    pub made: &'a str,
    /// How fast the scan was, for people; may be empty.
    pub speed: &'a str,
}

/// The report. Everything that comes from outside (names, reasons) is escaped.
///
/// # Errors
/// If a plot or the page cannot be made, which is a mistake in this program.
pub fn render(input: &Input<'_>) -> Result<String, Error> {
    page("report.html", include_str!("report.html"), view::Page::of(input)?)
}

/// A page from a template; by a name that ends in `.html` it is known that HTML is to be escaped.
pub(crate) fn page(name: &str, template: &str, values: impl serde::Serialize) -> Result<String, Error> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.add_template(name, template)?;
    Ok(pages.get_template(name)?.render(minijinja::value::Serde(values))?)
}
