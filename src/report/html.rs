//! Templates of HTML, and what every page has.

use super::error::Error;
use minijinja::{Environment, UndefinedBehavior};

/// The style of all reports, to be put into a page that needs nothing else.
pub(crate) const STYLE: &str = include_str!("style.css");

/// A page from a template; by a name that ends in `.html` it is known that HTML is to be escaped.
pub(crate) fn page(name: &str, template: &str, values: impl serde::Serialize) -> Result<String, Error> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.add_template(name, template)?;
    Ok(pages.get_template(name)?.render(minijinja::value::Serde(values))?)
}

/// Whether that is a picture that may stand in a page: a `data:` URI of a JPEG.
pub fn is_picture(uri: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    uri.strip_prefix("data:image/jpeg;base64,").is_some_and(|d| d.chars().all(plain))
}
