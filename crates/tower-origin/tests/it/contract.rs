//! The contract of tower and http-body.

use tower::Layer;
use tower_lint::contract;
use tower_origin::OriginLayer;

#[test]
fn origin_15_the_layer_keeps_the_contract() {
    let layer = OriginLayer::new().trusted(["10.0.0.0/8"]).unwrap();
    contract::check(|inner| layer.layer(inner)).assert_kept();
}

#[test]
fn the_layer_and_its_service_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = OriginLayer::new();
    check(&layer);
    check(&layer.layer(()));
}
