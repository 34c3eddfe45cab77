//! The contract of tower and http-body.

use http::{Response, StatusCode};
use tower::Layer;
use tower_cascade::{Cascade, CascadeLayer};
use tower_lint::{contract, probe};

/// Reads n frames, and responds with 404.
fn not_found(frames: usize) -> probe::App {
    probe::App::new(|_| {
        let mut response = Response::new(probe::Body::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    })
    .reads(frames)
}

#[test]
fn the_first_service_sees_the_contract_kept() {
    contract::check(|inner| CascadeLayer::new(inner).layer(not_found(0))).assert_kept();
}

#[test]
fn the_last_service_sees_the_contract_kept() {
    for frames in [0, 1, 2, usize::MAX] {
        contract::check(|inner| CascadeLayer::new(not_found(frames)).layer(inner)).assert_kept();
    }
}

#[test]
fn the_contract_is_kept_behind_a_condition() {
    contract::check(|inner| CascadeLayer::new(not_found(0)).only(|_| false).layer(inner))
        .assert_kept();
}

#[test]
fn every_service_of_a_stack_sees_the_contract_kept() {
    contract::check(|inner| {
        let list = CascadeLayer::list([not_found(0), not_found(0)]);
        CascadeLayer::new(not_found(1)).layer(CascadeLayer::new(inner).layer(list.service()))
    })
    .assert_kept();
    contract::check(|inner| CascadeLayer::list([not_found(usize::MAX), not_found(2)]).layer(inner))
        .assert_kept();
    contract::check(|inner| {
        let stack = CascadeLayer::new(not_found(usize::MAX));
        stack.layer(CascadeLayer::new(not_found(2)).layer(inner))
    })
    .assert_kept();
}

#[test]
fn a_list_keeps_the_contract() {
    contract::check(|inner| Cascade::new([inner.clone(), inner])).assert_kept();
}
