//! The builder: routes in their order.

use std::{fmt, marker::PhantomData, sync::Arc};

use http::Method;
use tower_layer::Layer;

use crate::{
    BuildDispatchError, BuildDispatchErrorKind, Dispatch, Endpoint, IntoEndpoint, Pattern,
    PatternError, View,
    endpoint::Sealed,
    pattern::Kind as PatternKind,
    routes::{Methods, Route, Routes, Rules},
    url_for::Named,
};

/// A list of routes that becomes a [`Dispatch`]. The order in which they are added is their
/// precedence.
///
/// A `&str` as a pattern is a template, see [`Pattern::template`]. Errors of patterns and names are
/// kept until [`build`](Self::build).
///
/// `M` decides how endpoints become one type. With [`Boxed`](crate::Boxed) an endpoint is any
/// service with the error of all others, with [`Fallible`](crate::Fallible) any service, and with
/// [`Typed`](crate::Typed) a service of the type `E`.
///
/// ```
/// use axum::{body::Body, http::Request, routing::{get, post}};
/// use tower::ServiceExt;
/// use tower_dispatch::Dispatch;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let urls = Dispatch::builder()
///     .get("/orders[/{id:int}]", get(async || "orders"))
///     .post("/orders", post(async || "ordered"))
///     .route("/{*path}", get(async || "a page"))
///     .build()?;
/// let response = urls.oneshot(Request::delete("/orders").body(Body::empty())?).await?;
/// // The last route takes every method, and its endpoint responds.
/// assert_eq!(response.headers()["allow"], "GET,HEAD");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Builder<E, M> {
    routes: Vec<Route<E>>,
    rules: Rules,
    /// The first error. Routes after it have other indexes, and are not used.
    error: Option<BuildDispatchError>,
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

    /// Adds a route for every method.
    ///
    /// The endpoint is responsible for all of them, and for 405 with its `Allow`. So axum's
    /// `get(handler)` belongs into [`get`](Self::get). Here its 405 would be the response, and
    /// neither a later route nor a service inside of the dispatcher would be tried.
    pub fn route(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.add(Methods::All, read(pattern), endpoint.into_endpoint())
    }

    /// Adds a route for one method. A route for GET takes HEAD too, and the body of that response
    /// is dropped.
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

    /// Adds a route for GET and HEAD.
    pub fn get(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::GET, pattern, endpoint)
    }

    /// Adds a route for POST.
    pub fn post(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::POST, pattern, endpoint)
    }

    /// Adds a route for PUT.
    pub fn put(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::PUT, pattern, endpoint)
    }

    /// Adds a route for PATCH.
    pub fn patch(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::PATCH, pattern, endpoint)
    }

    /// Adds a route for DELETE.
    pub fn delete(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        endpoint: impl IntoEndpoint<E, M>,
    ) -> Self {
        self.method(Method::DELETE, pattern, endpoint)
    }

    /// Sets the name of the route that was added last. It is for [`Dispatch::url_for`], and in the
    /// request's [`UrlArgs`](crate::UrlArgs).
    ///
    /// ```
    /// use axum::{body::Body, routing::get};
    /// use tower_dispatch::{Dispatch, Endpoint};
    ///
    /// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
    ///     .get("/users/{id:int}", get(async || "a user"))
    ///     .name("user")
    ///     .build()?;
    /// assert_eq!(urls.url_for("user", &[("id", &7)]).as_deref(), Ok("/users/7"));
    /// # Ok::<(), tower_dispatch::BuildDispatchError>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        match self.routes.last_mut() {
            Some(Route {
                name: Some(first), ..
            }) => {
                let message = format!("it is named {first:?} and {name:?}; a route has one name");
                let route = self.routes.len() - 1;
                self.fail(BuildDispatchError::new(
                    BuildDispatchErrorKind::Name,
                    route,
                    message,
                ));
            }
            Some(route) => route.name = Some(name.into()),
            None => {
                let message = format!(
                    "the name {name:?} is before the first route; a name follows its route"
                );
                self.fail(BuildDispatchError::new(
                    BuildDispatchErrorKind::Name,
                    0,
                    message,
                ));
            }
        }
        self
    }

    /// Adds a layer around the endpoint of every route that has been added so far. It sees the
    /// request with its [`UrlArgs`](crate::UrlArgs), and no request without a route.
    ///
    /// A route with a layer also takes the CORS preflights for its methods, so that tower-http's
    /// `CorsLayer` has a response to them. An endpoint for methods other than OPTIONS never sees a
    /// preflight. Within the layers it gets the dispatcher's own response to OPTIONS. A CORS layer
    /// that is put around one endpoint by hand sees no preflight: add that endpoint with
    /// `.method(Method::OPTIONS, …)` too, or use this method.
    ///
    /// The dispatcher's own 404, 405 and 400 are outside of the layer, so they have no CORS
    /// headers. Nor has a preflight for a method that the route lacks. For these, and with
    /// [`Dispatch::typed`], whose endpoints stay as they are, put the CORS layer around the whole
    /// dispatcher.
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

    /// Switches on that patterns match the path without its leading slashes.
    ///
    /// All patterns have to be regexes then, since templates and mounts begin with a slash.
    /// Default: off.
    ///
    /// ```
    /// use axum::{body::Body, http::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_dispatch::{Dispatch, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let urls = Dispatch::builder()
    ///     .route(Pattern::regex_search(r"^hello/?$")?, get(async || "Hello"))
    ///     .without_leading_slashes()
    ///     .build()?;
    /// let response = urls.oneshot(Request::get("/hello/").body(Body::empty())?).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn without_leading_slashes(mut self) -> Self {
        self.rules.without_leading_slashes = true;
        self
    }

    /// Switches on that the first route whose path matches decides. If neither it nor another route
    /// with the same pattern has the method, the response is 405, whatever matches later. Default:
    /// off.
    ///
    /// ```
    /// use axum::{body::Body, http::Request, routing::{get, put}};
    /// use tower::ServiceExt;
    /// use tower_dispatch::Dispatch;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let routes = || Dispatch::builder()
    ///     .get("/a", get(async || "a"))
    ///     .put("/{x}", put(async || "any"));
    /// for (urls, status) in [(routes(), 200), (routes().first_path_match_decides(), 405)] {
    ///     let request = Request::put("/a").body(Body::empty())?;
    ///     assert_eq!(urls.build()?.oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn first_path_match_decides(mut self) -> Self {
        self.rules.first_path_match_decides = true;
        self
    }

    /// Compiles the routes.
    ///
    /// # Errors
    ///
    /// Returns a [`BuildDispatchError`] with the first route that cannot be used.
    pub fn build(self) -> Result<Dispatch<E>, BuildDispatchError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut named = Named::new(self.rules);
        for (index, route) in self.routes.iter().enumerate() {
            if let Some(name) = &route.name
                && let Err(first) = named.add(name, index, &route.pattern)
            {
                let message = format!("the name {name:?} already belongs to route {first}");
                let kind = BuildDispatchErrorKind::Name;
                return Err(BuildDispatchError::new(kind, index, message));
            }
            let kind = route.pattern.kind();
            let has_slash = matches!(kind, PatternKind::Template | PatternKind::Mount);
            if has_slash && self.rules.without_leading_slashes {
                let message = format!(
                    "pattern {:?} begins with a slash, and leading slashes are stripped before patterns match; write a regex without it",
                    route.pattern.as_str()
                );
                let kind = BuildDispatchErrorKind::LeadingSlash;
                return Err(BuildDispatchError::new(kind, index, message));
            }
        }
        Ok(Dispatch {
            routes: Arc::new(
                Routes::new(self.routes, named).map_err(BuildDispatchError::of_table)?,
            ),
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
            Err(error) => {
                let kind = BuildDispatchErrorKind::Pattern;
                let message = "the pattern is not valid";
                let failed = BuildDispatchError::new(kind, self.routes.len(), message);
                self.fail(failed.because(error));
            }
        }
        self
    }

    /// Keeps the first error.
    fn fail(&mut self, error: BuildDispatchError) {
        self.error.get_or_insert(error);
    }
}

impl<B, Err, M> Builder<Endpoint<B, Err>, M> {
    /// Adds a service for a path and all paths below it, with every method.
    ///
    /// It sees the path without the prefix, and the prefix in SCRIPT_NAME (see
    /// [`ScriptName`](tower_environ::ScriptName)). The prefix is a template of whole segments, so
    /// its parameters may name a tenant. A value may be `..`, or have a slash that was encoded. A
    /// mounted dispatcher sees these parameters too. `/` takes every path, unchanged. Like every
    /// route a mount has its position in the order.
    ///
    /// Only the prefix has to be decodable. The service is responsible for the rest.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_dispatch::Dispatch;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wiki: Router = Router::new().route("/pages", get(async || "the pages"));
    /// let urls = Dispatch::builder().mount("/{tenant}/wiki", wiki).build()?;
    /// let response = urls.oneshot(Request::get("/acme/wiki/pages").body(Body::empty())?).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mount(self, prefix: &str, app: impl IntoEndpoint<Endpoint<B, Err>, M>) -> Self {
        self.add(Methods::All, Pattern::mount(prefix), app.into_endpoint())
    }

    /// Adds a class-based view for the methods that it has, see [`View`]. Later routes may have the
    /// others.
    // DIFFERENCE: link.wsgi makes the object at the first request, and a view that lacks the method
    // is the end.
    pub fn view<T>(
        self,
        pattern: impl TryInto<Pattern, Error: Into<PatternError>>,
        view: View<T, B, Err>,
    ) -> Self
    where
        T: Send + Sync + 'static,
        B: 'static,
        Err: Send + 'static,
    {
        let (methods, endpoint) = view.into_endpoint();
        let is_empty = methods.is_empty();
        let route = self.routes.len();
        let mut builder = self.add(Methods::Some(methods), read(pattern), endpoint);
        if is_empty {
            let kind = BuildDispatchErrorKind::NoMethods;
            let message = "a view without methods";
            builder.fail(BuildDispatchError::new(kind, route, message));
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
