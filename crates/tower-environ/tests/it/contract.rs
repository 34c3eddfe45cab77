//! The contract of tower and http-body.

use http::Request;
use tower::Layer;
use tower_environ::{EnvironLayer, Key, MountLayer};
use tower_lint::contract;

const KEY: Key<u32> = Key::new("test.contract");

#[test]
fn environ_16_the_layer_keeps_the_contract() {
    contract::check(|inner| EnvironLayer::new(KEY, 1).layer(inner)).assert_kept();
}

#[test]
fn environ_16_the_layer_with_a_function_keeps_the_contract() {
    let layer = EnvironLayer::from_fn(KEY, |parts| Some(parts.headers.len() as u32));
    contract::check(|inner| layer.layer(inner)).assert_kept();
}

#[test]
fn environ_16_the_mount_keeps_the_contract() {
    let mount = MountLayer::new("/").unwrap();
    contract::check(|inner| mount.layer(inner)).assert_kept();
}

#[test]
fn the_layers_and_their_services_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let inner = tower::service_fn(|_: Request<()>| std::future::ready(Ok::<_, ()>(())));
    let layer = EnvironLayer::new(KEY, 1);
    check(&layer);
    check(&layer.layer(inner));
    let mount = MountLayer::new("/").unwrap();
    check(&mount);
    check(&mount.layer(inner));
}
