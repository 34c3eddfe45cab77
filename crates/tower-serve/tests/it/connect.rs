//! CONNECT, with a tunnel and without.

use http::{Method, header::CONTENT_LENGTH};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;

use super::{
    exchange::{connect_2, over_1, over_2, scripted},
    *,
};

#[tokio::test]
async fn serve_3_connect_gets_no_tunnel_by_mistake() {
    let text = |status: u16, text: &str| {
        (
            status,
            Some(text.len().to_string()),
            text.as_bytes().to_vec(),
            false,
        )
    };
    let server_200 = run(server(), scripted()).await;
    let expected = text(501, "501 Not Implemented\n");
    assert_eq!(over_1(&server_200, Method::CONNECT, "").await, expected);
    assert_eq!(over_2(&server_200, Method::CONNECT, "").await, expected);

    // axum has a 405 for it, with `Allow`.
    let router = axum::Router::new().route("/", axum::routing::get(async || "page"));
    let router = run(server(), router).await;
    for seen in [
        over_1(&router, Method::CONNECT, "").await,
        over_2(&router, Method::CONNECT, "").await,
    ] {
        assert!([404, 405].contains(&seen.0), "{seen:?}");
        assert_eq!(seen.2, b"");
    }

    let empty = service_fn(|_: Request<RequestBody>| async {
        let mut response = Response::new(Body::default());
        response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        Ok::<_, Infallible>(response)
    });
    // The response opens a tunnel, which has already ended.
    let empty = run(server(), empty).await;
    let expected = (200, None, vec![], false);
    assert_eq!(over_1(&empty, Method::CONNECT, "").await, expected);
    assert_eq!(over_2(&empty, Method::CONNECT, "").await, expected);
}

/// The bytes that follow on the connection were meant for the tunnel, and are no request.
#[tokio::test]
async fn serve_3_a_connect_without_a_tunnel_closes_the_connection() {
    let router = axum::Router::new().route("/", axum::routing::get(async || "page"));
    let server = run(server(), router).await;
    let mut client = server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let (text, _) = client.rest().await;
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
    server.trigger.signal();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn serve_3_a_tunnel_works_over_both_versions() {
    let service = service_fn(async |mut request: Request<RequestBody>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut tunnel = TokioIo::new(upgrade.await.unwrap());
            let mut four = [0; 4];
            tunnel.read_exact(&mut four).await.unwrap();
            tunnel.write_all(&four).await.unwrap();
            tunnel.shutdown().await.unwrap();
        });
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    client.send("ping").await;
    assert_eq!(client.rest().await.0, b"ping");

    let request = Request::connect("a:80")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = connect_2(&server).await.send_request(request).await;
    let upgraded = hyper::upgrade::on(response.unwrap()).await.unwrap();
    let mut tunnel = TokioIo::new(upgraded);
    tunnel.write_all(b"ping").await.unwrap();
    let mut back = Vec::new();
    let read = timeout(PATIENCE, tunnel.read_to_end(&mut back)).await;
    read.unwrap().unwrap();
    assert_eq!(back, b"ping");
}

#[tokio::test]
async fn serve_23_a_web_socket_comes_over_http_2_if_it_is_announced() {
    let socket = async |upgrade: axum::extract::ws::WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            let message = socket.recv().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
        })
    };
    let router = axum::Router::new().route("/", axum::routing::any(socket));
    for (server, is_announced) in [
        (server(), false),
        (server().enable_connect_protocol(), true),
    ] {
        let server = run(server, router.clone()).await;
        let mut sender = connect_2::<Empty<bytes::Bytes>>(&server).await;
        // The settings of the server come with the first response.
        let get = Request::get("http://a/").body(Empty::new()).unwrap();
        sender.send_request(get).await.unwrap();
        let request = Request::connect("http://a/")
            .header("sec-websocket-version", "13")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(Empty::new());
        let response = sender.send_request(request.unwrap()).await;
        assert_eq!(response.is_ok(), is_announced, "{response:?}");
        let Ok(response) = response else { continue };
        assert_eq!(response.status(), 200);
        let tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
        let mut socket =
            tokio_tungstenite::WebSocketStream::from_raw_socket(tunnel, role, None).await;
        let message = tokio_tungstenite::tungstenite::Message::text("hello");
        futures_util::SinkExt::send(&mut socket, message.clone())
            .await
            .unwrap();
        let echo = futures_util::StreamExt::next(&mut socket).await;
        assert_eq!(echo.unwrap().unwrap(), message);
    }
}
