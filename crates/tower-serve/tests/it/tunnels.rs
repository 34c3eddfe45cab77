//! Tunnels over HTTP/2, which are streams of a connection.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{client::conn::http2::SendRequest, upgrade::Upgraded};
use hyper_util::rt::TokioIo;

use super::{
    exchange::{connect_2, connect_2_with_end},
    *,
};

type Tunnel = TokioIo<Upgraded>;

/// Returns a service whose tunnels send everything back.
pub(super) fn echoing() -> BoxService {
    BoxCloneService::new(service_fn(async |mut request: Request<RequestBody>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(tunnel) = upgrade.await.map(TokioIo::new) else {
                return;
            };
            let (mut reader, mut writer) = tokio::io::split(tunnel);
            // A client may end it as it likes.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        });
        Ok(Response::new(Body::default()))
    }))
}

/// Opens a tunnel for a WebSocket. The client waits for the settings of the server, and hyper's
/// shows that it has them by a response.
pub(super) async fn open(sender: &mut SendRequest<Empty<Bytes>>) -> Tunnel {
    let get = Request::get("http://a/").body(Empty::new()).unwrap();
    sender.send_request(get).await.unwrap();
    let request = Request::connect("http://a/tunnel")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .body(Empty::new());
    let response = timeout(PATIENCE, sender.send_request(request.unwrap())).await;
    let response = response.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

/// Sends four bytes, and waits until they are back.
async fn echoes(tunnel: &mut Tunnel) {
    tunnel.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    let read = timeout(PATIENCE, tunnel.read_exact(&mut four)).await;
    read.unwrap().unwrap();
    assert_eq!(&four, b"ping");
}

#[tokio::test]
async fn serve_22_a_connection_with_a_tunnel_is_not_idle() {
    let idle = ms(200);
    let server = server().enable_connect_protocol().keep_alive_timeout(idle);
    let server = run(server, echoing()).await;
    let (mut sender, connection) = connect_2_with_end(&server).await;
    let mut tunnel = open(&mut sender).await;
    for _ in 0..2 {
        tokio::time::sleep(idle * 2).await;
        echoes(&mut tunnel).await;
    }
    // A connection that is ending opens no stream.
    let second = open(&mut sender).await;
    drop((tunnel, second));
    let end = timeout(PATIENCE, connection).await;
    end.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn serve_13_a_tunnel_over_http_2_may_finish() {
    let server = run(server().enable_connect_protocol(), echoing()).await;
    let mut tunnel = open(&mut connect_2(&server).await).await;
    server.trigger.signal();
    tokio::time::sleep(ms(100)).await;
    echoes(&mut tunnel).await;
    drop(tunnel);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_13_a_tunnel_over_http_2_has_the_drain_timeout() {
    let server = server().enable_connect_protocol().drain_timeout(ms(300));
    let server = run(server, echoing()).await;
    let mut tunnel = open(&mut connect_2(&server).await).await;
    server.trigger.signal();
    tokio::time::sleep(ms(100)).await;
    echoes(&mut tunnel).await;
    let error = server.ended().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let read = timeout(PATIENCE, tunnel.read(&mut [0])).await;
    assert!(!matches!(read.unwrap(), Ok(1..)));
}
