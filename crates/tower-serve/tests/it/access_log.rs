//! The access log: one line for each request, whatever ends it.

use std::{
    fmt, fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use serde_json::Value;
use tower::{Layer, service_fn};
use tower_kit::Rejection;
use tower_origin::OriginLayer;
use tower_serve::{AccessLog, LogFormat};

use super::{exchange::connect_2, *};

/// A log in a file of its own, and the server that writes it.
struct Logged {
    path: PathBuf,
    server: Running,
}

async fn logged<S, B>(server: Server, format: LogFormat, service: S) -> Logged
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-serve-log-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let log = AccessLog::new(&path).format(format);
    let server = run(server.access_log(log), service).await;
    Logged { path, server }
}

impl Logged {
    /// Ends the server, and returns the text of the log.
    async fn text(self) -> String {
        self.server.trigger.signal();
        let _ = self.server.ended().await;
        let text = fs::read_to_string(&self.path).unwrap();
        fs::remove_file(&self.path).unwrap();
        text
    }

    /// Does the same with a log in JSON, and returns target, status, bytes and end of each line.
    async fn lines(self) -> Vec<(String, u64, u64, String)> {
        let text = self.text().await;
        text.lines().map(|line| summary(&parsed(line))).collect()
    }

    /// Waits until the log has a line.
    async fn has_line(&self) {
        let start = Instant::now();
        while !fs::read_to_string(&self.path).unwrap().contains('\n') {
            assert!(start.elapsed() < PATIENCE, "there is no line");
            tokio::time::sleep(ms(5)).await;
        }
    }
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn summary(line: &Value) -> (String, u64, u64, String) {
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    let number = |name: &str| line[name].as_u64().unwrap();
    (
        text("target"),
        number("status"),
        number("bytes"),
        text("end"),
    )
}

fn line(target: &str, status: u64, bytes: u64, end: &str) -> (String, u64, u64, String) {
    (target.to_owned(), status, bytes, end.to_owned())
}

/// Responds, fails or waits as the path says. A panic is `/panic`.
async fn scripted(request: Request<RequestBody>) -> Result<Response<Body>, BoxError> {
    let frame = Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"12345")));
    let body = match request.uri().path() {
        "/error" => return Err("it fails".into()),
        "/panic" => panic!("it panics"),
        "/wait" => std::future::pending().await,
        "/broken" => Body::new(StreamBody::new(stream::iter([
            frame,
            Err("it breaks".into()),
        ]))),
        "/open" => {
            let rest = stream::pending::<Result<Frame<Bytes>, BoxError>>();
            let first = stream::iter([frame]);
            Body::new(StreamBody::new(futures_util::StreamExt::chain(first, rest)))
        }
        "/stream" => Body::new(StreamBody::new(stream::iter([frame]))),
        "/304" => return Ok(StatusCode::NOT_MODIFIED.into_response()),
        _ => Body::from("content"),
    };
    Ok(Response::new(body))
}

#[tokio::test]
async fn serve_24_a_whole_response_has_its_status_and_its_bytes() {
    let logged = logged(server(), LogFormat::Json, service_fn(scripted)).await;
    for (method, path) in [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/stream"),
        ("GET", "/304"),
        ("GET", "/?a=b&token=secret"),
    ] {
        let mut client = logged.server.connect().await;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        client.send(head).await;
        client.rest().await;
    }
    let mut sender = connect_2::<Empty<Bytes>>(&logged.server).await;
    for (method, path) in [("GET", "/2"), ("HEAD", "/2"), ("GET", "/stream")] {
        let request = Request::builder().method(method);
        let request = request.uri(format!("http://a{path}")).body(Empty::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let mut seen = logged.lines().await;
    let mut expected = [
        line("/", 200, 7, "complete"),
        line("/", 200, 0, "complete"),
        line("/stream", 200, 5, "complete"),
        line("/304", 304, 0, "complete"),
        line("/?a=b&token=redacted", 200, 7, "complete"),
        line("/2", 200, 7, "complete"),
        line("/2", 200, 0, "complete"),
        line("/stream", 200, 5, "complete"),
    ];
    // A line may be written after the client has the response.
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn serve_24_a_client_that_leaves_has_499() {
    for (path, bytes) in [("/wait", 0), ("/open", 5)] {
        let logged = logged(server(), LogFormat::Json, service_fn(scripted)).await;
        let mut client = logged.server.connect().await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        match path {
            "/open" => drop(client.head().await),
            _ => tokio::time::sleep(ms(50)).await,
        }
        drop(client);
        logged.has_line().await;
        assert_eq!(logged.lines().await, [line(path, 499, bytes, "client")]);
    }
}

#[tokio::test]
async fn serve_24_a_stream_that_is_reset_has_499() {
    let logged = logged(server(), LogFormat::Json, service_fn(scripted)).await;
    let mut sender = connect_2::<Empty<Bytes>>(&logged.server).await;
    let request = Request::get("http://a/open").body(Empty::new());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    logged.has_line().await;
    assert_eq!(logged.lines().await, [line("/open", 499, 5, "client")]);
}

#[tokio::test]
async fn serve_24_a_service_that_fails_has_its_status_or_500() {
    for (path, status, bytes) in [("/error", 500, 0), ("/panic", 500, 0), ("/broken", 200, 5)] {
        let logged = logged(server(), LogFormat::Json, service_fn(scripted)).await;
        let mut client = logged.server.connect().await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        client.rest().await;
        let seen = logged.lines().await;
        assert_eq!(seen, [line(path, status, bytes, "service")]);
    }
}

#[tokio::test]
async fn serve_24_a_request_that_the_server_aborts_has_503() {
    for version in ["1", "2"] {
        let server = server().drain_timeout(ms(50));
        let logged = logged(server, LogFormat::Json, service_fn(scripted)).await;
        let mut client = logged.server.connect().await;
        let mut sender = connect_2::<Empty<Bytes>>(&logged.server).await;
        if version == "1" {
            client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
        } else {
            let request = Request::get("http://a/wait").body(Empty::new()).unwrap();
            tokio::spawn(sender.send_request(request));
        }
        tokio::time::sleep(ms(50)).await;
        let seen = logged.lines().await;
        assert_eq!(seen, [line("/wait", 503, 0, "server")], "{version}");
    }
}

#[derive(Debug)]
struct Reason;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no \"upstream\" at http://me:pass@host/")
    }
}

impl std::error::Error for Reason {}

#[tokio::test]
async fn serve_24_a_rejection_has_its_status_its_reason_or_its_id() {
    let rejecting = service_fn(async |request: Request<RequestBody>| {
        let mut rejection = Rejection::new(StatusCode::BAD_GATEWAY, Reason);
        if request.uri().path() == "/id" {
            rejection = rejection.with_id("1234");
        }
        Ok::<_, Infallible>(rejection.response_for(&request))
    });
    let logged = logged(server(), LogFormat::Json, rejecting).await;
    let mut client = logged.server.connect().await;
    client.get("/reason").await;
    client.get("/id").await;
    client
        .send("POST /grpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    // The server's own.
    let mut client = logged.server.connect().await;
    client.send("GET /host HTTP/1.1\r\n\r\n").await;
    client.rest().await;

    let text = logged.text().await;
    let lines: Vec<Value> = text.lines().map(parsed).collect();
    let of = |target: &str| {
        let line = lines.iter().find(|line| line["target"] == target);
        let line = line.unwrap();
        (
            line["status"].as_u64().unwrap(),
            line["reason"].as_str(),
            line["incident"].as_str(),
        )
    };
    let reason = of("/reason");
    assert_eq!((reason.0, reason.2), (502, None));
    let reason = reason.1.unwrap();
    assert!(reason.starts_with("no \"upstream\" at http://"), "{reason}");
    assert!(!reason.contains("pass"), "{reason}");
    assert_eq!(of("/id"), (502, None, Some("1234")));
    assert_eq!(of("/grpc").0, 502);
    let host = "the request does not name exactly one valid host";
    assert_eq!(of("/host"), (400, Some(host), None));
}

#[tokio::test]
async fn serve_24_the_client_is_that_of_the_origin() {
    let origin = OriginLayer::new().trusted(["127.0.0.0/8"]).unwrap();
    let page = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new(Body::from("content")))
    });
    let logged = logged(server(), LogFormat::Combined, origin.layer(page)).await;
    let mut client = logged.server.connect().await;
    client
        .send(
            "GET /a HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.9\r\n\
             user-agent: a\"b\r\nconnection: close\r\n\r\n",
        )
        .await;
    client.rest().await;
    let text = logged.text().await;
    assert!(text.starts_with("192.0.2.9 - - ["), "{text}");
    assert!(
        text.contains("] \"GET /a HTTP/1.1\" 200 7 \"-\" "),
        "{text}"
    );
}

#[tokio::test]
async fn serve_24_without_an_origin_the_client_is_the_peer() {
    let logged = logged(server(), LogFormat::Common, service_fn(scripted)).await;
    logged.server.get("/a").await;
    let text = logged.text().await;
    assert!(text.starts_with("127.0.0.1 - - ["), "{text}");
    assert!(text.ends_with("] \"GET /a HTTP/1.1\" 200 7\n"), "{text}");
}

/// A log that cannot be written, such as one on a full disk, delays no request.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn serve_26_a_log_that_fails_delays_no_request() {
    let log = AccessLog::new("/dev/full");
    let server = run(server().access_log(log), service_fn(scripted)).await;
    let mut client = server.connect().await;
    for _ in 0..100 {
        assert!(client.get("/").await.ends_with("content"));
    }
    server.trigger.signal();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_26_a_log_that_cannot_be_opened_is_an_error() {
    let log = AccessLog::new("/nonexistent/access.log");
    let error = server().access_log(log).bind().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the access log /nonexistent/access.log: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn serve_24_a_tunnel_has_its_line_when_it_opens() {
    use super::tunnels::{echoing, open};

    let server = server().enable_connect_protocol();
    let logged = logged(server, LogFormat::Json, echoing()).await;
    let mut client = logged.server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")
        .await;
    client.head().await;
    logged.has_line().await;
    client.send("ping").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await.0, b"ping");

    let mut tunnel = open(&mut connect_2(&logged.server).await).await;
    tunnel.write_all(b"ping").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut back = Vec::new();
    tunnel.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"ping");
    let expected = ["a:80", "/", "/tunnel"].map(|target| line(target, 200, 0, "complete"));
    assert_eq!(logged.lines().await, expected);
}
