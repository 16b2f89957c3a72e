//! What `deepfake demo` does: plans the clips to judge, plays each through a real pipeline, and compares what the
//! element said with what it should have said.

mod error;
mod judge;
mod plan;
mod play;
mod terminal;

pub use error::Error;
pub use judge::{Finding, judge, table};
pub use plan::{Case, Kind, LIMIT_S, Plan, plan};
pub use play::{Options, Played, RaisedAlert, play};
pub use terminal::{alert_line, summary_line, verdict_line};
