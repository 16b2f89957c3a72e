//! Numbers that come back from JSON bit for bit, also those that JSON has no form for.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

struct Exact(f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            v if v.is_finite() => s.serialize_f64(v),
            v if v.is_nan() => s.serialize_str("nan"),
            v if v > 0.0 => s.serialize_str("inf"),
            _ => s.serialize_str("-inf"),
        }
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Exact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"nan\", \"inf\" or \"-inf\"")
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Exact, E> {
        Ok(Exact(v))
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Exact, E> {
        Ok(Exact(v as f64))
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Exact, E> {
        Ok(Exact(v as f64))
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Exact, E> {
        match v {
            "nan" => Ok(Exact(f64::NAN)),
            "inf" => Ok(Exact(f64::INFINITY)),
            "-inf" => Ok(Exact(f64::NEG_INFINITY)),
            _ => Err(E::custom("no such number")),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

pub mod one {
    use super::{Deserialize, Deserializer, Exact, Serialize, Serializer};

    pub fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        Exact(*v).serialize(s)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Exact::deserialize(d).map(|e| e.0)
    }
}

pub mod list {
    use super::{Deserialize, Deserializer, Exact, Serializer};

    pub fn serialize<S: Serializer>(v: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(v.iter().map(|v| Exact(*v)))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Exact>::deserialize(d).map(|all| all.into_iter().map(|e| e.0).collect())
    }
}
