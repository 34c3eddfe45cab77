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

/// Puts a dispatcher in front of a service, which gets what no route takes.
pub struct DispatchLayer<E> {
    dispatch: Dispatch<E>,
}

impl<E> DispatchLayer<E> {
    /// Requests with an undecodable path, a path without a route, another method or OPTIONS fall
    /// through to the wrapped service as they came. If the path had a route for another method and
    /// the wrapped service responds with 404 or 405, the response is 405 with the methods of both in
    /// `Allow`.
    ///
    /// A 405 that replaces a 404 keeps the headers of the 404, except those that describe its
    /// content.
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

    /// Always ready: whoever gets the request and is not ready then is waited for in the future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

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
            // If the path has routes for other methods: these methods, and what a 405 needs to know.
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
            StateProj::Endpoint { future } => {
                future.poll_response(cx, Either::Left).map_err(Into::into)
            }
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
