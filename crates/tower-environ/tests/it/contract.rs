//! The contract of tower and http-body.

use tower::Layer;
use tower_environ::{EnvironLayer, Key};
use tower_lint::contract;

const KEY: Key<u32> = Key::new("test.contract");

#[test]
fn the_layer_keeps_the_contract() {
    contract::check(|inner| EnvironLayer::new(KEY, 1).layer(inner)).assert_kept();
}
