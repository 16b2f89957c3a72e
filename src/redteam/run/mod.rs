//! The self-test: conditions of a catalogue, each rendered, sent through a channel, and judged by the very element.

mod adaptive_search;
mod baseline;
mod catalogue;
mod channel;
mod evaluate;
pub(super) mod recordings;
pub mod report;
pub(super) mod row;
pub(super) mod setting;
mod tally;
pub(super) mod tasks;

pub use adaptive_search::Search;
pub use baseline::{Baseline, BaselineError, Change, Flip};
pub use catalogue::{CatalogueError, Trial, load, parse};
pub use channel::{Channel, Coding};
pub use evaluate::evaluate;
pub use recordings::{EvaluationInputs, Source, Store, sources};
pub use row::{Judged, Outcome, Row, SCHEMA_VERSION};
pub use setting::Setting;
pub use tally::{Tallies, Tally, tally};
pub use tasks::{Plan, Task};
