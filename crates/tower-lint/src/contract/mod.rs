//! The contract of a layer as one call: [`check`].

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

/// The inner service that [`check`] puts into a layer. It follows a script, and a lint checks it.
pub type Inner = Lint<probe::App>;

/// Checks a layer in all [scenarios](crate::rules), and returns a report of the rules that it
/// keeps.
///
/// The layer is around services that respond, wait, fail and stop, and is cancelled at every point.
///
/// First it gets requests and responses that it should not change. Then a client speaks like a
/// browser and the inner service like a site. So layers act that depend on a type, an encoding, an
/// origin, a range or a validator. There they may change everything, as long as the result does not
/// contradict itself.
///
/// The check runs on this thread, which it blocks, and without a runtime. Some layers need a
/// runtime, for a timer or a task. Check them in the context of a runtime with other threads:
/// `Runtime::enter` of tokio's multi-threaded runtime, not `#[tokio::test]`. A layer with a task of
/// its own has a tenth of a second to end it. A layer that delays a request by a second itself is
/// reported as stalled.
///
/// The bounds are part of the contract, because axum and hyper need them. The layer's service is
/// `Clone`, `Send`, `Sync` and `'static`, and its future is `Send`.
///
/// The inner service's error is a [`probe::Error`]. For a layer that accepts only infallible
/// services, map the error to a response, and name the rules that this breaks with
/// [`Report::departs`].
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
///
/// A frequent mistake is to call a clone that was never ready:
///
/// ```
/// use std::task::{Context, Poll};
/// use http::{Request, Response};
/// use tower::Service;
/// use tower_lint::{Rule, contract, probe};
///
/// #[derive(Clone)]
/// struct Forgetful<S>(S);
///
/// impl<S: Service<Request<probe::Body>> + Clone> Service<Request<probe::Body>> for Forgetful<S> {
///     type Response = S::Response;
///     type Error = S::Error;
///     type Future = S::Future;
///
///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
///         self.0.poll_ready(cx)
///     }
///
///     fn call(&mut self, request: Request<probe::Body>) -> S::Future {
///         self.0.clone().call(request)
///     }
/// }
///
/// let report = contract::check(Forgetful);
/// assert_eq!(report.broken().collect::<Vec<_>>(), [Rule::CallWithoutReady]);
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
