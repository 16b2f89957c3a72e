//! Signed capture (C2PA): reads the signed history of a file (`analysis::source::signed` says what it is worth).
//!
//! Only what is in the file is read: nothing is fetched from a network, neither histories that are stored elsewhere nor
//! whether a certificate was called back. No signer is trusted but those under the certificates that the caller gives.

use crate::analysis::source::signed::{Made, Signature, Signed};
use c2pa::settings::Settings;
use c2pa::{Context, Manifest, Reader, ValidationResults, ValidationState};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use x509_parser::pem::Pem;

/// A file is no longer than this, bytes: all of it is hashed, and some formats are read into memory.
const MAX_BYTES: u64 = 1 << 30;
/// The longest that it may take.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Histories within a history that are looked at.
const MAX_MANIFESTS: usize = 64;
/// Of a signature that does not hold, at most this many codes are reported.
const MAX_CODES: usize = 3;
/// Codes of failures that speak of the signer or the time and not of the file.
const SIGNER: [&str; 3] = ["signingCredential.", "timeStamp.", "claimSignature.outsideValidity"];

/// Why a file's signature could not be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignedError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is no regular file")]
    NoFile,
    #[error("it is {0} bytes long, more than {MAX_BYTES}")]
    TooLong(u64),
    #[error("it takes longer than {MAX_TIME:?}")]
    TooSlow,
    #[error("the answer is not wanted any more")]
    Stopped,
    #[error("its history is not understood: {0}")]
    Invalid(String),
    #[error("the trust anchors: {0}")]
    Anchors(String),
}

/// A file that ends with an error when its time is over or the answer is not wanted any more.
struct Guarded<'a> {
    file: File,
    stop: &'a AtomicBool,
    until: Instant,
}

impl Read for Guarded<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) || Instant::now() > self.until {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        self.file.read(to)
    }
}

impl Seek for Guarded<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn context(anchors: Option<&str>) -> Result<Context, c2pa::Error> {
    let mut settings = Settings::new();
    settings.trust.trust_anchors = anchors.map(str::to_owned);
    settings.verify.ocsp_fetch = false;
    settings.verify.remote_manifest_fetch = false;
    // Statements of who somebody is are none of this plugin's business.
    settings.core.decode_identity_assertions = false;
    settings.core.allowed_network_hosts = Some(Vec::new());
    Context::new().with_settings(settings)
}

/// Whether these are certificates (PEM) that can be trusted.
///
/// # Errors
/// What is wrong with them.
pub fn check_anchors(anchors: &str) -> Result<(), SignedError> {
    let mut count = 0;
    for pem in Pem::iter_from_buffer(anchors.as_bytes()) {
        count += 1;
        let wrong = |e: &dyn std::fmt::Display| SignedError::Anchors(format!("certificate {count}: {e}"));
        pem.map_err(|e| wrong(&e))?.parse_x509().map_err(|e| wrong(&e))?;
    }
    if count == 0 {
        return Err(SignedError::Anchors("no certificate in PEM form".into()));
    }
    Ok(())
}

/// Reads and checks the history in a file. Takes up to half a minute: call it on a thread of its own, and set `stop` when
/// the answer is not wanted any more. `anchors`: certificates (PEM) under which signers are trusted.
///
/// # Errors
/// Why it could not be looked at; a signature that does not hold is none.
pub fn read(path: &Path, anchors: Option<&str>, stop: &AtomicBool) -> Result<Signed, SignedError> {
    // Asked before it is opened: opening a pipe would wait for its other end.
    let facts = path.metadata()?;
    if !facts.is_file() {
        return Err(SignedError::NoFile);
    }
    if facts.len() > MAX_BYTES {
        return Err(SignedError::TooLong(facts.len()));
    }
    let guarded = Guarded { file: File::open(path)?, stop, until: Instant::now() + MAX_TIME };
    let until = guarded.until;
    let reader = Reader::from_context(context(anchors).map_err(|e| SignedError::Anchors(e.to_string()))?);
    // The format is known by the content; the name helps where it is not.
    let named = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let none = |detail: &str| Ok(Signed { detail: detail.to_owned(), ..Signed::default() });
    match reader.with_stream(named, guarded) {
        Ok(reader) => Ok(signed(&reader)),
        Err(_) if stop.load(Ordering::Relaxed) => Err(SignedError::Stopped),
        Err(_) if Instant::now() > until => Err(SignedError::TooSlow),
        Err(c2pa::Error::JumbfNotFound) => none(""),
        Err(c2pa::Error::UnsupportedType) => none("such files carry none"),
        Err(c2pa::Error::RemoteManifestUrl(_)) => none("one lies on a server, and nothing is fetched"),
        Err(error) => Err(SignedError::Invalid(error.to_string())),
    }
}

fn signed(reader: &Reader) -> Signed {
    let failures = reader.validation_results().map(failures).unwrap_or_default();
    let signature = match reader.validation_state() {
        ValidationState::Trusted => Signature::Trusted,
        ValidationState::Valid => Signature::Untrusted,
        // Expired or unfit certificates: what was signed may still be what is there.
        _ if !failures.is_empty() && failures.iter().all(|f| SIGNER.iter().any(|s| f.starts_with(s))) => {
            Signature::Untrusted
        }
        _ => Signature::Broken,
    };
    let signer = reader.active_manifest().and_then(Manifest::issuer);
    let signer = signer.filter(|_| signature == Signature::Trusted).map(|s| super::identity::clean(&s));
    let codes: Vec<&str> = failures.iter().map(String::as_str).take(MAX_CODES).collect();
    Signed { signature, made: made(reader), signer, detail: super::identity::clean(&codes.join(", ")) }
}

/// The codes of all that does not hold.
fn failures(results: &ValidationResults) -> BTreeSet<String> {
    let parts = results.ingredient_deltas().into_iter().flatten().map(|delta| delta.validation_deltas());
    let all = results.active_manifest().into_iter().chain(parts);
    all.flat_map(|codes| codes.failure().iter().map(|status| status.code().to_owned())).collect()
}

/// The strongest that the newest history and those it was made from say. What was only one part among others makes a
/// composite at most.
fn made(reader: &Reader) -> Option<Made> {
    let mut waiting = vec![(reader.active_manifest()?, true)];
    let mut seen = BTreeSet::new();
    let mut strongest = None;
    while let Some((manifest, whole)) = waiting.pop() {
        if seen.len() >= MAX_MANIFESTS || !seen.insert((manifest.label().map(str::to_owned), whole)) {
            continue;
        }
        let says = manifest.assertions().iter().filter_map(|a| declared(a.value().ok()?)).max();
        let says = if whole { says } else { says.map(|made| made.min(Made::Composite)) };
        strongest = strongest.max(says.filter(|made| whole || *made == Made::Composite));
        for part in manifest.ingredients() {
            let of = part.active_manifest().and_then(|label| reader.get_manifest(label));
            waiting.extend(of.map(|manifest| (manifest, whole && part.is_parent())));
        }
    }
    strongest
}

/// The strongest source type anywhere in a statement (of what was done, or of metadata).
fn declared(statement: &Value) -> Option<Made> {
    match statement {
        Value::Object(fields) => {
            let of = |(name, value): (&String, &Value)| match value {
                Value::String(text) if is_source_type(name) => Made::of(text),
                value => declared(value),
            };
            fields.iter().filter_map(of).max()
        }
        Value::Array(all) => all.iter().filter_map(declared).max(),
        _ => None,
    }
}

/// `digitalSourceType`, or IPTC's name for it with a prefix.
fn is_source_type(name: &str) -> bool {
    name.rsplit(':').next().is_some_and(|name| name.eq_ignore_ascii_case("digitalSourceType"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_strongest_declaration_is_found_wherever_it_stands() {
        let actions = json!({"actions": [
            {"action": "c2pa.opened", "digitalSourceType": "digitalCapture"},
            {"action": "c2pa.edited", "parameters": {"digitalSourceType":
                "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"}},
        ]});
        assert_eq!(declared(&actions), Some(Made::Composite));
        let metadata = json!({"Iptc4xmpExt:DigitalSourceType": "trainedAlgorithmicMedia"});
        assert_eq!(declared(&metadata), Some(Made::Generated));
        assert_eq!(declared(&json!({"digitalSourceType": 7, "title": "trainedAlgorithmicMedia"})), None);
    }

    #[test]
    fn what_is_no_list_of_certificates_is_no_anchor() {
        assert!(check_anchors("").is_err());
        assert!(check_anchors("-----BEGIN CERTIFICATE-----\nAAAA\n").is_err());
        for body in ["!!", "AAAA", ""] {
            let garbage = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
            assert!(check_anchors(&garbage).is_err(), "{body}");
        }
    }

    #[test]
    fn a_folder_and_a_missing_file_are_errors_and_other_files_have_no_history() {
        let stop = AtomicBool::new(false);
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path(), None, &stop), Err(SignedError::NoFile)));
        assert!(matches!(read(&folder.path().join("x"), None, &stop), Err(SignedError::Read(_))));
        let text = folder.path().join("call.txt");
        std::fs::write(&text, "no pictures").unwrap();
        assert_eq!(read(&text, None, &stop).unwrap().signature, Signature::None);
    }
}
