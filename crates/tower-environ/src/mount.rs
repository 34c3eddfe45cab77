use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    ResponseBody, ResponseFuture, ScriptName,
    prefix::{MountError, Prefix},
};

/// Puts a service below a path: it sees the path without that prefix, and the prefix in SCRIPT_NAME.
///
/// A request that is not below it is answered 404, so in a cascade the next app gets it. Many mounts side by side
/// are what a dispatcher is for.
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
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let below = self.prefix.of(request.uri().path());
        if below.is_some_and(|by| ScriptName::grow(&mut request, by)) {
            ResponseFuture::inner(self.inner.call(request))
        } else {
            ResponseFuture::refused(not_mounted(request.method()))
        }
    }
}

/// Why the mount itself has answered: the path is not below it. It is in that response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMounted;

impl fmt::Display for NotMounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is mounted at this path")
    }
}

impl std::error::Error for NotMounted {}

/// 404; to HEAD without a body.
fn not_mounted(to: &Method) -> Response<Bytes> {
    let body = match *to {
        Method::HEAD => Bytes::new(),
        _ => Bytes::from_static(b"nothing is mounted at this path\n"),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::NOT_FOUND;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response.extensions_mut().insert(NotMounted);
    response
}
