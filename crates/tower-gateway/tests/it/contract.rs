//! The contract of tower and http-body.

use std::convert::Infallible;

use http::Request;
use tower::{Layer, Service, util::MapErr};
use tower_cascade::CascadeLayer;
use tower_gateway::{
    FastCgi, GatewayError, ResponseBody, ResponseFuture, Scgi, Scripts, no_script,
};
use tower_lint::{contract, probe::Error};

use super::Body;

/// It rejects every request, so each one falls through to the service of the contract.
#[test]
fn the_first_service_of_a_cascade_keeps_the_contract() {
    let nowhere = Scripts::php("/nowhere");
    let gateway = FastCgi::connect("127.0.0.1:9").unwrap().scripts(nowhere);
    let gateway = MapErr::new(gateway, |never: Infallible| -> Error { match never {} });
    let cascade = CascadeLayer::new(gateway)
        .only(|head| head.method != http::Method::CONNECT)
        .statuses([])
        .unwrap()
        .fall_through_if(no_script);
    contract::check(|inner| cascade.layer(inner)).assert_kept();
}

#[test]
fn the_service_is_clone_send_sync_and_static() {
    fn check<T>(_: &T)
    where
        T: Service<Request<Body>, Future = ResponseFuture> + Clone + Send + Sync + 'static,
    {
    }
    fn send<T: Send + 'static>() {}
    check(&FastCgi::connect("127.0.0.1:9").unwrap());
    check(&Scgi::connect("127.0.0.1:9").unwrap());
    #[cfg(unix)]
    check(&tower_gateway::Cgi::new("/bin/true"));
    send::<ResponseFuture>();
    send::<ResponseBody>();
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<GatewayError>();
}
