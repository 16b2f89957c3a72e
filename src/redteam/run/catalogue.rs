//! The catalogue: families of attacks in TOML, whose products are the conditions. See `docs/redteam.md`.

use super::channel::Channel;
use crate::redteam::attack::Family;
use crate::redteam::attacks::generator::Generator;
use crate::redteam::kind::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::{Spanned, Table, Value};

/// The catalogue that is built in: one text, of a file for each kind of attack.
pub const BUILT_IN: &str = concat!(
    include_str!("../catalogue/channels.toml"),
    include_str!("../catalogue/forgery.toml"),
    include_str!("../catalogue/animation.toml"),
    include_str!("../catalogue/presentation.toml"),
    include_str!("../catalogue/timing.toml"),
    include_str!("../catalogue/partial.toml"),
    include_str!("../catalogue/adversarial.toml"),
    include_str!("../catalogue/control.toml"),
    include_str!("../catalogue/injection.toml"),
);
/// The version that this program reads.
const SCHEMA_VERSION: u32 = 1;
/// More conditions than this are a mistake.
const MOST: usize = 20_000;

/// What is wrong with a catalogue, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{name}, line {line}: {message}")]
    Line { name: String, line: usize, message: String },
}

/// One thing to try: an attack (or a control) and the way it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trial {
    /// `family/variant/.../channel`.
    pub name: String,
    pub family: Family,
    pub about: String,
    pub kind: Kind,
    pub channel: Channel,
    /// Sensor noise that the attacker's own camera adds, grey levels.
    pub noise: f64,
    /// Length, seconds; what the user says when absent.
    pub seconds: Option<f64>,
    /// How much of the recording it needs, seconds.
    pub needs: Option<f64>,
    /// Whether one still picture is enough.
    pub still: bool,
    /// The first of its variant: what a quick run takes.
    pub first: bool,
}

impl Trial {
    pub fn is_attack(&self) -> bool {
        !self.family.is_control()
    }

    /// Changes when what is done changes, but not with names or descriptions.
    pub fn digest(&self) -> String {
        let what = serde_json::json!([self.kind, self.channel, self.noise, self.seconds, self.needs]);
        let hash = Sha256::digest(what.to_string().as_bytes());
        hash.iter().take(6).map(|b| format!("{b:02x}")).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema_version: Spanned<u32>,
    #[serde(default)]
    channel: BTreeMap<String, Spanned<Channel>>,
    #[serde(default)]
    generator: BTreeMap<String, Spanned<Generator>>,
    family: Vec<FamilyForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FamilyForm {
    name: Spanned<String>,
    channels: Vec<Spanned<String>>,
    #[serde(default)]
    noise: f64,
    seconds: Option<f64>,
    needs: Option<f64>,
    /// Choices that every variant is multiplied with: a name, and what it changes.
    #[serde(default)]
    axes: Vec<Spanned<BTreeMap<String, Table>>>,
    variant: Vec<Spanned<Variant>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Variant {
    name: String,
    about: String,
    kind: Table,
    noise: Option<f64>,
    seconds: Option<f64>,
    needs: Option<f64>,
    channels: Option<Vec<Spanned<String>>>,
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, at: &Range<usize>, message: impl ToString) -> CatalogueError {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        CatalogueError::Line { name: self.name.into(), line, message: message.to_string().trim().into() }
    }
}

/// Reads the catalogue at `path`, or the one built in.
///
/// # Errors
/// If it cannot be read or something in it makes no sense; the line is named.
pub fn load(path: Option<&Path>) -> Result<Vec<Trial>, CatalogueError> {
    let Some(path) = path else { return parse("the built-in catalogue", BUILT_IN) };
    let text =
        std::fs::read_to_string(path).map_err(|source| CatalogueError::File { path: path.into(), source })?;
    parse(&path.display().to_string(), &text)
}

/// See [`load`]; `name` is that of the file, for messages.
pub fn parse(name: &str, text: &str) -> Result<Vec<Trial>, CatalogueError> {
    let reader = Reader { name, text };
    let file: File =
        toml::from_str(text).map_err(|e| reader.wrong(&e.span().unwrap_or(0..0), e.message()))?;
    if *file.schema_version.get_ref() != SCHEMA_VERSION {
        let message = format!("schema-version must be {SCHEMA_VERSION}");
        return Err(reader.wrong(&file.schema_version.span(), message));
    }
    for (name, channel) in &file.channel {
        let wrong = |e| reader.wrong(&channel.span(), format!("channel `{name}`: {e}"));
        channel.get_ref().check().map_err(wrong)?;
        slug(name).map_err(|e| reader.wrong(&channel.span(), e))?;
    }
    let (mut trials, mut names) = (Vec::new(), BTreeSet::new());
    for family in &file.family {
        slug(family.name.get_ref()).map_err(|e| reader.wrong(&family.name.span(), e))?;
        for variant in &family.variant {
            for trial in expand(&reader, &file, family, variant)? {
                if !names.insert(trial.name.clone()) {
                    return Err(reader.wrong(&variant.span(), format!("`{}` is there twice", trial.name)));
                }
                trials.push(trial);
            }
        }
        if trials.len() > MOST {
            return Err(reader.wrong(&family.name.span(), format!("more than {MOST} conditions")));
        }
    }
    Ok(trials)
}

fn slug(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if !name.is_empty() && name.len() <= 40 && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("the name `{name}` must be of a-z, 0-9, `-` and `.`, 40 at most"))
}

/// What `by` has goes into `table`; tables in tables are joined.
fn join(table: &mut Table, by: &Table) {
    for (key, value) in by {
        match (table.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => join(old, new),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

fn expand(
    reader: &Reader<'_>,
    file: &File,
    family: &FamilyForm,
    variant: &Spanned<Variant>,
) -> Result<Vec<Trial>, CatalogueError> {
    let at = variant.span();
    let v = variant.get_ref();
    slug(&v.name).map_err(|e| reader.wrong(&at, e))?;
    // The products so far: parts of the name, and the parameters.
    let mut products = vec![(v.name.clone(), v.kind.clone())];
    for axis in &family.axes {
        let mut grown = Vec::new();
        for (name, kind) in &products {
            for (choice, change) in axis.get_ref() {
                slug(choice).map_err(|e| reader.wrong(&axis.span(), e))?;
                let mut kind = kind.clone();
                join(&mut kind, change);
                grown.push((format!("{name}/{choice}"), kind));
            }
        }
        if grown.is_empty() || grown.len() > MOST {
            return Err(reader.wrong(&axis.span(), "an axis must have choices, and not too many"));
        }
        products = grown;
    }
    let mut trials = Vec::new();
    for (name, mut table) in products {
        // Not the attack's, but that of the camera behind it.
        let noise = table.remove("noise").and_then(|n| n.as_float().or(n.as_integer().map(|i| i as f64)));
        let noise = noise.or(v.noise).unwrap_or(family.noise);
        named_generator(&mut table, file).map_err(|e| reader.wrong(&at, e))?;
        let kind = Kind::deserialize(Value::Table(table))
            .map_err(|e| reader.wrong(&at, format!("{name}: {}", e.message())))?;
        let attack = kind.as_attack();
        attack.check().map_err(|e| reader.wrong(&at, format!("{name}: {e}")))?;
        let (seconds, needs) = (v.seconds.or(family.seconds), v.needs.or(family.needs));
        for (value, what) in
            [(noise, "noise"), (seconds.unwrap_or(1.0), "seconds"), (needs.unwrap_or(1.0), "needs")]
        {
            let low = if what == "noise" { 0.0 } else { 0.5 };
            if !(low..=600.0).contains(&value) {
                return Err(reader.wrong(&at, format!("{name}: `{what}` is {value}; give {low} to 600")));
            }
        }
        for channel in v.channels.as_ref().unwrap_or(&family.channels) {
            let known = file.channel.get(channel.get_ref()).map(Spanned::get_ref);
            if matches!(kind, Kind::Inject(_)) && known.is_some_and(|c| *c != Channel::default()) {
                let message = "an injection is its own way in; give a channel without anything on it";
                return Err(reader.wrong(&channel.span(), message));
            }
            let missing =
                || reader.wrong(&channel.span(), format!("there is no channel `{}`", channel.get_ref()));
            trials.push(Trial {
                name: format!("{}/{name}/{}", family.name.get_ref(), channel.get_ref()),
                family: attack.family(),
                about: v.about.clone(),
                channel: known.ok_or_else(missing)?.clone(),
                noise,
                seconds,
                needs,
                still: kind.works_on_a_still(),
                first: trials.is_empty(),
                kind: kind.clone(),
            });
        }
    }
    Ok(trials)
}

/// Generators that are called by their names are put in their places, also within other attacks.
fn named_generator(table: &mut Table, file: &File) -> Result<(), String> {
    for (_, value) in table.iter_mut() {
        if let Value::Table(inner) = value {
            named_generator(inner, file)?;
        }
    }
    if table.get("attack").and_then(Value::as_str) != Some("generator") {
        return Ok(());
    }
    let Some(name) = table.remove("name") else { return Ok(()) };
    let name = name.as_str().unwrap_or("?");
    let known = file.generator.get(name).ok_or_else(|| format!("there is no generator `{name}`"))?;
    let Ok(Value::Table(parts)) = Value::try_from(known.get_ref()) else {
        return Err("the generator is no table".into());
    };
    join(table, &parts);
    Ok(())
}
