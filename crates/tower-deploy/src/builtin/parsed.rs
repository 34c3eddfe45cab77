use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// A value, or a word of a list, that is read as a `T`. So an error has its own position.
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}
