//! The response body of a boxed endpoint.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};

use crate::BoxError;

/// The response body of an [`Endpoint`](crate::Endpoint): a `Full` or a body of axum unchanged, any
/// other in a box.
///
/// It has a [`Default`], an empty body. So layers such as tower-http's `CorsLayer` and
/// `TimeoutLayer` fit around an endpoint.
#[derive(Default)]
pub struct EndpointBody {
    kind: Kind,
}

enum Kind {
    Full(Full<Bytes>),
    /// It is in a box already, which another box would only make slower
    /// (`dispatch/github-app/axum-router`).
    #[cfg(feature = "axum")]
    Axum(axum::body::Body),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Full(Full::default())
    }
}

impl EndpointBody {
    /// Makes the body of an endpoint of any other.
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut body = Some(body);
        let any = &mut body as &mut dyn Any;
        if let Some(full) = any.downcast_mut::<Option<Full<Bytes>>>() {
            return Self::full(full.take().unwrap_or_default());
        }
        // The body of an endpoint within layers is not boxed again.
        if let Some(own) = any.downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        #[cfg(feature = "axum")]
        if let Some(body) = any.downcast_mut::<Option<axum::body::Body>>() {
            return Self::axum(body.take().unwrap_or_default());
        }
        match body {
            Some(body) => Self {
                kind: Kind::Boxed(body.map_err(Into::into).boxed_unsync()),
            },
            None => Self::default(),
        }
    }

    pub(crate) fn full(body: Full<Bytes>) -> Self {
        Self {
            kind: Kind::Full(body),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn axum(body: axum::body::Body) -> Self {
        Self {
            kind: Kind::Axum(body),
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn into_axum(self) -> axum::body::Body {
        match self.kind {
            Kind::Full(body) => axum::body::Body::new(body),
            Kind::Axum(body) => body,
            Kind::Boxed(body) => axum::body::Body::new(body),
        }
    }
}

impl Body for EndpointBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.kind {
            Kind::Full(body) => (Pin::new(body).poll_frame(cx)).map_err(|never| match never {}),
            #[cfg(feature = "axum")]
            Kind::Axum(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(body) => body.is_end_stream(),
            #[cfg(feature = "axum")]
            Kind::Axum(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(body) => body.size_hint(),
            #[cfg(feature = "axum")]
            Kind::Axum(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for EndpointBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointBody").finish_non_exhaustive()
    }
}
