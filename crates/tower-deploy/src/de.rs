//! Settings as a struct of a factory.

use std::{fmt, time::Duration};

use serde::{
    de::{self, DeserializeOwned, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};
use tower_kit::secrets::{self, is_secret};

use crate::{
    Error, ErrorKind, Settings, Value, slip,
    suggest::{did_you_mean, misspelt_in_any},
};

/// Makes a `T` of settings. A key that `T` does not know is an error.
pub(crate) fn from_settings<T: DeserializeOwned>(settings: &Settings) -> Result<T, Error> {
    T::deserialize(Section(settings)).map_err(|Wrong(error, _)| *error)
}

/// Reads a duration above 0. A `0` could mean "for ever" or "at once", and no request may take
/// either.
pub(crate) fn some_time<'de, D: de::Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let time: Duration = de::Deserialize::deserialize(deserializer)?;
    if time.is_zero() {
        return Err(de::Error::custom("it has to be longer than nothing"));
    }
    Ok(time)
}

/// An error of serde, which gets a position where one is known.
#[derive(Debug)]
struct Wrong(Box<Error>, Shows);

/// Whether the message may have the value in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    Perhaps,
    Nothing,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let error = Error::new(ErrorKind::Settings, message.to_string());
        Self(Box::new(error), Shows::Perhaps)
    }

    fn missing_field(field: &'static str) -> Self {
        let error = Error::new(ErrorKind::Settings, "it is missing");
        Self(
            Box::new(error.key(field).help(format!("add `{field} = …`"))),
            Shows::Nothing,
        )
    }
}

struct Section<'a>(&'a Settings);

impl<'de> de::Deserializer<'de> for Section<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(Map {
            rest: self.0.map.iter(),
            next: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        for (key, value) in &self.0.map {
            if !fields.contains(&key.as_str()) {
                let meant = did_you_mean(key, fields.iter().copied());
                let help = meant.map(|meant| format!("did you mean `{meant}`?"));
                let help = help.or_else(|| misspelt_in_any(key));
                let help = help.unwrap_or_else(|| match fields {
                    [] => "it takes no settings".to_owned(),
                    _ => format!("known: {}", fields.join(", ")),
                });
                let error = Error::new(ErrorKind::Settings, "the key is not known");
                let error = error.key(key).at(value.key_place.as_ref()).help(help);
                return Err(Wrong(Box::new(error), Shows::Nothing));
            }
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // `()` is for a factory without settings.
        self.deserialize_struct("", &[], Nothing)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        seq tuple tuple_struct enum identifier
    }
}

struct Nothing;

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no settings")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Ok(())
    }
}

struct Map<'a> {
    rest: indexmap::map::Iter<'a, String, Value>,
    next: Option<(&'a String, &'a Value)>,
}

impl<'de> de::MapAccess<'de> for Map<'_> {
    type Error = Wrong;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        self.next = self.rest.next();
        let Some((key, _)) = self.next else {
            return Ok(None);
        };
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, value) = self.next.take().expect("a value comes after its key");
        let is_secret = value.is_secret || is_secret(key);
        let text = Text {
            text: &value.text,
            is_secret,
        };
        seed.deserialize(text).map_err(|Wrong(error, shows)| {
            let error = match (is_secret, shows) {
                (true, Shows::Perhaps) => Error::new(
                    ErrorKind::Settings,
                    "the value does not have the expected type",
                ),
                _ => *error,
            };
            let error = slip::of_value(error, key, &value.text, value);
            let error = error.key(key).at(value.place());
            Wrong(Box::new(error), Shows::Nothing)
        })
    }
}

/// A value.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a str,
    /// Whether errors do not show it.
    is_secret: bool,
}

impl Text<'_> {
    fn wrong(&self, expected: &str) -> Wrong {
        let message = match self.is_secret {
            true => format!("the value is not {expected}"),
            false if self.text.is_empty() => format!("it is empty, and not {expected}"),
            false => format!("`{}` is not {expected}", secrets::fields(self.text)),
        };
        let error = Error::new(ErrorKind::Settings, message);
        Wrong(Box::new(error), Shows::Nothing)
    }

    fn number<T: std::str::FromStr>(&self, expected: &str) -> Result<T, Wrong> {
        self.text.trim().parse().map_err(|_| self.wrong(expected))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
                let expected = format!("a number from {} to {}", <$type>::MIN, <$type>::MAX);
                visitor.$visit(self.number::<$type>(&expected)?)
            }
        )*
    };
}

impl<'de> de::Deserializer<'de> for Text<'_> {
    type Error = Wrong;

    numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u128 visit_u128 u128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f32(self.number("a number")?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.number("a number")?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.text)
    }

    /// Reads a boolean like PasteDeploy's `asbool`.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => visitor.visit_bool(true),
            "false" | "no" | "off" | "n" | "f" | "0" => visitor.visit_bool(false),
            _ => Err(self.wrong("one of true, yes, on, 1, false, no, off, 0")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_char(self.number("one character")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    /// Reads a list like PasteDeploy's `aslist`: separated by white space.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let is_secret = self.is_secret;
        let members = self.text.split_whitespace();
        let members = members.map(|text| Text { text, is_secret });
        let mut members = de::value::SeqDeserializer::new(members);
        let value = visitor.visit_seq(&mut members)?;
        members
            .end()
            .map_err(|_: Wrong| self.wrong("a list of the expected length"))?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    /// Reads a duration, such as `1h 30m` or `500ms`.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if name != "Duration" || fields != ["secs", "nanos"] {
            return Err(self.wrong("a struct of settings"));
        }
        let duration = humantime::parse_duration(self.text.trim());
        let duration =
            duration.map_err(|_| self.wrong("a duration, such as 30s, 500ms or 1h 30m"))?;
        visitor.visit_seq(de::value::SeqDeserializer::new(
            [duration.as_secs(), u64::from(duration.subsec_nanos())].into_iter(),
        ))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if !variants.contains(&self.text.trim()) {
            return Err(self.wrong(&format!("one of {}", variants.join(", "))));
        }
        visitor.visit_enum(self.text.trim().into_deserializer())
    }

    forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads keys and values, in order, without their positions.
impl<'de> de::Deserialize<'de> for Settings {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
                let mut settings = Settings::default();
                while let Some((key, text)) = map.next_entry()? {
                    settings.set(key, Value::given(text));
                }
                Ok(settings)
            }
        }

        deserializer.deserialize_map(All)
    }
}
