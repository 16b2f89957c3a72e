//! Evidence bundles: what an alert was raised on, written so that somebody else can check it and judge it again.
//!
//! A bundle is a folder, written of a [`case`]: [`alert_report`] is its `evidence.json`, [`traces`] its `traces.jsonl`, `plot`
//! its picture. `log` appends a line for each alert to `alerts.jsonl`, whose form and arithmetic are in [`hash_chain`];
//! [`bundle`] leads the writing and [`verify`] is what `deepfake evidence` does. No GStreamer in here.
//! `docs/evidence.md` describes the files.

pub mod alert_report;
pub mod bundle;
pub mod case;
mod error;
mod files;
pub mod hash_chain;
mod log;
mod plot;
#[cfg(test)]
pub(crate) mod test_cases;
pub mod traces;
pub mod verify;

pub use error::Error;
pub use files::{EVIDENCE, LOG, PARTIAL, PLOT, POLICY, TRACES, is_plain_name};
