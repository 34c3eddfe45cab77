//! The examples whose rejections are rendered in their own way.

use http::StatusCode;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};

use crate::program::Program;

#[tokio::test]
async fn rejections_axum_has_json_for_what_is_not_mounted() {
    let program = Program::start(env!("CARGO_BIN_EXE_rejections-axum")).await;
    let response = program.get("/elsewhere").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "application/json");
    let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(json["error"], "nothing is mounted at this path");
    assert_eq!(json["see"], "/wiki/start");
    assert_eq!(program.get("/wiki/start").await.body(), "Welcome\n");
    let own = program.get("/wiki/nothing").await;
    assert_eq!(own.status(), StatusCode::NOT_FOUND);
    assert_eq!(own.body(), "no such page\n");
}

#[tokio::test]
async fn rejections_tonic_has_a_status_for_an_unknown_host() {
    let program = Program::start(env!("CARGO_BIN_EXE_rejections-tonic")).await;
    let endpoint = Endpoint::from_shared(program.url.clone()).unwrap();
    let status = call(endpoint.clone(), "/test.Service/Method").await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "127.0.0.1 is not served here");
    assert_eq!(status.metadata().get("served").unwrap(), "localhost");
    // The routes have no service.
    let served = endpoint.origin("http://localhost".parse().unwrap());
    let status = call(served, "/test.Service/Method").await;
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, ""));
}

pub(crate) async fn call(endpoint: Endpoint, path: &'static str) -> Status {
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(path);
    let response = client.unary(Request::new(()), path, Empty).await;
    response.unwrap_err()
}

/// A codec: every message is empty.
struct Empty;

impl Codec for Empty {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Empty {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Empty {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        Ok(Some(()))
    }
}
