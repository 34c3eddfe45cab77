//! Programs that behave and misbehave, byte by byte.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod allocations;
mod bodies;
#[cfg(unix)]
mod cgi;
mod child;
mod connections;
mod contract;
mod ends;
mod fastcgi;
mod front;
mod limits;
mod program;
mod redirects;
mod responses;
mod round_trip;
mod scgi;
mod scripts;
mod served_edges;
mod served_fastcgi;
mod served_scgi;
mod variables;

use std::{convert::Infallible, fmt::Display};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use tower::{Layer, Service, ServiceExt};
use tower_gateway::{GatewayError, ResponseBody};
use tower_kit::Rejection;
use tower_lint::{LintBody, LintLayer};

type Body = BoxBody<Bytes, Infallible>;

fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(body("")).unwrap()
}

fn post(uri: &str, content: &'static str) -> Request<Body> {
    let request = Request::post(uri).header(CONTENT_LENGTH, content.len());
    request.body(body(content)).unwrap()
}

/// Calls a service, watched by tower-lint: a response or a body that breaks a rule is a panic.
async fn ask<S, B>(service: &S, request: Request<B>) -> Response<LintBody<ResponseBody>>
where
    S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    let watched = LintLayer::new().layer(service.clone());
    let Ok(response) = watched.oneshot(request).await;
    response
}

/// Returns the response in one line: status, headers, body.
async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes, Error: Display>,
{
    let (head, body) = response.into_parts();
    let mut line = head.status.as_str().to_owned();
    for (name, value) in &head.headers {
        line += &format!(" {name}={}", value.to_str().unwrap());
    }
    match body.collect().await {
        Ok(body) => line + " | " + std::str::from_utf8(&body.to_bytes()).unwrap(),
        Err(error) => line + " | error: " + &error.to_string(),
    }
}

/// Returns the reason of a rejection.
fn reason<B>(response: &Response<B>) -> Option<GatewayError> {
    Rejection::of(response)?.reason().copied()
}
