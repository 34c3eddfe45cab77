//! The body rewriters in front of a real file service, beside a real compression layer, on real
//! sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod support;

use std::{convert::Infallible, fs, io::Read, path::PathBuf, sync::Arc};

use bytes::Bytes;
use flate2::read::GzDecoder;
use futures_util::StreamExt;
use http::{Method, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::sync::{Mutex, mpsc};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_body_rewrite::{PrefixLayer, Replace, RewriteLayer};
use tower_http::{
    compression::CompressionLayer, limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer, services::ServeDir,
};
use tower_kit::EitherBody;

use crate::support::{Got, Http, Server, VERSIONS};

const TEXT: &str = "the first line is long enough to be worth it\n\nand the third has no end";
const VIDEO: &[u8] = b"0123456789";

/// A directory with a text and with a file that a browser takes for a video. Its name has the name
/// of the test.
fn files(test: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("tower-body-rewrite-{}-{test}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("notes.txt"), TEXT).unwrap();
    fs::write(folder.join("clip.mp4"), VIDEO).unwrap();
    folder
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compression {
    None,
    /// The right order: the rewritten body is compressed.
    Outside,
    /// The wrong order: a compressed body is not rewritten.
    Inside,
    /// The rewriter asks the inner service not to compress.
    InsideAndAskedNotTo,
}

async fn serve(folder: PathBuf, prefix: &'static str, compression: Compression) -> Server {
    let files = ServeDir::new(folder);
    let prefix = PrefixLayer::new(prefix);
    let stack = ServiceBuilder::new();
    match compression {
        Compression::None => Server::start(stack.layer(prefix).service(files)).await,
        Compression::Outside => {
            let stack = stack.layer(CompressionLayer::new()).layer(prefix);
            Server::start(stack.service(files)).await
        }
        Compression::Inside => {
            let stack = stack.layer(prefix).layer(CompressionLayer::new());
            Server::start(stack.service(files)).await
        }
        Compression::InsideAndAskedNotTo => {
            let stack = stack
                .layer(prefix.identity())
                .layer(CompressionLayer::new());
            Server::start(stack.service(files)).await
        }
    }
}

async fn ask(
    server: &Server,
    version: Http,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Got {
    let mut request = Request::builder().method(method).uri(server.uri(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server
        .request(version, request.body(Full::<Bytes>::default()).unwrap())
        .await
}

/// The response as a row of the table: status, `Content-Length`, `ETag`, whether it is compressed,
/// and the text. The file service may or may not read the file before it sends the head. If it
/// does, the length of a rewritten body is known, and must be right.
fn row(got: Got) -> (u16, Option<String>, Option<String>, bool, String) {
    let header = |name| got.header(name).map(str::to_owned);
    let (mut length, etag) = (header("content-length"), header("etag"));
    let compressed = header("content-encoding").is_some();
    let body = got.body.unwrap();
    if etag.as_ref().is_some_and(|etag| etag.contains('~')) && !body.is_empty() {
        length.take_if(|length| *length == body.len().to_string());
    }
    let mut text = String::new();
    if compressed && !body.is_empty() {
        GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    } else {
        text.push_str(std::str::from_utf8(&body).unwrap());
    }
    (got.status.as_u16(), length, etag, compressed, text)
}

#[tokio::test]
async fn files_with_and_without_compression() {
    let folder = files("matrix");
    let prefixed: String = TEXT
        .split_inclusive('\n')
        .map(|line| format!("yikes: {line}"))
        .collect();
    let video = std::str::from_utf8(VIDEO).unwrap();
    for compression in [
        Compression::None,
        Compression::Outside,
        Compression::Inside,
        Compression::InsideAndAskedNotTo,
    ] {
        let server = serve(folder.clone(), "yikes: ", compression).await;
        let former = serve(folder.clone(), "ouch: ", compression).await;
        for version in VERSIONS {
            assert_eq!(server.get(version, "/clip.mp4").await.text(), video);
            let head = |path| server.send(version, Method::HEAD, path, "");
            let clip = head("/clip.mp4").await.header("etag").unwrap().to_owned();
            let notes = head("/notes.txt").await.header("etag").unwrap().to_owned();
            assert!(clip.starts_with('"'), "{clip} is not strong");
            assert!(notes.starts_with("W/\"") && notes.contains("~s"), "{notes}");
            let other = ask(&former, version, Method::HEAD, "/notes.txt", &[]).await;
            let other = other.header("etag").unwrap().to_owned();
            assert_ne!(other, notes);
            // The file service's own entity tag, which the client gets if nothing is rewritten.
            let plain = format!("{}\"", &notes[2..notes.len() - 19]);

            let whole = || (200, None, Some(&*notes), false, &*prefixed);
            let get = Method::GET;
            let mut table: Vec<(Method, &str, Vec<(&str, &str)>, _)> = vec![
                (get.clone(), "/notes.txt", vec![], whole()),
                (
                    Method::HEAD,
                    "/notes.txt",
                    vec![],
                    (200, None, Some(&*notes), false, ""),
                ),
                (
                    get.clone(),
                    "/clip.mp4",
                    vec![],
                    (200, Some("10"), Some(&*clip), false, video),
                ),
                (
                    Method::HEAD,
                    "/clip.mp4",
                    vec![],
                    (200, Some("10"), Some(&*clip), false, ""),
                ),
                // Ranges.
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("range", "bytes=4-8")],
                    whole(),
                ),
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("range", "bytes=9999-")],
                    whole(),
                ),
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("range", "bytes=4-8"), ("if-range", &notes)],
                    whole(),
                ),
                (
                    Method::HEAD,
                    "/notes.txt",
                    vec![("range", "bytes=4-8")],
                    (200, None, Some(&*notes), false, ""),
                ),
                (
                    get.clone(),
                    "/clip.mp4",
                    vec![("range", "bytes=4-8")],
                    (206, Some("5"), Some(&*clip), false, "45678"),
                ),
                // Copies.
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("if-none-match", &notes)],
                    (304, None, Some(&*notes), false, ""),
                ),
                (
                    Method::HEAD,
                    "/notes.txt",
                    vec![("if-none-match", &notes)],
                    (304, None, Some(&*notes), false, ""),
                ),
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("if-none-match", &other)],
                    whole(),
                ),
                (
                    get.clone(),
                    "/notes.txt",
                    vec![("if-none-match", &clip)],
                    whole(),
                ),
                (
                    get.clone(),
                    "/clip.mp4",
                    vec![("if-none-match", &clip)],
                    (304, None, Some(&*clip), false, ""),
                ),
                (
                    get.clone(),
                    "/clip.mp4",
                    vec![("if-match", &clip)],
                    (200, Some("10"), Some(&*clip), false, video),
                ),
            ];
            // Compressed: the length is not known beforehand.
            let zipped = match compression {
                Compression::None | Compression::InsideAndAskedNotTo => whole(),
                Compression::Outside => (200, None, Some(&*notes), true, &*prefixed),
                Compression::Inside => (200, None, Some(&*plain), true, TEXT),
            };
            let gzip = ("accept-encoding", "gzip");
            table.push((get.clone(), "/notes.txt", vec![gzip], zipped));
            // For a HEAD with a short known length, tower-http does not announce that GET would be
            // compressed.
            let (status, length, etag, compressed, _) = match compression {
                Compression::Inside => whole(),
                _ => zipped,
            };
            let zipped_head = (status, length, etag, compressed, "");
            // tower-http compresses a body without a known length, also a missing one. hyper drops
            // it over HTTP/1 only, and axum's router drops it always.
            if (compression, version) != (Compression::Outside, Http::Two) {
                table.push((Method::HEAD, "/notes.txt", vec![gzip], zipped_head));
            }
            table.push((
                get.clone(),
                "/notes.txt",
                vec![gzip, ("range", "bytes=4-8")],
                zipped,
            ));
            table.push((
                get.clone(),
                "/notes.txt",
                vec![gzip, ("if-none-match", &other)],
                zipped,
            ));
            let known = vec![gzip, ("if-none-match", &*notes)];
            table.push((
                get.clone(),
                "/notes.txt",
                known,
                (304, None, Some(&*notes), false, ""),
            ));

            for (method, path, headers, (status, length, etag, compressed, text)) in table {
                let got = ask(&server, version, method.clone(), path, &headers).await;
                let rewritten = text == prefixed;
                for about_the_file in ["last-modified", "accept-ranges"] {
                    let stays = got.header(about_the_file).is_some();
                    assert!(
                        !(stays && rewritten),
                        "{compression:?} {version:?} {method} {path} {headers:?}: {about_the_file}, {got:?}"
                    );
                }
                let expected = (
                    status,
                    length.map(str::to_owned),
                    etag.map(str::to_owned),
                    compressed,
                    text.to_owned(),
                );
                assert_eq!(
                    row(got),
                    expected,
                    "{compression:?} {version:?} {method} {path} {headers:?}"
                );
            }
            // The strong comparison fails, whatever else the request has.
            let refused = ask(
                &server,
                version,
                get.clone(),
                "/notes.txt",
                &[("if-match", &notes)],
            )
            .await;
            assert_eq!(refused.status, 412);
            let beyond = ask(
                &server,
                version,
                get.clone(),
                "/clip.mp4",
                &[("range", "bytes=99-")],
            )
            .await;
            assert_eq!(
                (beyond.status.as_u16(), beyond.header("content-range")),
                (416, Some("bytes */10"))
            );
        }
        server.stop().await.unwrap();
        former.stop().await.unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
}

/// A server that responds with a stream of this type. A message to the sender is its next frame.
async fn streaming(content_type: &'static str) -> (Server, mpsc::Sender<&'static str>) {
    let (frames, received) = mpsc::channel::<&'static str>(1);
    let received = Arc::new(Mutex::new(Some(received)));
    let app = service_fn(move |_: Request<_>| {
        let received = received.clone();
        async move {
            let received = received.lock().await.take().unwrap();
            let frames = futures_util::stream::unfold(received, async |mut received| {
                let frame = received.recv().await?;
                Some((
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(frame.as_bytes()))),
                    received,
                ))
            });
            let body = StreamBody::new(frames.boxed());
            let response = Response::builder()
                .header(CONTENT_TYPE, content_type)
                .body(body);
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    let replace = Replace::new([("two", "zwei")]).unwrap();
    let types = ["text/event-stream", "application/x-ndjson"];
    let stack = ServiceBuilder::new()
        .layer(PrefixLayer::new("> ").types([types[1]]).unwrap())
        .layer(
            RewriteLayer::new(move |_| Some(replace.clone()))
                .types(types)
                .unwrap(),
        )
        .service(app);
    (Server::start(stack).await, frames)
}

#[tokio::test]
async fn each_frame_reaches_the_client_before_the_next_is_made() {
    // An event, and half a line. Only the possible beginning of "two" waits for more.
    let events = [
        ("data: one\n\n", "data: one\n\n"),
        ("data: two\n\n", "data: zwei\n\n"),
        ("data: t", "data: "),
        ("hree\n\n", "three\n\n"),
    ];
    let lines = [
        ("{\"one\":", "> {\"one\":"),
        ("1}\n", "1}\n"),
        ("{\"two\":2}\n\n", "> {\"zwei\":2}\n> \n"),
        ("x", "> x"),
    ];
    let untouched = [("two", "two"), ("\n", "\n"), ("t", "t"), ("", "")];
    let table = [
        ("text/event-stream", events),
        ("application/x-ndjson", lines),
        ("text/html", untouched),
    ];
    for version in VERSIONS {
        for (content_type, frames) in table {
            let (server, next) = streaming(content_type).await;
            let client = Client::builder(TokioExecutor::new())
                .http2_only(version == Http::Two)
                .build_http();
            // The head is sent before there is any frame.
            let request = Request::get(server.uri("/"))
                .body(Full::<Bytes>::default())
                .unwrap();
            let mut body = client.request(request).await.unwrap().into_body();
            for (sent, expected) in frames {
                next.send(sent).await.unwrap();
                let mut got = Vec::new();
                while got.len() < expected.len() {
                    got.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
                }
                assert_eq!(
                    String::from_utf8(got).unwrap(),
                    expected,
                    "{version:?} {content_type}"
                );
            }
            drop(next);
            assert!(body.collect().await.unwrap().to_bytes().is_empty());
            drop(client);
            server.stop().await.unwrap();
        }
    }
}

/// The limit's body has no `Default`, which a second call needs. `EitherBody` has one.
#[tokio::test]
async fn a_body_limit_goes_around_the_prefix_in_one_service_builder() {
    let layers = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(3))
        .layer(MapRequestBodyLayer::new(EitherBody::inner))
        .layer(PrefixLayer::new("> "));
    let echo = axum::routing::post(async |body: String| body);
    let app: axum::Router = axum::Router::new().route("/", echo).layer(layers);
    for (sent, status, expected) in [("one", 200, "> one"), ("four", 413, "")] {
        let request = Request::post("/")
            .body(axum::body::Body::from(sent))
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(expected.as_bytes()), "{body:?}");
    }
}

/// The second call passes the limit, so a video still seeks.
#[tokio::test]
async fn a_range_of_a_text_passes_the_limit_in_the_second_call() {
    let folder = files("limit");
    let app = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(3))
        .layer(MapRequestBodyLayer::new(EitherBody::inner))
        .layer(PrefixLayer::new("> "))
        .service(ServeDir::new(&folder));
    for (path, status) in [("/notes.txt", 200), ("/clip.mp4", 206)] {
        let request = Request::get(path).header("range", "bytes=2-4");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}
