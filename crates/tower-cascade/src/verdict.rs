//! What a service can say of its own response, and what the cascade records of all of them.

use http::StatusCode;

/// An extension of a response that falls through to the next service, whatever its status.
///
/// That includes 403, and a 5xx to a POST. The last service's response is returned all the same.
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
///     .route("/orders/8", get(async || (StatusCode::NOT_FOUND, Extension(Final), "no such order")))
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

/// An extension of the final response, with what became of each service, in their order.
///
/// [`trace`](crate::CascadeLayer::trace) switches it on. Services after the one that responded are
/// not in it. Instead of a service that is a cascade with a trace itself, there are the
/// services of that cascade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CascadeTrace {
    pub(crate) tried: Vec<Tried>,
}

/// A part of a [`CascadeTrace`]: what became of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tried {
    /// A condition of [`only`](crate::CascadeLayer::only) was not met.
    Skipped,
    /// It responded with this status.
    Answered(StatusCode),
    /// It failed with an error of [`on_error`](crate::CascadeLayer::on_error).
    Failed,
}

impl CascadeTrace {
    /// Returns what became of each service that had its turn.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }
}
