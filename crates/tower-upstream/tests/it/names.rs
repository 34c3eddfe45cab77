//! Names of fields that an upstream could take for others, and fields that are about one hop.

use http::{HeaderName, Request};
use http_body_util::{BodyExt, StreamBody};
use tower_upstream::BuildErrorKind;

use super::{
    Body, OK, ask, at, proxy,
    sockets::{Listener, client, serve},
    watched,
};

/// Written out here, so that none can be lost in the code (RFC 9110, sections 7.6.1, 10.1.4, 11.7;
/// RFC 7540, section 3.2.1).
const ONE_HOP: [&str; 10] = [
    "Connection",
    "HTTP2-Settings",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
];

/// Returns a value that leaves the message as it is.
fn value(name: &str) -> &'static str {
    match name {
        "Connection" => "keep-alive",
        "Transfer-Encoding" => "chunked",
        _ => "x",
    }
}

/// Returns the names of a head's header lines.
fn names(head: &str) -> Vec<String> {
    let lines = head.lines().skip(1).filter(|line| !line.is_empty());
    let names = lines.map(|line| line.split(':').next().unwrap().to_ascii_lowercase());
    names.collect()
}

#[tokio::test]
async fn upstream_2_each_field_about_one_hop_stays_there() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let front = serve(app).await;
    for name in ONE_HOP {
        let line = format!("{name}: {}", value(name));
        let mut wire = client(front).await;
        wire.write(&format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX-Kept: 1\r\n{line}\r\n\r\n"
        ))
        .await;
        if name == "Transfer-Encoding" {
            wire.write("0\r\n\r\n").await;
        }
        let mut peer = upstream.accept().await;
        let asked = names(&peer.head().await);
        assert!(asked.contains(&"x-kept".to_owned()), "{asked:?}");
        // The message's own coding is hyper's, for a body whose length is not known.
        let is_own = name == "Transfer-Encoding";
        assert!(
            is_own || !asked.contains(&name.to_ascii_lowercase()),
            "{name}: {asked:?}"
        );

        let body = if is_own { "2\r\nok\r\n0\r\n\r\n" } else { "ok" };
        let length = if is_own { "" } else { "Content-Length: 2\r\n" };
        peer.write(&format!(
            "HTTP/1.1 200 OK\r\nX-Kept: 1\r\n{line}\r\n{length}\r\n{body}"
        ))
        .await;
        let head = wire.head().await;
        let answered = names(&head);
        assert!(answered.contains(&"x-kept".to_owned()), "{head}");
        assert!(
            is_own || !answered.contains(&name.to_ascii_lowercase()),
            "{name}: {head}"
        );
        wire.until("ok").await;
    }
}

#[tokio::test]
async fn upstream_2_several_connection_lines_name_fields() {
    let upstream = Listener::bind().await;
    let front = serve(proxy(&upstream)).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let lines = "Connection: X-One,, x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Four: 4\r\nX-Three: 3\r\nX-Three: 33\r\nConnection: \"q\", X-Three\r\n";
    upstream
        .answers(&format!(
            "HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok"
        ))
        .await;
    let mut names = names(&wire.head().await);
    names.retain(|name| name != "date");
    names.sort();
    assert_eq!(names, ["content-length", "x-four"]);
}

#[tokio::test]
async fn upstream_3_only_plain_names_reach_the_upstream() {
    let given = [
        ("SCRIPT_NAME", "/evil"),
        ("PATH_INFO", "/evil"),
        ("X_Forwarded_For", "6.6.6.6"),
        ("X.Forwarded.For", "6.6.6.6"),
        ("X-Forwarded-F.or", "6.6.6.6"),
        ("X-Real.Ip", "6.6.6.6"),
        ("X-Forwarded-Client_Cert", "evil"),
        ("Content.Length", "9"),
        ("X_Foo", "1"),
        ("X.Foo", "1"),
        ("X~Foo", "1"),
        ("X_Bar", "1"),
        ("X-Foo-9", "plain"),
    ];
    let ours = ["host", "via", "x-forwarded-for", "x-forwarded-proto"];
    let x_foo = HeaderName::from_static("x.foo");
    for (passing, suppressed, trusted, passed) in [
        (&[][..], None, "192.0.2.1", &["x-foo-9"][..]),
        (
            &["X_Foo", "SCRIPT_NAME"],
            None,
            "192.0.2.1",
            &["script_name", "x-foo-9", "x_foo"],
        ),
        (&["x.foo"], None, "192.0.2.1", &["x-foo-9", "x.foo"]),
        // A suppressed name is suppressed in each spelling.
        (
            &["X_Foo", "X_Bar"],
            Some(x_foo),
            "192.0.2.1",
            &["x-foo-9", "x_bar"],
        ),
        (&[], None, "127.0.0.0/8", &["x-foo-9"]),
    ] {
        let upstream = Listener::bind().await;
        let with = at(&upstream)
            .passed_headers(passing.iter().copied())
            .unwrap();
        let with = with.suppressed_headers(suppressed).trusted([trusted]);
        let app = watched(with.unwrap());
        let mut heads = upstream.answering(OK);
        let mut request = Request::get("/");
        for (name, value) in given {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::default()).unwrap();
        let peer = tower_origin::PeerAddr("127.0.0.1:9".parse().unwrap());
        request.extensions_mut().insert(peer);
        ask(&app, request).await;
        let mut names = names(&heads.recv().await.unwrap());
        names.retain(|name| !ours.contains(&&**name));
        names.sort();
        assert_eq!(names, passed, "{passing:?}");
    }
}

#[tokio::test]
async fn upstream_3_an_ambiguous_trailer_does_not_reach_the_upstream() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let trailers = [
        ("script_name", "/evil"),
        ("x.sum", "1"),
        ("x-sum", "2"),
        ("te", "x"),
    ];
    let trailers = trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let frame = http_body::Frame::<bytes::Bytes>::trailers(trailers.into_iter().collect());
    let body = StreamBody::new(futures_util::stream::iter([Ok::<
        _,
        std::convert::Infallible,
    >(frame)]));
    let request = Request::post("/").header("trailer", "script_name, x.sum, x-sum, te");
    let request = request.body(Body::new(body)).unwrap();
    let (_, sent) = tokio::join!(ask(&app, request), async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        let sent = peer.until("\r\n\r\n").await;
        peer.write(OK).await;
        sent
    });
    assert_eq!(sent, "0\r\nx-sum: 2\r\n\r\n");
}

#[tokio::test]
async fn upstream_3_a_response_keeps_its_names() {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let request = Request::get("/").body(Body::default()).unwrap();
    let answer = "HTTP/1.1 200 OK\r\nX_Foo: 1\r\nx.bar: 2\r\ncontent-length: 2\r\n\r\nok";
    let (response, _) = tokio::join!(ask(&app, request), upstream.answers(answer));
    assert_eq!(response.headers()["x_foo"], "1");
    assert_eq!(response.headers()["x.bar"], "2");
    response.into_body().collect().await.unwrap();
}

#[test]
fn upstream_3_a_name_that_cannot_be_passed_is_an_error() {
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
        let found = at("http://h").passed_headers(names.split(' ')).unwrap_err();
        assert_eq!(found.kind(), BuildErrorKind::Header);
        assert_eq!(found.to_string(), error);
    }
}

#[tokio::test]
async fn upstream_3_each_dropped_name_is_logged_once() {
    let (log, _guard) = crate::log::Log::begin(tracing::Level::INFO);
    let upstream = Listener::bind().await;
    let counting = at(&upstream);
    let app = watched(counting.clone());
    let _heads = upstream.answering(OK);
    for number in [1, 1, 2, 1, 2] {
        let request = Request::get("/").header(format!("X_{number}"), "secret");
        ask(&app, request.body(Body::default()).unwrap()).await;
    }
    let mut request = Request::get("/");
    for number in 0..100 {
        request = request.header(format!("X_many_{number}"), "secret");
    }
    ask(&app, request.body(Body::default()).unwrap()).await;
    let log = log.text();
    let dropped: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("not passed on"))
        .collect();
    assert_eq!(dropped.len(), 32, "{log}");
    for name in ["name=x_1", "name=x_2"] {
        assert_eq!(
            dropped.iter().filter(|line| line.ends_with(name)).count(),
            1,
            "{log}"
        );
    }
    assert!(!log.contains("secret"), "{log}");
    assert_eq!(counting.dropped_headers(), 105);
}
