//! What `deepfake scan` does: runs `deepfakedetect mode=sync` over many recorded streams, each decoded in a process that
//! may fail alone, and keeps what came of each as a line of JSON.

mod collect;
mod error;
mod evaluated;
mod export;
mod inputs;
mod interruption;
pub mod lines;
mod manifest;
mod models;
mod play;
mod pool;
pub mod process;
mod record;
mod results;
mod running;
mod shown;
#[cfg(feature = "c2pa")]
mod signature;
mod table;
mod worker;

pub use collect::Collector;
pub use error::Error;
pub use evaluated::{Comparison, Flip, clips, compare, eval_json, model_evaluations};
pub use export::write_csv;
pub use inputs::{Item, Source, items};
pub use interruption::interruption;
pub use manifest::read as read_manifest;
pub use models::ModelEvaluation;
pub(crate) use play::jpeg;
pub use play::{Settings, check, play};
pub use pool::{Event, run};
pub use record::{AlertNote, Ground, Label, ModelScore, Moment, Outcome, Record, SCHEMA_VERSION, Scanned};
pub use results::{Results, read as read_results};
pub(crate) use running::{Broken, Running, drain};
pub use shown::tame;
pub use table::{clip_line, comparison_table, evaluation_table, models_table, totals};
pub use worker::serve;
