//! `egg:tower#trace`, and the log of `tower-deploy serve`: a line for each response.

use std::{
    convert::Infallible,
    fmt,
    time::{Duration, Instant},
};

use http::{Request, Response};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use tower::service_fn;
use tower_http::{
    classify::{
        ClassifiedResponse, ClassifyResponse, NeverClassifyEos, ServerErrorsFailureClass,
        SharedClassifier,
    },
    trace::{DefaultOnFailure, DefaultOnResponse, OnResponse, TraceLayer},
};
use tower_kit::{Rejection, secrets, status_of};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, Level, Span, field};

use crate::{App, Body, Filter, Settings};

/// Makes `egg:tower#trace`: a line of `tracing` for each response.
pub(super) fn trace(_: &Settings, (): ()) -> Result<Filter, Infallible> {
    Ok(Filter::from_fn(|app| Ok::<_, Infallible>(access_log(app))))
}

/// Logs the method, the path, the status and the time of each response.
///
/// tower-http's layer wraps the body too, for failures that it logs as `DEBUG`. Without that level
/// a response is passed on as it is.
pub(crate) fn access_log(app: App) -> App {
    let layer = TraceLayer::new(SharedClassifier::new(Failures))
        .make_span_with(span)
        .on_request(())
        .on_response(log)
        .on_failure(DefaultOnFailure::new().level(Level::DEBUG));
    let with_failures = App::new(layer.layer(app.clone()));
    let without = App::new(service_fn(move |request: Request<Body>| {
        let (start, span) = (Instant::now(), span(&request));
        let responding = span.in_scope(|| app.clone().call(request));
        let logged = async move {
            let response = responding.await?;
            log(&response, start.elapsed(), &Span::current());
            Ok::<_, Infallible>(response)
        };
        logged.instrument(span)
    }));
    App::choosing(
        move || match tracing::enabled!(target: "tower_http::trace::on_failure", Level::DEBUG) {
            true => with_failures.clone(),
            false => without.clone(),
        },
    )
}

fn span(request: &Request<Body>) -> Span {
    tracing::info_span!(
        "request",
        method = %request.method(),
        // The query may have secrets in it. Control characters could change a terminal.
        path = %utf8_percent_encode(secrets::uri(request.uri()).path(), CONTROLS),
    )
}

/// Logs a response. A rejection is logged with its own status, which is a 200 on the wire for a
/// client of gRPC. Its reason follows, or its id, under which the log has the reason already.
fn log<B>(response: &Response<B>, latency: Duration, span: &Span) {
    match Rejection::of(response) {
        Some(rejection) => {
            let reason = match rejection.id() {
                Some(_) => None,
                None => {
                    let reason = rejection.error().to_string();
                    Some(secrets::fields(&secrets::urls(&reason)).into_owned())
                }
            };
            tracing::info!(
                target: "tower_http::trace::on_response",
                parent: span,
                latency = %format_args!("{} ms", latency.as_millis()),
                status = rejection.status().as_u16(),
                incident = rejection.id().map(field::display),
                // In quotes, because a client may have sent parts of it.
                reason = reason.map(field::debug),
                "finished processing request"
            );
        }
        None => {
            let default = DefaultOnResponse::new().level(Level::INFO);
            default.on_response(response, latency, span);
        }
    }
}

/// Classifies like `ServerErrorsAsFailures` of tower-http, by the status of a rejection.
#[derive(Clone)]
struct Failures;

impl ClassifyResponse for Failures {
    type FailureClass = ServerErrorsFailureClass;
    type ClassifyEos = NeverClassifyEos<ServerErrorsFailureClass>;

    fn classify_response<B>(
        self,
        response: &Response<B>,
    ) -> ClassifiedResponse<Self::FailureClass, Self::ClassifyEos> {
        let status = status_of(response);
        ClassifiedResponse::Ready(match status.is_server_error() {
            true => Err(ServerErrorsFailureClass::StatusCode(status)),
            false => Ok(()),
        })
    }

    fn classify_error<E: fmt::Display>(self, error: &E) -> Self::FailureClass {
        ServerErrorsFailureClass::Error(error.to_string())
    }
}
