//! A dispatcher in front of another service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::ALLOW};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BoxError, Dispatch, ResponseBody, ResponseFuture, allow::Allow, attempt::Attempt, refusal,
    routes::Outcome,
};

/// Puts a dispatcher in front of a service, which gets what no route takes.
pub struct DispatchLayer<E> {
    dispatch: Dispatch<E>,
}

impl<E> DispatchLayer<E> {
    /// Undecodable paths, paths without a route, other methods and OPTIONS go on to the wrapped service as
    /// they came. Where the path had a route for another method and the wrapped service answers 404 or
    /// 405, the answer is 405 with the methods of both in `Allow`.
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
    type Response = Response<ResponseBody<BodyE, BodyS>>;
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
                refused: Some(Box::new((request.method().clone(), allow))),
                attempt: Attempt::new(self.inner.clone(), request),
            },
            Outcome::NotFound | Outcome::Undecodable(_) => State::Inner {
                refused: None,
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
            attempt: Attempt<S, B>,
            // The method for which the path had no route, and those for which it has.
            refused: Option<Box<(Method, Allow)>>,
        },
    }
}

impl<E, S, B, BodyE, BodyS> Future for LayerResponseFuture<E, S, B>
where
    E: Service<Request<B>, Response = Response<BodyE>, Error: Into<S::Error>>,
    S: Service<Request<B>, Response = Response<BodyS>>,
    BodyE: Body,
{
    type Output = Result<Response<ResponseBody<BodyE, BodyS>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Endpoint { future } => future.poll_response(cx).map_err(Into::into),
            StateProj::Inner { attempt, refused } => {
                let mut response = ready!(attempt.poll(cx))?;
                Poll::Ready(Ok(match (response.status(), refused.as_deref_mut()) {
                    // The wrapped service does not know the path, so its content would be
                    // misleading.
                    (StatusCode::NOT_FOUND, Some((method, allow))) => {
                        refusal::instead_of_not_found(method, allow, response)
                            .map(ResponseBody::own)
                    }
                    (StatusCode::METHOD_NOT_ALLOWED, Some((_, allow))) => {
                        allow.add_header(response.headers());
                        response.headers_mut().insert(ALLOW, allow.to_header());
                        response.map(ResponseBody::inner)
                    }
                    _ => response.map(ResponseBody::inner),
                }))
            }
        }
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
