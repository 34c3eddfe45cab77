//! Extensions by which a service decides about its own response, and the trace of a cascade.

use http::StatusCode;

/// An extension of a response that falls through to the next service, whatever its status.
///
/// That includes 403, and a 5xx to a POST. The last service's response is returned nevertheless.
///
/// ```
/// use axum::{Extension, Router, body::Body, extract::Request, routing::get};
/// use tower::{Layer, ServiceExt};
/// use tower_cascade::{CascadeLayer, Pass};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let first: Router = Router::new().route("/", get(async || (Extension(Pass), "not yours")));
/// let last: Router = Router::new().route("/", get(async || "a page"));
/// let app = CascadeLayer::new(first).layer(last);
/// let response = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(axum::body::to_bytes(Body::new(response.into_body()), 99).await?, "a page");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass;

/// An extension of a response that is returned, whatever its status. It is stronger than [`Pass`].
///
/// ```
/// use axum::{Extension, Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tower::{Layer, ServiceExt};
/// use tower_cascade::{CascadeLayer, Final};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api: Router = Router::new()
///     .route("/orders/8", get(async || (StatusCode::NOT_FOUND, Extension(Final), "no order")))
///     .route("/orders/9", get(async || (StatusCode::NOT_FOUND, "no such order")));
/// let app = CascadeLayer::new(api).layer(Router::new().fallback(async || "a page"));
/// for (path, status) in [("/orders/8", StatusCode::NOT_FOUND), ("/orders/9", StatusCode::OK)] {
///     let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
///     assert_eq!(response.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Final;

/// An extension of the final response, with the outcome of each service, in their order.
///
/// [`trace`](crate::CascadeLayer::trace) switches it on. Services after the one that responded are
/// not in it. A service that is itself a cascade with a trace is replaced by the services of that
/// cascade.
///
/// ```
/// use axum::{Router, body::Body, extract::Request, http::StatusCode, routing::get};
/// use tower::{Layer, ServiceExt};
/// use tower_cascade::{CascadeLayer, CascadeTrace, Tried};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let last: Router = Router::new().route("/", get(async || "a page"));
/// let app = CascadeLayer::new(Router::new()).trace().layer(last);
/// let response = app.oneshot(Request::new(Body::empty())).await?;
/// let trace = response.extensions().get::<CascadeTrace>().expect("it was switched on");
/// let statuses = [StatusCode::NOT_FOUND, StatusCode::OK];
/// assert_eq!(trace.tried(), statuses.map(Tried::Answered));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CascadeTrace {
    pub(crate) tried: Vec<Tried>,
}

/// A part of a [`CascadeTrace`]: the outcome of one service.
///
/// ```
/// use http::StatusCode;
/// use tower_cascade::{CascadeTrace, Tried};
///
/// /// Returns how many services have responded with 404.
/// fn misses(trace: &CascadeTrace) -> usize {
///     let miss = Tried::Answered(StatusCode::NOT_FOUND);
///     trace.tried().iter().filter(|tried| **tried == miss).count()
/// }
/// # assert_eq!(misses(&CascadeTrace::default()), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tried {
    /// The service was skipped, since a condition of [`only`](crate::CascadeLayer::only) was not
    /// met.
    Skipped,
    /// The service responded with this status.
    Answered(StatusCode),
    /// The service failed with an error of [`on_error`](crate::CascadeLayer::on_error).
    Failed,
}

impl CascadeTrace {
    /// Returns the outcome of each service that had its turn.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }
}
