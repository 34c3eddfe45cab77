//! What fails: panics, errors, timeouts and limits. A client never takes it for a good end.

use std::{future::pending, time::Duration};

use http::StatusCode;
use tonic::Code;
use tower::{
    BoxError, Layer, load_shed::LoadShed, service_fn, timeout::TimeoutLayer, util::FutureService,
};
use tower_deploy::Body;
use tower_http::{
    limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer,
    timeout::{ResponseBodyTimeoutLayer, TimeoutLayer as HttpTimeoutLayer},
};

use crate::{
    client::Options,
    echo::{Call, Fault},
    layers::{LAYERS, exception},
    server::{App, boxed, each_way},
    table::{
        Case,
        Says::{Anything, Incident},
        check, quiet,
    },
};

const SHORT: Duration = Duration::from_millis(20);

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
            Anything,
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
            "tower-http's body limit, announced length",
            |app| {
                let app = MapRequestBodyLayer::new(Body::new).layer(app);
                exception(boxed(RequestBodyLimitLayer::new(4).layer(app)))
            },
            Code::ResourceExhausted,
            Anything,
        )
        .announced(),
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
