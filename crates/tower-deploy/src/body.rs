//! The body of an app's requests and responses.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use tower_serve::RequestBody;

use crate::BoxError;

/// The body of requests and responses of an [`App`](crate::App).
///
/// It holds any body in a box, except a request's body of the server, and passes its frames,
/// trailers and hints.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_deploy::Body;
///
/// let text = Body::from("hello");
/// let boxed = Body::new(Full::<Bytes>::from("hello"));
/// let empty = Body::default();
/// ```
pub struct Body(Kind);

enum Kind {
    /// A request's body of the server, which needs no box of its own.
    Request(RequestBody),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// Returns a body with the frames, trailers and hints of another one.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // A `Body` gets no second box.
        let body = match downcast::<_, Self>(body) {
            Ok(own) => return own,
            Err(body) => body,
        };
        Self(match downcast(body) {
            Ok(request) => Kind::Request(request),
            Err(body) => Kind::Boxed(body.map_err(Into::into).boxed_unsync()),
        })
    }
}

fn downcast<B: 'static, T: 'static>(body: B) -> Result<T, B> {
    let mut body = Some(body);
    let found = (&mut body as &mut dyn Any).downcast_mut::<Option<T>>();
    match found.and_then(Option::take) {
        Some(found) => Ok(found),
        None => Err(body.expect("the value is taken only if it has the other type")),
    }
}

impl Default for Body {
    /// Returns an empty body.
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
        match &mut self.0 {
            Kind::Request(body) => Pin::new(body).poll_frame(cx),
            Kind::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Request(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Request(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.size_hint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_18_a_body_of_the_server_and_a_body_get_no_box() {
        let request = Body::new(RequestBody::default());
        assert!(matches!(request.0, Kind::Request(_)));
        assert!(matches!(Body::new(request).0, Kind::Request(_)));
        let body = Body::from("text");
        assert!(matches!(Body::new(body).0, Kind::Boxed(_)));
        assert_eq!(
            size_of::<Body>(),
            size_of::<UnsyncBoxBody<Bytes, BoxError>>()
        );
    }
}
