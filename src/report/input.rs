//! What goes into a report.

use crate::batch::{Comparison, Record};
use crate::evaluation::Evaluation;

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
