//! What some layers need around them: bodies of axum, services without errors, and a runtime.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use tower::{
    BoxError, Layer, Service, ServiceExt,
    util::{BoxCloneSyncService, MapRequest, MapResponse},
};
use tower_lint::{
    LintLayer, Rule,
    contract::{Inner, Report},
    probe,
};

/// The rules that were broken, and the observations.
pub(crate) type Seen = BTreeMap<Rule, Vec<String>>;

pub(crate) fn seen(report: &Report) -> Seen {
    let rules = report.broken();
    rules
        .map(|rule| (rule, report.seen(rule).to_vec()))
        .collect()
}

pub(crate) type AxumService<E> = BoxCloneSyncService<Request<AxumBody>, Response<AxumBody>, E>;

/// The inner service with axum's body in its responses.
pub(crate) fn with_axum_bodies(inner: Inner) -> AxumService<probe::Error> {
    let inner = MapResponse::new(inner, |response: Response<_>| response.map(AxumBody::new));
    BoxCloneSyncService::new(inner)
}

type IntoAxum = fn(Request<probe::Body>) -> Request<AxumBody>;

/// A service for requests with axum's body, as one for those of the check.
pub(crate) fn from_axum<S>(service: S) -> MapRequest<S, IntoAxum> {
    MapRequest::new(service, |request| request.map(AxumBody::new))
}

/// A service without errors, as axum needs. An error becomes a 500.
#[derive(Clone)]
struct WithoutErrors {
    inner: AxumService<probe::Error>,
    failed: bool,
}

pub(crate) fn without_errors(inner: Inner) -> AxumService<Infallible> {
    BoxCloneSyncService::new(WithoutErrors {
        inner: with_axum_bodies(inner),
        failed: false,
    })
}

/// The report of a layer around [`without_errors`], which breaks the rules about errors itself.
pub(crate) fn seen_without_errors(report: &Report) -> Seen {
    let mut seen = seen(report);
    seen.retain(|rule, _| ![Rule::ServiceError, Rule::ReadyError].contains(rule));
    seen
}

impl Service<Request<AxumBody>> for WithoutErrors {
    type Response = Response<AxumBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AxumBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A service that has failed is not used again.
        if !self.failed {
            self.failed = ready!(self.inner.poll_ready(cx)).is_err();
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<AxumBody>) -> Self::Future {
        if self.failed {
            return Box::pin(async { Ok(failed()) });
        }
        let future = self.inner.call(request);
        Box::pin(async { Ok(future.await.unwrap_or_else(|_| failed())) })
    }
}

fn failed() -> Response<AxumBody> {
    let mut response = Response::new(AxumBody::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Sends these requests through a lint, and returns what it reports.
pub(crate) fn linted<S, B>(service: S, requests: Vec<Request<AxumBody>>) -> Seen
where
    S: Service<Request<AxumBody>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let keeps = seen.clone();
    let lint = LintLayer::new().report(move |violation| {
        let mut seen = keeps.lock().expect("no report panics");
        seen.entry(violation.rule)
            .or_default()
            .push(violation.seen.clone());
    });
    by_hand(async {
        for request in requests {
            if let Ok(response) = lint.layer(service.clone()).oneshot(request).await {
                // A body may fail.
                let _ = response.into_body().collect().await;
            }
        }
    });
    let seen = seen.lock().expect("no report panics");
    seen.clone()
}

/// Requests for these paths, by all methods, over HTTP/1 and HTTP/2, with and without a range.
pub(crate) fn requests(paths: &[&str]) -> Vec<Request<AxumBody>> {
    let mut requests = Vec::new();
    for path in paths {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                for range in [None, Some("bytes=0-3"), Some("bytes=999999-")] {
                    let mut request = Request::new(AxumBody::empty());
                    *request.method_mut() = method.clone();
                    *request.uri_mut() = path.parse().expect("it is a path");
                    *request.version_mut() = version;
                    let headers = request.headers_mut();
                    headers.insert("accept-encoding", http::HeaderValue::from_static("gzip"));
                    if let Some(range) = range {
                        headers.insert("range", http::HeaderValue::from_static(range));
                    }
                    requests.push(request);
                }
            }
        }
    }
    requests
}

/// Runs this on the runtime of `main`.
pub(crate) fn by_hand<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}
