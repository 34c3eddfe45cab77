//! The command `tower-deploy` with an app for `just peers`, `just http2` and `just httplint` that
//! responds with any status.

use std::{convert::Infallible, process::ExitCode, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::service_fn;
use tower_deploy::{App, Body, Registry, cli};

/// `/STATUS` has content of a known length, and `/STATUS/stream` content that comes in frames. With
/// `/STATUS/trailers` a trailer follows, and with `/STATUS/slow` there are ten frames in a second.
fn respond(uri: &Uri) -> Response<Body> {
    let path = uri.path().trim_start_matches('/');
    let (status, how) = path.split_once('/').unwrap_or((path, ""));
    let status = StatusCode::from_bytes(status.as_bytes());
    let frame = |text: &'static [u8]| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text)));
    let body = match how {
        "stream" => Body::new(StreamBody::new(stream::iter([
            frame(b"some "),
            frame(b"content"),
        ]))),
        "trailers" => Body::new(StreamBody::new(stream::iter([
            frame(b"some content"),
            Ok(Frame::trailers(HeaderMap::from_iter([(
                HeaderName::from_static("x-end"),
                HeaderValue::from_static("1"),
            )]))),
        ]))),
        "slow" => Body::new(StreamBody::new(stream::unfold(
            0,
            move |count| async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                (count < 10).then(|| (frame(b"x"), count + 1))
            },
        ))),
        _ => Body::from("some content"),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status.unwrap_or(StatusCode::NOT_FOUND);
    response
}

fn main() -> ExitCode {
    cli::main(Registry::standard().app("peers#status", |_global, (): ()| {
        let status =
            service_fn(async |request: Request<Body>| Ok::<_, Infallible>(respond(request.uri())));
        Ok::<_, Infallible>(App::new(status))
    }))
}
