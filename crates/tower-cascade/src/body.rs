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
    /// The body of a response that went through a [`Cascade`](crate::Cascade): that of the app that
    /// answered, or the cascade's own.
    pub struct ResponseBody<A, S> {
        #[pin]
        kind: Kind<A, S>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<A, S> {
        First { #[pin] body: A },
        Last { #[pin] body: S },
        Own { #[pin] body: Full<Bytes> },
    }
}

impl<A, S> ResponseBody<A, S> {
    pub(crate) fn first(body: A) -> Self {
        Self {
            kind: Kind::First { body },
        }
    }

    pub(crate) fn last(body: S) -> Self {
        Self {
            kind: Kind::Last { body },
        }
    }

    pub(crate) fn own(text: String) -> Self {
        Self {
            kind: Kind::Own { body: text.into() },
        }
    }
}

/// Nothing: what tower-http asks of a body that it may put its own answer in the place of (CORS, timeouts).
impl<A, S> Default for ResponseBody<A, S> {
    fn default() -> Self {
        Self::own(String::new())
    }
}

impl<A, S> Body for ResponseBody<A, S>
where
    A: Body<Data = Bytes, Error: Into<BoxError>>,
    S: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::First { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Last { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Own { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::First { body } => body.is_end_stream(),
            Kind::Last { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::First { body } => body.size_hint(),
            Kind::Last { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<A, S> fmt::Debug for ResponseBody<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::First { .. } => "first",
            Kind::Last { .. } => "last",
            Kind::Own { .. } => "own",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
