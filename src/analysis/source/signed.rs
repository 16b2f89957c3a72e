//! Signed capture (C2PA): what the signed history in a file is worth.
//!
//! A signature proves that nobody has changed a file since, not that what was signed is a live call: a signed recording
//! can be sent again, and whoever takes a history out of a file leaves no trace. So to have none weighs nothing, and to
//! have one weighs little, unless it says itself that the pictures are no capture: nobody has a reason to lie so.

use crate::analysis::evidence::names;
use crate::analysis::source::provenance::{Class, Finding};
use serde::{Deserialize, Serialize};

/// The check's name.
pub const CHECK: &str = "signed-capture";

/// Weights, nats: judgements, not fits.
///
/// Pictures that their maker declares computed. The class outweighs that it is a file that holds them; the evidence
/// falls short of an alert, as that of any finding does.
const GENERATED: (f64, f64) = (7.0, 6.0);
/// Captured pictures with computed parts: which parts, it does not say.
const COMPOSITE: (f64, f64) = (2.0, 4.0);
/// A declaration that no longer belongs to the file it lies in counts half.
const TORN_OFF: f64 = 0.5;
/// Changed after it was signed. Honest programs that code anew and copy the history do that too.
const BROKEN: f64 = 1.5;
/// A capture, says a signer whom the policy knows. No more than this: it may still be a capture of something else.
const CAPTURED: f64 = -2.0;

/// What a policy calls a signature that could not be looked at.
pub const UNREAD: &str = "unread";

/// How far the signature of a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// There is none.
    #[default]
    None,
    /// It fits the file, and its signer is among those that are trusted.
    Trusted,
    /// It fits the file. Anybody can make one.
    Untrusted,
    /// The file is not what was signed.
    Broken,
}
names!(Signature {
    None => "none", Trusted => "trusted", Untrusted => "untrusted", Broken => "broken",
});

/// How a file's history says that its pictures came about; the later says more against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// By a camera.
    Captured,
    /// Put together, in part from computed pictures.
    Composite,
    /// Computed.
    Generated,
}
names!(Made { Captured => "captured", Composite => "composite", Generated => "generated" });

impl Made {
    /// What one of IPTC's digital source types (a URI, or its last part) says; `None` for those that say neither.
    pub fn of(source_type: &str) -> Option<Self> {
        match source_type.rsplit('/').next().unwrap_or_default() {
            "trainedAlgorithmicMedia" | "trainedAlgorithmicData" | "algorithmicMedia" => {
                Some(Self::Generated)
            }
            "compositeWithTrainedAlgorithmicMedia" | "compositeSynthetic" => Some(Self::Composite),
            "digitalCapture" | "computationalCapture" => Some(Self::Captured),
            _ => None,
        }
    }
}

/// What was read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub signature: Signature,
    pub made: Option<Made>,
    /// The signer's organisation, where it is trusted.
    pub signer: Option<String>,
    /// What is wrong with the signature, or why there is none.
    pub detail: String,
}

/// What a file's history is worth.
pub fn judge(signed: &Signed) -> Finding {
    let detail = if signed.detail.is_empty() { String::new() } else { format!(" ({})", signed.detail) };
    let signer = match (signed.signature, &signed.signer) {
        (Signature::None, _) => return Finding::nothing(CHECK, format!("no signed history{detail}")),
        (Signature::Broken, _) => format!("its signature does not fit it any more{detail}"),
        (Signature::Untrusted, _) => format!("signed by somebody whom the policy does not know{detail}"),
        (Signature::Trusted, Some(signer)) => format!("signed by {signer}, whom the policy knows"),
        (Signature::Trusted, None) => "signed by one whom the policy knows".to_owned(),
    };
    let broken = signed.signature == Signature::Broken;
    let (torn, injection) = if broken { (TORN_OFF, BROKEN) } else { (1.0, 0.0) };
    let declared = |(weight, nats): (f64, f64), what: &str| {
        let reason = format!("the file's history says {what}; {signer}");
        Finding::of(CHECK, Class::Synthetic, torn * weight, reason).injected(torn * nats + injection)
    };
    match signed.made {
        Some(Made::Generated) => declared(GENERATED, "that its pictures are computed"),
        Some(Made::Composite) => declared(COMPOSITE, "that parts of its pictures are computed"),
        _ if broken => {
            let reason = format!("the file was changed: {signer}");
            Finding { check: CHECK.to_owned(), injection, reason, ..Finding::default() }
        }
        Some(Made::Captured) if signed.signature == Signature::Trusted => {
            let reason = format!("the file's history says that a camera took it; {signer}");
            Finding { check: CHECK.to_owned(), injection: CAPTURED, reason, ..Finding::default() }
        }
        _ => Finding::nothing(CHECK, format!("it has a signed history: {signer}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::source::provenance::{FINDING_CAP, Outcome, weigh};

    fn judged(signature: Signature, made: Option<Made>) -> Finding {
        judge(&Signed { signature, made, ..Signed::default() })
    }

    #[test]
    fn a_declaration_weighs_whoever_signed_it_and_less_when_it_was_torn_off() {
        for (made, least) in [(Made::Generated, 5.0), (Made::Composite, 3.0)] {
            let whole = judged(Signature::Untrusted, Some(made));
            assert_eq!(whole.injection, judged(Signature::Trusted, Some(made)).injection);
            let torn = judged(Signature::Broken, Some(made));
            assert!(whole.injection > least && torn.injection < whole.injection, "{whole:?} {torn:?}");
            assert!(torn.injection > judged(Signature::Broken, None).injection);
        }
    }

    #[test]
    fn a_file_that_says_it_is_generated_is_synthetic_and_a_composite_stays_a_file() {
        let file = Finding::of("element", Class::File, 6.0, "");
        let class = |made| weigh([&file, &judged(Signature::Trusted, Some(made))]).class;
        assert_eq!(class(Made::Generated), Class::Synthetic);
        assert_eq!(class(Made::Composite), Class::File);
        assert_eq!(class(Made::Captured), Class::File);
    }

    #[test]
    fn only_a_known_signers_capture_speaks_for_the_file_and_no_signature_says_nothing() {
        for signature in Signature::ALL {
            for made in [None, Some(Made::Captured), Some(Made::Composite), Some(Made::Generated)] {
                let finding = judged(*signature, made);
                let speaks = finding.outcome == Outcome::Found;
                assert_eq!(speaks, finding.injection != 0.0, "{finding:?}");
                assert!(finding.injection.abs() <= FINDING_CAP && finding.weight.abs() <= FINDING_CAP);
                let good = *signature == Signature::Trusted && made == Some(Made::Captured);
                assert_eq!(finding.injection < 0.0, good, "{finding:?}");
            }
        }
        assert_eq!(judged(Signature::None, Some(Made::Generated)).injection, 0.0);
    }

    #[test]
    fn source_types_are_told_by_their_last_part() {
        let iptc = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
        assert_eq!(Made::of(iptc), Some(Made::Generated));
        assert_eq!(Made::of("compositeSynthetic"), Some(Made::Composite));
        assert_eq!(Made::of("http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits"), None);
        assert_eq!(Made::of(""), None);
    }
}
