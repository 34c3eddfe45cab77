//! The errors of path parameters that do not have the requested type.

use std::{
    char::ParseCharError,
    error::Error,
    fmt,
    num::{ParseFloatError, ParseIntError},
    str::ParseBoolError,
};

use serde::de::{self, Expected, Unexpected};

use crate::UrlArgs;

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
pub(crate) enum Source {
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
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
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
    pub(crate) fn of(mut self, parameter: impl fmt::Display) -> Self {
        self.parameter
            .get_or_insert_with(|| parameter.to_string().into());
        self
    }

    /// Adds the value that was found to the reason.
    pub(crate) fn found(self, value: &str) -> Self {
        Self {
            reason: format!("{} (found {value:?})", self.reason).into(),
            ..self
        }
    }

    /// Sets the error of the standard type.
    pub(crate) fn because(self, source: impl Into<Source>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// Decides whether a missing field is one that other paths of the route have.
    pub(crate) fn judge(mut self, args: &UrlArgs) -> Self {
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
pub(crate) fn around(args: &UrlArgs) -> impl Iterator<Item = &UrlArgs> {
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
