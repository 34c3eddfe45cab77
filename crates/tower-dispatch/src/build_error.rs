//! The errors of routes that cannot be used.

use std::{error::Error, fmt, sync::Arc};

use crate::TableError;

/// An error of routes that are not a [`Dispatch`](crate::Dispatch).
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{BuildDispatchErrorKind, Dispatch};
///
/// let builder = Dispatch::builder().get("/users/{id", get(async || "a user"));
/// # let builder: tower_dispatch::Builder<tower_dispatch::Endpoint<Body>, _> = builder;
/// let error = builder.build().unwrap_err();
/// assert_eq!(error.kind(), BuildDispatchErrorKind::Pattern);
/// assert_eq!(error.route(), Some(0));
/// ```
#[derive(Clone, Debug)]
pub struct BuildDispatchError {
    kind: BuildDispatchErrorKind,
    route: Option<usize>,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`BuildDispatchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildDispatchErrorKind {
    /// A pattern is not valid. The source is a [`PatternError`](crate::PatternError).
    Pattern,
    /// A pattern, or all of them together, are too large. The source is a [`TableError`].
    Table,
    /// A name belongs to no route, to two routes, or is not the only one of a route.
    Name,
    /// A view has no methods.
    NoMethods,
    /// A pattern begins with a slash, and leading slashes are stripped.
    LeadingSlash,
}

impl BuildDispatchError {
    pub(crate) fn new(
        kind: BuildDispatchErrorKind,
        route: usize,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            route: Some(route),
            message: message.into(),
            source: None,
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> BuildDispatchErrorKind {
        self.kind
    }

    /// Returns the index of the route that cannot be used, from 0 in the order in which routes were
    /// added. It is `None` if the error is about all of them together.
    #[must_use]
    pub fn route(&self) -> Option<usize> {
        self.route
    }

    /// Returns the error with its cause.
    pub(crate) fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Arc::new(source)),
            ..self
        }
    }

    pub(crate) fn of_table(error: TableError) -> Self {
        let message = match error.index() {
            Some(_) => "the pattern cannot be compiled",
            None => "the routes cannot be compiled",
        };
        Self {
            kind: BuildDispatchErrorKind::Table,
            route: error.index(),
            message: message.into(),
            source: Some(Arc::new(error)),
        }
    }
}

impl fmt::Display for BuildDispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(route) = self.route {
            write!(f, "route {route}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Error for BuildDispatchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}
