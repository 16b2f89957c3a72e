//! Keys of a manifest's `[[model]]` that have no meaning: a misspelt `min-face` would otherwise be ignored in silence.
//!
//! An entry whose role is that of a later version may have any.

use super::model_entry::ModelEntry;
use super::role::Role;
use super::tensors::{Preprocessing, TensorSpec};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor, value::Error};

/// What only `models/fetch.py` and people read, of a model and of its inputs and outputs.
const OTHERS: [&str; 4] = ["source", "origin", "anchor_grids", "keypoints"];
const OTHERS_OF_TENSORS: [&str; 1] = ["source"];

/// What is wrong with the keys of `entry`, which was read from `raw`, if anything is.
pub(super) fn find(entry: &ModelEntry, raw: &toml::Table) -> Option<String> {
    if matches!(entry.role, Role::Other(_)) {
        return None;
    }
    let wrong = |at: &str, table: &toml::Table, known: &[&str], others: &[&str]| {
        let key = table.keys().find(|k| !known.contains(&k.as_str()) && !others.contains(&k.as_str()))?;
        let mut all: Vec<&str> = known.iter().chain(others).copied().collect();
        all.sort_unstable();
        Some(format!("{at}the key `{key}` is unknown; there are {}", all.join(", ")))
    };
    let tensors = ["input", "output"].into_iter().find_map(|side| {
        let tables = raw.get(side)?.as_array()?.iter().filter_map(toml::Value::as_table);
        let known = fields::<TensorSpec>();
        tables.into_iter().find_map(|t| wrong(&format!("{side}: "), t, known, &OTHERS_OF_TENSORS))
    });
    let pixels = || {
        let table = raw.get("preprocessing")?.as_table()?;
        wrong("preprocessing: ", table, fields::<Preprocessing>(), &[])
    };
    wrong("", raw, fields::<ModelEntry>(), &OTHERS).or(tensors).or_else(pixels)
}

/// The keys that a struct is read from.
fn fields<T: for<'d> Deserialize<'d>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Names(&mut names));
    names
}

/// Reads nothing, and keeps what it was asked for.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("nothing is read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_structs() {
        let model = fields::<ModelEntry>();
        for key in
            ["name", "licence", "license", "min-face", "per-second-economy", "input", "landmark_subset"]
        {
            assert!(model.contains(&key), "{key}: {model:?}");
        }
        assert!(fields::<TensorSpec>().contains(&"genuine-class"));
        assert!(fields::<Preprocessing>().contains(&"mean"));
    }
}
