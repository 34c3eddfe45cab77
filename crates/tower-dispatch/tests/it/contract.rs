//! The contract of tower and http-body.

use http::Response;
use tower::Layer;
use tower_dispatch::{Boxed, Dispatch, DispatchLayer, Endpoint, IntoEndpoint};
use tower_lint::{contract, probe};

/// The probe's requests are for /a%2Fb, and for / without a body.
fn urls<S>(template: &str, endpoint: S) -> Dispatch<Endpoint<probe::Body, probe::Error>>
where
    S: IntoEndpoint<Endpoint<probe::Body, probe::Error>, Boxed> + Clone,
{
    Dispatch::builder()
        .route(template, endpoint.clone())
        .route("/", endpoint)
        .build()
        .unwrap()
}

#[test]
fn a_dispatcher_keeps_the_contract_of_its_endpoint() {
    contract::check(|inner| urls("/{x}", inner)).assert_kept();
}

#[test]
fn typed_endpoints_and_layers_around_them_keep_the_contract() {
    contract::check(|inner| {
        Dispatch::typed()
            .route("/{x}", inner.clone())
            .route("/", inner)
            .build()
            .unwrap()
    })
    .assert_kept();
    contract::check(|inner| {
        Dispatch::builder()
            .route("/{x}", inner.clone())
            .route("/", inner)
            .layer(tower::layer::util::Identity::new())
            .build()
            .unwrap()
    })
    .assert_kept();
}

#[test]
fn the_layer_keeps_the_contract_of_its_endpoint() {
    contract::check(|inner| {
        // It gets CONNECT, which has no path.
        let other = probe::App::new(|_| Response::default());
        DispatchLayer::new(urls("/{x}", inner)).layer(other)
    })
    .assert_kept();
}

#[test]
fn the_layer_keeps_the_contract_of_the_wrapped_service() {
    let other = probe::App::new(|_| unreachable!());
    let urls = Dispatch::builder().route("/other", other).build().unwrap();
    contract::check(|inner| DispatchLayer::new(urls.clone()).layer(inner)).assert_kept();
}
