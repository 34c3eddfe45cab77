use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_kit::{EitherBody, EitherFuture, Rejection};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    ScriptName,
    prefix::{MountError, Prefix},
};

/// Puts a service below a path: it sees the path without that prefix, and the prefix in SCRIPT_NAME.
///
/// A request that is not below it gets a 404, a [`Rejection`] for the reason [`NotMounted`], so in a
/// cascade it falls through to the next app. Many mounts side by side are what a dispatcher is for.
#[derive(Clone, Debug)]
pub struct MountLayer {
    prefix: Prefix,
}

impl MountLayer {
    /// Mounts at a path such as `/wiki`, written as it is read: decoded. A slash at the end says nothing more.
    ///
    /// At `/` nothing is taken off; such a mount outside of everything lets [`MountExt`](crate::MountExt) see what
    /// others, who leave no trace, take off further in. Braces are braces: what a template is for, `Dispatch::mount` of
    /// tower-dispatch does.
    ///
    /// # Errors
    ///
    /// A [`MountError`] if it does not start with a slash, or has an empty segment, a `.` or `..` or a `%41` in it.
    pub fn new(prefix: &str) -> Result<Self, MountError> {
        Prefix::parse(prefix).map(|prefix| Self { prefix })
    }
}

impl<S> Layer<S> for MountLayer {
    type Service = Mount<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Mount {
            inner,
            prefix: self.prefix.clone(),
        }
    }
}

/// The service that [`MountLayer`] makes.
#[derive(Clone, Debug)]
pub struct Mount<S> {
    inner: S,
    prefix: Prefix,
}

impl<S, B, ResBody> Service<Request<B>> for Mount<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = S::Error;
    type Future = EitherFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let below = self.prefix.of(request.uri().path());
        if below.is_some_and(|by| ScriptName::grow(&mut request, by)) {
            EitherFuture::inner(self.inner.call(request))
        } else {
            let rejection = Rejection::new(StatusCode::NOT_FOUND, NotMounted)
                .with_detail("nothing is mounted at this path");
            EitherFuture::own(rejection.response_for(&request))
        }
    }
}

/// The reason of a mount's [`Rejection`]: the path is not below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMounted;

impl fmt::Display for NotMounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is mounted at this path")
    }
}

impl std::error::Error for NotMounted {}
