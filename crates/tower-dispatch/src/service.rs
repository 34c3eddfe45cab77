use std::{
    fmt::{self, Display},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_kit::EitherBody;
use tower_service::Service;

use crate::{
    Audit, Boxed, Builder, Endpoint, NotDispatched, ResponseFuture, Typed, UrlForError,
    not_dispatched,
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
    pub fn builder() -> Builder<Endpoint<B, Err>, Boxed> {
        Builder::new()
    }
}

impl<E> Dispatch<E> {
    /// Starts a dispatcher whose endpoints are all of one type, and are called as they are: nothing is boxed.
    pub fn typed() -> Builder<E, Typed> {
        Builder::new()
    }

    /// Finds the routes that can never be reached, because earlier ones take all the requests that would lead there. It
    /// takes milliseconds for a hundred routes, and is for a test or for the log at the start.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.routes.audit()
    }

    /// A path that leads to the route with this name, with these args: percent-encoded, and relative to where the dispatcher is
    /// mounted. An arg that is not given leaves the optional end of its pattern out.
    ///
    /// # Errors
    ///
    /// A [`UrlForError`] if the route is not there, does not have such args or needs more, would find others in the path, or is more than texts, named
    /// groups and an optional end; and if the path
    /// had a `.` or `..` segment, which clients resolve.
    ///
    /// ```
    /// use axum::routing::get;
    /// use tower_dispatch::{Dispatch, Endpoint};
    ///
    /// let urls: Dispatch<Endpoint<axum::body::Body>> = Dispatch::builder()
    ///     .get("/users/{id:int}/files/{*path}", get(async || "a file"))
    ///     .name("file")
    ///     .build()?;
    /// let url = urls.url_for("file", &[("id", &7), ("path", &"a b/c")]);
    /// assert_eq!(url.as_deref(), Ok("/users/7/files/a%20b/c"));
    /// assert!(urls.url_for("file", &[("id", &7), ("path", &"../c")]).is_err());
    /// # Ok::<(), tower_dispatch::BuildError>(())
    /// ```
    pub fn url_for(&self, name: &str, args: &[(&str, &dyn Display)]) -> Result<String, UrlForError> {
        self.routes.named().url_for(name, args)
    }
}

impl<E, B, ResBody> Service<Request<B>> for Dispatch<E>
where
    E: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = E::Error;
    type Future = ResponseFuture<E, B>;

    /// Always ready. Which endpoint a request needs is not known before it is there; one that is not ready then is
    /// waited for in the future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let outcome = self.routes.find_for(&mut request);
        ResponseFuture::own(match outcome {
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
                // Which gets a response below, so it is allowed.
                allow.add(&Method::OPTIONS);
                match *request.method() {
                    Method::OPTIONS => not_dispatched::options(&allow),
                    _ => not_dispatched::method_not_allowed(&allow).response_for(&request),
                }
            }
            Outcome::NotFound => NotDispatched::NotFound.rejection().response_for(&request),
            Outcome::Undecodable(error) => NotDispatched::UndecodablePath(error)
                .rejection()
                .response_for(&request),
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
