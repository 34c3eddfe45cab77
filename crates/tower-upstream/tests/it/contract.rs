//! The contract of tower and http-body. All other tests watch the upstream with `LintLayer`.

use std::convert::Infallible;

use http::{Request, StatusCode};
use tower::{Layer, Service, util::MapErr};
use tower_cascade::CascadeLayer;
use tower_lint::{contract, probe::Error};
use tower_upstream::{ResponseBody, ResponseFuture, Upstream, UpstreamError};

use super::{Body, at};

/// It rejects every request, so each one falls through to the service of the contract.
#[test]
fn the_first_service_of_a_cascade_keeps_the_contract() {
    let upstream = at("http://127.0.0.1:9").allowed_methods([]);
    let upstream = MapErr::new(upstream, |never: Infallible| -> Error { match never {} });
    let cascade = CascadeLayer::new(upstream)
        .only(|head| head.method != http::Method::CONNECT)
        .statuses([StatusCode::METHOD_NOT_ALLOWED])
        .unwrap();
    contract::check(|inner| cascade.layer(inner)).assert_kept();
}

#[test]
fn the_service_is_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn check_future<S>(_: &S)
    where
        S: Service<Request<Body>, Future = ResponseFuture>,
    {
        fn send<T: Send + 'static>() {}
        send::<S::Future>();
        send::<ResponseBody>();
    }
    let upstream: Upstream = at("http://127.0.0.1:9");
    check(&upstream);
    check_future(&upstream);
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<UpstreamError>();
}
