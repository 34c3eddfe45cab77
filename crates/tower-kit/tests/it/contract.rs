//! The contract of tower and http-body.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_kit::{EitherBody, EitherFuture, Rejection, RenderLayer};
use tower_lint::contract;

fn text(rejection: &Rejection) -> Option<Response<Full<Bytes>>> {
    Some(Response::new(Full::from(rejection.to_string())))
}

#[test]
fn the_layer_keeps_the_contract() {
    contract::check(|inner| RenderLayer::new(text).layer(inner)).assert_kept();
}

/// The smallest layer that may respond itself.
#[derive(Clone)]
struct Passing<S>(S);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Passing<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<EitherBody<ResBody>>;
    type Error = S::Error;
    type Future = EitherFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        EitherFuture::inner(self.0.call(request))
    }
}

#[test]
fn the_future_and_the_body_keep_the_contract() {
    contract::check(Passing).assert_kept();
}

#[test]
fn the_layer_and_its_service_are_clone_send_sync_and_static() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = RenderLayer::new(text);
    check(&layer);
    let service = |_: Request<()>| std::future::ready(Ok::<_, Infallible>(Response::new(())));
    check(&layer.layer(tower::service_fn(service)));
}

#[test]
fn a_rejection_and_the_body_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Rejection>();
    check::<EitherBody<Full<Bytes>>>();
}
