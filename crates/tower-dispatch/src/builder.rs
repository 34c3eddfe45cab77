use std::{error::Error, fmt, sync::Arc};

use http::Method;

use crate::{
    Dispatch, Endpoint, IntoEndpoint, Pattern, PatternError, TableError,
    routes::{Route, Routes},
};

/// Collects routes; the order in which they are added is their precedence.
///
/// Where a pattern is expected, a `&str` is a template and a [`Pattern`] is what its constructor says. An
/// endpoint is any cloneable service, see [`IntoEndpoint`]. What is wrong with a route is said by [`build`](Builder::build).
#[must_use]
pub struct Builder<B, Err> {
    routes: Vec<Route<Endpoint<B, Err>>>,
    /// The first mistake; routes after it are not numbered rightly, and not used.
    error: Option<BuildError>,
}

impl<B, Err> Builder<B, Err> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Vec::new(),
            error: None,
        }
    }

    /// For every method. The endpoint answers for all of them, 405 and `Allow` included.
    pub fn route(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(None, read(pattern), endpoint)
    }

    /// For one method. A route for GET also takes HEAD, and loses its body then.
    pub fn method(
        self,
        method: Method,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(method), read(pattern), endpoint)
    }

    /// For GET and HEAD.
    pub fn get(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(Method::GET), read(pattern), endpoint)
    }

    /// For POST.
    pub fn post(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(Method::POST), read(pattern), endpoint)
    }

    /// For PUT.
    pub fn put(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(Method::PUT), read(pattern), endpoint)
    }

    /// For PATCH.
    pub fn patch(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(Method::PATCH), read(pattern), endpoint)
    }

    /// For DELETE.
    pub fn delete(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        self.add(Some(Method::DELETE), read(pattern), endpoint)
    }

    /// An app of its own for a path and all paths below it, with every method.
    ///
    /// It sees the path without the prefix, and the prefix in SCRIPT_NAME (see
    /// [`ScriptName`](tower_environ::ScriptName)). The prefix is a template of whole segments, so its url args may
    /// name a tenant; a dispatcher that is mounted sees them too. `/` takes everything, as it is. Like every route it has
    /// its place in the order.
    ///
    /// Only the prefix has to be decodable: what follows is the app's affair.
    pub fn mount(mut self, prefix: &str, app: impl IntoEndpoint<B, Err>) -> Self {
        let routes = self.routes.len();
        self = self.add(None, Pattern::mount(prefix), app);
        if let Some(route) = self.routes.get_mut(routes) {
            route.mounted = true;
        }
        self
    }

    /// Names the route that was added last; the name is in the request's [`UrlArgs`](crate::UrlArgs).
    pub fn name(mut self, name: &str) -> Self {
        match self.routes.last_mut() {
            Some(route) => route.name = Some(name.into()),
            None => self.fail(Kind::NothingToName(name.into())),
        }
        self
    }

    /// Compiles the table.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that says which route cannot be used and why; of several, the first.
    pub fn build(self) -> Result<Dispatch<Endpoint<B, Err>>, BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for (index, route) in self.routes.iter().enumerate() {
            let Some(name) = &route.name else { continue };
            let same = |other: &Route<_>| other.name.as_ref() == Some(name);
            if let Some(first) = self.routes[..index].iter().position(same) {
                let kind = Kind::NameTaken(name.clone(), first);
                return Err(BuildError {
                    kind,
                    route: Some(index),
                });
            }
        }
        Ok(Dispatch {
            routes: Arc::new(Routes::new(self.routes)?),
        })
    }

    fn add(
        mut self,
        method: Option<Method>,
        pattern: Result<Pattern, PatternError>,
        endpoint: impl IntoEndpoint<B, Err>,
    ) -> Self {
        match pattern {
            Ok(pattern) => self.routes.push(Route {
                method,
                pattern,
                mounted: false,
                name: None,
                endpoint: endpoint.into_endpoint(),
            }),
            Err(error) => self.fail(Kind::Pattern(error)),
        }
        self
    }

    /// Keeps the first mistake, and with it the number of the route that it is in.
    fn fail(&mut self, kind: Kind) {
        let route = Some(self.routes.len());
        self.error.get_or_insert(BuildError { kind, route });
    }
}

fn read(
    pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
) -> Result<Pattern, PatternError> {
    pattern.try_into().map_err(Into::into)
}

impl<B, Err> fmt::Debug for Builder<B, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self
            .routes
            .iter()
            .map(|route| (route.method.as_ref(), route.pattern.as_str()))
            .collect();
        f.debug_struct("Builder").field("routes", &routes).finish()
    }
}

/// Why routes do not make a dispatcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    kind: Kind,
    /// The route's number, from 0; `None` where it takes all of them together.
    route: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Pattern(PatternError),
    Table(TableError),
    NameTaken(Box<str>, usize),
    NothingToName(Box<str>),
}

impl BuildError {
    /// The number of the route that cannot be used, from 0 in the order in which they were added; `None` if it
    /// is all of them together.
    #[must_use]
    pub fn route(&self) -> Option<usize> {
        self.route
    }
}

impl From<TableError> for BuildError {
    fn from(error: TableError) -> Self {
        Self {
            route: error.index(),
            kind: Kind::Table(error),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(route) = self.route {
            write!(f, "route {route}: ")?;
        }
        match &self.kind {
            Kind::Pattern(error) => error.fmt(f),
            Kind::Table(error) => error.fmt(f),
            Kind::NameTaken(name, first) => {
                write!(f, "the name {name:?} already belongs to route {first}")
            }
            Kind::NothingToName(name) => write!(
                f,
                "the name {name:?} stands before the first route; a name follows the route that it is for"
            ),
        }
    }
}

impl Error for BuildError {}
