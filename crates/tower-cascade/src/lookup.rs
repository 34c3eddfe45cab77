//! A layer for responses that need only the head of a request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// A layer, and its service, that responds from memory (assets in the binary, redirects, a cache):
/// a function of a request's head returns a response, or `None` for the inner service.
///
/// A service of a cascade gets a request of its own, so the head is copied, which is most of the
/// cost of a cascade. A lookup sees the head itself, and the request is passed on as it is.
///
/// The function may not block. Its response has the type of the inner service's. Around an
/// `axum::Router` that is axum's `Response`, so `IntoResponse` makes one. Around a layer of this
/// family, [`EitherBody::own`](tower_kit::EitherBody::own) makes the body. The response is returned
/// whatever its status.
///
/// ```
/// use axum::{Router, response::{IntoResponse, Response}, routing::get};
/// use http::{Method, request::Parts};
/// use tower_cascade::Lookup;
///
/// fn asset(head: &Parts) -> Option<Response> {
///     match (&head.method, head.uri.path()) {
///         (&Method::GET, "/robots.txt") => Some("User-agent: *\n".into_response()),
///         _ => None,
///     }
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(async || "Hello"))
///     .fallback(async || "no page")
///     .layer(Lookup::new(asset));
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use tower::ServiceExt;
/// # for (path, length) in [("/robots.txt", 14), ("/", 5)] {
/// #     let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
/// #     let body = app.clone().oneshot(request).await.unwrap().into_body();
/// #     assert_eq!(http_body::Body::size_hint(&body).exact(), Some(length), "{path}");
/// # }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Lookup<F, S = ()> {
    look: F,
    inner: S,
}

impl<F> Lookup<F> {
    /// Returns a layer that calls this function for each request.
    pub fn new<B>(look: F) -> Self
    where
        F: Fn(&Parts) -> Option<Response<B>>,
    {
        Self { look, inner: () }
    }
}

impl<F: Clone, S> Layer<S> for Lookup<F> {
    type Service = Lookup<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Lookup {
            look: self.look.clone(),
            inner,
        }
    }
}

impl<F, S, ReqBody, ResBody> Service<Request<ReqBody>> for Lookup<F, S>
where
    F: Fn(&Parts) -> Option<Response<ResBody>>,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = LookupFuture<S::Future, ResBody>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let state = match (self.look)(&head) {
            Some(response) => State::Found {
                response: Some(response),
            },
            None => State::Inner {
                future: self.inner.call(Request::from_parts(head, body)),
            },
        };
        LookupFuture { state }
    }
}

impl<F, S: fmt::Debug> fmt::Debug for Lookup<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of a [`Lookup`].
    pub struct LookupFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Found { response: Option<Response<B>> },
        Inner { #[pin] future: F },
    }
}

impl<F, B, E> Future for LookupFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Found { response } => {
                let response = response.take().expect("polled after completion");
                Poll::Ready(Ok(response))
            }
            StateProj::Inner { future } => future.poll(cx),
        }
    }
}

impl<F, B> fmt::Debug for LookupFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupFuture").finish_non_exhaustive()
    }
}
