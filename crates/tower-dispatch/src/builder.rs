use std::{error::Error, fmt, marker::PhantomData, sync::Arc};

use http::Method;
use tower_layer::Layer;

use crate::{
    Boxed, Dispatch, Endpoint, IntoEndpoint, Pattern, PatternError, TableError, View,
    pattern::Kind as PatternKind,
    routes::{Methods, Route, Routes, Rules},
    url_for::Named,
};

/// Collects routes; the order in which they are added is their precedence.
///
/// Where a pattern is expected, a `&str` is a template and a [`Pattern`] is what its constructor says. What is wrong with a
/// route is said by [`build`](Builder::build). `M` says how endpoints become one type: [`Boxed`] takes any service, and
/// [`Typed`](crate::Typed) takes services of the type `E` as they are.
#[must_use]
pub struct Builder<E, M> {
    routes: Vec<Route<E>>,
    rules: Rules,
    /// The first mistake; routes after it are not numbered rightly, and not used.
    error: Option<BuildError>,
    mode: PhantomData<fn() -> M>,
}

impl<E, M> Builder<E, M> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Vec::new(),
            rules: Rules::default(),
            error: None,
            mode: PhantomData,
        }
    }

    /// For every method. The endpoint answers for all of them, 405 and `Allow` included: axum's `get(handler)` belongs into [`get`](Self::get), since
    /// here its 405 is the answer, and neither a later route nor the service around which the dispatcher is has its turn.
    pub fn route(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.add(Methods::All, read(pattern), endpoint.into_endpoint())
    }

    /// For one method. A route for GET also takes HEAD, and loses its body then.
    pub fn method(
        self,
        method: Method,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        let methods = vec![method];
        let endpoint = endpoint.into_endpoint_for(&methods);
        self.add(Methods::Some(methods), read(pattern), endpoint)
    }

    /// For GET and HEAD.
    pub fn get(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::GET, pattern, endpoint)
    }

    /// For POST.
    pub fn post(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::POST, pattern, endpoint)
    }

    /// For PUT.
    pub fn put(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::PUT, pattern, endpoint)
    }

    /// For PATCH.
    pub fn patch(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::PATCH, pattern, endpoint)
    }

    /// For DELETE.
    pub fn delete(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::DELETE, pattern, endpoint)
    }

    /// Names the route that was added last; the name is in the request's [`UrlArgs`](crate::UrlArgs).
    pub fn name(mut self, name: &str) -> Self {
        match self.routes.last_mut() {
            Some(Route {
                name: Some(first), ..
            }) => {
                let kind = Kind::NamedTwice(first.clone(), name.into());
                let route = Some(self.routes.len() - 1);
                self.error.get_or_insert(BuildError { kind, route });
            }
            Some(route) => route.name = Some(name.into()),
            None => self.fail(Kind::NothingToName(name.into())),
        }
        self
    }

    /// Puts a layer around the endpoint of every route that has been added so far, after the match: it sees the
    /// request with its [`UrlArgs`](crate::UrlArgs), and nothing that has no route.
    ///
    /// A route with a layer also takes the CORS preflights for its methods, so that tower-http's
    /// `CorsLayer` has a response to them. The endpoint never sees a preflight: within the layers
    /// it meets the dispatcher's own response to OPTIONS. With [`Dispatch::typed`] it does not get
    /// that far, since endpoints stay as they are; put CORS around the whole dispatcher there.
    ///
    /// ```
    /// use axum::{body::Body, http::Request, routing::post};
    /// use tower::ServiceExt;
    /// use tower_dispatch::Dispatch;
    /// use tower_http::cors::CorsLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let urls = Dispatch::builder()
    ///     .post("/orders", post(async || "ordered"))
    ///     .layer(CorsLayer::permissive())
    ///     .build()?;
    /// let preflight = Request::options("/orders")
    ///     .header("origin", "https://shop.example")
    ///     .header("access-control-request-method", "POST")
    ///     .body(Body::empty())?;
    /// let response = urls.oneshot(preflight).await?;
    /// assert_eq!(response.headers()["access-control-allow-origin"], "*");
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer<L, T>(self, layer: L) -> Builder<T, M>
    where
        L: Layer<E>,
        L::Service: IntoEndpoint<T, M>,
    {
        let wrap = |route: Route<E>| Route {
            endpoint: layer.layer(route.endpoint).into_endpoint(),
            methods: route.methods,
            pattern: route.pattern,
            name: route.name,
            takes_preflights: L::Service::HAS_GUARD,
        };
        Builder {
            routes: self.routes.into_iter().map(wrap).collect(),
            rules: self.rules,
            error: self.error,
            mode: PhantomData,
        }
    }

    /// Patterns match the path without its leading slashes (`path.lstrip('/')` in Ronacher's dispatcher). They are regexes
    /// then: a template begins with a slash, and so does what is mounted.
    pub fn without_leading_slashes(mut self) -> Self {
        self.rules.without_leading_slashes = true;
        self
    }

    /// The first route whose path matches decides (link.wsgi's way): if neither it nor another route with the same
    /// pattern has the method, the answer is 405, whatever matches later.
    pub fn first_path_match_decides(mut self) -> Self {
        self.rules.first_path_match_decides = true;
        self
    }

    /// Compiles the table.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that says which route cannot be used and why; of several, the first.
    pub fn build(self) -> Result<Dispatch<E>, BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut named = Named::new(self.rules);
        for (index, route) in self.routes.iter().enumerate() {
            if let Some(name) = &route.name
                && let Err(first) = named.add(name, index, &route.pattern)
            {
                return Err(BuildError {
                    kind: Kind::NameTaken(name.clone(), first),
                    route: Some(index),
                });
            }
        }
        let slash = |route: &Route<E>| {
            matches!(
                route.pattern.kind(),
                PatternKind::Template | PatternKind::Mount
            )
        };
        if self.rules.without_leading_slashes
            && let Some(index) = self.routes.iter().position(slash)
        {
            return Err(BuildError {
                kind: Kind::NeedsSlash(self.routes[index].pattern.as_str().into()),
                route: Some(index),
            });
        }
        Ok(Dispatch {
            routes: Arc::new(Routes::new(self.routes, named)?),
        })
    }

    fn add(
        mut self,
        methods: Methods,
        pattern: Result<Pattern, PatternError>,
        endpoint: E,
    ) -> Self {
        match pattern {
            Ok(pattern) => self.routes.push(Route {
                methods,
                pattern,
                name: None,
                takes_preflights: false,
                endpoint,
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

impl<B, Err> Builder<Endpoint<B, Err>, Boxed> {
    /// An app of its own for a path and all paths below it, with every method.
    ///
    /// It sees the path without the prefix, and the prefix in SCRIPT_NAME (see
    /// [`ScriptName`](tower_environ::ScriptName)). The prefix is a template of whole segments, so its url args may
    /// name a tenant (a value may hold a slash that was encoded, or be `..`); a dispatcher that is mounted sees them too. `/` takes everything, as it is. Like every route it has
    /// its place in the order.
    ///
    /// Only the prefix has to be decodable: what follows is the app's affair.
    pub fn mount(self, prefix: &str, app: impl IntoEndpoint<Endpoint<B, Err>, Boxed>) -> Self {
        self.add(Methods::All, Pattern::mount(prefix), app.into_endpoint())
    }

    /// A class-based view, for the methods that it has. A method that it does not have lets later routes try.
    // DIFFERENCE: link.wsgi makes the object at the first request, and a view that lacks the method is the end.
    pub fn view<T>(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        view: View<T, B, Err>,
    ) -> Self
    where
        T: Send + Sync + 'static,
        B: 'static,
        Err: 'static,
    {
        let (methods, endpoint) = view.into_endpoint();
        let is_empty = methods.is_empty();
        let mut builder = self.add(Methods::Some(methods), read(pattern), endpoint);
        if is_empty {
            builder.routes.pop();
            builder.fail(Kind::NoMethods);
        }
        builder
    }
}

fn read(
    pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
) -> Result<Pattern, PatternError> {
    pattern.try_into().map_err(Into::into)
}

impl<E, M> fmt::Debug for Builder<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self
            .routes
            .iter()
            .map(|route| (&route.methods, route.pattern.as_str()))
            .collect();
        f.debug_struct("Builder").field("routes", &routes).finish()
    }
}

/// Why routes do not make a dispatcher.
#[derive(Clone, Debug)]
pub struct BuildError {
    kind: Kind,
    /// The route's number, from 0; `None` where it takes all of them together.
    route: Option<usize>,
}

#[derive(Clone, Debug)]
enum Kind {
    Pattern(PatternError),
    Table(TableError),
    NameTaken(Box<str>, usize),
    NothingToName(Box<str>),
    NamedTwice(Box<str>, Box<str>),
    NoMethods,
    NeedsSlash(Box<str>),
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
            Kind::NamedTwice(first, second) => write!(
                f,
                "it is named {first:?} and {second:?}; a route has one name"
            ),
            Kind::NoMethods => f.write_str("a view without methods"),
            Kind::NeedsSlash(pattern) => write!(
                f,
                "pattern {pattern:?} begins with a slash, and leading slashes are taken off before patterns match; write a regex without it"
            ),
            Kind::NothingToName(name) => write!(
                f,
                "the name {name:?} stands before the first route; a name follows the route that it is for"
            ),
        }
    }
}

impl Error for BuildError {}
