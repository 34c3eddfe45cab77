use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower_kit::EitherBody;

use crate::BoxError;

/// The response body of an [`Endpoint`](crate::Endpoint): a `Full` as it is, any other in a box.
///
/// It has a [`Default`], an empty body, so that layers such as tower-http's `CorsLayer` and
/// `TimeoutLayer` may go around an endpoint.
#[derive(Default)]
pub struct EndpointBody(EitherBody<UnsyncBoxBody<Bytes, BoxError>>);

impl EndpointBody {
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut body = Some(body);
        let any = &mut body as &mut dyn Any;
        if let Some(full) = any.downcast_mut::<Option<Full<Bytes>>>() {
            return Self(EitherBody::own(full.take().unwrap_or_default()));
        }
        // Of an endpoint within layers: one of its kind is not put into another.
        if let Some(own) = any.downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        match body {
            Some(body) => Self(EitherBody::inner(body.map_err(Into::into).boxed_unsync())),
            None => Self::default(),
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
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for EndpointBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndpointBody")
            .field(&self.size_hint())
            .finish()
    }
}
