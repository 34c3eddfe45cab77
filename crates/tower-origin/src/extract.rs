//! `Origin` as an extractor for axum.

use std::fmt;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::Origin;

/// There is no [`Origin`], since no [`OriginLayer`](crate::OriginLayer) is further out. The client gets a plain 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrigin;

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has no Origin: put an OriginLayer around the router")
    }
}

impl std::error::Error for NoOrigin {}

/// A plain 500, with the reason in its extensions.
impl IntoResponse for NoOrigin {
    fn into_response(self) -> Response {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut response = (status, "Internal Server Error\n").into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A handler takes an `Origin`, or an `Option<Origin>` if there may be no layer. In tests,
/// `MockConnectInfo` goes around the layer, so it is added after it.
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::{Router, body::Body, extract::connect_info::MockConnectInfo, routing::get};
/// use http::{Request, request::Parts};
/// use http_body_util::BodyExt;
/// use tower::ServiceExt;
/// use tower_origin::{Origin, OriginLayer};
///
/// async fn handler(origin: Origin, parts: Parts) -> String {
///     format!("{:?} {:?}", origin.client(), origin.url(&parts))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let origin = OriginLayer::new().trusted(["10.0.0.0/8"])?.hosts(["example.org"])?;
/// let proxy: SocketAddr = "10.0.0.1:4000".parse()?;
/// let app: Router = Router::new()
///     .route("/", get(handler))
///     .layer(origin)
///     .layer(MockConnectInfo(proxy));
///
/// let request = Request::get("/")
///     .header("host", "example.org")
///     .header("x-forwarded-for", "192.0.2.1")
///     .header("x-forwarded-proto", "https");
/// let response = app.oneshot(request.body(Body::empty())?).await?;
/// let text = response.into_body().collect().await?.to_bytes();
/// assert_eq!(text, r#"Some(192.0.2.1) Some("https://example.org/")"#);
/// # Ok(())
/// # }
/// ```
impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = NoOrigin;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoOrigin> {
        parts.extensions.get().cloned().ok_or(NoOrigin)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
