//! Numbers in JSON that come back bit for bit, also those that JSON has no word for.

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a finite number as a number, and infinities and NaN as their bits in hexadecimal.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        serializer.serialize_str(&format!("{:016x}", value.to_bits()))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Bits(String),
}

/// Reads what [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Number(value) => Ok(value),
        Written::Bits(text) => u64::from_str_radix(&text, 16).map(f64::from_bits).map_err(serde::de::Error::custom),
    }
}
