//! The layers, each around a service that tower-lint watches.

use std::{convert::Infallible, time::Duration};

use axum::body::Body as AxumBody;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tower::{
    Layer, ServiceBuilder,
    buffer::BufferLayer,
    filter::{AsyncFilterLayer, FilterLayer},
    limit::ConcurrencyLimitLayer,
    load_shed::LoadShedLayer,
    retry::{Policy, RetryLayer},
    spawn_ready::SpawnReadyLayer,
    timeout::TimeoutLayer,
    util::BoxCloneSyncServiceLayer,
};
use tower_http::{
    add_extension::AddExtensionLayer,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    decompression::{DecompressionLayer, RequestDecompressionLayer},
    follow_redirect::FollowRedirectLayer,
    limit::RequestBodyLimitLayer,
    metrics::InFlightRequestsLayer,
    normalize_path::NormalizePathLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer},
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};
use tower_lint::{Rule, contract, probe};

use crate::{
    Break, Case,
    bench::{from_axum, seen, seen_without_errors, with_axum_bodies, without_errors},
    by_hand,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A policy that never tries again, because the body of a request cannot be cloned.
#[derive(Clone)]
struct Once;

impl<Res, E> Policy<Request<probe::Body>, Res, E> for Once {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<probe::Body>,
        _: &mut Result<Res, E>,
    ) -> Option<Self::Future> {
        None
    }

    fn clone_request(&mut self, _: &Request<probe::Body>) -> Option<Request<probe::Body>> {
        None
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(of_tower());
    cases.extend(of_tower_http());
    cases.extend(of_axum());
    cases.extend(of_tonic());
    cases
}

fn of_tower() -> Vec<Case> {
    vec![
        Case {
            name: "TimeoutLayer",
            package: "tower",
            check: || {
                seen(&contract::check(|inner| {
                    TimeoutLayer::new(MINUTE).layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "ConcurrencyLimitLayer",
            package: "tower",
            check: || {
                let layer = ConcurrencyLimitLayer::new(1);
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "BufferLayer",
            package: "tower",
            check: || seen(&contract::check(|inner| BufferLayer::new(4).layer(inner))),
            breaks: &[],
        },
        Case {
            name: "LoadShedLayer",
            package: "tower",
            check: || seen(&contract::check(|inner| LoadShedLayer::new().layer(inner))),
            breaks: &[
                Break {
                    rule: Rule::Readiness,
                    by_hand: by_hand::load_shed_does_not_wait,
                    ruling: "on purpose: the layer sheds load instead of waiting",
                },
                Break {
                    rule: Rule::Wake,
                    by_hand: by_hand::load_shed_does_not_wait,
                    ruling: "on purpose: the layer sheds load instead of waiting",
                },
            ],
        },
        Case {
            name: "RetryLayer",
            package: "tower",
            check: || seen(&contract::check(|inner| RetryLayer::new(Once).layer(inner))),
            breaks: &[],
        },
        Case {
            name: "SpawnReadyLayer",
            package: "tower",
            check: || {
                let layer = ServiceBuilder::new()
                    .layer(BufferLayer::new(4))
                    .layer(SpawnReadyLayer::new());
                seen(&contract::check(|inner| layer.service(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "FilterLayer",
            package: "tower",
            check: || {
                let layer =
                    FilterLayer::new(|request: Request<probe::Body>| Ok::<_, Infallible>(request));
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "AsyncFilterLayer",
            package: "tower",
            check: || {
                let layer = AsyncFilterLayer::new(|request: Request<probe::Body>| {
                    std::future::ready(Ok::<_, Infallible>(request))
                });
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "BoxCloneSyncServiceLayer",
            package: "tower",
            check: || {
                seen(&contract::check(|inner| {
                    BoxCloneSyncServiceLayer::new(TimeoutLayer::new(MINUTE)).layer(inner)
                }))
            },
            breaks: &[],
        },
    ]
}

fn of_tower_http() -> Vec<Case> {
    vec![
        Case {
            name: "CompressionLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    CompressionLayer::new().layer(inner)
                }))
            },
            breaks: &[Break {
                rule: Rule::EntityTag,
                by_hand: by_hand::compression_keeps_the_tag,
                ruling: "RFC 9110, section 8.8.3.3: an encoded form has a tag of its own, or a weak one",
            }],
        },
        Case {
            name: "DecompressionLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    DecompressionLayer::new().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "RequestDecompressionLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    RequestDecompressionLayer::new().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "CorsLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    CorsLayer::permissive().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "TraceLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    TraceLayer::new_for_http().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "TimeoutLayer",
            package: "tower-http",
            check: || {
                let layer = tower_http::timeout::TimeoutLayer::with_status_code(
                    StatusCode::REQUEST_TIMEOUT,
                    MINUTE,
                );
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "RequestBodyTimeoutLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    RequestBodyTimeoutLayer::new(MINUTE).layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "ResponseBodyTimeoutLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    ResponseBodyTimeoutLayer::new(MINUTE).layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "RequestBodyLimitLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    RequestBodyLimitLayer::new(4096).layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "CatchPanicLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    CatchPanicLayer::new().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "NormalizePathLayer",
            package: "tower-http",
            check: || {
                let layer = NormalizePathLayer::trim_trailing_slash();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "SetRequestIdLayer, PropagateRequestIdLayer",
            package: "tower-http",
            check: || {
                let layer = ServiceBuilder::new()
                    .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                    .layer(PropagateRequestIdLayer::x_request_id());
                seen(&contract::check(|inner| layer.service(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "SetSensitiveHeadersLayer",
            package: "tower-http",
            check: || {
                let layer = SetSensitiveHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]);
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "SetRequestHeaderLayer, SetResponseHeaderLayer",
            package: "tower-http",
            check: || {
                let (name, value) = (
                    HeaderName::from_static("x-added"),
                    HeaderValue::from_static("1"),
                );
                let layer = ServiceBuilder::new()
                    .layer(SetRequestHeaderLayer::overriding(
                        name.clone(),
                        value.clone(),
                    ))
                    .layer(SetResponseHeaderLayer::if_not_present(name, value));
                seen(&contract::check(|inner| layer.service(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "AddExtensionLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    AddExtensionLayer::new(1_u8).layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "InFlightRequestsLayer",
            package: "tower-http",
            check: || {
                let (layer, _counter) = InFlightRequestsLayer::pair();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "FollowRedirectLayer",
            package: "tower-http",
            check: || {
                seen(&contract::check(|inner| {
                    FollowRedirectLayer::new().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "ValidateRequestHeaderLayer",
            package: "tower-http",
            check: || {
                let layer = ValidateRequestHeaderLayer::accept("application/json");
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
    ]
}

fn of_axum() -> Vec<Case> {
    vec![
        Case {
            name: "middleware::from_fn",
            package: "axum",
            check: || {
                let layer = axum::middleware::from_fn(
                    async |request: axum::extract::Request, next: axum::middleware::Next| {
                        next.run(request).await
                    },
                );
                let check = contract::check(|inner| from_axum(layer.layer(without_errors(inner))));
                seen_without_errors(&check)
            },
            breaks: &[],
        },
        Case {
            name: "middleware::map_response",
            package: "axum",
            check: || {
                let layer =
                    axum::middleware::map_response(async |response: Response<AxumBody>| response);
                let check = contract::check(|inner| from_axum(layer.layer(without_errors(inner))));
                seen_without_errors(&check)
            },
            breaks: &[],
        },
        Case {
            name: "DefaultBodyLimit",
            package: "axum",
            check: || {
                let layer = axum::extract::DefaultBodyLimit::max(4096);
                seen(&contract::check(|inner| {
                    from_axum(layer.layer(with_axum_bodies(inner)))
                }))
            },
            breaks: &[],
        },
        Case {
            name: "Router::fallback_service",
            package: "axum",
            check: || {
                let check = contract::check(|inner| {
                    from_axum(axum::Router::new().fallback_service(without_errors(inner)))
                });
                seen_without_errors(&check)
            },
            breaks: &[],
        },
        Case {
            name: "error_handling::HandleErrorLayer",
            package: "axum",
            check: || {
                let layer =
                    axum::error_handling::HandleErrorLayer::new(async |error: probe::Error| {
                        (StatusCode::BAD_GATEWAY, error.to_string())
                    });
                seen(&contract::check(|inner| {
                    from_axum(layer.layer(with_axum_bodies(inner)))
                }))
            },
            breaks: &[
                Break {
                    rule: Rule::ServiceError,
                    by_hand: by_hand::handle_error_responds,
                    ruling: "on purpose: the layer makes responses of errors",
                },
                Break {
                    rule: Rule::ReadyError,
                    by_hand: by_hand::handle_error_responds_if_not_ready,
                    ruling: "on purpose: the layer makes responses of errors",
                },
            ],
        },
    ]
}

fn of_tonic() -> Vec<Case> {
    vec![
        Case {
            name: "service::InterceptorLayer",
            package: "tonic",
            check: || {
                let layer = tonic::service::InterceptorLayer::new(Ok);
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "GrpcWebLayer",
            package: "tonic-web",
            check: || {
                seen(&contract::check(|inner| {
                    tonic_web::GrpcWebLayer::new().layer(inner)
                }))
            },
            breaks: &[Break {
                rule: Rule::ResponseHead,
                by_hand: by_hand::grpc_web_rejects_http_1,
                ruling: "on purpose: over HTTP/1.1 the layer accepts gRPC-Web alone",
            }],
        },
    ]
}
