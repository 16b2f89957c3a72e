//! The self-test: conditions of a catalogue, each rendered, sent through a channel, and judged by the very element.

mod adapt;
mod baseline;
mod catalogue;
mod channel;
mod evaluate;
pub mod report;
mod row;
mod takes;
mod tally;
mod work;

pub use adapt::Search;
pub use baseline::{Baseline, BaselineError, Change, Flip};
pub use catalogue::{CatalogueError, Trial, load, parse};
pub use channel::{Channel, Coding};
pub use evaluate::{Setting, evaluate};
pub(crate) use evaluate::{buffer, keep_picture};
pub use row::{Judged, Outcome, Row, SCHEMA_VERSION};
pub(crate) use takes::caps_of;
pub use takes::{Scenery, Source, Store, sources};
pub use tally::{Tallies, Tally, tally};
pub use work::{Plan, Task};
