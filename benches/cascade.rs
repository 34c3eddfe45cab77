//! The cascade against the least that it must cost, and against code that people write by hand.

use std::{convert::Infallible, hint::black_box};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_cascade::CascadeLayer;

use crate::{Pair, ReqBody, Subject, answers, not_found};

/// The first service responds.
fn first_answers() -> Subject {
    Subject::new(CascadeLayer::new(service_fn(answers)).layer(service_fn(not_found)))
}

/// The first service falls through.
fn falls_through() -> Subject {
    Subject::new(CascadeLayer::new(service_fn(not_found)).layer(service_fn(answers)))
}

/// The first two services fall through.
fn two_fall_through() -> Subject {
    let layers = ServiceBuilder::new()
        .layer(CascadeLayer::new(service_fn(not_found)))
        .layer(CascadeLayer::new(service_fn(not_found)));
    Subject::new(layers.service(service_fn(answers)))
}

/// The first service is not called.
fn guard_skips() -> Subject {
    let layer = CascadeLayer::new(service_fn(not_found));
    let layer = layer.only(|parts| parts.method == Method::PUT);
    Subject::new(layer.layer(service_fn(answers)))
}

/// A clone of a browser's request head, and no cascade. It is the first clone, which makes some
/// texts shared.
fn parts_clone() -> Subject {
    Subject::new(service_fn(async |request: Request<ReqBody>| {
        let (parts, body) = request.into_parts();
        black_box(parts.clone());
        answers(Request::from_parts(parts, body)).await
    }))
}

/// The usual advice (tower-http#240), but so that nothing of the request is lost.
fn hand_written() -> Subject {
    Subject::new(service_fn(async |request: Request<ReqBody>| {
        let (parts, body) = request.into_parts();
        let body: Bytes = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let mut first = Request::new(Full::new(body.clone()));
        *first.method_mut() = parts.method.clone();
        *first.uri_mut() = parts.uri.clone();
        *first.version_mut() = parts.version;
        *first.headers_mut() = parts.headers.clone();
        *first.extensions_mut() = parts.extensions.clone();
        let response: Response<Full<Bytes>> = service_fn(not_found).oneshot(first).await?;
        if response.status() != StatusCode::NOT_FOUND {
            return Ok::<_, Infallible>(response);
        }
        let last = Request::from_parts(parts, Full::new(body));
        service_fn(answers).oneshot(last).await
    }))
}

pub(crate) fn pairs() -> Vec<Pair> {
    vec![
        Pair::new("cascade/two-fall-through/hand-written", || {
            (two_fall_through(), hand_written())
        }),
        Pair::new("cascade/first-answers/parts-clone", || {
            (first_answers(), parts_clone())
        })
        .less(crate::bare),
        Pair::new("cascade/falls-through/hand-written", || {
            (falls_through(), hand_written())
        }),
    ]
}

pub(crate) fn added_allocations() -> Vec<(&'static str, Subject)> {
    vec![("cascade/guard-skips/allocs", guard_skips())]
}
