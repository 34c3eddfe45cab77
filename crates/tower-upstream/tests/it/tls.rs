//! Upstreams with an `https` address.

use std::process::Command;

use http::{HeaderValue, Response, StatusCode, Version};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use tower_kit::Rejection;
use tower_upstream::{BuildErrorKind, HostPolicy, Protocol, Tls, Upstream, UpstreamError};

use super::{
    Body, OK, ask, at, get,
    log::Log,
    secure::{Options, Seen, Server, Store, early, expired, pem},
    sockets::{Listener, client, serve},
    text, watched,
};

const BOTH: Options = Options {
    alpn: &["h2", "http/1.1"],
    wants_certificate: false,
};

fn trusting(store: &Store) -> Tls {
    Tls::new().ca(store.path("ca.pem")).unwrap()
}

/// Asks the server, and returns what it has seen.
async fn seen(server: &Server, upstream: Upstream) -> Seen {
    let response = ask(&watched(upstream), get("/a?b")).await;
    assert_eq!(text(response).await, "ok");
    server.only()
}

#[tokio::test]
async fn upstream_24_the_handshake_chooses_the_protocol() {
    let store = Store::new("alpn");
    store.make("up", &["localhost"]);
    for (alpn, protocol, version) in [
        (
            &["h2", "http/1.1"][..],
            Protocol::Negotiated,
            Version::HTTP_2,
        ),
        (&["http/1.1"], Protocol::Negotiated, Version::HTTP_11),
        (&[], Protocol::Negotiated, Version::HTTP_11),
        (&["h2", "http/1.1"], Protocol::Http1, Version::HTTP_11),
        (&["http/1.1", "h2"], Protocol::Http2, Version::HTTP_2),
        // Without ALPN it is prior knowledge.
        (&[], Protocol::Http2, Version::HTTP_2),
    ] {
        let options = Options { alpn, ..BOTH };
        let server = store.serve("up", options).await;
        let upstream = at(&server).tls(trusting(&store)).protocol(protocol);
        let seen = seen(&server, upstream).await;
        assert_eq!(seen.version, Some(version), "{alpn:?} {protocol:?}");
        assert_eq!(seen.sni.as_deref(), Some("localhost"));
        let own = format!("localhost:{}", server.address.port());
        match version {
            Version::HTTP_2 => {
                assert_eq!((seen.host, seen.uri), (None, format!("https://{own}/a?b")))
            }
            _ => assert_eq!((seen.host, seen.uri), (Some(own), "/a?b".to_owned())),
        }
    }
}

#[tokio::test]
async fn upstream_27_a_handshake_speaks_http1_over_tls() {
    let store = Store::new("tunnel");
    store.make("up", &["localhost"]);
    let server = store.serve("up", BOTH).await;
    let front = serve(watched(at(&server).tls(trusting(&store)))).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(server.only().version, Some(Version::HTTP_2));

    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 101 "));
    wire.write("through").await;
    assert_eq!(wire.until("through").await, "through");
    assert_eq!(server.only().version, Some(Version::HTTP_11));
}

#[tokio::test]
async fn upstream_27_http2_alone_makes_no_tunnel() {
    let store = Store::new("no-tunnel");
    store.make("up", &["localhost"]);
    let server = store.serve("up", BOTH).await;
    let upstream = at(&server).tls(trusting(&store)).protocol(Protocol::Http2);
    let front = serve(watched(upstream)).await;
    let mut wire = client(front).await;
    wire.write("GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(server.only().version, Some(Version::HTTP_2));
}

#[tokio::test]
async fn upstream_24_a_server_name_is_sent_and_verified() {
    let store = Store::new("names");
    store.make("shop", &["shop.internal"]);
    store.make("address", &["127.0.0.1"]);
    let server = store.serve("shop", BOTH).await;
    let tls = trusting(&store).server_name("shop.internal").unwrap();
    let upstream = at(&server).tls(tls).protocol(Protocol::Http1);
    let own = format!("localhost:{}", server.address.port());
    let got = seen(&server, upstream).await;
    assert_eq!(got.sni.as_deref(), Some("shop.internal"));
    assert_eq!(got.host, Some(own));

    // An address is verified, too, and is not sent.
    let server = store.serve("address", BOTH).await;
    for (url, tls) in [
        (format!("https://{}", server.address), trusting(&store)),
        (
            server.to_string(),
            trusting(&store).server_name("127.0.0.1").unwrap(),
        ),
    ] {
        let got = seen(&server, at(url).tls(tls)).await;
        assert_eq!(got.sni, None);
    }

    let error = Tls::new().server_name("a b").unwrap_err();
    assert_eq!(error.kind(), BuildErrorKind::ServerName);
    assert_eq!(
        error.to_string(),
        "`a b` is neither a DNS name nor an IP address"
    );
}

/// A client's name for the upstream does not decide whom the proxy trusts.
#[tokio::test]
async fn upstream_24_the_clients_host_is_not_verified() {
    let store = Store::new("hosts");
    store.make("up", &["localhost"]);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let server = store.serve("up", BOTH).await;
        let upstream = at(&server).tls(trusting(&store)).protocol(protocol);
        let app = watched(upstream.host(HostPolicy::Client));
        let mut request = get("/a");
        let name = HeaderValue::from_static("client.example");
        request.headers_mut().insert("host", name);
        assert_eq!(text(ask(&app, request).await).await, "ok");
        let seen = server.only();
        assert_eq!(seen.sni.as_deref(), Some("localhost"));
        match protocol {
            Protocol::Http1 => assert_eq!(seen.host.as_deref(), Some("client.example")),
            _ => assert_eq!(seen.uri, "https://client.example/a"),
        }
    }
}

#[tokio::test]
async fn upstream_24_the_proxy_identifies_itself() {
    let store = Store::new("client");
    store.make("up", &["localhost"]);
    store.make("me", &["proxy.internal"]);
    let options = Options {
        wants_certificate: true,
        ..BOTH
    };
    let server = store.serve("up", options).await;
    let named = trusting(&store)
        .client_certificate(store.path("me.pem"), store.path("me.key"))
        .unwrap();
    let own = CertificateDer::from_pem_file(store.path("me.pem")).unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let upstream = at(&server).tls(named.clone()).protocol(protocol);
        let seen = seen(&server, upstream).await;
        assert_eq!(seen.client, Some(own.to_vec()));

        let (log, _guard) = Log::begin(tracing::Level::WARN);
        let upstream = at(&server).tls(trusting(&store)).protocol(protocol);
        let response = ask(&watched(upstream), get("/")).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(server.has_seen_none());
        let log = log.text();
        assert!(log.contains("CertificateRequired"), "{log}");
    }
}

fn reason(response: &Response<Body>) -> UpstreamError {
    *Rejection::of(response).unwrap().reason().unwrap()
}

#[tokio::test]
async fn upstream_24_the_log_says_what_a_certificate_lacked() {
    let store = Store::new("lacking");
    store.make("good", &["localhost"]);
    store.make("other", &["shop.internal", "www.shop.internal"]);
    store.make_with("expired", &["localhost"], expired);
    store.make_with("early", &["localhost"], early);
    store.make_self_signed("self", &["localhost"], false);
    store.make_self_signed("self-ca", &["localhost"], true);
    let stranger = Store::new("stranger");
    let namesake = Store::of_ca("namesake", "lacking");
    let own = |name: &str| Tls::new().ca(store.path(&format!("{name}.pem"))).unwrap();
    for (name, tls, expected) in [
        (
            "good",
            trusting(&stranger),
            "no trusted CA has issued the certificate",
        ),
        (
            "good",
            own("self"),
            "no trusted CA has issued the certificate",
        ),
        (
            "good",
            trusting(&namesake),
            "the certificate's issuer has the name of a trusted CA, and another key",
        ),
        // The system's certificates do not have it.
        (
            "good",
            Tls::new(),
            "no trusted CA has issued the certificate",
        ),
        (
            "other",
            trusting(&store),
            "certificate not valid for name \"localhost\"; certificate is only valid for DnsName(\"shop.internal\") or DnsName(\"www.shop.internal\")",
        ),
        (
            "good",
            trusting(&store).server_name("shop.internal").unwrap(),
            "certificate not valid for name \"shop.internal\"; certificate is only valid for DnsName(\"localhost\")",
        ),
        (
            "expired",
            trusting(&store),
            "certificate expired: verification time ",
        ),
        (
            "early",
            trusting(&store),
            "certificate not valid yet: verification time ",
        ),
        (
            "self-ca",
            own("self-ca"),
            "the certificate is that of a CA, and not that of a server (openssl makes one with `-addext basicConstraints=critical,CA:FALSE`)",
        ),
    ] {
        let server = store.serve(name, BOTH).await;
        let (log, _guard) = Log::begin(tracing::Level::WARN);
        let response = ask(&watched(at(&server).tls(tls)), get("/")).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{name}");
        assert_eq!(reason(&response), UpstreamError::Untrusted, "{name}");
        let (log, body) = (log.text(), text(response).await);
        assert!(log.contains(expected), "{name}: {log}");
        assert_eq!(body, "the server behind this one is not trusted\n");
        assert!(server.has_seen_none());
    }
    // Its own certificate is as good as that of its CA.
    let server = store.serve("self", BOTH).await;
    seen(&server, at(&server).tls(own("self"))).await;
    // Several files are trusted together.
    let server = store.serve("good", BOTH).await;
    let both = own("self").ca(store.path("ca.pem")).unwrap();
    seen(&server, at(&server).tls(both)).await;
}

#[tokio::test]
async fn upstream_24_a_plain_server_is_a_502() {
    let store = Store::new("plain");
    let upstream = Listener::bind().await;
    let port = upstream.to_string();
    let port = port.rsplit(':').next().unwrap();
    let app = watched(at(format!("https://localhost:{port}")).tls(trusting(&store)));
    let (log, _guard) = Log::begin(tracing::Level::WARN);
    let answers = async {
        let mut peer = upstream.accept().await;
        peer.write(OK).await;
        peer
    };
    let (_peer, response) = tokio::join!(answers, ask(&app, get("/")));
    assert_eq!(reason(&response), UpstreamError::Unreachable);
    let log = log.text();
    assert!(
        log.contains("the upstream does not speak TLS on this port"),
        "{log}"
    );
}

/// The handshake counts for the time of a connection.
#[tokio::test]
async fn upstream_24_a_handshake_has_a_time_limit() {
    let store = Store::new("slow");
    let upstream = Listener::bind().await;
    let port = upstream.to_string();
    let port = port.rsplit(':').next().unwrap();
    let silent = at(format!("https://localhost:{port}")).tls(trusting(&store));
    let app = watched(silent.connect_timeout(super::SHORT));
    let (_peer, response) = tokio::join!(upstream.accept(), ask(&app, get("/")));
    assert_eq!(reason(&response), UpstreamError::ConnectTimeout);
}

/// This test runs itself with a store of its own, as the variables of OpenSSL name it.
#[tokio::test]
async fn upstream_24_the_systems_certificates_are_trusted() {
    const INNER: &str = "TOWER_UPSTREAM_TEST_PORT";
    if let Ok(port) = std::env::var(INNER) {
        let upstream = at(format!("https://localhost:{port}"));
        let (log, _guard) = Log::begin(tracing::Level::WARN);
        let status = ask(&watched(upstream), get("/")).await.status();
        println!("{status} {}", log.text());
        return;
    }
    let store = Store::new("system");
    store.make("up", &["localhost"]);
    let server = store.serve("up", BOTH).await;
    std::fs::write(store.path("empty"), "").unwrap();
    for (file, expected) in [
        ("ca.pem", "200 OK"),
        (
            "empty",
            "the system trusts no certificates: its package ca-certificates is missing, or a CA has to be named",
        ),
    ] {
        let name = "tls::upstream_24_the_systems_certificates_are_trusted";
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", name, "--nocapture"])
            .env(INNER, server.address.port().to_string())
            .env("SSL_CERT_FILE", store.path(file))
            .env_remove("SSL_CERT_DIR");
        let output = tokio::task::spawn_blocking(move || test.output().unwrap());
        let output = output.await.unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains(expected), "{file}: {output}");
    }
}

#[test]
fn upstream_24_an_error_names_the_file_and_what_was_expected() {
    use BuildErrorKind as Kind;

    let store = Store::new("errors");
    store.make("a", &["a.example"]);
    store.make("b", &["b.example"]);
    let write = |name: &str, text: &str| std::fs::write(store.path(name), text).unwrap();
    write("text", "hello\n");
    write("cut", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    write("malformed", &pem("CERTIFICATE", b"0"));
    write("encrypted", &pem("ENCRYPTED PRIVATE KEY", b"0"));
    write("small", &pem("RSA PRIVATE KEY", b"0"));
    let certificate = "(expected PEM: `-----BEGIN CERTIFICATE-----`)";
    let key = "(expected PEM without a password: `-----BEGIN PRIVATE KEY-----`)";
    let other = store.path("a.pem");
    let table = [
        ("gone", None, Kind::Certificate, String::new()),
        (
            "text",
            None,
            Kind::Certificate,
            format!("has no certificate {certificate}"),
        ),
        (
            "a.key",
            None,
            Kind::Certificate,
            format!("has a key and no certificate {certificate}"),
        ),
        (
            "cut",
            None,
            Kind::Certificate,
            format!("is not valid PEM {certificate}"),
        ),
        (
            "malformed",
            None,
            Kind::Certificate,
            "has a certificate that is malformed (expected X.509 of version 3)".to_owned(),
        ),
        ("a.pem", Some("gone"), Kind::Key, String::new()),
        (
            "a.pem",
            Some("text"),
            Kind::Key,
            format!("has no key {key}"),
        ),
        (
            "a.pem",
            Some("a.pem"),
            Kind::Key,
            format!("has a certificate and no key {key}"),
        ),
        (
            "a.pem",
            Some("encrypted"),
            Kind::Key,
            format!("has a key that is encrypted {key}"),
        ),
        (
            "a.pem",
            Some("small"),
            Kind::Key,
            "has a key that cannot be used (expected an RSA key of 2048 to 8192 bits, ECDSA on \
             P-256 or P-384, or Ed25519)"
                .to_owned(),
        ),
        (
            "a.pem",
            Some("b.key"),
            Kind::Key,
            format!(
                "is not the key of the certificate in `{}` (expected the key with which the \
                 certificate was requested)",
                other.display()
            ),
        ),
    ];
    for (chain, key, kind, words) in table {
        let path = store.path(key.unwrap_or(chain));
        let expected = match &*words {
            "" => format!("cannot read `{}`", path.display()),
            words => format!("`{}` {words}", path.display()),
        };
        let chain = store.path(chain);
        let result = match key {
            Some(key) => Tls::new().client_certificate(&chain, store.path(key)),
            None => Tls::new().ca(&chain),
        };
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (kind, expected.clone()));
        if key.is_none() {
            // The chain of the proxy's own certificate is read alike.
            let error = Tls::new().client_certificate(&chain, store.path("a.key"));
            assert_eq!(error.unwrap_err().to_string(), expected);
        }
        let source = std::error::Error::source(&error);
        if words.is_empty() {
            assert!(source.unwrap().to_string().starts_with("No such file"));
        }
    }
}
