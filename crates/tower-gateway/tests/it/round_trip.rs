//! A service behind the calling half: the response is that of the service itself.

use std::{convert::Infallible, io, time::Duration};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_gateway::{FastCgi, RequestBody, ResponseBody, Scgi, Server};
use tower_origin::{Origin, OriginLayer, PeerAddr};

use super::{ask, front::Served};

/// Returns an app that shows what it has seen of a request, and responds in several ways.
fn app() -> Router {
    let shown = async |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        let origin = parts.extensions.get::<Origin>();
        let url = origin.and_then(|origin| origin.url(&parts));
        let client = origin.and_then(Origin::client);
        let mut lines = vec![format!("{} {} {client:?} {url:?}", parts.method, parts.uri)];
        for name in parts.headers.keys() {
            // The calling half joins lines, and always sends a length.
            let separator = if name == header::COOKIE { "; " } else { ", " };
            let values = parts.headers.get_all(name).iter();
            let values = values.map(|value| value.as_bytes().escape_ascii().to_string());
            if name != header::CONTENT_LENGTH {
                // White space at the ends of a value is no part of it.
                let values = values.collect::<Vec<_>>().join(separator);
                lines.push(format!("{name}: {}", values.trim_end()));
            }
        }
        lines.sort();
        let body = body.collect().await.unwrap().to_bytes();
        lines.push(format!("{} {}", body.len(), body.escape_ascii()));
        lines.join("\n")
    };
    let streamed = async || {
        let pieces = stream::iter(["one ", "two ", "three"]).then(|piece| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, io::Error>(piece)
        });
        Body::from_stream(pieces)
    };
    let large = async || Bytes::from(vec![b'x'; 300_000]);
    let headers = async || {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::SET_COOKIE, "a=1"),
            (header::SET_COOKIE, "b=2"),
            (header::VARY, "accept"),
            (header::ETAG, "\"1\""),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.insert("x-latin", HeaderValue::from_bytes(b"caf\xE9").unwrap());
        headers.insert("x-empty", HeaderValue::from_static(""));
        headers.insert("x-long", HeaderValue::try_from("y".repeat(3000)).unwrap());
        (headers, "headers")
    };
    let status = async |axum::extract::Path(status): axum::extract::Path<u16>| {
        let (name, value) = match status {
            206 => ("content-range", "bytes 0-7/8"),
            401 => ("www-authenticate", "Basic realm=\"a\""),
            416 => ("content-range", "bytes */8"),
            _ => ("location", "/elsewhere"),
        };
        let body = match status {
            204 | 205 | 304 => "",
            _ => "the body",
        };
        let status = StatusCode::from_u16(status).unwrap();
        (status, [(name, value)], body)
    };
    let early = async || (StatusCode::PAYLOAD_TOO_LARGE, "too much");
    Router::new()
        .route("/streamed", any(streamed))
        .route("/large", any(large))
        .route("/headers", any(headers))
        .route("/status/{status}", any(status))
        .route("/early", any(early))
        .fallback(shown)
}

/// Returns the layer with which the app knows its host and its client.
fn origin() -> OriginLayer {
    let layer = OriginLayer::new().hosts(["example.org"]).unwrap();
    layer.default_host("example.org").unwrap()
}

/// A request that can be made several times.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    uri: String,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    is_streamed: bool,
}

impl Asked {
    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(&self.method).uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let body = match self.is_streamed {
            true => {
                let halves = self.body.split_at(self.body.len() / 2);
                let pieces = [halves.0, halves.1].map(Ok::<_, io::Error>);
                Body::from_stream(stream::iter(pieces))
            }
            false => Body::from(self.body),
        };
        let peer = PeerAddr("192.0.2.7:4711".parse().unwrap());
        request.extension(peer).body(body).unwrap()
    }
}

/// Returns the table of requests.
fn table() -> Vec<Asked> {
    let mut table = Vec::new();
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "get",
    ];
    let targets = [
        "/",
        "/a",
        "/a/",
        "//a///b",
        "/a%2Fb",
        "/a%20b/%E2%82%AC/caf\u{e9}",
        "/%",
        "/%zz",
        "/a;b=c,d@e:f/(g)!*'$&+=",
        "/{a}|\"b\"",
        "/.../a/../b/./c",
        "/?",
        "/?a=b&c=%26&d=+",
        "/a?b?c=/d//e",
        "/a?%00",
        "/index.php/path",
        "/streamed",
        "/large",
        "/headers",
        "/early",
        "/missing.html",
    ];
    let asked = |method: &str, uri: &str| Asked {
        method: method.parse().unwrap(),
        uri: uri.to_owned(),
        headers: vec![("host", "example.org")],
        body: "",
        is_streamed: false,
    };
    for method in methods {
        for uri in targets {
            table.push(asked(method, uri));
        }
    }
    for status in [
        200, 201, 204, 205, 206, 299, 301, 302, 303, 304, 307, 400, 401, 404, 416, 500, 503, 599,
    ] {
        for method in ["GET", "HEAD", "POST"] {
            table.push(asked(method, &format!("/status/{status}")));
        }
    }
    for headers in [
        &[("accept", "a/b"), ("accept", "c/d;q=0.5")][..],
        &[("cookie", "a=1"), ("cookie", "b=2; c=3")],
        &[("x-empty", ""), ("x-a", "1"), ("x-a", "2"), ("x-a", "")],
        &[("range", "bytes=0-1"), ("if-none-match", "\"1\", W/\"2\"")],
        &[("authorization", "Basic eDp5"), ("user-agent", "test")],
        &[("content-type", "text/plain; charset=utf-8")],
        &[("x-long", LONG)],
    ] {
        for method in ["GET", "POST"] {
            let mut asked = asked(method, "/a?b");
            asked.headers.extend(headers);
            table.push(asked);
        }
    }
    for (body, is_streamed) in [
        ("a=b", false),
        ("a=b", true),
        (LONG, false),
        (LONG, true),
        ("", true),
    ] {
        for uri in ["/upload", "/early", "/streamed"] {
            let mut asked = asked("POST", uri);
            (asked.body, asked.is_streamed) = (body, is_streamed);
            table.push(asked);
        }
    }
    table
}

const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
);

/// Returns a response in lines. Lengths are compared with the body.
async fn lines<B>(asked: &Asked, response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (head, body) = response.into_parts();
    let mut lines = Vec::new();
    for (name, value) in &head.headers {
        if name == header::CONTENT_LENGTH {
            continue;
        }
        // Apache takes it for a redirect at this status.
        if name == header::LOCATION && head.status == StatusCode::OK {
            continue;
        }
        lines.push(format!("{name}: {}", value.as_bytes().escape_ascii()));
    }
    lines.sort();
    let body = body.collect().await.unwrap().to_bytes();
    if let Some(length) = head.headers.get(header::CONTENT_LENGTH)
        && asked.method != Method::HEAD
    {
        assert_eq!(
            length.to_str().unwrap(),
            body.len().to_string(),
            "{asked:?}"
        );
    }
    let (status, text) = (head.status, body.escape_ascii());
    format!("{status}\n{}\n\n{text}", lines.join("\n"))
}

/// Compares what comes through a program with what the app itself responds.
async fn compare<S>(program: S)
where
    S: Service<Request<Body>, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    // REMOTE_ADDR and the host are those that tower-origin has found.
    let table = table();
    assert!(table.len() > 200, "{}", table.len());
    for asked in table {
        let Ok(direct) = origin().layer(app()).oneshot(asked.request()).await;
        let direct = lines(&asked, direct).await;
        let through = lines(&asked, ask(&program, asked.request()).await).await;
        assert_eq!(through, direct, "{asked:?}");
    }
}

fn served() -> impl Service<
    Request<RequestBody>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send
+ 'static {
    super::front::service(async |request| {
        let Ok(response) = origin().layer(app()).oneshot(request).await;
        response.map(Body::new)
    })
}

#[tokio::test]
async fn gateway_31_a_request_through_fastcgi_is_the_same() {
    let served = Served::fastcgi(Server::new(), served()).await;
    let program = FastCgi::connect(&served.address).unwrap();
    compare(program.clone()).await;
    compare(program.keep_connections(4)).await;
}

#[tokio::test]
async fn gateway_31_a_request_through_scgi_is_the_same() {
    let served = Served::scgi(Server::new(), served()).await;
    compare(Scgi::connect(&served.address).unwrap()).await;
}

/// Is the app as a CGI program.
#[cfg(unix)]
pub(crate) async fn respond_as_cgi() {
    Server::new().cgi(served()).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn gateway_44_a_request_through_cgi_is_the_same() {
    let (_directory, program) = super::child::cgi_program("plain-cgi");
    compare(tower_gateway::Cgi::new(program)).await;
}

/// With https, the URL of the app has it. A header of the client does not change that.
#[tokio::test]
async fn gateway_37_the_scheme_is_that_of_the_front() {
    let served = Served::fastcgi(Server::new(), served()).await;
    let program = FastCgi::connect(&served.address).unwrap();
    for (layer, expected) in [
        (origin().https(), "https://example.org/a"),
        (origin(), "http://example.org/a"),
    ] {
        let request = Request::get("/a")
            .header("host", "example.org")
            .header("x-forwarded-proto", "https")
            .header("https", "on")
            .extension(PeerAddr("192.0.2.7:4711".parse().unwrap()));
        let request = request.body(Body::empty()).unwrap();
        let Ok(response) = layer.layer(program.clone()).oneshot(request).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains(&format!("Some(192.0.2.7) Some(\"{expected}\")")),
            "{text}"
        );
    }
}
