//! The settings about WebSockets and about references to the upstream.

use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_deploy::Body;
use tower_serve::{Address, Server, Shutdown};

use super::{ask, proxy, sockets::Upstream};

const HANDSHAKE: &str =
    "GET / HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello";

/// Sends a handshake through a server, and returns the head that the upstream gets and all that the
/// client gets, up to the end of a closed tunnel.
async fn handshake(settings: &str) -> (String, String) {
    let upstream = Upstream::bind().await;
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let bound = server.bind().await.unwrap();
    let address = bound.addresses().next().unwrap();
    let (trigger, shutdown) = Shutdown::manual();
    let serving = tokio::spawn(bound.serve(proxy(&upstream, settings), shutdown));
    let mut client = TcpStream::connect(address.trim_start_matches("http://"))
        .await
        .unwrap();
    client.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let mut peer = upstream.accept().await;
    let head = peer.head().await;
    peer.write(SWITCH).await;
    let mut got = vec![0; 12];
    client.read_exact(&mut got).await.unwrap();
    if got.ends_with(b"101") {
        let mut more = [0; 1];
        while !got.ends_with(b"hello") {
            client.read_exact(&mut more).await.unwrap();
            got.extend(more);
        }
    }
    drop(client);
    trigger.signal();
    serving.await.unwrap().unwrap();
    (head, String::from_utf8(got).unwrap())
}

#[tokio::test]
async fn deploy_23_a_web_socket_passes_unless_none_may() {
    for (settings, passes) in [
        ("", true),
        ("upgrades = acme websocket\n", true),
        ("upgrades = acme\n", false),
        ("upgrades =\n", false),
    ] {
        let (head, got) = handshake(settings).await;
        assert_eq!(
            head.contains("upgrade: websocket\r\n"),
            passes,
            "{settings}{head}"
        );
        let start = if passes {
            "HTTP/1.1 101"
        } else {
            "HTTP/1.1 502"
        };
        assert!(got.starts_with(start), "{settings}{got}");
    }
}

#[tokio::test]
async fn deploy_23_an_idle_tunnel_has_the_time_of_the_file() {
    let upstream = Upstream::bind().await;
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    let bound = server.bind().await.unwrap();
    let address = bound.addresses().next().unwrap();
    let (_trigger, shutdown) = Shutdown::manual();
    tokio::spawn(bound.serve(proxy(&upstream, "tunnel_timeout = 300ms\n"), shutdown));
    let mut client = TcpStream::connect(address.trim_start_matches("http://"))
        .await
        .unwrap();
    client.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.write(SWITCH).await;
    let mut got = Vec::new();
    let read = client.read_to_end(&mut got);
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), read).await;
    read.unwrap().unwrap();
    assert!(got.ends_with(b"hello"));
}

#[tokio::test]
async fn deploy_23_locations_are_mapped_on_demand() {
    for (settings, expected) in [("", "/base/x"), ("map_locations = yes\n", "/x")] {
        let upstream = Upstream::bind().await;
        let app = proxy(format!("{upstream}/base"), settings);
        let request = Request::get("/").body(Body::default()).unwrap();
        let answer = "HTTP/1.1 302 Found\r\nlocation: /base/x\r\ncontent-length: 0\r\n\r\n";
        let (response, _peer) = tokio::join!(ask(&app, request), upstream.answers(answer));
        assert_eq!(response.headers()["location"], expected);
    }
}
