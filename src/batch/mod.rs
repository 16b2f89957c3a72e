//! What `deepfake scan` does: runs `deepfakedetect mode=sync` over many recorded streams, each decoded in a process that
//! may fail alone, and keeps what came of each as a line of JSON.
//!
//! `inputs` and `manifest` find the recordings (`item`); `pool` has `worker` processes `scan` them, each in a `pipeline`
//! whose messages the `collector` gathers into a `record`; `evaluation`, `comparison` and `table` count and show them.

mod collector;
mod comparison;
mod csv_export;
mod display_names;
mod error;
mod evaluation;
mod genuine;
mod inputs;
mod interruption;
mod item;
pub mod json_lines;
mod manifest;
mod network_evaluation;
mod pipeline;
mod pool;
pub mod process;
mod record;
mod results;
mod scan;
mod settings;
#[cfg(feature = "c2pa")]
mod signature;
mod table;
mod worker;

pub use collector::Collector;
pub use comparison::{Comparison, Flip, compare};
pub use csv_export::write_csv;
pub use display_names::printable;
pub use error::Error;
pub use evaluation::{clips, eval_json, model_evaluations};
pub use genuine::Sessions;
pub use inputs::items;
pub use interruption::interruption;
pub use item::{Item, Source};
pub use manifest::read as read_manifest;
pub use network_evaluation::ModelEvaluation;
pub(crate) use pipeline::{PipelineError, RunningPipeline, drain};
pub use pool::{Event, run};
pub use record::{AlertNote, Ground, Label, ModelScore, Moment, Outcome, Record, SCHEMA_VERSION, Scanned};
pub use results::{Results, read as read_results};
pub(crate) use scan::jpeg;
pub use scan::{check, scan};
pub use settings::Settings;
pub use table::{clip_line, comparison_table, decision_table, evaluation_table, models_table, totals};
pub use worker::serve;
