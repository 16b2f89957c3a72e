//! The messages about a report: what is known of the source, an alert where the policy is violated, and an error where
//! the policy ends the stream.

use super::policy::{OnViolation, Policy, PolicyError};
use super::report::SourceReport;
use crate::analysis::evidence::Evidence;
use crate::analysis::judgement::verdict::{Alert, AlertKind};
use crate::message::{AlertMessage, DeepfakeMessage, Header, ProvenanceMessage};
use gst::prelude::*;
use gstreamer as gst;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Sources whose violation is remembered.
const MAX_STANDING: usize = 64;

/// See the module. Belongs to the monitor's thread.
#[derive(Debug)]
pub struct Messages {
    element: glib::WeakRef<gst::Element>,
    policy: Arc<Policy>,
    /// Elements of the pipeline about which an alert stands.
    standing: BTreeSet<String>,
}

impl Messages {
    /// Reads the policy; an error is what the element should fail to start with.
    pub fn new(element: &gst::Element, policy: Option<&Path>) -> Result<Self, gst::ErrorMessage> {
        let read = policy.map_or_else(Policy::built_in, Policy::load);
        let policy = Arc::new(read.map_err(into_message)?);
        Ok(Self { element: element.downgrade(), policy, standing: BTreeSet::new() })
    }

    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Posts what the report says; `raised` is called with an alert before it is posted, `done` after it.
    /// Returns whether the policy ends the stream.
    pub fn post(
        &mut self,
        report: &SourceReport,
        header: Header,
        raised: impl FnOnce(u64),
        done: impl FnOnce(&Alert),
    ) -> bool {
        let Some(element) = self.element.upgrade() else { return false };
        // Fails without a bus, which is the application's choice.
        let send = |message: DeepfakeMessage| drop(element.post_message(message.to_gst(&element)));
        send(ProvenanceMessage::new(header.clone(), report.clone()).into());
        let name = &report.identity.element;
        let was = self.standing.contains(name);
        let kind = match (&report.violation, was) {
            (Some(_), false) => AlertKind::Raised,
            (None, true) => AlertKind::Cleared,
            _ => return false,
        };
        if kind == AlertKind::Raised {
            raised(header.timestamp.unwrap_or_default());
        }
        if kind == AlertKind::Raised && self.standing.len() < MAX_STANDING {
            self.standing.insert(name.clone());
        } else {
            self.standing.remove(name);
        }
        let why = report.violation.as_deref().unwrap_or("the policy is met again");
        let text = format!("{name} ({}): {why}", report.class);
        let alert = alert(kind, report, &text, &header);
        send(AlertMessage::new(header.clone(), alert.clone()).into());
        done(&alert);
        let block = kind == AlertKind::Raised && self.policy.on_violation == OnViolation::Block;
        if block {
            let detail = report.source().reason;
            gst::element_error!(
                element,
                gst::ResourceError::NotAuthorized,
                ("The policy ends this stream: {text}"),
                ["{detail}"]
            );
        }
        block
    }
}

fn alert(kind: AlertKind, report: &SourceReport, text: &str, header: &Header) -> Alert {
    let evidence = Evidence {
        signal: "policy".to_owned(),
        llr: report.injection,
        quality: report.confidence,
        reason: text.to_owned(),
    };
    // A rule was broken, not a threshold crossed: statistic and threshold stay 0.
    Alert {
        kind,
        epoch: header.epoch,
        pts: header.timestamp.unwrap_or_default(),
        onset_pts: None,
        track_id: None,
        statistic: 0.0,
        threshold: 0.0,
        evidence: vec![evidence],
    }
}

fn into_message(error: PolicyError) -> gst::ErrorMessage {
    match &error {
        PolicyError::Read { .. } | PolicyError::TooLong { .. } => {
            gst::error_msg!(gst::ResourceError::OpenRead, ("{error}"))
        }
        PolicyError::Invalid { .. } => gst::error_msg!(gst::ResourceError::Settings, ("{error}")),
    }
}
