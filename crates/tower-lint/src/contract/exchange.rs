//! The request, the inner service's response, and the layer's response.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;

use super::bench::BoxError;
use crate::probe::{Body, Step};

/// The response of the layer.
pub(super) struct Got {
    pub(super) parts: http::response::Parts,
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<BoxError>,
}

/// An extension of the request. The response's has a type of its own, so that a layer may copy the
/// request's extensions into the response.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OfRequest;

/// An extension of the response.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OfResponse;

/// Drops the extensions of the layer, as a service does that has responded.
pub(super) fn only_ours(extensions: &mut Extensions) {
    let ours = extensions.remove::<OfRequest>();
    extensions.clear();
    if let Some(ours) = ours {
        extensions.insert(ours);
    }
}

/// Reads a response to its end, or to its error.
pub(super) async fn read<B>(response: Response<B>) -> Got
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let (parts, body) = response.into_parts();
    let mut body = pin!(body);
    let (mut data, mut trailers, mut error) = (BytesMut::new(), None, None);
    loop {
        let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else {
            poll_again(body.as_mut()).await;
            break;
        };
        match frame.map(http_body::Frame::into_data) {
            // No body here is that long, so this one has no end.
            Ok(Ok(_)) if data.len() > 1 << 20 => break,
            Ok(Ok(more)) => data.extend_from_slice(&more),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(failed) => {
                error = Some(failed.into());
                break;
            }
        }
    }
    // A reader may call these too.
    let _ = (body.is_end_stream(), body.size_hint());
    Got {
        parts,
        data: data.freeze(),
        trailers,
        error,
    }
}

/// Polls a body once after its end. The lint checks what comes, and reports a panic.
async fn poll_again<B: http_body::Body>(mut body: Pin<&mut B>) {
    poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| drop(body.as_mut().poll_frame(cx)));
        let _ = catch_unwind(poll);
        Poll::Ready(())
    })
    .await;
}

pub(super) fn request() -> Request<Body> {
    let steps = [
        "re".into(),
        Step::Yield,
        // An empty frame is not the end of a body.
        "".into(),
        "quest".into(),
        Step::Trailers(trailers()),
    ];
    let mut request = Request::new(Body::new(steps));
    *request.method_mut() = Method::PATCH;
    *request.uri_mut() = http::Uri::from_static("/a%2Fb?c=d");
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.append("x-twice", HeaderValue::from_static("1"));
    headers.append("x-twice", HeaderValue::from_static("2"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    request.extensions_mut().insert(OfRequest);
    request
}

pub(super) fn response() -> Response<Body> {
    let steps = [
        "re".into(),
        Step::Yield,
        "".into(),
        "sponse".into(),
        Step::Trailers(trailers()),
    ];
    let mut response = Response::new(Body::new(steps));
    *response.status_mut() = StatusCode::CREATED;
    *response.version_mut() = Version::HTTP_2;
    let headers = response.headers_mut();
    headers.append("x-twice", HeaderValue::from_static("1"));
    headers.append("x-twice", HeaderValue::from_static("2"));
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert("etag", HeaderValue::from_static("\"tag\""));
    response.extensions_mut().insert(OfResponse);
    response
}

pub(super) fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-trailer", HeaderValue::from_static("sum"));
    trailers
}
