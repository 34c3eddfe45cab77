use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError, Builder, Endpoint, Refusal, ResponseBody, ResponseFuture, refusal,
    routes::{Outcome, Routes},
};

/// A dispatcher: gives each request to the endpoint of the first route that matches.
///
/// It is a service by itself. Put into a [`DispatchLayer`](crate::DispatchLayer) it leaves to another service
/// what it has no route for.
pub struct Dispatch<E> {
    pub(crate) routes: Arc<Routes<E>>,
}

impl<B, Err> Dispatch<Endpoint<B, Err>> {
    /// Starts a dispatcher whose endpoints may be of different types.
    pub fn builder() -> Builder<B, Err> {
        Builder::new()
    }
}

impl<E, B, ResBody> Service<Request<B>> for Dispatch<E>
where
    E: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = E::Error;
    type Future = ResponseFuture<E, B>;

    /// Always ready. Which endpoint a request needs is not known before it is there, so the endpoint's
    /// readiness is awaited in the future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = request.method();
        ResponseFuture::refused(match self.routes.find(method, request.uri()) {
            Outcome::Found {
                endpoint,
                args,
                mount,
                head_by_get,
            } => {
                args.enter(&mut request, mount);
                return ResponseFuture::endpoint(endpoint.clone(), request, head_by_get);
            }
            Outcome::OtherMethods(mut allow) => {
                // Which is answered below, so it is allowed.
                allow.add(&Method::OPTIONS);
                match *method {
                    Method::OPTIONS => refusal::options(&allow),
                    _ => refusal::method_not_allowed(method, &allow),
                }
            }
            Outcome::NotFound => Refusal::NotFound.response(method),
            Outcome::Undecodable(error) => Refusal::UndecodablePath(error).response(method),
        })
    }
}

impl<E> Clone for Dispatch<E> {
    fn clone(&self) -> Self {
        Self {
            routes: self.routes.clone(),
        }
    }
}

impl<E> fmt::Debug for Dispatch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("routes", &self.routes)
            .finish()
    }
}
