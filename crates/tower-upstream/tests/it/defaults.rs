//! An upstream without options, and the documents about it.

use http::Request;
use http_body_util::BodyExt;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, pause, timeout},
};
use tower::ServiceExt;
use tower_origin::PeerAddr;
use tower_upstream::{BuildErrorKind, HostPolicy};

use super::{Body, OK, SHORT, ask, at, get, proxy, sockets::Listener, text};

const README: &str = include_str!("../../README.md");
const RULES: &str = include_str!("../../RULES.md");

/// The README's table of options, and a request with which none of them is set.
#[tokio::test]
async fn the_defaults_are_those_of_the_readme() {
    let (_, table) = README
        .split_once("| method | effect | default |\n|---|---|---|\n")
        .unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`'), cells[3].trim_matches('`'))
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ("allowed_methods(methods)", "all"),
            ("suppressed_headers(names)", "none"),
            ("passed_headers(names)?", "none"),
            ("host(policy)", "HostPolicy::Auto"),
            ("via(name)?", "tower-upstream"),
            ("protocol(protocol)", "Negotiated"),
            ("tls(tls)", "the system's CAs"),
            ("also(address)?", "one"),
            ("keep_alive(time)", "4 s"),
            ("connect_timeout(time)", "5 s"),
            ("header_timeout(time)", "60 s"),
            ("idle_timeout(time)", "60 s"),
            ("upgrades(protocols)?", "websocket"),
            ("tunnel_timeout(time)", "no limit"),
            ("map_locations()", "off"),
            ("trusted(networks)?", "none"),
        ]
    );
    assert_eq!(HostPolicy::default(), HostPolicy::Auto);
    let rules = RULES.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "A response's head may have 512 lines and about 400 kB.",
        "Each name that is dropped is logged once, up to 32 names.",
        "An idle connection is closed after 4 seconds,",
        "256 are kept,",
    ] {
        assert!(rules.contains(sentence), "{sentence}");
    }

    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let mut heads = upstream.answering(OK);
    let request = Request::builder()
        .method("BREW")
        .uri("/")
        .header("host", "client.example")
        .header("user-agent", "x")
        .header("x_foo", "x")
        .header("x-forwarded-for", "192.0.2.1");
    let mut request = request.body(Body::default()).unwrap();
    let peer = PeerAddr("127.0.0.1:9".parse().unwrap());
    request.extensions_mut().insert(peer);
    assert_eq!(text(ask(&app, request).await).await, "ok");
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("BREW / HTTP/1.1\r\n"), "{head}");
    for line in [
        "host: client.example",
        "user-agent: x",
        "via: 1.1 tower-upstream",
        "x-forwarded-for: 127.0.0.1",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
    assert!(!head.contains("x_foo"), "{head}");
}

#[tokio::test]
async fn upstream_4_a_proxy_has_the_name_that_is_set() {
    let upstream = Listener::bind().await;
    let named = at(&upstream).via("edge-1").unwrap();
    let mut heads = upstream.answering(OK);
    assert_eq!(named.oneshot(get("/")).await.unwrap().status(), 200);
    let head = heads.recv().await.unwrap();
    assert!(head.contains("\r\nvia: 1.1 edge-1\r\n"), "{head}");
    for name in ["", "a b", "a\n", "a,b"] {
        let error = at("http://h").via(name).unwrap_err();
        assert_eq!(error.kind(), BuildErrorKind::Via);
        let expected = format!("{name:?} is not a token, such as tower-upstream");
        assert_eq!(error.to_string(), expected);
    }
}

async fn seconds_of<T>(wait: impl Future<Output = T>) -> (u64, T) {
    pause();
    let start = Instant::now();
    let done = wait.await;
    let seconds = start.elapsed().as_secs_f64().round() as u64;
    tokio::time::resume();
    (seconds, done)
}

#[tokio::test]
async fn upstream_9_a_connection_has_five_seconds() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let app = proxy(format!("http://{address}"));
    let (seconds, response) = seconds_of(app.oneshot(get("/"))).await;
    assert_eq!((seconds, response.unwrap().status().as_u16()), (5, 504));
}

#[tokio::test]
async fn upstream_19_an_idle_connection_has_four_seconds() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let (peer, response) = tokio::join!(upstream.answers(OK), ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
    let (seconds, rest) = seconds_of(peer.rest()).await;
    assert_eq!((seconds, &*rest), (4, ""));
}

#[tokio::test]
async fn upstream_9_a_head_and_each_frame_have_a_minute() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let (_peer, response) = tokio::join!(upstream.answers(OK), ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
    let (seconds, response) = seconds_of(app.clone().oneshot(get("/"))).await;
    assert_eq!((seconds, response.unwrap().status().as_u16()), (60, 504));

    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let (_peer, response) = tokio::join!(upstream.answers(head), ask(&app, get("/")));
    let (seconds, body) = seconds_of(response.into_body().collect()).await;
    assert_eq!(seconds, 60);
    assert_eq!(
        body.unwrap_err().to_string(),
        "nothing came from the upstream for 60s"
    );
}
