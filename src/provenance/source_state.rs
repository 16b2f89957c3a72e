//! What is known of one source so far: answers of names, drivers and services, the probes on its way, and what goes on
//! beside the stream.

use super::experiment::Experiment;
use super::identity::Identity;
use super::probes::Probes;
use super::report::SourceReport;
#[cfg(feature = "c2pa")]
use super::signature::SignatureOf;
use super::timed::Timed;
use super::walk::Origin;
use super::webrtc;
use crate::analysis::source::provenance::Finding;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a driver or a service may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(3);

/// See the module.
pub struct SourceState {
    pub origin: Origin,
    pub identity: Identity,
    device: BTreeMap<String, String>,
    /// Those that are made once: of names, drivers, services.
    fixed: Vec<Finding>,
    probes: Probes,
    pub experiment: Option<Experiment>,
    call: Option<webrtc::Stats>,
    #[cfg(feature = "c2pa")]
    signature: Option<SignatureOf>,
    /// The last report that was passed on.
    pub reported: Option<Arc<SourceReport>>,
}

impl SourceState {
    /// Looks at a new source: its names, its device, and probes on its way.
    pub fn new(origin: Origin) -> Self {
        let identity = Identity::of(&origin);
        let mut fixed = identity.findings();
        let mut device = BTreeMap::new();
        let node = identity.v4l2_node().map(str::to_owned);
        if let Some(node) = node {
            let path = std::path::PathBuf::from(&node);
            let ask = move || super::device::inspect(&path, &super::device::Roots::default());
            match Timed::run("deepfake-device", TIMEOUT, ask) {
                Ok(found) => {
                    device = found.facts.texts();
                    fixed.extend(found.findings);
                }
                Err(error) => {
                    fixed.push(Finding::not_readable("v4l2-driver", format!("{node}: {error}")));
                }
            }
        }
        if identity.factory == "pipewiresrc" {
            let element = origin.element.clone();
            match Timed::run("deepfake-pipewire", TIMEOUT, move || super::pipewire::node(&element)) {
                Ok((facts, findings)) => {
                    device.extend(facts);
                    fixed.extend(findings);
                }
                Err(error) => {
                    fixed.push(Finding::not_readable("pipewire-node", error.to_string()));
                }
            }
        }
        let probes = Probes::attach(&origin, &identity);
        let call = webrtc::Stats::of(&origin.bins);
        Self {
            origin,
            identity,
            device,
            fixed,
            probes,
            experiment: None,
            call,
            #[cfg(feature = "c2pa")]
            signature: None,
            reported: None,
        }
    }

    /// Also begins to look at the signature of the file that the source reads, if it reads one. `done` is called when
    /// something was found out.
    #[cfg(feature = "c2pa")]
    pub fn with_signature(self, anchors: Option<&Arc<str>>, done: impl FnOnce() + Send + 'static) -> Self {
        let signature = SignatureOf::origin(&self.origin, TIMEOUT, anchors, done);
        Self { signature, ..self }
    }

    /// What is known by now, with what was found beside the source.
    pub fn report(&mut self, beside: &[Finding]) -> SourceReport {
        let mut findings = self.fixed.clone();
        findings.extend_from_slice(beside);
        findings.extend(self.probes.findings());
        findings.extend(self.call.as_ref().map(|call| call.finding(&mut self.device)));
        findings.extend(self.experiment.as_ref().map(Experiment::finding));
        #[cfg(feature = "c2pa")]
        findings.extend(self.signature.as_mut().map(|signature| signature.finding(&mut self.device)));
        SourceReport::new(self.identity.clone(), self.device.clone(), findings)
    }
}
