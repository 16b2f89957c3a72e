//! A scan as one HTML file that needs nothing else: no network, no script.

mod error;
mod html;
mod input;
pub(crate) mod plots;
mod recording;
mod scan_page;
#[cfg(test)]
mod tests;
mod timeline;

pub use error::Error;
pub(crate) use html::{STYLE, is_picture, page};
pub use input::Input;

/// The report. Everything that comes from outside (names, reasons) is escaped.
///
/// # Errors
/// If a plot or the page cannot be made, which is a mistake in this program.
pub fn render(input: &Input<'_>) -> Result<String, Error> {
    page("report.html", include_str!("report.html"), scan_page::Page::of(input)?)
}
