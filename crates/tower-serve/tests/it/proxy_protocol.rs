//! The PROXY protocol, in front of a service that responds with the peer's address.

use super::*;
use tower_origin::PeerAddr;

fn echo_peer() -> BoxService {
    service(async |request: Request<RequestBody>| {
        let peer = request.extensions().get::<PeerAddr>();
        Body::from(match peer {
            Some(PeerAddr(peer)) => peer.to_string(),
            None => "none".to_owned(),
        })
    })
}

async fn run_trusting(networks: &[&str]) -> Running {
    run(server().proxy_protocol(networks).unwrap(), echo_peer()).await
}

const LINE: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n";

#[tokio::test]
async fn serve_33_the_address_of_the_header_is_the_peers() {
    let server = run_trusting(&["127.0.0.0/8"]).await;
    let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x0F\xA0\0\x50";
    for header in [LINE.as_bytes(), binary] {
        let mut client = server.connect().await;
        client.send(header).await;
        // Every request of the connection has it.
        for _ in 0..2 {
            assert!(client.get("/").await.ends_with("192.0.2.1:4000"));
        }
    }
}

#[tokio::test]
async fn serve_33_without_an_address_the_peer_is_the_proxy() {
    let server = run_trusting(&["127.0.0.1"]).await;
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x0F\xA0\0\x50",
    ] {
        let mut client = server.connect().await;
        let own = client.0.local_addr().unwrap().to_string();
        client.send(header).await;
        assert!(client.get("/").await.ends_with(&own), "{header:?}");
    }
}

#[tokio::test]
async fn serve_33_the_header_and_the_request_may_come_together() {
    let server = run_trusting(&["127.0.0.1"]).await;
    let mut client = server.connect().await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(format!("{LINE}{request}{request}")).await;
    for _ in 0..2 {
        assert!(client.response().await.ends_with("192.0.2.1:4000"));
    }
}

#[tokio::test]
async fn serve_33_the_header_may_come_byte_by_byte() {
    let server = run_trusting(&["127.0.0.1"]).await;
    let mut client = server.connect().await;
    client.0.set_nodelay(true).unwrap();
    for byte in LINE.bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(client.get("/").await.ends_with("192.0.2.1:4000"));
}

#[tokio::test]
async fn serve_33_a_connection_without_a_header_is_closed() {
    let server = run_trusting(&["127.0.0.1"]).await;
    for start in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 4000 80000\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(client.rest().await.0, b"", "{start}");
    }
}

#[tokio::test]
async fn serve_32_other_peers_are_refused() {
    let server = run_trusting(&["10.0.0.0/8", "::1"]).await;
    let mut client = server.connect().await;
    assert_eq!(client.rest().await.0, b"");
}

#[tokio::test]
async fn serve_32_networks_are_added() {
    let server = server().proxy_protocol(["10.0.0.0/8"]).unwrap();
    let server = server.proxy_protocol(["127.0.0.1"]).unwrap();
    let server = run(server, echo_peer()).await;
    let mut client = server.connect().await;
    client.send(LINE).await;
    assert!(client.get("/").await.ends_with("192.0.2.1:4000"));
}

#[tokio::test]
async fn serve_37_the_header_has_the_header_timeout() {
    let server = server().proxy_protocol(["127.0.0.1"]).unwrap();
    let server = run(server.header_timeout(ms(200)), echo_peer()).await;
    for start in ["", "PROXY TCP4 ", LINE] {
        let mut client = server.connect().await;
        client.send(start).await;
        let (rest, time) = client.rest().await;
        assert_eq!(rest, b"", "{start}");
        assert!(time >= ms(100) && time < ms(2000), "{time:?}");
    }
}

#[tokio::test]
async fn serve_37_a_connection_within_its_header_does_not_delay_the_end() {
    let server = run_trusting(&["127.0.0.1"]).await;
    let mut client = server.connect().await;
    client.send("PROXY ").await;
    // The connection is accepted.
    assert!(client.is_silent_for(ms(50)).await);
    server.trigger.signal();
    server.ended().await.unwrap();
    assert_eq!(client.rest().await.0, b"");
}

#[tokio::test]
async fn serve_33_a_health_check_is_a_header_and_an_end() {
    let server = run_trusting(&["127.0.0.1"]).await;
    for check in ["", LINE] {
        let mut client = server.connect().await;
        client.send(check).await;
        client.0.shutdown().await.unwrap();
        assert_eq!(client.rest().await.0, b"");
    }
    let mut client = server.connect().await;
    client.send(LINE).await;
    assert!(client.get("/").await.ends_with("192.0.2.1:4000"));
}

#[cfg(unix)]
#[tokio::test]
async fn serve_32_a_proxy_on_a_unix_socket_may_send_a_header() {
    let path = super::sockets::path("proxy");
    let address = format!("unix:{}", path.display()).parse().unwrap();
    let server = Server::new(address).proxy_protocol(["10.0.0.1"]).unwrap();
    let bound = server.bind().await.unwrap();
    let (_trigger, shutdown) = Shutdown::manual();
    let task = tokio::spawn(bound.serve(echo_peer(), shutdown));
    for (header, peer) in [(LINE, "192.0.2.1:4000"), ("PROXY UNKNOWN\r\n", "none")] {
        let mut client = Client(tokio::net::UnixStream::connect(&path).await.unwrap());
        client.send(header).await;
        assert!(client.get("/").await.ends_with(peer));
    }
    task.abort();
}
