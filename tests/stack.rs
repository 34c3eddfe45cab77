//! The example site, in this process and through real sockets, over HTTP/1 and HTTP/2.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

#[path = "../examples/site/stack.rs"]
mod stack;
mod support;

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_cascade::{CascadeLayer, ReplayBody};
use tower_exception::{ExceptionLayer, Incident};

use crate::support::{Server, VERSIONS};

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/site/files")
}

type Incidents = Arc<Mutex<Vec<Incident>>>;

fn keeping(incidents: &Incidents) -> impl Fn(&Incident) + Send + Sync + 'static {
    let incidents = incidents.clone();
    move |incident| incidents.lock().unwrap().push(incident.clone())
}

async fn site() -> (Server, Incidents) {
    let incidents = Incidents::default();
    let app = stack::site::<tower_serve::RequestBody>(files(), keeping(&incidents)).unwrap();
    (Server::start(app).await, incidents)
}

/// Five million bytes that no compression or coincidence makes alike.
fn noise() -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    bytes.flatten().take(5_000_000).collect()
}

fn receipt(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{{\"length\":{},\"sha256\":\"{hex}\"}}\n", bytes.len())
}

#[tokio::test]
async fn files_that_are_not_text_arrive_byte_for_byte() {
    let (server, _) = site().await;
    let table = [
        ("/", "index.html", "text/html"),
        ("/style.css", "style.css", "text/css"),
        ("/tower.png", "tower.png", "image/png"),
    ];
    for version in VERSIONS {
        for (path, file, content_type) in table {
            let on_disk = fs::read(files().join(file)).unwrap();
            let got = server.get(version, path).await;
            assert_eq!(got.status, StatusCode::OK);
            assert_eq!(got.header("content-type"), Some(content_type));
            assert_eq!(
                got.header("content-length"),
                Some(on_disk.len().to_string().as_str())
            );
            assert!(got.header("etag").is_some());
            assert_eq!(got.body.unwrap(), on_disk);
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_text_file_has_the_prefix_on_every_line_and_no_stale_header() {
    let (server, _) = site().await;
    let on_disk = fs::read_to_string(files().join("notes.txt")).unwrap();
    let expected: String = on_disk
        .lines()
        .map(|line| format!("yikes: {line}\n"))
        .collect();
    for version in VERSIONS {
        let got = server.get(version, "/notes.txt").await;
        assert_eq!(
            (got.status, got.text()),
            (StatusCode::OK, expected.as_str())
        );
        for stale in ["last-modified", "accept-ranges"] {
            assert_eq!(got.header(stale), None, "{version:?} {stale}");
        }
        // The length is known only if the file was read before the head was sent.
        let length = got.header("content-length");
        assert!(length.is_none_or(|length| length == expected.len().to_string()));
        assert!(got.header("etag").unwrap().starts_with("W/"));
        let head = server.send(version, Method::HEAD, "/notes.txt", "").await;
        assert_eq!((head.status, head.text()), (StatusCode::OK, ""));
        assert_eq!(head.header("content-length"), None);
        assert_eq!(head.header("etag"), got.header("etag"));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_part_of_a_picture_and_a_picture_that_is_known_pass_as_they_are() {
    let (server, _) = site().await;
    let on_disk = fs::read(files().join("tower.png")).unwrap();
    for version in VERSIONS {
        let request = || Request::get(server.uri("/tower.png"));
        let part = request()
            .header("range", "bytes=1-3")
            .body(Full::<Bytes>::default())
            .unwrap();
        let part = server.request(version, part).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.body.unwrap(), on_disk[1..=3]);

        let etag = part.headers["etag"].clone();
        let known = request()
            .header("if-none-match", etag)
            .body(Full::<Bytes>::default())
            .unwrap();
        let known = server.request(version, known).await;
        assert_eq!((known.status, known.text()), (StatusCode::NOT_MODIFIED, ""));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_has_no_file_is_dispatched() {
    let (server, incidents) = site().await;
    let table = [
        (Method::GET, "/hello", "", 200, "yikes: Hello World\n"),
        (Method::PUT, "/hello", "Ann", 200, "yikes: Hello Ann\n"),
        (Method::GET, "/hello/John", "", 200, "yikes: Hello John\n"),
        (
            Method::GET,
            "/hello/J%C3%B6rg",
            "",
            200,
            "yikes: Hello Jörg\n",
        ),
        (Method::GET, "/hello/a%2Fb", "", 200, "yikes: Hello a/b\n"),
        (Method::HEAD, "/hello/John", "", 200, ""),
        (
            Method::DELETE,
            "/hello",
            "",
            405,
            "yikes: the path does not allow this method\n",
        ),
    ];
    for version in VERSIONS {
        for (method, path, body, status, text) in table.clone() {
            let got = server.send(version, method.clone(), path, body).await;
            assert_eq!(
                (got.status.as_u16(), got.text()),
                (status, text),
                "{version:?} {method} {path}"
            );
            let allow = (status == 405).then_some("GET, HEAD, PUT");
            assert_eq!(got.header("allow"), allow);
        }
        for path in [
            "/nowhere",
            "/hello/%ff",
            "/hello/%zz",
            "/hello/",
            "/%00",
            "/../x",
        ] {
            let got = server.get(version, path).await;
            assert_eq!(got.status, StatusCode::NOT_FOUND, "{version:?} {path}");
        }
        let got = server.send(version, Method::HEAD, "/nowhere", "").await;
        assert_eq!((got.status, got.text()), (StatusCode::NOT_FOUND, ""));
        let got = server
            .send(version, Method::PUT, "/hello", vec![b'x'; 50_000])
            .await;
        assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
        // The file service, which would respond with 405, is not called.
        let got = server.send(version, Method::POST, "/index.html", "").await;
        assert_eq!(got.status, StatusCode::NOT_FOUND);
    }
    assert!(incidents.lock().unwrap().is_empty());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_incident_and_the_server_still_works() {
    let (server, incidents) = site().await;
    for version in VERSIONS {
        let got = server.get(version, "/panic").await;
        assert_eq!(got.status, StatusCode::INTERNAL_SERVER_ERROR);
        let incident = incidents.lock().unwrap().pop().unwrap();
        assert_eq!(
            got.text(),
            format!("500 Internal Server Error\nincident {}\n", incident.id())
        );
        assert_eq!(got.header("x-incident-id"), Some(incident.id()));
        assert_eq!(incident.panic_message(), Some("this route always panics"));
        assert_eq!(incident.uri().path(), "/panic");
        assert_eq!(server.get(version, "/hello").await.status, StatusCode::OK);
    }
    assert!(incidents.lock().unwrap().is_empty());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_upload_passes_the_guarded_file_service() {
    let (server, _) = site().await;
    let noise = noise();
    for version in VERSIONS {
        let got = server
            .send(version, Method::PUT, "/upload", noise.clone())
            .await;
        assert_eq!(
            (got.status, got.text()),
            (StatusCode::OK, receipt(&noise).as_str())
        );
    }
    server.stop().await.unwrap();
}

/// Reads half of five million bytes, and then responds with 404.
async fn reads_half<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes, Error = BoxError>,
{
    let mut body = pin!(request.into_body());
    let mut read = 0;
    while read < 2_500_000 {
        let frame = body.frame().await.unwrap().unwrap();
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

#[tokio::test]
async fn an_upload_falls_whole_through_an_app_that_read_half_of_it() {
    let site = stack::site::<ReplayBody<tower_serve::RequestBody>>(files(), |_| {}).unwrap();
    let app = CascadeLayer::new(service_fn(reads_half))
        .replay_limit(4_000_000)
        .layer(site);
    let server = Server::start(app).await;
    let noise = noise();
    for version in VERSIONS {
        let got = server
            .send(version, Method::PUT, "/upload", noise.clone())
            .await;
        assert_eq!(
            (got.status, got.text()),
            (StatusCode::OK, receipt(&noise).as_str())
        );

        // Without a Content-Length, in chunks of another size.
        let chunks: Vec<_> = noise
            .chunks(99_991)
            .map(|chunk| Ok::<_, Infallible>(Frame::data(noise.slice_ref(chunk))))
            .collect();
        let body = StreamBody::new(stream::iter(chunks));
        let request = Request::put(server.uri("/upload")).body(body).unwrap();
        let got = server.request(version, request).await;
        assert_eq!(
            (got.status, got.text()),
            (StatusCode::OK, receipt(&noise).as_str())
        );
    }
    server.stop().await.unwrap();
}

/// Yields the items one by one, so that the server sends each before it polls for the next.
fn slowly<T>(items: impl IntoIterator<Item = T>) -> impl Stream<Item = T> {
    stream::iter(items).then(async |item| {
        tokio::task::yield_now().await;
        item
    })
}

#[tokio::test]
async fn a_body_that_fails_after_its_head_is_broken_off_on_the_wire() {
    let incidents = Incidents::default();
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::production(keeping(&incidents)))
        .service(service_fn(
            async |request: Request<tower_serve::RequestBody>| {
                let whole = [
                    Ok(Frame::data(Bytes::from("half"))),
                    Ok(Frame::data("half".into())),
                ];
                let broken = [Ok(Frame::data("half".into())), Err("the disk is gone")];
                let frames = match request.uri().path() {
                    "/broken" => broken,
                    _ => whole,
                };
                Ok::<_, Infallible>(Response::new(StreamBody::new(slowly(frames))))
            },
        ));
    let server = Server::start(app).await;
    for version in VERSIONS {
        let got = server.get(version, "/broken").await;
        assert_eq!(got.status, StatusCode::OK);
        assert!(got.body.is_err(), "{version:?}: {got:?}");
        let incident = incidents.lock().unwrap().pop().unwrap();
        assert_eq!(incident.error().unwrap().to_string(), "the disk is gone");
        assert_eq!(server.get(version, "/whole").await.text(), "halfhalf");
    }
    assert!(incidents.lock().unwrap().is_empty());
    server.stop().await.unwrap();
}
