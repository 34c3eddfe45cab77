//! Path parameters as values of other types: numbers, tuples, structs, and others of serde.

use std::{
    char::ParseCharError,
    error::Error,
    fmt,
    num::{ParseFloatError, ParseIntError},
    str::{FromStr, ParseBoolError},
};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};

use crate::UrlArgs;

impl UrlArgs {
    /// Returns the path parameters as a value. A tuple or a list takes them by position, a struct
    /// or a map by name, including the names of the mounts around. Any other type takes the only
    /// parameter. `Option` is for parameters that may be absent.
    ///
    /// # Errors
    ///
    /// Returns a [`ParseArgsError`] with the parameter that does not parse, or with a wrong number
    /// of parameters. Its [`is_permanent`](ParseArgsError::is_permanent) distinguishes a mistake in
    /// the program from an invalid value.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower_dispatch::{BoxError, UrlArgs};
    ///
    /// async fn app(request: Request<()>) -> Result<Response<String>, BoxError> {
    ///     let args: &UrlArgs = request.extensions().get().ok_or("no route")?;
    ///     let (id, page): (u32, Option<u32>) = args.parse()?;
    ///     Ok(Response::new(format!("{id} {page:?}")))
    /// }
    /// ```
    pub fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, ParseArgsError> {
        T::deserialize(Args(self)).map_err(|error| error.judge(self))
    }
}

/// An error of path parameters that do not have the requested type.
///
/// ```
/// use http::StatusCode;
/// use tower_dispatch::{ParseArgsError, UrlArgs};
///
/// fn id(args: &UrlArgs) -> Result<u32, StatusCode> {
///     args.parse().map_err(|error: ParseArgsError| match error.is_permanent() {
///         true => StatusCode::INTERNAL_SERVER_ERROR,
///         false => StatusCode::BAD_REQUEST,
///     })
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseArgsError {
    /// The name of a parameter, or its position from 0.
    parameter: Option<Box<str>>,
    reason: Box<str>,
    cause: Cause,
    source: Option<Source>,
}

/// The error of a standard type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Bool(ParseBoolError),
    Char(ParseCharError),
    Float(ParseFloatError),
    Int(ParseIntError),
}

macro_rules! from {
    ($($error:ident $variant:ident)*) => {$(
        impl From<$error> for Source {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from! { ParseBoolError Bool ParseCharError Char ParseFloatError Float ParseIntError Int }

/// The part that would have to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The path.
    Value,
    /// The type, or the pattern.
    Program,
    /// The path, if the pattern has a group with this name; otherwise the type, or the pattern.
    Missing(&'static str),
}

impl ParseArgsError {
    fn new(reason: impl fmt::Display) -> Self {
        Self {
            parameter: None,
            reason: reason.to_string().into(),
            cause: Cause::Value,
            source: None,
        }
    }

    /// Makes the error of a type that no path of this route can have.
    pub(crate) fn permanent(reason: impl fmt::Display) -> Self {
        Self {
            cause: Cause::Program,
            ..Self::new(reason)
        }
    }

    /// Returns the name of the parameter that the error is about, or its position from 0 if it has
    /// no name. It is `None` if the error is about all parameters together.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// Returns whether the route and the type do not fit together. The number of parameters is
    /// wrong, a field has the name of no group of the pattern, or the type is not supported. It is
    /// a mistake in the program, and no client can avoid it. All other errors are about a value in
    /// the path.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.cause != Cause::Value
    }

    /// Sets the parameter that it is about, unless one is set.
    fn of(mut self, parameter: impl fmt::Display) -> Self {
        self.parameter
            .get_or_insert_with(|| parameter.to_string().into());
        self
    }

    /// Decides whether a missing field is one that other paths of the route have.
    fn judge(mut self, args: &UrlArgs) -> Self {
        if let Cause::Missing(field) = self.cause {
            let is_there = around(args)
                .flat_map(UrlArgs::iter)
                .any(|(name, _)| name == Some(field));
            self.cause = match is_there {
                true => Cause::Value,
                false => Cause::Program,
            };
        }
        self
    }
}

/// Returns the parameters, and then those of the mounts around.
fn around(args: &UrlArgs) -> impl Iterator<Item = &UrlArgs> {
    std::iter::successors(Some(args), |args| args.outer())
}

impl fmt::Display for ParseArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parameter {
            Some(name) => write!(f, "path parameter `{name}`: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl Error for ParseArgsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self.source.as_ref()? {
            Source::Bool(error) => error,
            Source::Char(error) => error,
            Source::Float(error) => error,
            Source::Int(error) => error,
        })
    }
}

// The pattern has the names and the number of the parameters, so only `custom` may be about values.
impl de::Error for ParseArgsError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::permanent(format_args!("invalid type: {found}, expected {expected}"))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::permanent(format_args!("invalid length {found}, expected {expected}"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::permanent(format_args!(
            "unknown field `{field}`, there are {expected:?}"
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            cause: Cause::Missing(field),
            ..Self::new(format_args!("missing field `{field}`"))
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::permanent(format_args!("duplicate field `{field}`"))
    }
}

/// The methods for types that have `FromStr`.
macro_rules! parsed {
    () => {
        parsed! {
            deserialize_bool visit_bool "boolean"
            deserialize_i8 visit_i8 "i8"
            deserialize_i16 visit_i16 "i16"
            deserialize_i32 visit_i32 "i32"
            deserialize_i64 visit_i64 "i64"
            deserialize_i128 visit_i128 "i128"
            deserialize_u8 visit_u8 "u8"
            deserialize_u16 visit_u16 "u16"
            deserialize_u32 visit_u32 "u32"
            deserialize_u64 visit_u64 "u64"
            deserialize_u128 visit_u128 "u128"
            deserialize_f32 visit_f32 "f32"
            deserialize_f64 visit_f64 "f64"
            deserialize_char visit_char "char"
        }
    };
    ($($method:ident $visit:ident $name:literal)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
            self.text(|text| visitor.$visit(text.parsed($name)?))
        }
    )*};
}

/// All parameters together.
struct Args<'de>(&'de UrlArgs);

impl<'de> Args<'de> {
    fn has(&self, expected: usize) -> Result<(), ParseArgsError> {
        match self.0.len() {
            found if found == expected => Ok(()),
            found => Err(ParseArgsError::permanent(format_args!(
                "the pattern {:?} has {found} path parameters, and not {expected}",
                self.0.pattern()
            ))),
        }
    }

    /// Reads the only parameter, for a type that is neither a list nor a struct.
    fn text<T>(
        self,
        read: impl FnOnce(Text<'de>) -> Result<T, ParseArgsError>,
    ) -> Result<T, ParseArgsError> {
        self.has(1)?;
        let value = match self.0.get(0) {
            None => Err(ParseArgsError::new("it is absent")),
            Some(text) => Text(text).read(read),
        };
        value.map_err(|error| error.of(label(self.0, 0)))
    }
}

impl<'de> Deserializer<'de> for Args<'de> {
    type Error = ParseArgsError;

    parsed! {}

    /// Every parameter is text.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        self.text(|text| text.deserialize_any(visitor))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        self.text(|text| text.deserialize_bytes(visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        self.has(1)?;
        match self.0.get(0) {
            None => visitor.visit_none(),
            Some(_) => self.text(|text| text.deserialize_option(visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.text(|text| text.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        self.has(0)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        visitor.visit_seq(ByPosition {
            args: self.0,
            next: 0,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.has(len)?;
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        let mut all: Vec<(&str, Option<&str>)> = Vec::new();
        for (name, value) in around(self.0).flat_map(UrlArgs::iter) {
            // The inner one of a name hides others, even if it is absent.
            if let Some(name) = name
                && !all.iter().any(|(other, _)| *other == name)
            {
                all.push((name, value));
            }
        }
        // An absent group is left out, so that a default counts.
        let left = all.into_iter();
        let left: Vec<_> = left
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
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
    ) -> Result<V::Value, ParseArgsError> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! { str string identifier ignored_any }
}

/// Reads the parameter at a position.
fn read<'de, S: DeserializeSeed<'de>>(
    args: &'de UrlArgs,
    position: usize,
    seed: S,
) -> Result<S::Value, ParseArgsError> {
    let read = match args.get(position) {
        None => seed.deserialize(Absent),
        Some(text) => Text(text).read(|text| seed.deserialize(text)),
    };
    read.map_err(|error| error.of(label(args, position)))
}

/// The value of one parameter.
#[derive(Clone, Copy)]
struct Text<'de>(&'de str);

impl<'de> Text<'de> {
    /// Adds the value to errors.
    fn read<T>(
        self,
        read: impl FnOnce(Self) -> Result<T, ParseArgsError>,
    ) -> Result<T, ParseArgsError> {
        read(self).map_err(|error| ParseArgsError {
            reason: format!("{} (found {:?})", error.reason, self.0).into(),
            ..error
        })
    }

    fn text<T>(
        self,
        read: impl FnOnce(Self) -> Result<T, ParseArgsError>,
    ) -> Result<T, ParseArgsError> {
        read(self)
    }

    fn parsed<T: FromStr<Err: Into<Source>>>(self, name: &str) -> Result<T, ParseArgsError> {
        self.0.parse::<T>().map_err(|error| ParseArgsError {
            source: Some(error.into()),
            ..ParseArgsError::new(format_args!("cannot parse {name}"))
        })
    }

    fn is_no<T>(self, what: &str) -> Result<T, ParseArgsError> {
        let reason = format_args!("one path parameter cannot be {what}");
        Err(ParseArgsError::permanent(reason))
    }
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = ParseArgsError;

    parsed! {}

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        visitor.visit_borrowed_str(self.0)
    }

    /// Parses as `Some`, unless the value is empty: `/{x:path}` for `/`.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        match self.0 {
            "" => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        match self.0 {
            "" => visitor.visit_unit(),
            _ => Err(ParseArgsError::new("expected nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseArgsError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseArgsError> {
        self.is_no("bytes")
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseArgsError> {
        self.is_no("bytes")
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseArgsError> {
        self.is_no("a list")
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        _: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.is_no("a tuple")
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.is_no("a tuple")
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseArgsError> {
        self.is_no("a map")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ParseArgsError> {
        self.is_no("a struct")
    }

    forward_to_deserialize_any! { str string identifier ignored_any }
}

/// Returns a parameter's name, or its position.
fn label(args: &UrlArgs, position: usize) -> String {
    let name = args.iter().nth(position).and_then(|(name, _)| name);
    name.map_or_else(|| position.to_string(), str::to_owned)
}

/// A group that took no part in the match, which only an `Option` can be.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = ParseArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParseArgsError> {
        Err(ParseArgsError::new("it is absent"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseArgsError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct ByPosition<'de> {
    args: &'de UrlArgs,
    next: usize,
}

impl<'de> SeqAccess<'de> for ByPosition<'de> {
    type Error = ParseArgsError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ParseArgsError> {
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
    type Error = ParseArgsError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ParseArgsError> {
        self.current = self.left.next();
        let name = self
            .current
            .map(|(name, _)| BorrowedStrDeserializer::new(name));
        name.map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ParseArgsError> {
        let (name, value) = self.current.unwrap_or_default();
        let value = Text(value).read(|text| seed.deserialize(text));
        value.map_err(|error| error.of(name))
    }
}
