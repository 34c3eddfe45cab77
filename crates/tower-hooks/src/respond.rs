use std::ops::ControlFlow;

use axum_core::response::IntoResponse;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};

/// Returns the response as that of a hook, for a [`before`](crate::Hook::before).
///
/// It takes all that a handler of axum may return, a [`Rejection`](tower_kit::Rejection) too. The
/// body is collected, because that of a hook is all in memory. If this fails, the response is a 500
/// without content.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use axum::{Json, http::{StatusCode, request}};
/// use tower_hooks::{HooksLayer, respond};
///
/// let layer = HooksLayer::new().before(async |request: &mut request::Parts| {
///     match request.headers.contains_key("x-key") {
///         true => ControlFlow::Continue(()),
///         false => respond((StatusCode::UNAUTHORIZED, Json("a key is missing"))).await,
///     }
/// });
/// # drop(layer);
/// ```
pub async fn respond(response: impl IntoResponse) -> ControlFlow<Response<Full<Bytes>>> {
    let (head, body) = response.into_response().into_parts();
    ControlFlow::Break(match body.collect().await {
        Ok(body) => Response::from_parts(head, Full::new(body.to_bytes())),
        Err(_) => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    })
}
