//! The policy file: which sources are welcome, and what happens when another one shows up.
//!
//! `docs/provenance.md` describes the file. What is denied counts more than what is allowed. Every list is optional;
//! an `[allow]` list that is there must be met by what it speaks of.

use super::report::SourceReport;
use crate::analysis::source::provenance::Class;
use crate::analysis::source::signed::{Made, Signature, UNREAD};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use toml::Spanned;
use wildmatch::WildMatch;

/// The policy that holds when none is given.
pub const BUILT_IN: &str = "\
schema = 1
on-violation = \"alert\"
[deny]
classes = [\"virtual\"]
[minimum]
confidence = 0.9
";
/// A policy file, or one that it names, is no longer than this, bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// Why a policy cannot be used. `place` is the file and, where it is known, the line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    #[error("the policy {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the policy {path} is {bytes} bytes long, more than {MAX_BYTES}")]
    TooLong { path: PathBuf, bytes: u64 },
    #[error("{place}: {message}")]
    Invalid { place: String, message: String },
}

/// What a violation does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnViolation {
    /// An alert on the bus; the video goes on.
    #[default]
    Alert,
    /// The element ends the stream with an error.
    Block,
}

/// Whether a source of class `unknown` meets a list of allowed classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unknown {
    #[default]
    Allowed,
    Denied,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Lists {
    classes: Option<Vec<Spanned<String>>>,
    drivers: Option<Vec<Spanned<String>>>,
    usb: Option<Vec<Spanned<String>>>,
    names: Option<Vec<Spanned<String>>>,
    locations: Option<Vec<Spanned<String>>>,
    signatures: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Signatures {
    trust_anchors: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Minimum {
    confidence: Option<Spanned<f64>>,
    max_injection: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: Spanned<i64>,
    #[serde(default)]
    on_violation: OnViolation,
    #[serde(default)]
    unknown: Unknown,
    #[serde(default)]
    allow: Lists,
    #[serde(default)]
    deny: Lists,
    #[serde(default)]
    minimum: Minimum,
    #[serde(default)]
    signatures: Signatures,
}

/// One kind of things that patterns speak of.
#[derive(Clone, Debug)]
struct Patterns {
    /// What it is, for a person.
    what: &'static str,
    allow: Option<Vec<WildMatch>>,
    deny: Vec<WildMatch>,
}

/// A policy that was read and found in order.
#[derive(Clone, Debug)]
pub struct Policy {
    pub on_violation: OnViolation,
    /// As it was written.
    pub text: Arc<str>,
    unknown: Unknown,
    allow: Option<Vec<Class>>,
    deny: Vec<Class>,
    patterns: [Patterns; 5],
    /// A class counts as known from this probability on.
    confidence: f64,
    /// More evidence of injection than this is a violation, nats.
    max_injection: Option<f64>,
    /// Where the certificates are under which signers of files are trusted, and the certificates, once read (PEM).
    anchors_file: Option<PathBuf>,
    anchors: Option<Arc<str>>,
}

impl Policy {
    /// Reads a policy file.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let mut policy = Self::parse(&text(path)?, &path.display().to_string())?;
        if let Some(file) = &policy.anchors_file {
            let file = path.parent().unwrap_or(Path::new("")).join(file);
            let anchors = text(&file)?;
            checked(&anchors)
                .map_err(|message| PolicyError::Invalid { place: file.display().to_string(), message })?;
            policy.anchors = Some(anchors.into());
        }
        Ok(policy)
    }

    /// The certificates (PEM) under which signers of files are trusted, if the policy file names some.
    pub fn anchors(&self) -> Option<&Arc<str>> {
        self.anchors.as_ref()
    }

    /// The policy in force without a file.
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::parse(BUILT_IN, "built-in policy")
    }

    /// Reads a policy's text; `name` says in errors where it is from.
    pub fn parse(text: &str, name: &str) -> Result<Self, PolicyError> {
        let line = |span: &Range<usize>| {
            let before = text.as_bytes().get(..span.start).unwrap_or_default();
            1 + before.iter().filter(|b| **b == b'\n').count()
        };
        let invalid = |span: Option<Range<usize>>, message: String| PolicyError::Invalid {
            place: span.map_or_else(|| name.to_owned(), |s| format!("{name}, line {}", line(&s))),
            message,
        };
        let file: File = toml::from_str(text).map_err(|e| invalid(e.span(), e.message().to_owned()))?;
        if *file.schema.get_ref() != 1 {
            let found = file.schema.get_ref();
            return Err(invalid(
                Some(file.schema.span()),
                format!("schema is {found}; this version reads 1"),
            ));
        }
        let classes = |list: &Vec<Spanned<String>>| {
            list.iter()
                .map(|s| {
                    Class::from_name(s.get_ref()).ok_or_else(|| {
                        let known: Vec<_> = Class::ALL.iter().map(|c| c.name()).collect();
                        let message = format!("no class `{}`; there are {}", s.get_ref(), known.join(", "));
                        invalid(Some(s.span()), message)
                    })
                })
                .collect::<Result<Vec<_>, _>>()
        };
        for id in [&file.allow.usb, &file.deny.usb].into_iter().flatten().flatten() {
            let hexadecimal = |c: char| c.is_ascii_hexdigit() || c == '*' || c == '?';
            let good = id.get_ref().split_once(':').is_some_and(|(vendor, product)| {
                [vendor, product].iter().all(|p| !p.is_empty() && p.chars().all(hexadecimal))
            });
            if !good {
                let message = format!("`{}` is no USB id like 046d:082d or 534d:*", id.get_ref());
                return Err(invalid(Some(id.span()), message));
            }
        }
        let named = [&file.allow.signatures, &file.deny.signatures].into_iter().flatten().flatten();
        for name in named.clone() {
            let made = Made::ALL.iter().map(|made| made.name());
            let known: Vec<_> = Signature::ALL.iter().map(|s| s.name()).chain([UNREAD]).chain(made).collect();
            if !known.contains(&name.get_ref().as_str()) {
                let message = format!("no signature `{}`; there are {}", name.get_ref(), known.join(", "));
                return Err(invalid(Some(name.span()), message));
            }
        }
        let anchors = &file.signatures.trust_anchors;
        if let Some(span) = named.map(Spanned::span).chain(anchors.as_ref().map(Spanned::span)).next()
            && !cfg!(feature = "c2pa")
        {
            let message = "this build checks no signatures: build it with the feature c2pa";
            return Err(invalid(Some(span), message.to_owned()));
        }
        let patterns = |what, allow: &Option<Vec<Spanned<String>>>, deny: &Option<Vec<Spanned<String>>>| {
            let read = |list: &Vec<Spanned<String>>| -> Vec<WildMatch> {
                list.iter().map(|s| WildMatch::new(&s.get_ref().to_lowercase())).collect()
            };
            let deny = deny.as_ref().map(read).unwrap_or_default();
            Patterns { what, allow: allow.as_ref().map(read), deny }
        };
        let (allow, deny) = (&file.allow, &file.deny);
        let confidence = match &file.minimum.confidence {
            Some(c) if !(0.0..=1.0).contains(c.get_ref()) => {
                let message = format!("confidence is a probability, not {}", c.get_ref());
                return Err(invalid(Some(c.span()), message));
            }
            Some(c) => *c.get_ref(),
            None => 0.5,
        };
        let max_injection = match &file.minimum.max_injection {
            Some(n) if !n.get_ref().is_finite() => {
                return Err(invalid(Some(n.span()), "max-injection is a finite number of nats".into()));
            }
            other => other.as_ref().map(|n| *n.get_ref()),
        };
        Ok(Self {
            on_violation: file.on_violation,
            text: text.into(),
            unknown: file.unknown,
            allow: allow.classes.as_ref().map(classes).transpose()?,
            deny: deny.classes.as_ref().map(classes).transpose()?.unwrap_or_default(),
            patterns: [
                patterns("driver", &allow.drivers, &deny.drivers),
                patterns("usb", &allow.usb, &deny.usb),
                patterns("name", &allow.names, &deny.names),
                patterns("location", &allow.locations, &deny.locations),
                patterns("signature", &allow.signatures, &deny.signatures),
            ],
            confidence,
            max_injection,
            anchors_file: anchors.as_ref().map(|a| a.get_ref().clone()),
            anchors: None,
        })
    }

    /// Why a source is not welcome; `None` if it is.
    pub fn violation(&self, report: &SourceReport) -> Option<String> {
        let sure = report.confidence >= self.confidence;
        let class = if sure { report.class } else { Class::Unknown };
        if class != Class::Unknown && self.deny.contains(&class) {
            return Some(format!("sources of class {class} are denied"));
        }
        for patterns in &self.patterns {
            let values = report.named(patterns.what);
            let matched =
                |list: &[WildMatch], value: &str| list.iter().any(|p| p.matches(&value.to_lowercase()));
            let what = patterns.what;
            if let Some(value) = values.iter().find(|v| matched(&patterns.deny, v)) {
                return Some(format!("{what} `{value}` is denied"));
            }
            if let Some(allow) = &patterns.allow
                && let Some(value) = values.first()
                && !values.iter().any(|v| matched(allow, v))
            {
                return Some(format!("{what} `{value}` is not among those allowed"));
            }
        }
        if let Some(most) = self.max_injection
            && report.injection > most
        {
            return Some(format!(
                "evidence of injection is {:.1} nats, more than {most:.1}",
                report.injection
            ));
        }
        match (&self.allow, class) {
            (None, _) => None,
            (Some(_), Class::Unknown) if self.unknown == Unknown::Allowed => None,
            (Some(allow), class) if allow.contains(&class) => None,
            (Some(_), class) => Some(format!("sources of class {class} are not among those allowed")),
        }
    }
}

/// The text of a file that is not too long.
fn text(path: &Path) -> Result<String, PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_BYTES {
        return Err(PolicyError::TooLong { path: path.to_path_buf(), bytes });
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Whether certificates can be used; without the feature no policy comes so far.
fn checked(anchors: &str) -> Result<(), String> {
    #[cfg(feature = "c2pa")]
    super::signed::check_anchors(anchors).map_err(|e| e.to_string())?;
    let _ = anchors;
    Ok(())
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
