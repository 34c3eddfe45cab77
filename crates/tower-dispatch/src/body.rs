use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::BoxError;

pin_project! {
    /// The body of a response that went through a dispatcher: that of the endpoint, that of the wrapped
    /// service, or the dispatcher's own.
    pub struct ResponseBody<E, S = Full<Bytes>> {
        #[pin]
        kind: Kind<E, S>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<E, S> {
        Endpoint { #[pin] body: E },
        Inner { #[pin] body: S },
        Own { #[pin] body: Full<Bytes> },
    }
}

impl<E, S> ResponseBody<E, S> {
    pub(crate) fn endpoint(body: E) -> Self {
        Self {
            kind: Kind::Endpoint { body },
        }
    }

    pub(crate) fn inner(body: S) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(crate) fn own(body: Bytes) -> Self {
        Self {
            kind: Kind::Own { body: body.into() },
        }
    }
}

/// Nothing: what tower-http asks of a body that it may put its own answer in the place of (CORS, timeouts).
impl<E, S> Default for ResponseBody<E, S> {
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl<E, S> Body for ResponseBody<E, S>
where
    E: Body<Data = Bytes, Error: Into<BoxError>>,
    S: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Endpoint { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Inner { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Own { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Endpoint { body } => body.is_end_stream(),
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Endpoint { body } => body.size_hint(),
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<E, S> fmt::Debug for ResponseBody<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Endpoint { .. } => "endpoint",
            Kind::Inner { .. } => "inner",
            Kind::Own { .. } => "own",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
