//! The settings of the app `proxy`, and their errors.

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, pause, timeout},
};
use tower::ServiceExt;
use tower_deploy::{App, Body};

use super::{SHORT, ask, get, load, proxy, sockets::Upstream, text};

const DOCUMENT: &str = include_str!("../../../src/builtins.md");
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn deploy_23_an_error_of_a_proxy_is_at_its_setting() {
    let at = "/srv/site.ini:3:";
    for (settings, error) in [
        (
            "",
            "/srv/site.ini:1:2: [app:main] address: it is missing (add `address = …`)",
        ),
        (
            "adress = http://h\n",
            "3:1: [app:main] adress: the key is not known (did you mean `address`?)",
        ),
        #[cfg(not(feature = "tls"))]
        (
            "address = https://h\n",
            "3:11: [app:main] address: `https:` needs the feature `tls` of tower-upstream",
        ),
        #[cfg(feature = "tls")]
        (
            "ca = /gone/ca.pem\naddress = https://h\n",
            "3:6: [app:main] ca: cannot read `/gone/ca.pem`",
        ),
        #[cfg(feature = "tls")]
        (
            "server_name = a..b\naddress = https://h\n",
            "3:15: [app:main] server_name: `a..b` is neither a DNS name nor an IP address",
        ),
        #[cfg(feature = "tls")]
        (
            "client_key = /x.key\naddress = https://h\n",
            "/srv/site.ini:1:2: [app:main] the factory failed: `client_key` needs `client_certificate`",
        ),
        (
            "protocol = h2c\naddress = http://h\n",
            "3:12: [app:main] protocol: `h2c` is not one of negotiated, http1, http2",
        ),
        (
            "trusted = 10.0.0.0/33\naddress = http://h\n",
            "3:11: [app:main] trusted: `10.0.0.0/33` is not an address or a network, such as 10.0.0.0/8 or ::1",
        ),
        (
            "host = theirs\naddress = http://h\n",
            "3:8: [app:main] host: `theirs` is not one of auto, upstream, client",
        ),
        (
            "address = unix:run/x.sock\n",
            "3:11: [app:main] address: the socket's path has to start with a slash, or with %(here)s",
        ),
        (
            "also = http://b ftp://c\naddress = http://h\n",
            "3:8: [app:main] also: there is no such scheme here; expected http://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH] or unix:/path/to.sock[:/PATH]",
        ),
        (
            "keep_alive = -1s\naddress = http://h\n",
            "3:14: [app:main] keep_alive: `-1s` is not a duration, such as 30s, 500ms or 1h 30m",
        ),
        (
            "idle_timeout = 0s\naddress = http://h\n",
            "3:16: [app:main] idle_timeout: it has to be longer than nothing",
        ),
        (
            "header_timeout = long\naddress = http://h\n",
            "3:18: [app:main] header_timeout: `long` is not a duration, such as 30s, 500ms or 1h 30m",
        ),
        (
            "tunnel_timeout = 0s\naddress = http://h\n",
            "3:18: [app:main] tunnel_timeout: it has to be longer than nothing",
        ),
        (
            "upgrades = websocket h2c\naddress = http://h\n",
            "3:12: [app:main] upgrades: `h2c` would carry requests that this proxy does not see; expected a protocol such as websocket",
        ),
        (
            "allowed_request_methods = GET CONNECT\naddress = http://h\n",
            "3:27: [app:main] allowed_request_methods: CONNECT cannot be passed on",
        ),
        (
            "allowed_request_methods = G,T\naddress = http://h\n",
            "3:27: [app:main] allowed_request_methods: `G,T` is not a method, such as GET",
        ),
        (
            "suppress_http_headers = a:b\naddress = http://h\n",
            "3:25: [app:main] suppress_http_headers: `a:b` is not a header's name, such as User-Agent",
        ),
    ] {
        let found = load(settings).unwrap_err().to_string();
        let wanted = match error.strip_prefix("3:") {
            Some(rest) => format!("{at}{rest}"),
            None => error.to_owned(),
        };
        assert_eq!(found, wanted);
    }
}

#[test]
fn deploy_15_a_password_in_an_address_is_not_shown() {
    let error = load("address = http://joe:hunter2@h\n").unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.report(false)).contains("hunter2"));
}

#[test]
fn deploy_23_all_settings_together_make_a_proxy() {
    let all = "address = http://example.org:8080/base\nallowed_request_methods = get POST\nsuppress_http_headers = User-Agent\nhost = upstream\nalso = http://b/base http://c/base\nkeep_alive = 0s\nconnect_timeout = 1s\nheader_timeout = 2m\nidle_timeout = 500ms\nupgrades = websocket acme/2\ntunnel_timeout = 1h\nmap_locations = yes\ntrusted = 10.0.0.0/8 ::1 192.0.2.1\n";
    load(all).unwrap();
}

/// The documented defaults are those of a proxy that has only an address.
#[tokio::test]
async fn deploy_21_the_defaults_of_a_proxy_are_documented() {
    let (_, table) = DOCUMENT
        .split_once("| setting | default | effect |\n|---|---|---|\n")
        .unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`'), cells[2].trim_matches('`'))
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ("address", ""),
            ("also", "none"),
            ("allowed_request_methods", "all"),
            ("suppress_http_headers", "none"),
            ("pass_headers", "none"),
            ("host", "auto"),
            ("protocol", "negotiated"),
            ("ca", "the system's"),
            ("server_name", "the address's host"),
            ("client_certificate`, `client_key", "none"),
            ("keep_alive", "4s"),
            ("connect_timeout", "5s"),
            ("header_timeout", "60s"),
            ("idle_timeout", "60s"),
            ("upgrades", "websocket"),
            ("tunnel_timeout", "none"),
            ("map_locations", "no"),
            ("trusted", "none"),
        ]
    );

    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
    let request = Request::builder()
        .method("BREW")
        .uri("/")
        .header("host", "client.example")
        .header("user-agent", "x")
        .header("x_foo", "x")
        .header("x-forwarded-for", "192.0.2.1");
    let mut request = request.body(Body::default()).unwrap();
    let peer = tower_origin::PeerAddr("127.0.0.1:9".parse().unwrap());
    request.extensions_mut().insert(peer);
    let seen = async {
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        peer.write(OK).await;
        head
    };
    let (head, response) = tokio::join!(seen, ask(&app, request));
    assert_eq!(text(response).await, "ok");
    assert!(head.starts_with("BREW / HTTP/1.1\r\n"), "{head}");
    for line in [
        "host: client.example",
        "user-agent: x",
        "x-forwarded-for: 127.0.0.1",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
    assert!(!head.contains("x_foo"), "{head}");
}

/// Each setting reaches the upstream's side, and so does `via`, which no setting sets.
#[tokio::test]
async fn deploy_23_each_setting_of_a_proxy_is_passed_on() {
    for (settings, has, lacks) in [
        ("", "via: 1.1 tower-deploy\r\n", "x_a"),
        ("pass_headers = X_A\n", "x_a: 1\r\n", "x_b"),
        (
            "suppress_http_headers = User-Agent\n",
            "x-c: 1\r\n",
            "user-agent",
        ),
        ("host = client\n", "host: client.example\r\n", "host: 127"),
        ("protocol = http1\n", "GET / HTTP/1.1\r\n", "x_a"),
        ("protocol = http2\n", "PRI * HTTP/2.0\r\n", "HTTP/1.1"),
        ("host = upstream\n", "host: 127.0.0.1:", "\r\nhost: client"),
        (
            "trusted = 127.0.0.0/8\n",
            "x-forwarded-for: 192.0.2.1, 127.0.0.1\r\n",
            "x_a",
        ),
        (
            "allowed_request_methods = get\n",
            "GET / HTTP/1.1\r\n",
            "x_a",
        ),
    ] {
        let upstream = Upstream::bind().await;
        let app = proxy(&upstream, settings);
        let request = |method: &str| {
            let mut request = Request::builder().method(method).uri("/");
            for (name, value) in [
                ("host", "client.example"),
                ("user-agent", "x"),
                ("x_a", "1"),
                ("x_b", "1"),
                ("x-c", "1"),
                ("x-forwarded-for", "192.0.2.1"),
            ] {
                request = request.header(name, value);
            }
            let mut request = request.body(Body::default()).unwrap();
            let peer = tower_origin::PeerAddr("127.0.0.1:9".parse().unwrap());
            request.extensions_mut().insert(peer);
            request
        };
        let seen = async {
            let mut peer = upstream.accept().await;
            let head = peer.head().await;
            peer.write(OK).await;
            head
        };
        let (head, response) = tokio::join!(seen, ask(&app, request("GET")));
        // The upstream speaks HTTP/1.
        let status = if settings.contains("http2") { 502 } else { 200 };
        assert_eq!(response.status(), status, "{settings}");
        assert!(head.contains(has), "{settings}: {head}");
        assert!(!head.contains(lacks), "{settings}: {head}");
        if settings.starts_with("allowed") {
            let response = ask(&app, request("PUT")).await;
            assert_eq!(response.status(), 405);
            assert_eq!(response.headers()["allow"], "GET");
        }
    }
}

/// The times are those of the file, and not the library's own.
#[tokio::test]
async fn deploy_23_each_time_of_a_proxy_is_passed_on() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "header_timeout = 7s\nidle_timeout = 8s\n");
    let _peer = used(&upstream, &app).await;
    let (seconds, response) = seconds_of(app.clone().oneshot(get("/"))).await;
    assert_eq!((seconds, response.unwrap().status().as_u16()), (7, 504));
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let (_peer, response) = tokio::join!(upstream.answers(head), ask(&app, get("/")));
    let (seconds, body) = seconds_of(response.into_body().collect()).await;
    assert_eq!((seconds, body.is_err()), (8, true));
}

#[tokio::test]
async fn deploy_23_the_other_upstreams_of_a_proxy_are_used() {
    let upstream = Upstream::bind().await;
    let dead = Upstream::bind().await.to_string();
    let app = load(&format!(
        "address = {dead}\nalso = {dead} {upstream}\nkeep_alive = 0s\n"
    ));
    let app = app.unwrap();
    let (peer, response) = tokio::join!(upstream.answers(OK), ask(&app, get("/")));
    assert_eq!(text(response).await, "ok");
    // It is not kept.
    let rest = timeout(SHORT, peer.rest());
    assert_eq!(rest.await.unwrap(), "");
}

async fn seconds_of<T>(wait: impl Future<Output = T>) -> (u64, T) {
    pause();
    let start = Instant::now();
    let done = wait.await;
    let seconds = start.elapsed().as_secs_f64().round() as u64;
    tokio::time::resume();
    (seconds, done)
}

/// Sends a request through a clone of the app, and returns its kept connection.
async fn used(upstream: &Upstream, app: &App) -> super::sockets::Wire {
    let (peer, response) = tokio::join!(upstream.answers(OK), ask(app, get("/")));
    assert_eq!(text(response).await, "ok");
    peer
}

#[tokio::test]
async fn deploy_21_a_connection_has_five_seconds() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let app = proxy(format!("http://{address}"), "");
    let (seconds, response) = seconds_of(app.oneshot(get("/"))).await;
    assert_eq!((seconds, response.unwrap().status().as_u16()), (5, 504));
}

#[tokio::test]
async fn deploy_21_a_head_and_each_frame_have_a_minute() {
    let upstream = Upstream::bind().await;
    let app = proxy(&upstream, "");
    let _peer = used(&upstream, &app).await;
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

#[test]
fn deploy_23_a_name_that_is_never_passed_on_is_an_error() {
    for (names, error) in [
        (
            "X_Forwarded_For",
            "`x_forwarded_for` is never passed on, since servers take it for `x-forwarded-for`",
        ),
        (
            "X.Real.IP",
            "`x.real.ip` is never passed on, since servers take it for `x-real-ip`",
        ),
        (
            "Content_Length",
            "`content_length` is never passed on, since servers take it for `content-length`",
        ),
        (
            "X_A Transfer_Encoding",
            "`transfer_encoding` is never passed on, since servers take it for `transfer-encoding`",
        ),
        (
            "X-Foo",
            "`x-foo` is passed on without being named; named are names with other characters than letters, digits and `-`",
        ),
        (
            "Proxy",
            "`proxy` is never passed on, since the proxy removes it or sets it itself",
        ),
        (
            "X_A Connection",
            "`connection` is never passed on, since the proxy removes it or sets it itself",
        ),
        (
            "X-Forwarded-For",
            "`x-forwarded-for` is never passed on, since the proxy removes it or sets it itself",
        ),
        ("X_(a)", "`X_(a)` is not a header's name, such as X_Token"),
    ] {
        let found = load(&format!("address = http://h\npass_headers = {names}\n"));
        let found = found.unwrap_err().to_string();
        let wanted = format!("[app:main] pass_headers: {error}");
        assert!(found.ends_with(&wanted), "{found}");
    }
}

/// The failures of a rejection are those of its status, which is not that on the wire.
#[cfg(feature = "cli")]
#[tokio::test]
async fn deploy_20_a_rejection_for_grpc_is_logged_as_a_failure() {
    let address = Upstream::bind().await.to_string();
    let app = load(&format!(
        "address = {address}\nfilter-with = log\n[filter:log]\nuse = egg:tower#trace\n"
    ));
    let (log, _guard) = crate::log::Log::begin(tracing::Level::DEBUG);
    let request = Request::post("/").header("content-type", "application/grpc");
    let response = ask(&app.unwrap(), request.body(Body::default()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let log = log.text();
    assert!(
        log.contains("response failed classification=Status code: 502"),
        "{log}"
    );
}
