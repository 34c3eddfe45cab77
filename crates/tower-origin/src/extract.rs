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
