//! TLS, with a client that shows which certificate it got.

use std::fs;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{copy_bidirectional, duplex};
use tokio_rustls::rustls::{ProtocolVersion, pki_types::ServerName, version};
use tower_serve::{Tls, TlsErrorKind};

use super::{secure::*, *};

#[tokio::test]
async fn serve_30_alpn_decides_which_http_is_spoken() {
    let store = Store::new("alpn");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    for (offer, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.0", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let mut client = server.connect_tls(offer, "a.example").await;
        let alpn = client.0.get_ref().1.alpn_protocol();
        assert_eq!(alpn, chosen.map(str::as_bytes), "{offer:?}");
        if chosen != Some("h2") {
            assert!(client.get("/a").await.ends_with("/a"));
        }
        // Without ALPN, the client may have prior knowledge.
        if chosen != Some("http/1.1") {
            let io = TokioIo::new(match chosen {
                None => server.connect_tls(offer, "a.example").await.0,
                _ => client.0,
            });
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
            let (mut sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("https://a.example/b");
            let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.collect().await.unwrap().to_bytes(), "/b");
        }
    }
    let socket = server.connect().await.0;
    let error = handshake(socket, config(BOTH, &["smtp"]), "a.example").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test]
async fn serve_30_versions_1_2_and_1_3_are_spoken() {
    let store = Store::new("versions");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    for (version, spoken) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let socket = server.connect().await.0;
        let stream = handshake(socket, config(&[version], &[]), "a.example").await;
        let mut client = Client(stream.unwrap());
        assert_eq!(client.0.get_ref().1.protocol_version(), Some(spoken));
        assert!(client.get("/a").await.ends_with("/a"));
    }
}

#[tokio::test]
async fn serve_30_a_handshake_may_come_in_pieces() {
    let store = Store::new("pieces");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    let mut socket = server.connect().await.0;
    socket.set_nodelay(true).unwrap();
    let (near, mut far) = duplex(1);
    tokio::spawn(async move { copy_bidirectional(&mut far, &mut socket).await });
    let stream = handshake(near, config(BOTH, &[]), "a.example").await;
    assert!(Client(stream.unwrap()).get("/a").await.ends_with("/a"));
}

#[tokio::test]
async fn serve_30_the_address_is_one_of_https() {
    let store = Store::new("address");
    store.make("a", &["a.example"]);
    let bound = server().tls(store.tls("a")).bind().await.unwrap();
    let address = bound.addresses().next().unwrap();
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
}

#[tokio::test]
async fn serve_31_a_client_gets_the_certificate_of_its_name() {
    let store = Store::new("names");
    let first = store.make("first", &["a.example", "c.example"]);
    let second = store.make("second", &["b.example", "*.b.example", "a.example"]);
    let server = run_tls(store.with(store.tls("first"), "second")).await;
    for (name, expected) in [
        ("a.example", &first),
        ("c.example", &first),
        ("b.example", &second),
        ("B.example", &second),
        ("www.b.example", &second),
        ("a.www.b.example", &first),
        ("d.example", &first),
        // There is no name in the handshake.
        ("127.0.0.1", &first),
    ] {
        assert_eq!(&server.certificate_for(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn serve_34_plain_http_gets_a_400_in_text() {
    let store = Store::new("plain");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    for start in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n123456789",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "G",
    ] {
        let mut client = server.connect().await;
        client.send(start).await;
        let response = client.response().await;
        assert!(
            response.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{response}"
        );
        let body = "\r\n\r\nThis port expects TLS. Use https:// instead of http.\n";
        assert!(response.ends_with(body), "{response}");
        client.0.shutdown().await.unwrap();
        assert_eq!(client.rest().await.0, b"");
    }
}

#[tokio::test]
async fn serve_34_other_bytes_than_tls_get_an_alert() {
    let store = Store::new("garbage");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    let mut client = server.connect().await;
    client.send([0; 64]).await;
    let (rest, _) = client.rest().await;
    assert!(rest.is_empty() || rest[0] == 0x15, "{rest:?}");
    assert!(server.certificate_for("a.example").await.len() > 100);
}

#[tokio::test]
async fn serve_34_tls_without_a_certificate_gets_a_400() {
    let server = run(server(), echo_path()).await;
    let mut client = server.connect().await;
    client.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test]
async fn serve_11_a_client_of_tls_that_reads_nothing_is_dropped() {
    let store = Store::new("write");
    store.make("a", &["a.example"]);
    let server = server().tls(store.tls("a")).write_timeout(ms(300));
    let (bomb, gone) = bomb();
    let bomb = Arc::new(bomb);
    let service = service(move |_: Request<RequestBody>| {
        let bomb = Arc::clone(&bomb);
        std::future::ready(Body::from_stream(futures_util::stream::repeat_with(
            move || {
                let _held = &bomb;
                Ok::<_, Infallible>(vec![0; 65_536])
            },
        )))
    });
    let server = run(server, service).await;
    let mut client = server.connect_tls(&[], "a.example").await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.head().await;
    // The server and its service are gone, except what the connection holds.
    server.trigger.signal();
    timeout(PATIENCE, server.ended()).await.unwrap().unwrap();
    timeout(PATIENCE, gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn serve_19_an_upgrade_works_over_tls() {
    let store = Store::new("upgrade");
    store.make("a", &["a.example"]);
    let service = BoxCloneService::new(service_fn(async |mut request: Request<RequestBody>| {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgraded.await.unwrap());
            let mut bytes = [0; 4];
            io.read_exact(&mut bytes).await.unwrap();
            io.write_all(&bytes).await.unwrap();
            io.shutdown().await.unwrap();
        });
        let response = Response::builder().status(101).header("upgrade", "echo");
        let response = response.header("connection", "upgrade").body(Body::empty());
        Ok::<_, Infallible>(response.unwrap())
    }));
    let server = run(server().tls(store.tls("a")), service).await;
    let mut client = server.connect_tls(&["http/1.1"], "a.example").await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    client.send(request).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    client.send("ping").await;
    // Without the alert that ends TLS, this is an error.
    let mut rest = Vec::new();
    timeout(PATIENCE, client.0.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"ping");
}

#[tokio::test]
async fn serve_35_a_reload_changes_new_handshakes_only() {
    let store = Store::new("reload");
    let old = store.make("a", &["a.example"]);
    let tls = store.tls("a");
    let server = run_tls(tls.clone()).await;
    assert_eq!(server.certificate_for("a.example").await, old);
    let mut open = server.connect_tls(&[], "a.example").await;
    assert!(open.get("/a").await.ends_with("/a"));

    let new = store.make("a", &["a.example"]);
    assert_eq!(server.certificate_for("a.example").await, old);
    tls.reload().unwrap();
    assert_eq!(server.certificate_for("a.example").await, new);
    assert!(open.get("/b").await.ends_with("/b"));
}

#[tokio::test]
async fn serve_35_a_reload_that_fails_changes_nothing() {
    let store = Store::new("broken");
    let (first, second) = (
        store.make("first", &["a.example"]),
        store.make("second", &["b.example"]),
    );
    let tls = store.with(store.tls("first"), "second");
    let server = run_tls(tls.clone()).await;
    store.make("first", &["a.example"]);
    fs::write(store.path("second.key"), "").unwrap();
    assert_eq!(tls.reload().unwrap_err().kind(), TlsErrorKind::NoKey);
    assert_eq!(server.certificate_for("a.example").await, first);
    assert_eq!(server.certificate_for("b.example").await, second);
}

#[tokio::test]
async fn serve_37_the_handshake_has_the_header_timeout() {
    let store = Store::new("timeout");
    store.make("a", &["a.example"]);
    let server = run(
        server().tls(store.tls("a")).header_timeout(ms(300)),
        echo_path(),
    );
    let server = server.await;
    for start in [&b""[..], &[0x16, 3, 1, 2, 0]] {
        let mut client = server.connect().await;
        client.send(start).await;
        let (_, time) = client.rest().await;
        assert!(time >= ms(200) && time < ms(2000), "{time:?}");
    }
    // The time for the head goes on after the handshake.
    let mut client = server.connect_tls(&[], "a.example").await;
    let (rest, time) = client.rest().await;
    assert_eq!(rest, b"");
    assert!(time < ms(2000), "{time:?}");
}

/// A client begins a handshake when it has a request.
#[tokio::test]
async fn serve_37_a_handshake_is_on_its_way_at_the_signal() {
    let store = Store::new("on-its-way");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    let socket = server.connect().await.0;
    let mut client = server.connect_tls(&["http/1.1"], "a.example").await;
    tokio::time::sleep(ms(50)).await;
    server.trigger.signal();
    tokio::time::sleep(ms(50)).await;
    assert!(client.get("/after").await.ends_with("/after"));
    let stream = handshake(socket, config(BOTH, &["http/1.1"]), "a.example").await;
    let mut client = Client(stream.unwrap());
    assert!(client.get("/before").await.ends_with("/before"));
    drop(client);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_37_a_handshake_does_not_delay_the_end() {
    let store = Store::new("end");
    store.make("a", &["a.example"]);
    let server = run_tls(store.tls("a")).await;
    let mut client = server.connect().await;
    client.send([0x16, 3, 1]).await;
    assert!(client.is_silent_for(ms(50)).await);
    server.trigger.signal();
    server.ended().await.unwrap();
    assert_eq!(client.rest().await.0, b"");
}

#[tokio::test]
async fn serve_38_the_proxy_protocol_comes_before_tls() {
    let store = Store::new("proxy");
    store.make("a", &["a.example"]);
    let server = server().tls(store.tls("a"));
    let server = server.proxy_protocol(["127.0.0.1"]).unwrap();
    let service = service(async |request: Request<RequestBody>| {
        let peer = request.extensions().get::<tower_serve::PeerAddr>();
        Body::from(peer.map(|peer| peer.0.to_string()).unwrap_or_default())
    });
    let server = run(server, service).await;
    let mut socket = server.connect().await.0;
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n";
    socket.write_all(header).await.unwrap();
    let stream = handshake(socket, config(BOTH, &[]), "a.example").await;
    let mut client = Client(stream.unwrap());
    assert!(client.get("/").await.ends_with("192.0.2.1:4000"));

    let mut client = server.connect().await;
    client.send(header).await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    assert!(client.response().await.starts_with("HTTP/1.1 400 "));
}

#[cfg(feature = "self-signed")]
#[tokio::test]
async fn a_self_signed_certificate_is_for_its_names() {
    use tokio_rustls::rustls::{client::verify_server_name, server::ParsedCertificate};

    let tls = Tls::self_signed(["localhost", "127.0.0.1"]).unwrap();
    let server = run_tls(tls.clone()).await;
    let certificate = server.certificate_for("localhost").await;
    let parsed = ParsedCertificate::try_from(&certificate).unwrap();
    for (name, is_for) in [("localhost", true), ("127.0.0.1", true), ("a", false)] {
        let name = ServerName::try_from(name).unwrap();
        assert_eq!(verify_server_name(&parsed, &name).is_ok(), is_for);
    }
    tls.reload().unwrap();
    assert_eq!(server.certificate_for("localhost").await, certificate);
}
