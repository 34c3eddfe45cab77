//! The body of a layer that may respond itself.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response from a layer that may respond itself: the inner body, or the layer's
    /// own bytes.
    ///
    /// Errors are those of the inner body, unchanged. For a layer with two inner services, the
    /// inner body is `http_body_util::Either`.
    ///
    /// It has a [`Default`], an empty body, so that layers such as tower-http's `CorsLayer` and
    /// `TimeoutLayer` may go directly around the layer.
    ///
    /// ```
    /// use http_body::Body;
    /// use tower_kit::EitherBody;
    ///
    /// let own: EitherBody<String> = EitherBody::own("a rejection");
    /// let inner = EitherBody::inner("a page".to_owned());
    /// assert_eq!(own.size_hint().exact(), Some(11));
    /// assert_eq!(inner.size_hint().exact(), Some(6));
    /// ```
    pub struct EitherBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { #[pin] body: Full<Bytes> },
    }
}

impl<B> EitherBody<B> {
    /// Returns the body of the inner service's response.
    #[inline]
    pub fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    /// Returns a body of the layer's own.
    #[inline]
    pub fn own(body: impl Into<Full<Bytes>>) -> Self {
        Self {
            kind: Kind::Own { body: body.into() },
        }
    }

    /// Returns the wrapped service's body, or the layer's own.
    pub fn into_either(self) -> Either<B, Full<Bytes>> {
        match self.kind {
            Kind::Inner { body } => Either::Left(body),
            Kind::Own { body } => Either::Right(body),
        }
    }
}

impl<B> Default for EitherBody<B> {
    fn default() -> Self {
        Self::own(Full::default())
    }
}

impl<B: Body<Data = Bytes>> Body for EitherBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Inner { body } => body.poll_frame(cx),
            KindProj::Own { body } => body.poll_frame(cx).map_err(|never| match never {}),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for EitherBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Inner { .. } => "inner",
            Kind::Own { .. } => "own",
        };
        f.debug_tuple("EitherBody").field(&kind).finish()
    }
}
