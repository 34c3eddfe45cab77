//! The timeouts and limits of a server that sets none, which are also in the README.

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{sync::mpsc, time::pause};

use super::*;

const README: &str = include_str!("../../README.md");
const RUSTDOC: &str = include_str!("../../src/server.rs");

fn in_seconds(time: Duration) -> u64 {
    time.as_secs_f64().round() as u64
}

#[test]
fn the_defaults_are_those_of_the_readme() {
    let server = Server::default();
    let shown = format!("{server:?}");
    let start = "Server { address: Tcp(\"127.0.0.1:8080\"), limits: Limits { header_timeout: 10s, \
         keep_alive_timeout: 75s, body_timeout: 60s, write_timeout: 60s, drain_timeout: 30s, \
         connections: 10000, half_close: false, connect_protocol: false, lingering: Patience { \
         bytes: 33554432, time: 30s } }, entry: Entry { proxy_protocol: None";
    assert!(shown.starts_with(start), "{shown}");
    assert!(shown.ends_with(" }, access_log: None }"), "{shown}");
    let new = Server::new("127.0.0.1:8080".parse::<Address>().unwrap());
    assert_eq!(format!("{new:?}"), shown);

    for (method, default) in [
        ("header_timeout", "10 seconds"),
        ("keep_alive_timeout", "75 seconds"),
        ("body_timeout", "60 seconds"),
        ("write_timeout", "60 seconds"),
        ("drain_timeout", "30 seconds"),
        ("connections", "10,000"),
        ("lingering_bytes", "32 MiB"),
        ("lingering_time", "30 seconds"),
        ("allow_half_close", "off"),
        ("enable_connect_protocol", "off"),
        ("access_log", "none"),
    ] {
        let row = README
            .lines()
            .find(|line| line.starts_with(&format!("| `{method}` |")));
        assert!(
            row.unwrap().ends_with(&format!(" | {default} |")),
            "{row:?}"
        );
    }
    assert!(README.contains("An HTTP/2 connection has at most 200 requests at once."));
    let words = RUSTDOC
        .lines()
        .map(|line| line.trim().trim_start_matches("///").trim());
    let words = words.collect::<Vec<_>>().join(" ");
    for (method, default) in [
        ("header_timeout", "Default: 10 seconds."),
        ("keep_alive_timeout", "Default: 75 seconds."),
        ("body_timeout", "Default: 60 seconds."),
        ("write_timeout", "Default: 60 seconds."),
        ("connections", "Default: 10,000."),
        ("drain_timeout", "Default: 30 seconds."),
        ("lingering_bytes", "Default: 32 MiB."),
        ("lingering_time", "Default: 30 seconds."),
        ("allow_half_close", "Default: off."),
        ("enable_connect_protocol", "Default: off."),
        ("access_log", "Default: none."),
    ] {
        let (before, _) = words.split_once(&format!("pub fn {method}(")).unwrap();
        let (_, own) = before.rsplit_once('}').unwrap();
        assert!(own.contains(default), "{method}: {own}");
    }
}

#[tokio::test]
async fn serve_9_a_head_has_ten_seconds() {
    let server = run(server(), echo_path()).await;
    for (has_spoken, part) in [(false, ""), (false, "GET /"), (true, "GET /")] {
        let mut client = server.connect().await;
        if has_spoken {
            client.get("/").await;
        }
        client.send(part).await;
        sleep_until_accepted(&server).await;
        pause();
        let start = Instant::now();
        assert_eq!(client.0.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(in_seconds(start.elapsed()), 10, "{has_spoken} {part}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn serve_22_an_idle_connection_has_seventy_five_seconds() {
    let server = run(server(), echo_path()).await;
    let mut client = server.connect().await;
    client.get("/").await;
    sleep_until_accepted(&server).await;
    pause();
    let start = Instant::now();
    assert_eq!(client.0.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(in_seconds(start.elapsed()), 75);
}

/// Waits for a later connection, because connections are accepted in their order.
async fn sleep_until_accepted(server: &Running) {
    server.get("/").await;
}

#[tokio::test]
async fn serve_10_a_frame_of_an_upload_has_a_minute() {
    let (called, mut calls) = mpsc::unbounded_channel();
    let service = service(move |request: Request<RequestBody>| {
        called.send(()).unwrap();
        async {
            let start = Instant::now();
            let error = request.into_body().collect().await.unwrap_err();
            Body::from(format!("{error}, {}", in_seconds(start.elapsed())))
        }
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nfo")
        .await;
    calls.recv().await.unwrap();
    pause();
    let mut all = Vec::new();
    // The client has not sent all bytes, so a reset is the end.
    let _ = client.0.read_to_end(&mut all).await;
    let all = String::from_utf8(all).unwrap();
    let end = "the client stopped sending the request's body, 60";
    assert!(all.ends_with(end), "{all}");
}

#[tokio::test]
async fn serve_11_a_client_that_reads_nothing_has_a_minute() {
    let (bomb, dropped) = bomb();
    let bomb = std::sync::Mutex::new(Some(bomb));
    let service = service(move |_| {
        let bomb = bomb.lock().unwrap().take();
        let frame = Bytes::from(vec![b'x'; 64 * 1024]);
        let frames = stream::unfold(bomb, move |bomb| {
            let frame = Frame::data(frame.clone());
            async { Some((Ok::<_, Infallible>(frame), bomb)) }
        });
        std::future::ready(Body::new(StreamBody::new(frames)))
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    // The buffers of both sides are full.
    tokio::time::sleep(ms(300)).await;
    pause();
    let start = Instant::now();
    dropped.await.unwrap();
    assert_eq!(in_seconds(start.elapsed()), 60);
}

#[tokio::test]
async fn serve_13_requests_have_half_a_minute_to_finish() {
    let (called, mut calls) = mpsc::unbounded_channel();
    let stuck = service(move |_| {
        called.send(()).unwrap();
        std::future::pending::<Body>()
    });
    let server = run(server(), stuck).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    calls.recv().await.unwrap();
    pause();
    let start = Instant::now();
    server.trigger.signal();
    let error = server.task.await.unwrap().unwrap_err();
    assert_eq!(in_seconds(start.elapsed()), 30);
    assert_eq!(
        error.to_string(),
        "1 connection was still open 30s after the signal to end and is aborted"
    );
}

#[tokio::test]
async fn serve_12_an_http_2_connection_has_two_hundred_streams() {
    let server = run(server(), echo_path()).await;
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let mut head = [0; 9];
    client.0.read_exact(&mut head).await.unwrap();
    // SETTINGS (RFC 9113, section 6.5), of which 3 is SETTINGS_MAX_CONCURRENT_STREAMS.
    assert_eq!(head[3], 4);
    let mut settings = vec![0; usize::from(head[2])];
    client.0.read_exact(&mut settings).await.unwrap();
    let streams = settings.chunks(6).find(|setting| setting[..2] == [0, 3]);
    assert_eq!(streams, Some(&[0, 3, 0, 0, 0, 200][..]));
}

/// One connection has statuses and methods in turn that change how a body is sent.
#[tokio::test]
async fn serve_1_a_connection_keeps_nothing_of_the_last_request() {
    let service = service_fn(async |request: Request<RequestBody>| {
        let mut response = Response::new(Body::from("content"));
        let status = request.uri().path().trim_start_matches('/');
        *response.status_mut() = status.parse().unwrap();
        Ok::<_, Infallible>(response)
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    for method in ["HEAD", "GET", "POST", "OPTIONS"] {
        for status in ["200", "204", "200", "205", "404", "304"] {
            let line = format!("{method} /{status} HTTP/1.1\r\nhost: a\r\n");
            // The service does not read the upload.
            let upload = match method {
                "POST" => "content-length: 3\r\n\r\nabc",
                _ => "\r\n",
            };
            client.send(format!("{line}{upload}")).await;
            let head = client.head().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            if method != "HEAD" && ["200", "404"].contains(&status) {
                assert!(head.contains("\r\ncontent-length: 7\r\n"), "{head}");
                let mut content = [0; 7];
                client.0.read_exact(&mut content).await.unwrap();
                assert_eq!(&content, b"content");
            }
        }
    }
}
