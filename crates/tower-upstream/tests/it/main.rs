//! An upstream on real sockets, behind a server or called directly.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod axum;
mod balance;
mod bodies;
mod connect;
mod contract;
mod defaults;
mod early;
mod failures;
mod forwarding;
mod frames;
mod heads;
mod hosts;
mod http2;
mod http2_server;
mod lengths;
mod lenient;
mod locations;
mod log;
mod names;
mod options;
mod pool;
mod retry;
#[cfg(feature = "tls")]
mod secure;
mod sockets;
mod streams;
#[cfg(feature = "tls")]
mod tls;
mod tunnels;
mod unprocessed;

use std::{convert::Infallible, error::Error, fmt::Display, time::Duration};

use ::axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};
use tower_lint::LintLayer;
use tower_upstream::Upstream;

type BoxError = Box<dyn Error + Send + Sync>;

/// A service of one type, whatever layers it has.
type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Short, but longer than a busy machine sleeps.
const SHORT: Duration = Duration::from_millis(300);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn boxed<S, B>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    App::new(service.map_response(|response: Response<B>| response.map(Body::new)))
}

/// Returns an upstream at this address without options.
fn at(address: impl Display) -> Upstream {
    Upstream::new(address.to_string()).unwrap()
}

/// An upstream that the lint watches.
fn watched(upstream: Upstream) -> App {
    boxed(LintLayer::new().layer(upstream))
}

fn proxy(address: impl Display) -> App {
    watched(at(address))
}

async fn ask<B>(app: &App, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let response = app.clone().oneshot(request.map(Body::new));
    let response = tokio::time::timeout(Duration::from_secs(10), response).await;
    response.unwrap().unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

/// A request without a body.
fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}
