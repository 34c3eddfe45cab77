//! The contract of tower and http-body. All other tests watch the files with `LintLayer`.

use std::convert::Infallible;

use tokio::runtime::Runtime;
use tower::{Layer, Service, util::MapErr};
use tower_cascade::CascadeLayer;
use tower_lint::{contract, probe::Error};
use tower_static::{Files, FilesError, ResponseBody, ResponseFuture};

use super::{Body, Directory, Request};

/// Nothing is there, so each request falls through to the service of the contract.
#[test]
fn the_first_service_of_a_cascade_keeps_the_contract() {
    let runtime = Runtime::new().unwrap();
    let _guard = runtime.enter();
    let directory = Directory::new("contract", &[]);
    let files = MapErr::new(directory.files(), |never: Infallible| -> Error {
        match never {}
    });
    let cascade = CascadeLayer::new(files);
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
    let files = Files::new("/");
    check(&files);
    check_future(&files);
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<FilesError>();
}
