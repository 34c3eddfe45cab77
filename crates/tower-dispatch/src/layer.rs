//! A dispatcher in front of another service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::ALLOW};
use http_body::Body;
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_kit::{Allow, Attempt, EitherBody, Preferences, status_of};
use tower_layer::Layer;
use tower_service::Service;

use crate::{BoxError, Dispatch, ResponseFuture, not_dispatched, routes::Outcome};

/// A layer that puts a dispatcher in front of a service. Requests without a route fall through to
/// it.
///
/// The errors of a response's body are `BoxError`, with the service's own inside.
///
/// # In axum
///
/// In axum, where services are infallible, so are the endpoints. An endpoint with an error gets
/// there through `ExceptionLayer` of tower-exception, or any layer that makes a response of it.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::Layer;
/// use tower_dispatch::{Dispatch, DispatchLayer};
///
/// let urls = Dispatch::builder()
///     // `.get`, and not `.route`, which leaves 405 to the endpoint.
///     .get("/v2/{*name}/tags", get(async || "tags"))
///     .build()?;
///
/// // As a service, for paths without a route of the router:
/// let fallback: Router = Router::new().fallback_service(urls.clone());
/// // As a layer inside axum's routing, before the routes and the fallback that exist by then:
/// let router: Router = Router::new()
///     .route("/", get(async || "a page"))
///     .layer(DispatchLayer::new(urls.clone()));
/// // As a layer around the whole router, before its other layers:
/// let app: Router = Router::new().fallback_service(DispatchLayer::new(urls).layer(router));
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
///
/// If axum and the dispatcher have routes for the same path, only the layer around the whole router
/// sees axum's `Allow`. Inside of it, axum adds its own afterwards, to every response for that path
/// that has none yet.
///
/// # Errors
///
/// The endpoints' error is converted into that of the wrapped service (`Into`). `Infallible`
/// converts into `BoxError`. For an error type of your own, convert at the endpoint:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_dispatch::{Dispatch, DispatchLayer};
///
/// #[derive(Debug)]
/// struct MyError;
///
/// async fn endpoint(_: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
///     Ok(Response::default())
/// }
///
/// async fn rest(_: Request<()>) -> Result<Response<Full<Bytes>>, MyError> {
///     Err(MyError)
/// }
///
/// let endpoint = service_fn(endpoint).map_err(|never| -> MyError { match never {} });
/// let urls = Dispatch::builder().route("/", endpoint).build()?;
/// let app = DispatchLayer::new(urls).layer(service_fn(rest));
/// let response = app.oneshot(Request::new(()));
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
pub struct DispatchLayer<E> {
    dispatch: Dispatch<E>,
}

impl<E> DispatchLayer<E> {
    /// Returns a layer that puts this dispatcher in front of a service.
    ///
    /// Requests with an undecodable path, a path without a route, another method or OPTIONS fall
    /// through to the wrapped service as they came. If the path had a route for another method and
    /// the wrapped service responds with 404 or 405, the response is 405 with the methods of both
    /// in `Allow`.
    ///
    /// A 405 that replaces a 404 keeps the headers of the 404, except those that describe its
    /// content.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tower::{Layer, ServiceExt};
    /// use tower_dispatch::{Dispatch, DispatchLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let urls = Dispatch::builder().get("/a/{*path}", get(async || "dispatched")).build()?;
    /// let app = DispatchLayer::new(urls).layer(Router::new().route("/", get(async || "a page")));
    /// for (path, status) in [("/a/b/c", 200), ("/", 200), ("/none", 404)] {
    ///     let request = Request::get(path).body(Body::empty())?;
    ///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(dispatch: Dispatch<E>) -> Self {
        Self { dispatch }
    }
}

impl<E> Clone for DispatchLayer<E> {
    fn clone(&self) -> Self {
        Self::new(self.dispatch.clone())
    }
}

impl<E> fmt::Debug for DispatchLayer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DispatchLayer")
            .field(&self.dispatch)
            .finish()
    }
}

impl<E, S> Layer<S> for DispatchLayer<E> {
    type Service = WithDispatch<E, S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithDispatch {
            dispatch: self.dispatch.clone(),
            inner,
        }
    }
}

/// The body of the endpoint, of the wrapped service, or of a 405 of the layer's own.
type LayerBody<E, S> = EitherBody<Either<E, S>>;

/// The service that [`DispatchLayer`] makes.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use tower::Layer;
/// use tower_dispatch::{Dispatch, DispatchLayer, Endpoint, WithDispatch};
///
/// let urls = Dispatch::builder().get("/a/{*path}", get(async || "dispatched")).build()?;
/// let app: WithDispatch<Endpoint<Body>, Router> = DispatchLayer::new(urls).layer(Router::new());
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
pub struct WithDispatch<E, S> {
    dispatch: Dispatch<E>,
    inner: S,
}

impl<E, S, B, BodyE, BodyS> Service<Request<B>> for WithDispatch<E, S>
where
    E: Service<Request<B>, Response = Response<BodyE>, Error: Into<S::Error>> + Clone,
    S: Service<Request<B>, Response = Response<BodyS>> + Clone,
    BodyE: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyS: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<LayerBody<BodyE, BodyS>>;
    type Error = S::Error;
    type Future = LayerResponseFuture<E, S, B>;

    /// Returns that it is ready, always. The future waits for the service that gets the request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    // `overhead/dispatch-not-matched`
    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let routes = &self.dispatch.routes;
        let state = match routes.find_for(&mut request) {
            Outcome::Found {
                endpoint,
                args,
                mount,
                head_by_get,
            } => {
                args.enter(&mut request, mount);
                State::Endpoint {
                    future: ResponseFuture::endpoint(endpoint.clone(), request, head_by_get),
                }
            }
            Outcome::OtherMethods(allow) => State::Inner {
                other_methods: Some(Box::new((Preferences::from(&request), allow))),
                attempt: Attempt::new(self.inner.clone(), request),
            },
            Outcome::NotFound | Outcome::Undecodable(_) => State::Inner {
                other_methods: None,
                attempt: Attempt::new(self.inner.clone(), request),
            },
        };
        LayerResponseFuture { state }
    }
}

impl<E, S: Clone> Clone for WithDispatch<E, S> {
    fn clone(&self) -> Self {
        Self {
            dispatch: self.dispatch.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<E, S: fmt::Debug> fmt::Debug for WithDispatch<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithDispatch")
            .field("dispatch", &self.dispatch)
            .field("inner", &self.inner)
            .finish()
    }
}

pin_project! {
    /// The future of [`WithDispatch`].
    pub struct LayerResponseFuture<E, S, B>
    where
        E: Service<Request<B>>,
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<E, S, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<E, S, B>
    where
        E: Service<Request<B>>,
        S: Service<Request<B>>,
    {
        Endpoint { #[pin] future: ResponseFuture<E, B> },
        Inner {
            #[pin]
            attempt: Attempt<S, Request<B>>,
            // If the path has routes for other methods: these methods, and the client's
            // preferences.
            other_methods: Option<Box<(Preferences, Allow)>>,
        },
    }
}

impl<E, S, B, BodyE, BodyS> Future for LayerResponseFuture<E, S, B>
where
    E: Service<Request<B>, Response = Response<BodyE>, Error: Into<S::Error>>,
    S: Service<Request<B>, Response = Response<BodyS>>,
    BodyE: Body,
{
    type Output = Result<Response<LayerBody<BodyE, BodyS>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Endpoint { future } => future.poll_response(cx, Either::Left),
            StateProj::Inner {
                attempt,
                other_methods,
            } => {
                // Apart, and `with_methods` too, because a response that is merged with another one
                // is copied twice more (`overhead/dispatch-not-matched`).
                let Some(other_methods) = other_methods else {
                    return attempt.poll(cx).map_ok(|response| response.map(wrapped));
                };
                let response = ready!(attempt.poll(cx))?;
                let (preferences, allow) = &mut **other_methods;
                Poll::Ready(Ok(with_methods(response, *preferences, allow)))
            }
        }
    }
}

fn wrapped<E, S>(body: S) -> LayerBody<E, S> {
    EitherBody::inner(Either::Right(body))
}

/// Returns the wrapped service's response to a method that the path has no route for.
// `overhead/dispatch-not-matched`
#[cold]
#[inline(never)]
fn with_methods<E, S>(
    mut response: Response<S>,
    preferences: Preferences,
    allow: &mut Allow,
) -> Response<LayerBody<E, S>> {
    match status_of(&response) {
        // The wrapped service does not know the path, so its content would be misleading.
        StatusCode::NOT_FOUND => {
            not_dispatched::instead_of_not_found(preferences, allow, response).map(EitherBody::own)
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            allow.add_headers(response.headers());
            response.headers_mut().insert(ALLOW, allow.to_header());
            response.map(wrapped)
        }
        _ => response.map(wrapped),
    }
}

impl<E, S, B> fmt::Debug for LayerResponseFuture<E, S, B>
where
    E: Service<Request<B>>,
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerResponseFuture")
            .finish_non_exhaustive()
    }
}
