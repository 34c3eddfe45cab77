//! A service that follows a script, and one request to it over each version of HTTP.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

/// Returns a service that responds as the path describes: `/STATUS`, `/STATUS/HOW`, with the query
/// as Content-Length.
pub(super) fn scripted() -> BoxService {
    BoxCloneService::new(service_fn(async |request: Request<RequestBody>| {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let (status, how) = path.split_once('/').unwrap_or((&path, "content"));
        // CONNECT has no path.
        let status = status.parse().unwrap_or(200);
        let mut response = Response::new(body(how));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(length) = request.uri().query() {
            let length = HeaderValue::from_str(length).unwrap();
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        Ok(response)
    }))
}

fn body(how: &str) -> Body {
    let data = |text| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text)));
    let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), HeaderValue::from(1))]);
    match how {
        "content" => Body::from("content"),
        "stream" => Body::new(StreamBody::new(stream::iter([data(b"con"), data(b"tent")]))),
        "trailers" => {
            let frames = [data(b"content"), Ok(Frame::trailers(trailers))];
            Body::new(StreamBody::new(stream::iter(frames)))
        }
        "only-trailers" => Body::new(StreamBody::new(stream::iter([Ok::<_, Infallible>(
            Frame::trailers(trailers),
        )]))),
        // It sends nothing, and never ends.
        "silent" => {
            let silence = stream::pending::<Result<Frame<Bytes>, Infallible>>();
            Body::new(StreamBody::new(silence))
        }
        "empty" => Body::default(),
        _ => panic!("{how}?"),
    }
}

/// Returns an HTTP/2 connection.
pub(super) async fn connect_2<B>(server: &Running) -> SendRequest<B>
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    connect_2_with_end(server).await.0
}

/// Returns an HTTP/2 connection, and the task that ends with it.
pub(super) async fn connect_2_with_end<B>(
    server: &Running,
) -> (SendRequest<B>, JoinHandle<hyper::Result<()>>)
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let socket = TcpStream::connect(server.address).await.unwrap();
    let io = TokioIo::new(socket);
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// The status, the length that the head states, the content, and whether there are trailers.
type Seen = (u16, Option<String>, Vec<u8>, bool);

fn length(headers: &HeaderMap) -> Option<String> {
    let length = headers.get(CONTENT_LENGTH)?;
    Some(length.to_str().unwrap().to_owned())
}

pub(super) async fn over_2(server: &Running, method: Method, target: &str) -> Seen {
    let uri = match method {
        Method::CONNECT => Uri::from_static("a:80"),
        _ => format!("http://a{target}").parse().unwrap(),
    };
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Empty::new()).unwrap();
    let mut sender = connect_2::<Empty<Bytes>>(server).await;
    let response = timeout(PATIENCE, sender.send_request(request)).await;
    let (head, body) = response.unwrap().unwrap().into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
    let has_trailers = body.trailers().is_some();
    let content = body.to_bytes().to_vec();
    (
        head.status.as_u16(),
        length(&head.headers),
        content,
        has_trailers,
    )
}

/// Sends a request over HTTP/1. The content ends where the next response on the same connection
/// begins, or the connection ends.
pub(super) async fn over_1(server: &Running, method: Method, target: &str) -> Seen {
    let target = match method {
        Method::CONNECT => "a:80",
        _ => target,
    };
    let mut client = server.connect().await;
    client
        .send(format!(
            "{method} {target} HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n\
             GET /299 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        ))
        .await;
    let head = client.head().await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length = line("content-length: ").map(str::to_owned);
    assert!(line("transfer-encoding: ").is_none(), "{head}");
    let (mut rest, _) = client.rest().await;
    let next = rest.windows(9).position(|window| window == b"HTTP/1.1 ");
    rest.truncate(next.unwrap_or(rest.len()));
    (status, length, rest, false)
}
