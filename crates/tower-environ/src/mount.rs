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

/// A layer that mounts a service below a path. The service sees the rest of the path in the URI,
/// and the path of the mount in SCRIPT_NAME ([`MountExt`](crate::MountExt)).
///
/// A request that is not below the path gets a 404. In a cascade it falls through to the next
/// service. The 404 is a [`Rejection`] for the reason [`NotMounted`], so it is in the client's
/// format or in gRPC. For several mounts side by side, use `Dispatch::mount` of tower-dispatch.
///
/// SCRIPT_NAME includes the prefix of an axum `nest` inside of a mount. With the feature `axum` it
/// also includes that of a `nest` outside of all mounts. Without the feature, a
/// `MountLayer::new("/")` around everything has the same effect.
///
/// # Examples
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_environ::MountLayer;
///
/// async fn path(request: Request<()>) -> Result<Response<String>, BoxError> {
///     Ok(Response::new(request.uri().path().to_owned()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = MountLayer::new("/wiki")?.layer(service_fn(path));
///
/// let response = app.clone().oneshot(Request::get("/wiki/Start").body(())?).await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// let response = app.oneshot(Request::get("/blog").body(())?).await?;
/// assert_eq!(response.status(), StatusCode::NOT_FOUND);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MountLayer {
    prefix: Prefix,
}

impl MountLayer {
    /// Creates a layer that mounts a service at a path such as `/wiki`. The path is written
    /// decoded. A slash at its end has no effect.
    ///
    /// A mount at `/` strips nothing. Around everything else, it keeps the whole path, so that
    /// [`MountExt`](crate::MountExt) also knows of prefixes that other code strips.
    ///
    /// Braces have no meaning here. `Dispatch::mount` of tower-dispatch has path parameters.
    ///
    /// # Errors
    ///
    /// Returns a [`MountError`] if the path does not start with a slash, or if it has an empty
    /// segment, a `.` or `..` segment, or an escape such as `%41`.
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
///
/// Its readiness and its errors are those of the inner service. Bodies pass unchanged.
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
///
/// # Examples
///
/// ```
/// use http::Response;
/// use tower_environ::NotMounted;
/// use tower_kit::Rejection;
///
/// fn is_not_mounted<B>(response: &Response<B>) -> bool {
///     Rejection::of(response).is_some_and(|it| it.reason::<NotMounted>().is_some())
/// }
/// # assert!(!is_not_mounted(&Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMounted;

impl fmt::Display for NotMounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is mounted at this path")
    }
}

impl std::error::Error for NotMounted {}
