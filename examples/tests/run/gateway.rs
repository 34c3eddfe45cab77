//! The gateway and the three servers behind it, with a client of each.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tonic::{Code, Status, client::Grpc, transport::Endpoint};

use crate::{
    program::{PATIENCE, Program},
    rest_and_grpc::Text,
};

/// The three servers, and the gateway in front of them.
async fn start() -> ([Program; 3], Program) {
    let server = env!("CARGO_BIN_EXE_gateway-server");
    let server = async |kind| Program::start_by(server, &[kind, "127.0.0.1:0"]).await;
    let servers = [
        server("http").await,
        server("grpc").await,
        server("chat").await,
    ];
    let [http, grpc, chat] = &servers;
    let args = [
        "--http", &http.url, "--grpc", &grpc.url, "--chat", &chat.url,
    ];
    let gateway = Program::start_with(env!("CARGO_BIN_EXE_gateway"), &args).await;
    (servers, gateway)
}

#[tokio::test]
async fn a_gateway_passes_requests_of_three_kinds() {
    let (servers, gateway) = start().await;
    let text = async |path| {
        let response = gateway.get(path).await;
        assert_eq!(response.status(), StatusCode::OK);
        String::from_utf8(response.into_body().into()).unwrap()
    };
    assert_eq!(text("/health").await, "well\n");
    assert_eq!(text("/orders/7").await, "order 7 for 127.0.0.1\n");

    assert_eq!(
        call(&gateway).await.unwrap(),
        ["1 John", "2 John", "3 John"]
    );

    let url = format!("{}/chat", gateway.url.replace("http:", "ws:"));
    let connected = timeout(PATIENCE, tokio_tungstenite::connect_async(url)).await;
    let (mut socket, _) = connected.unwrap().unwrap();
    for message in [Message::text("hello"), Message::binary(vec![0; 70_000])] {
        socket.send(message.clone()).await.unwrap();
        let echo = timeout(PATIENCE, socket.next()).await.unwrap().unwrap();
        assert_eq!(echo.unwrap(), message);
    }
    socket.close(None).await.unwrap();

    // Without its servers, the gateway responds itself.
    drop(servers);
    assert_eq!(text("/health").await, "well\n");
    let status = gateway.get("/orders/7").await.status();
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(call(&gateway).await.unwrap_err().code(), Code::Unavailable);
}

/// Calls a method that responds with a stream.
async fn call(gateway: &Program) -> Result<Vec<Bytes>, Status> {
    let endpoint = Endpoint::from_shared(gateway.url.clone()).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from("John"));
    let path = "/hello.Greeter/Count".parse().unwrap();
    let mut stream = client.server_streaming(request, path, Text).await?;
    let mut messages = Vec::new();
    while let Some(message) = stream.get_mut().message().await? {
        messages.push(message);
    }
    Ok(messages)
}
