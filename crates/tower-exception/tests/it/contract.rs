//! The contract of tower and http-body.

use tower::Layer;
use tower_exception::{ExceptionLayer, SnapshotLayer};
use tower_lint::{Rule, contract};

#[test]
fn exception_3_the_contract_is_kept_except_for_errors() {
    let words = "The service's error becomes `Infallible`";
    contract::check(|inner| ExceptionLayer::production(|_| {}).layer(inner))
        .departs(Rule::ServiceError, words)
        .departs(Rule::ReadyError, words)
        .assert_kept();
}

#[test]
fn the_snapshot_layer_keeps_the_contract() {
    contract::check(|inner| SnapshotLayer::new().show::<u32>("number").layer(inner)).assert_kept();
}
