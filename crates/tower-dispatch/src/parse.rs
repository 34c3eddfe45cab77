//! Url args as values of other types: numbers, tuples, structs, whatever serde can make of texts.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use crate::UrlArgs;

impl UrlArgs {
    /// The args as a value: a tuple or a list takes them by their places, a struct or a map by their names (those of the
    /// mounts around too), anything else is what the only arg says. `Option` is for what may be absent. Numbers have up to 64 bits.
    ///
    /// # Errors
    ///
    /// A [`ParseError`] that says which arg is no such value, or that there are not as many args.
    ///
    /// # Examples
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use tower::{ServiceExt, service_fn};
    /// # use tower_dispatch::{BoxError, Dispatch, UrlArgs};
    /// # async fn app(request: Request<()>) -> Result<Response<String>, BoxError> {
    /// let args: &UrlArgs = request.extensions().get().ok_or("no route")?;
    /// let (id, page): (u32, Option<u32>) = args.parse()?;
    /// # Ok(Response::new(format!("{id} {page:?}")))
    /// # }
    /// ```
    pub fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, ParseError> {
        T::deserialize(Args(self))
    }
}

/// Why url args are not the value that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Which arg it is about: its name, or its place from 0.
    arg: Option<Box<str>>,
    reason: Box<str>,
}

impl ParseError {
    fn new(reason: impl fmt::Display) -> Self {
        Self {
            arg: None,
            reason: reason.to_string().into(),
        }
    }

    /// Says which arg it is about, if nobody has.
    fn of(mut self, arg: impl fmt::Display) -> Self {
        self.arg.get_or_insert_with(|| arg.to_string().into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arg {
            Some(arg) => write!(f, "url arg `{arg}`: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for ParseError {}

impl de::Error for ParseError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// All args together.
struct Args<'de>(&'de UrlArgs);

impl<'de> Args<'de> {
    fn has(&self, expected: usize) -> Result<(), ParseError> {
        match self.0.len() {
            found if found == expected => Ok(()),
            found => Err(ParseError::new(format_args!(
                "the pattern {:?} has {found} url args, and not {expected}",
                self.0.pattern()
            ))),
        }
    }

    /// What is neither a list nor a struct is the only arg.
    fn only<T>(
        &self,
        read: impl FnOnce(serde_plain::Deserializer<'de>) -> Result<T, serde_plain::Error>,
    ) -> Result<T, ParseError> {
        self.has(1)?;
        let value = match self.0.get(0) {
            None => Err(ParseError::new("it is absent")),
            Some(text) => plain(text, read),
        };
        value.map_err(|error| error.of(label(self.0, 0)))
    }
}

impl<'de> Deserializer<'de> for Args<'de> {
    type Error = ParseError;

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_bool(visitor))
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_i8(visitor))
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_i16(visitor))
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_i32(visitor))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_i64(visitor))
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_u8(visitor))
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_u16(visitor))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_u32(visitor))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_u64(visitor))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_f32(visitor))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_f64(visitor))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_char(visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_str(visitor))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_string(visitor))
    }

    /// Text is what there is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_str(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.has(1)?;
        match self.0.get(0) {
            None => visitor.visit_none(),
            Some(_) => self.only(|text| text.deserialize_option(visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        self.only(|text| text.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.has(0)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        visitor.visit_seq(ByPlace {
            args: self.0,
            next: 0,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        self.has(len)?;
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        let around = std::iter::successors(Some(self.0), |args| args.outer());
        let mut left: Vec<(&str, &str)> = Vec::new();
        for (name, value) in around.flat_map(UrlArgs::iter) {
            // One that is absent is left out, so that a default counts; the inner one of a name hides others.
            if let (Some(name), Some(value)) = (name, value)
                && !left.iter().any(|(other, _)| *other == name)
            {
                left.push((name, value));
            }
        }
        visitor.visit_map(ByName {
            left: left.into_iter(),
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf identifier ignored_any }
}

/// Reads the arg at one place.
fn read<'de, S: DeserializeSeed<'de>>(
    args: &'de UrlArgs,
    place: usize,
    seed: S,
) -> Result<S::Value, ParseError> {
    let read = match args.get(place) {
        None => seed.deserialize(Absent),
        Some(text) => plain(text, |text| seed.deserialize(text)),
    };
    read.map_err(|error| error.of(label(args, place)))
}

/// Reads a text.
fn plain<'de, T>(
    text: &'de str,
    read: impl FnOnce(serde_plain::Deserializer<'de>) -> Result<T, serde_plain::Error>,
) -> Result<T, ParseError> {
    read(serde_plain::Deserializer::new(text))
        .map_err(|error| ParseError::new(format_args!("{error} (found {text:?})")))
}

/// An arg's name, or its place.
fn label(args: &UrlArgs, place: usize) -> String {
    let name = args.iter().nth(place).and_then(|(name, _)| name);
    name.map_or_else(|| place.to_string(), str::to_owned)
}

/// A group that took no part in the match: nothing but an `Option` can be made of it.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = ParseError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseError> {
        Err(ParseError::new("it is absent"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct ByPlace<'de> {
    args: &'de UrlArgs,
    next: usize,
}

impl<'de> SeqAccess<'de> for ByPlace<'de> {
    type Error = ParseError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ParseError> {
        if self.next == self.args.len() {
            return Ok(None);
        }
        self.next += 1;
        read(self.args, self.next - 1, seed).map(Some)
    }
}

struct ByName<'de> {
    left: std::vec::IntoIter<(&'de str, &'de str)>,
    current: Option<(&'de str, &'de str)>,
}

impl<'de> MapAccess<'de> for ByName<'de> {
    type Error = ParseError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ParseError> {
        self.current = self.left.next();
        let name = self
            .current
            .map(|(name, _)| BorrowedStrDeserializer::new(name));
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ParseError> {
        let (name, value) = self.current.unwrap_or_default();
        plain(value, |text| seed.deserialize(text)).map_err(|error| error.of(name))
    }
}
