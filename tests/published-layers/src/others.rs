//! Layers of other crates than those of tower, axum and tonic.

use std::{convert::Infallible, time::Duration};

use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId};
use http::{HeaderMap, HeaderValue, Request};
use tower::Layer;
use tower_governor::{
    GovernorLayer, governor::GovernorConfigBuilder, key_extractor::GlobalKeyExtractor,
};
use tower_lint::{Rule, contract, probe};
use tower_sessions::{MemoryStore, SessionManagerLayer};

use crate::{
    Break, Case,
    bench::{from_axum, seen, seen_without_errors, with_axum_bodies, without_errors},
    by_hand,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A backend without users.
#[derive(Clone)]
struct Empty;

#[derive(Clone, Debug)]
struct User;

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        1
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash"
    }
}

impl AuthnBackend for Empty {
    type User = User;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<User>, Infallible> {
        Ok(None)
    }

    async fn get_user(&self, _: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(None)
    }
}

pub(crate) fn all() -> Vec<Case> {
    vec![
        Case {
            name: "middleware::option_layer",
            package: "axum-extra",
            check: || {
                let layer = axum_extra::middleware::option_layer(Some(
                    tower_http::timeout::TimeoutLayer::with_status_code(
                        http::StatusCode::REQUEST_TIMEOUT,
                        MINUTE,
                    ),
                ));
                seen(&contract::check(|inner| {
                    from_axum(layer.layer(with_axum_bodies(inner)))
                }))
            },
            breaks: &[],
        },
        Case {
            name: "AutoVaryLayer",
            package: "axum-htmx",
            check: || {
                let layer = axum_htmx::AutoVaryLayer;
                seen(&contract::check(|inner| {
                    from_axum(layer.layer(with_axum_bodies(inner)))
                }))
            },
            breaks: &[],
        },
        Case {
            name: "AuthManagerLayer",
            package: "axum-login",
            check: || {
                let sessions = SessionManagerLayer::new(MemoryStore::default());
                let layer = AuthManagerLayerBuilder::new(Empty, sessions).build();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "MetricLayer",
            package: "axum-metrics",
            check: || {
                seen(&contract::check(|inner| {
                    axum_metrics::MetricLayer::default().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "BaseMetricLayer",
            package: "axum-prometheus",
            check: || {
                let layer = axum_prometheus::BaseMetricLayer::with_response_body_size();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "RetryLayer",
            package: "axum-reverse-proxy",
            check: || {
                let layer = axum_reverse_proxy::RetryLayer::with_delay(2, Duration::from_millis(1));
                let check = contract::check(|inner| from_axum(layer.layer(without_errors(inner))));
                seen_without_errors(&check)
            },
            breaks: &[Break {
                rule: Rule::RequestBody,
                by_hand: by_hand::retry_drops_trailers,
                ruling: "a limit that its source names: it keeps the data of a body for a second attempt, not the trailers",
            }],
        },
        Case {
            name: "HttpCacheLayer",
            package: "http-cache-tower",
            check: || {
                seen(&contract::check(|inner| {
                    http_cache_tower::HttpCacheLayer::new(http_cache::MokaManager::default())
                        .layer(inner)
                }))
            },
            breaks: &[
                Break {
                    rule: Rule::ResponseHead,
                    by_hand: by_hand::http_cache_needs_a_whole_url,
                    ruling: "on purpose: a cache for clients, whose requests have whole URLs",
                },
                Break {
                    rule: Rule::BodyError,
                    by_hand: by_hand::http_cache_loses_the_error_of_a_body,
                    ruling: "the error becomes a text; a caller cannot tell which one it was",
                },
            ],
        },
        Case {
            name: "SecurityHeadersLayer",
            package: "http-security-headers",
            check: || {
                let headers = http_security_headers::Preset::Strict.build();
                let layer = http_security_headers::SecurityHeadersLayer::new(headers);
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "SentryHttpLayer",
            package: "sentry-tower",
            check: || {
                let layer = sentry_tower::SentryHttpLayer::new().enable_transaction();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "NewSentryLayer",
            package: "sentry-tower",
            check: || {
                let layer = sentry_tower::NewSentryLayer::<Request<probe::Body>>::new_from_top();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "CookieManagerLayer",
            package: "tower-cookies",
            check: || {
                seen(&contract::check(|inner| {
                    tower_cookies::CookieManagerLayer::new().layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "DefaultHeadersLayer",
            package: "tower-default-headers",
            check: || {
                let mut headers = HeaderMap::new();
                headers.insert("x-added", HeaderValue::from_static("1"));
                let layer = tower_default_headers::DefaultHeadersLayer::new(headers);
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "HelmetLayer",
            package: "tower-helmet",
            check: || {
                let layer = tower_helmet::HelmetLayer::with_defaults();
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "CacheLayer",
            package: "tower-http-cache",
            check: || {
                seen(&contract::check(|inner| {
                    let backend = tower_http_cache::prelude::InMemoryBackend::new(100);
                    tower_http_cache::CacheLayer::builder(backend)
                        .ttl(MINUTE)
                        .build()
                        .layer(inner)
                }))
            },
            breaks: &[],
        },
        Case {
            name: "LiveReloadLayer",
            package: "tower-livereload",
            check: || {
                seen(&contract::check(|inner| {
                    tower_livereload::LiveReloadLayer::new().layer(inner)
                }))
            },
            breaks: &[
                Break {
                    rule: Rule::FrameAfterTrailers,
                    by_hand: by_hand::live_reload_after_trailers,
                    ruling: "RFC 9110, section 6.5: trailers come after all content; only pages with trailers are concerned",
                },
                Break {
                    rule: Rule::BodyNotAllowed,
                    by_hand: by_hand::live_reload_of_head,
                    ruling: "RFC 9110, section 9.3.2: no content; hyper drops it on the wire",
                },
                Break {
                    rule: Rule::ContentRangeWrong,
                    by_hand: by_hand::live_reload_of_a_range,
                    ruling: "a client that joins ranges gets a broken page; the layer is for development",
                },
                Break {
                    rule: Rule::ServiceError,
                    by_hand: by_hand::live_reload_loses_the_error,
                    ruling: "the error is in an `Either` that can be matched, and not among its sources",
                },
                Break {
                    rule: Rule::ReadyError,
                    by_hand: by_hand::live_reload_loses_the_error_of_poll_ready,
                    ruling: "the error is in an `Either` that can be matched, and not among its sources",
                },
                Break {
                    rule: Rule::BodyError,
                    by_hand: by_hand::live_reload_loses_the_error_of_a_body,
                    ruling: "the error is in an `Either` that can be matched, and not among its sources",
                },
                Break {
                    rule: Rule::EntityTag,
                    by_hand: by_hand::live_reload_keeps_the_tag,
                    ruling: "RFC 9110, section 8.8.1: a strong tag changes with the content",
                },
            ],
        },
        Case {
            name: "HTTPMetricsLayer",
            package: "tower-otel-http-metrics",
            check: || {
                let layer = tower_otel_http_metrics::HTTPMetricsLayerBuilder::builder()
                    .with_meter(opentelemetry::global::meter("check"))
                    .build()
                    .expect("it has a meter");
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "SessionManagerLayer",
            package: "tower-sessions",
            check: || {
                let layer = SessionManagerLayer::new(MemoryStore::default());
                seen(&contract::check(|inner| layer.layer(inner)))
            },
            breaks: &[],
        },
        Case {
            name: "GovernorLayer",
            package: "tower_governor",
            check: || {
                let config = GovernorConfigBuilder::default()
                    .per_nanosecond(1)
                    .burst_size(1_000_000)
                    .key_extractor(GlobalKeyExtractor)
                    .finish()
                    .expect("it has a rate");
                let layer = GovernorLayer::new(config);
                seen(&contract::check(|inner| {
                    from_axum(layer.layer(with_axum_bodies(inner)))
                }))
            },
            breaks: &[],
        },
    ]
}
