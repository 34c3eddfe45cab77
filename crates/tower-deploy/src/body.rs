use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};

use crate::BoxError;

/// The body of requests and responses of an [`App`](crate::App), whatever it was.
pub struct Body(UnsyncBoxBody<Bytes, BoxError>);

impl Body {
    /// A body that is this one. Frames, trailers and hints are its own.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut body = Some(body);
        // One of its kind is not put into another.
        let own = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>();
        if let Some(own) = own.and_then(Option::take) {
            return own;
        }
        match body {
            Some(body) => Self(body.map_err(Into::into).boxed_unsync()),
            None => Self::default(),
        }
    }
}

impl Default for Body {
    /// Nothing.
    fn default() -> Self {
        Self::new(Empty::new())
    }
}

impl From<Bytes> for Body {
    fn from(data: Bytes) -> Self {
        Self::new(Full::new(data))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.0.size_hint()).finish()
    }
}
