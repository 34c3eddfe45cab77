//! One hook against axum's `from_fn` that does the same, and no hook.

use std::ops::ControlFlow;

use axum::{
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, X_CONTENT_TYPE_OPTIONS},
    request, response,
};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_hooks::{Hook, HooksLayer};

use crate::{Pair, Subject, answers, browser_request, done};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Rejects requests with credentials, and adds a header to the response.
pub(crate) struct Marks;

impl Hook for Marks {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> ControlFlow<http::Response<Full<bytes::Bytes>>> {
        if !request.headers.contains_key(AUTHORIZATION) {
            return ControlFlow::Continue(());
        }
        let mut response = http::Response::new(Full::default());
        *response.status_mut() = StatusCode::FORBIDDEN;
        ControlFlow::Break(response)
    }

    async fn after(&self, (): &mut (), response: &mut response::Parts) {
        response.headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    }
}

/// The same.
async fn marks(request: Request, next: Next) -> Response {
    if request.headers().contains_key(AUTHORIZATION) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// The same as two functions that do not wait.
pub(crate) fn functions() -> HooksLayer {
    HooksLayer::new()
        .before(|request: &mut request::Parts| {
            if !request.headers.contains_key(AUTHORIZATION) {
                return ControlFlow::Continue(());
            }
            let mut response = http::Response::new(Full::default());
            *response.status_mut() = StatusCode::FORBIDDEN;
            ControlFlow::Break(response)
        })
        .after(|response: &mut response::Parts| {
            response.headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        })
}

pub(crate) fn pairs() -> Vec<Pair> {
    // Axum's middleware takes axum's body.
    fn sides(layer: HooksLayer, request: fn() -> Request) -> (Subject, Subject) {
        let done = service_fn(done::<Body>);
        (
            Subject::with(request, layer.layer(done)),
            Subject::with(request, from_fn(marks).layer(done)),
        )
    }
    let hook = || HooksLayer::new().hook(Marks);
    vec![
        Pair::new("hooks/one-hook/from-fn", move || {
            sides(hook(), || browser_request().map(Body::new))
        }),
        // A request without headers, which takes a third of the time.
        Pair::new("hooks/one-hook-no-headers/from-fn", move || {
            sides(hook(), Request::default)
        }),
        Pair::new("hooks/functions/from-fn", || {
            sides(functions(), || browser_request().map(Body::new))
        }),
        Pair::new("hooks/functions-no-headers/from-fn", || {
            sides(functions(), Request::default)
        }),
    ]
}

pub(crate) fn empty() -> (&'static str, Subject) {
    let empty = HooksLayer::new().layer(service_fn(answers));
    ("hooks/empty/allocs", Subject::new(empty))
}
