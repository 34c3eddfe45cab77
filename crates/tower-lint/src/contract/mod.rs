//! The whole contract of a layer as one call: [`check`].

mod bench;
mod exchange;
mod pages;
mod report;
mod scenarios;
mod waits;

pub use report::Report;

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::{Lint, probe};

/// The service that [`check`] puts inside of a layer: one that follows a script, and is watched.
pub type Inner = Lint<probe::App>;

/// Puts the layer around services that work, wait, fail and break off, and says which rules it kept.
///
/// First it sends requests and responses that the layer leaves alone. Then it speaks like a browser
/// to a site. So layers act that go by type, encoding, origin, range or validator. There they may
/// change everything, as long as the result does not contradict itself. The README lists the
/// scenarios.
///
/// It runs on this thread, which it blocks, without a runtime. A layer that needs one, for a timer or a task of its
/// own, is checked inside of its context, and it must have other threads (`Runtime::enter` of tokio's multi-threaded
/// one; not `#[tokio::test]`). A layer that keeps a request waiting for a second by itself is called stalled.
///
/// That a layer's service is `Clone`, `Send`, `Sync` and `'static`, and its future `Send`, is part of the contract:
/// axum and hyper ask for it. What the service inside gives is an error of type [`probe::Error`]; for a layer that takes only
/// infallible services, map it away and say from which rules that departs.
///
/// # Examples
///
/// ```
/// use tower::util::MapResponseLayer;
/// use tower_layer::Layer;
/// use tower_lint::contract;
///
/// let layer = MapResponseLayer::new(|response: http::Response<_>| response);
/// contract::check(|inner| layer.layer(inner)).assert_kept();
/// ```
pub fn check<S, B>(layer: impl Fn(Inner) -> S) -> Report
where
    S: Service<
            Request<probe::Body>,
            Response = Response<B>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    scenarios::run(layer)
}
