//! What an app can say of its own answer, and what the cascade says of all of them.

use http::StatusCode;

/// In an answer's extensions: this is no answer, whatever its status, 5xx to a POST and 403 included. The next app is asked, if
/// there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass;

/// In an answer's extensions: this is the answer, whatever its status. It goes before [`Pass`].
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

/// In the final answer's extensions, if [`trace`](crate::CascadeLayer::trace) asks for it: what became of each app, in
/// their order. Apps after the one that has answered are not in it; where that one is a cascade with a trace itself, its apps are in
/// its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CascadeTrace {
    pub(crate) tried: Vec<Tried>,
}

/// What became of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tried {
    /// Its guard has turned the request away, or it is a [`Lookup`](crate::Lookup) that has no answer.
    Skipped,
    /// It answered with this status.
    Answered(StatusCode),
    /// Its error counted as none.
    Failed,
}

impl CascadeTrace {
    /// One for each app that had its turn.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }
}
