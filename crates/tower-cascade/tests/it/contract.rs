//! The contract of tower and http-body.

use http::{Response, StatusCode};
use tower::Layer;
use tower_cascade::{Cascade, CascadeLayer};
use tower_lint::{contract, probe};

/// Reads so many frames, and has no answer.
fn no_answer(frames: usize) -> probe::App {
    probe::App::new(|_| {
        let mut response = Response::new(probe::Body::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    })
    .reads(frames)
}

#[test]
fn the_first_app_sees_the_contract_kept() {
    contract::check(|inner| CascadeLayer::new(inner).layer(no_answer(0))).assert_kept();
}

#[test]
fn the_last_app_sees_the_contract_kept_whatever_the_first_has_read() {
    for frames in [0, 1, 2, usize::MAX] {
        contract::check(|inner| CascadeLayer::new(no_answer(frames)).layer(inner)).assert_kept();
    }
}

#[test]
fn behind_a_guard_the_contract_is_kept() {
    contract::check(|inner| CascadeLayer::new(no_answer(0)).only(|_| false).layer(inner))
        .assert_kept();
}

#[test]
fn every_service_of_a_stack_sees_the_contract_kept() {
    contract::check(|inner| {
        let list = CascadeLayer::list([no_answer(0), no_answer(0)]);
        CascadeLayer::new(no_answer(1)).layer(CascadeLayer::new(inner).layer(list.service()))
    })
    .assert_kept();
    contract::check(|inner| CascadeLayer::list([no_answer(usize::MAX), no_answer(2)]).layer(inner))
        .assert_kept();
    contract::check(|inner| {
        let stack = CascadeLayer::new(no_answer(usize::MAX));
        stack.layer(CascadeLayer::new(no_answer(2)).layer(inner))
    })
    .assert_kept();
}

#[test]
fn a_list_keeps_the_contract() {
    contract::check(|inner| Cascade::new([inner.clone(), inner])).assert_kept();
}
