//! `Origin` as an extractor for axum.

use std::{convert::Infallible, fmt};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{StatusCode, request::Parts};
use tower_kit::Rejection;

use crate::Origin;

/// The reason of the extractor's [`Rejection`], a 500: the request has no [`Origin`], because no
/// [`OriginLayer`](crate::OriginLayer) is around the router.
///
/// # Examples
///
/// ```
/// use http::Response;
/// use tower_kit::Rejection;
/// use tower_origin::NoOrigin;
///
/// fn has_no_layer<B>(response: &Response<B>) -> bool {
///     Rejection::of(response).is_some_and(|it| it.reason::<NoOrigin>().is_some())
/// }
/// # assert!(!has_no_layer(&Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrigin;

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has no Origin: put an OriginLayer around the router")
    }
}

impl std::error::Error for NoOrigin {}

/// Extracts the origin. An `Option<Origin>` is `None` if there is no layer.
///
/// In tests, `MockConnectInfo` is outside of the layer, so it is added after it.
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
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get().cloned().ok_or_else(|| {
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, NoOrigin).with_preferences(&*parts)
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
