//! Failures: panics, errors, timeouts and limits. A client never takes one for a good end.

use std::{error::Error, future::pending, time::Duration};

use axum::body::Body;
use http::StatusCode;
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tower::{
    BoxError, Layer, load_shed::LoadShed, service_fn, timeout::TimeoutLayer, util::FutureService,
};
use tower_exception::ExceptionLayer;
use tower_http::{
    body::Limited,
    limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer,
    timeout::{ResponseBodyTimeoutLayer, TimeoutLayer as HttpTimeoutLayer},
};

use crate::{
    client::{Options, Wire},
    echo::{Call, Fault},
    layers::{LAYERS, exception},
    server::{App, Translated, boxed, each_way},
    table::{
        Case,
        Says::{Anything, Incident, This},
        check, quiet,
    },
};

/// Longer than a first message may take.
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_fault_inside_of_the_exception_layer_has_a_status() {
    check(&[
        Case::new(
            "exception",
            "a panic instead of a response",
            exception,
            Code::Internal,
            Incident,
        )
        .with(Fault::Panic),
        Case::new(
            "exception",
            "an error instead of a response",
            |_| {
                exception(boxed(service_fn(async |_| {
                    Err::<http::Response<String>, _>(BoxError::from("broken"))
                })))
            },
            Code::Internal,
            Incident,
        ),
        Case::new(
            "exception",
            "a panic in a stream",
            exception,
            Code::Internal,
            Incident,
        )
        .with(Fault::StreamPanics),
        Case::new(
            "exception",
            "an error in a stream",
            exception,
            Code::Internal,
            Incident,
        )
        .with(Fault::StreamFails),
        Case::new(
            "exception",
            "tower's timeout",
            |app| exception(boxed(TimeoutLayer::new(SHORT).layer(app))),
            Code::DeadlineExceeded,
            Incident,
        )
        .with(Fault::Stalled),
        Case::new(
            "exception",
            "tower's load shedding",
            |_| {
                let never = FutureService::new(pending::<Result<App, BoxError>>());
                exception(boxed(LoadShed::new(never)))
            },
            Code::Unavailable,
            Incident,
        ),
        Case::new(
            "exception",
            "tower-http's timeout, 408",
            |app| {
                let layer = HttpTimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, SHORT);
                exception(boxed(layer.layer(app)))
            },
            Code::DeadlineExceeded,
            This("Request Timeout"),
        )
        .with(Fault::Stalled),
        Case::new(
            "exception",
            "tower-http's timeout of a stream",
            |app| exception(boxed(ResponseBodyTimeoutLayer::new(SHORT).layer(app))),
            Code::Internal,
            Incident,
        )
        .with(Fault::StreamStalls),
        Case::new(
            "exception",
            "tower-http's timeout of a stream, with status_of",
            |app| {
                let layer = ExceptionLayer::production(|_| {}).status_of(stalled);
                let app = ResponseBodyTimeoutLayer::new(SHORT).layer(app);
                boxed(layer.layer(boxed(app)))
            },
            Code::DeadlineExceeded,
            Incident,
        )
        .with(Fault::StreamStalls),
        Case::new(
            "exception",
            "tower-http's body limit, with Content-Length",
            limited,
            Code::ResourceExhausted,
            This("Payload Too Large"),
        )
        .announced()
        // tonic-web drops the length.
        .only(|way| way.translated != Translated::Outside),
        // Now the limit is an error of the body, of which tonic makes a status.
        Case::new(
            "exception",
            "tower-http's body limit, without Content-Length",
            limited,
            Code::ResourceExhausted,
            This("length limit exceeded"),
        )
        .only(|way| way.translated != Translated::Inside),
        // tonic-web makes an error of its own of the body's.
        Case::new(
            "exception",
            "tower-http's body limit, outside of tonic-web",
            limited,
            Code::Internal,
            Anything,
        )
        .only(|way| way.translated == Translated::Inside && way.wire == Wire::Web),
    ])
    .await;
}

#[tokio::test]
async fn no_layer_makes_a_good_end_of_a_fault() {
    quiet();
    let faults = [Fault::Panic, Fault::StreamPanics, Fault::StreamFails];
    for (name, prefix, layers) in LAYERS {
        each_way(layers, async |client, way| {
            for (fault, call) in faults
                .iter()
                .flat_map(|fault| Call::ALL.map(|call| (fault, call)))
            {
                let path = format!("{prefix}{}", call.path());
                let options = Options {
                    fault: Some(*fault),
                    ..Options::default()
                };
                let reply = client.call(call, &path, options).await;
                let what = format!("{name}: {fault:?} of {call:?} by {way:?}: {reply:?}");
                assert_ne!(reply.code, Code::Ok, "{what}");
            }
        })
        .await;
    }
}

fn stalled(error: &(dyn Error + 'static)) -> Option<StatusCode> {
    let is_timeout = error.is::<tower_http::timeout::TimeoutError>();
    is_timeout.then_some(StatusCode::GATEWAY_TIMEOUT)
}

/// A body that is too long fails with a status of tonic.
fn limited(app: App) -> App {
    let exhausted = |error: BoxError| Status::resource_exhausted(error.to_string());
    let body = move |body: Limited<Body>| Body::new(body.map_err(exhausted));
    let app = MapRequestBodyLayer::new(body).layer(app);
    exception(boxed(RequestBodyLimitLayer::new(4).layer(app)))
}
