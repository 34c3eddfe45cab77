//! An app that needs no request of its own.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    BoxError, ResponseBody, Tried, body,
    chain::{Chain, Link, Run},
    options::Policy,
};

/// An app that answers out of memory (assets in the binary, redirects, a cache): a function that looks at a request's head and has
/// an answer, or `None`, and the next app is asked.
///
/// Any other app gets a request of its own, and for that the head is cloned, which is most of what a cascade costs. This one is
/// asked with the head itself, and the request goes on to the next as it is.
///
/// It is for [`CascadeLayer::new`](crate::CascadeLayer::new) and [`then`](crate::CascadeLayer::then), and is asked while the request is on its way: it
/// may not block. Its answer counts as any other app's does: one with 404 is none.
///
/// ```
/// use axum::{Router, body::Body, response::IntoResponse, routing::get};
/// use http::{Method, Response, request::Parts};
/// use tower_cascade::{CascadeLayer, Lookup};
///
/// fn asset(head: &Parts) -> Option<Response<Body>> {
///     match (&head.method, head.uri.path()) {
///         (&Method::GET, "/robots.txt") => Some("User-agent: *\n".into_response()),
///         _ => None,
///     }
/// }
///
/// let app: Router = Router::new().route("/", get(async || "Hello"));
/// let app: Router = Router::new().fallback_service(
///     tower::ServiceBuilder::new()
///         .layer(CascadeLayer::new(Lookup::new(asset)))
///         .service(app),
/// );
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use tower::ServiceExt;
/// # for (path, length) in [("/robots.txt", 14), ("/", 5)] {
/// #     let request = http::Request::get(path).body(Body::empty()).unwrap();
/// #     let body = app.clone().oneshot(request).await.unwrap().into_body();
/// #     assert_eq!(http_body::Body::size_hint(&body).exact(), Some(length), "{path}");
/// # }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Lookup<F> {
    look: F,
}

impl<F> Lookup<F> {
    /// An app that is this function. Each request has a clone of it.
    pub fn new<B>(look: F) -> Self
    where
        F: Fn(&Parts) -> Option<Response<B>>,
    {
        Self { look }
    }
}

impl<F, N, B, P, BodyA> Chain<B, P> for Link<Lookup<F>, N>
where
    F: Fn(&Parts) -> Option<Response<BodyA>>,
    N: Chain<B, P>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    BodyA: Body<Data = Bytes, Error: Into<BoxError>>,
    P: Policy<N::Error>,
{
    type Body = ResponseBody<BodyA, N::Body>;
    type Error = N::Error;
    type Future = LookupFuture<BodyA, N::Future>;

    #[inline]
    fn start(self, mut run: Run<B, P>) -> Self::Future {
        let found = match self.turns_away(&run) {
            true => None,
            false => (self.app.look)(run.parts()),
        };
        if found.is_none() {
            run.note(Tried::Skipped);
        }
        let state = match found.and_then(|response| run.verdict(response)) {
            Some(response) => State::Answered {
                response: Some(response),
            },
            None => State::Next {
                future: self.next.start(run),
            },
        };
        LookupFuture { state }
    }
}

impl<F> fmt::Debug for Lookup<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of a [`Lookup`] and the apps after it.
    pub struct LookupFuture<A, F> {
        #[pin]
        state: State<A, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<A, F> {
        Answered { response: Option<Response<A>> },
        Next { #[pin] future: F },
    }
}

impl<A, S, E, F> Future for LookupFuture<A, F>
where
    F: Future<Output = Result<Response<S>, E>>,
{
    type Output = Result<Response<ResponseBody<A, S>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.project().state.project() {
            StateProj::Answered { response } => {
                let response = response.take();
                let response = response.expect("a future is not polled after it is done");
                response.map(body::first)
            }
            StateProj::Next { future } => ready!(future.poll(cx))?.map(body::last),
        };
        Poll::Ready(Ok(response))
    }
}

impl<A, F> fmt::Debug for LookupFuture<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupFuture").finish_non_exhaustive()
    }
}
