//! The contract of tower and http-body.

use http_body_util::Empty;
use tokio::runtime;
use tower::Service;
use tower_lint::contract;
use tower_process::{ProcessError, ResponseFuture};

use super::{program::program, *};

#[test]
fn process_12_the_service_keeps_the_contract() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let running = runtime.block_on(async {
        let running = program().start().unwrap();
        running.ready().await.unwrap();
        running
    });
    contract::check(|inner| running.service(inner)).assert_kept();
    runtime.block_on(running.stop());
}

#[test]
fn process_12_the_service_is_clone_send_sync_and_static() {
    type Body = Empty<Bytes>;
    fn service<T>()
    where
        T: Service<Request<Body>, Future = ResponseFuture<Upstream, Body>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
    }
    fn shared<T: Send + Sync + 'static>() {}
    fn send<T: Send + 'static>() {}
    service::<Python>();
    shared::<Running>();
    shared::<Process>();
    send::<ResponseFuture<Upstream, Body>>();
    send::<ResponseBody<tower_upstream::ResponseBody>>();
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<ProcessError>();
    error::<tower_process::BuildError>();
}
