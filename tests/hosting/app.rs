//! The app for `just hosting`: axum as a server of HTTP, or as a program behind a web server.
//!
//! Without arguments a web server has started it. Otherwise they are `http`, `fastcgi` or `scgi`,
//! and an address.

use std::{env, io, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, UnixListener};
use tower::ServiceBuilder;
use tower_gateway::{Listener, Server, Start, detect};
use tower_origin::{Origin, OriginLayer};

/// Shows what has come of a request: headers whose names the script uses, and all of the body.
async fn shown(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut lines = vec![format!("{} {}", parts.method, parts.uri)];
    if let Some(origin) = parts.extensions.get::<Origin>() {
        let client = origin.client().map(|client| client.to_string());
        let (scheme, host) = (origin.scheme(), origin.authority());
        lines.push(format!("{scheme} {host:?} {client:?}"));
    }
    for name in parts.headers.keys() {
        let is_known = name.as_str().starts_with("x-")
            || [
                header::ACCEPT,
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::COOKIE,
            ]
            .contains(name);
        let separator = if name == header::COOKIE { "; " } else { ", " };
        if is_known && !name.as_str().starts_with("x-forwarded") {
            let values = parts.headers.get_all(name).iter();
            let values = values.map(|value| value.as_bytes().escape_ascii().to_string());
            let values = values.collect::<Vec<_>>().join(separator);
            lines.push(format!("{name}: {}", values.trim_end()));
        }
    }
    lines.sort();
    lines.push(match body.collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            format!("{} bytes, {}", body.len(), hex(&body))
        }
        Err(error) => format!("error: {error}"),
    });
    (lines.join("\n") + "\n").into_response()
}

fn hex(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn status(Path(status): Path<u16>) -> Response {
    let mut headers = HeaderMap::new();
    let (name, value) = match status {
        401 => (header::WWW_AUTHENTICATE, "Basic realm=\"a\""),
        405 => (header::ALLOW, "GET"),
        201 | 301..=399 => (header::LOCATION, "http://example.org/elsewhere?a=b"),
        _ => (HeaderName::from_static("x-status"), "1"),
    };
    headers.insert(name, HeaderValue::from_static(value));
    let body = match status {
        204 | 205 | 304 => Body::empty(),
        _ => Body::from(format!("the body of {status}\n")),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, headers, body).into_response()
}

async fn conditional(headers: HeaderMap) -> Response {
    let tag = [(header::ETAG, "\"1\"")];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == "\"1\"")
    {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    if headers
        .get(header::RANGE)
        .is_some_and(|value| value == "bytes=2-4")
    {
        let range = [(header::CONTENT_RANGE, "bytes 2-4/10")];
        return (StatusCode::PARTIAL_CONTENT, tag, range, "234").into_response();
    }
    (tag, "0123456789").into_response()
}

fn streamed() -> Body {
    let pieces = stream::iter(["one ", "two ", "three\n"]).then(|piece| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, io::Error>(piece)
    });
    Body::from_stream(pieces)
}

/// Breaks off after the first piece.
fn broken() -> Body {
    let pieces = stream::iter([Ok("one "), Err(io::Error::other("it breaks"))]);
    Body::from_stream(pieces.then(|piece| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        piece
    }))
}

/// The body for measurements.
const KIB: &[u8] = &[b'x'; 1024];

fn app() -> Router {
    let headers = async || {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("vary", "accept"),
        ] {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.insert("x-empty", HeaderValue::from_static(""));
        headers.insert(
            "x-long",
            HeaderValue::try_from("y".repeat(1500))
                .unwrap_or_else(|_| HeaderValue::from_static("")),
        );
        (headers, "headers\n")
    };
    let location = async || ([(header::LOCATION, "/elsewhere")], "a 200\n");
    Router::new()
        .route("/status/{status}", any(status))
        .route("/conditional", any(conditional))
        .route("/streamed", any(async || streamed()))
        .route("/broken", any(async || broken()))
        .route("/kib", any(async || KIB))
        .route("/large", any(async || Bytes::from(vec![b'x'; 2_000_000])))
        .route("/headers", any(headers))
        .route("/location", any(location))
        .route("/panic", any(async || -> &str { panic!("a bug") }))
        .route(
            "/early",
            any(async || (StatusCode::PAYLOAD_TOO_LARGE, "too much\n")),
        )
        .fallback(shown)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `default_host` is for requests that name none.
    let origin = OriginLayer::new().default_host("example.org")?;
    let app = ServiceBuilder::new().layer(origin).service(app());
    let server = Server::new();
    match detect() {
        Start::Cgi => return Ok(server.cgi(app).await?),
        Start::FastCgi => return Ok(server.fastcgi(Listener::stdin()?, app).await?),
        _ => {}
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kind, address] = &arguments[..] else {
        return Err("expected http, fastcgi or scgi, and an address".into());
    };
    if kind == "http" {
        return Ok(tower_serve::serve(address, app).await?);
    }
    let listener = match address.strip_prefix("unix:") {
        Some(path) => Listener::from(UnixListener::bind(path)?),
        None => Listener::from(TcpListener::bind(address).await?),
    };
    match &**kind {
        "scgi" => server.scgi(listener, app).await?,
        _ => server.fastcgi(listener, app).await?,
    }
    Ok(())
}
