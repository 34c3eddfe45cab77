//! Path parameters as values of other types: numbers, tuples, structs, and others of serde.

use std::str::FromStr;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use crate::{
    ParseArgsError, UrlArgs,
    parse_args_error::{Source, around},
};

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
        read(self).map_err(|error| error.found(self.0))
    }

    fn text<T>(
        self,
        read: impl FnOnce(Self) -> Result<T, ParseArgsError>,
    ) -> Result<T, ParseArgsError> {
        read(self)
    }

    fn parsed<T: FromStr<Err: Into<Source>>>(self, name: &str) -> Result<T, ParseArgsError> {
        let parsed = self.0.parse::<T>();
        let failed =
            |error| ParseArgsError::new(format_args!("cannot parse {name}")).because(error);
        parsed.map_err(failed)
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
