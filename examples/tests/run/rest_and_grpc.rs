//! REST and gRPC on one port, by tonic's client and by clients of HTTP/1 and HTTP/2.

use bytes::{Buf, BufMut, Bytes};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};

use crate::program::Program;

#[tokio::test]
async fn rest_and_grpc_share_a_port_in_either_order() {
    for args in [&[][..], &["--rest-first"]] {
        let program = Program::start_with(env!("CARGO_BIN_EXE_rest-and-grpc"), args).await;
        for http2 in [false, true] {
            for (path, status, body) in [
                ("/hello", StatusCode::OK, "Hello by REST\n"),
                (
                    "/none",
                    if args.is_empty() {
                        StatusCode::NOT_FOUND
                    } else {
                        StatusCode::OK
                    },
                    "",
                ),
            ] {
                let client = Client::builder(TokioExecutor::new())
                    .http2_only(http2)
                    .build_http();
                let request = Request::get(format!("{}{path}", program.url));
                let request = request.body(Full::<Bytes>::default()).unwrap();
                let response = client.request(request).await.unwrap();
                assert_eq!(response.status(), status, "{path} {args:?}");
                // Where gRPC is last, its response is the final one.
                let grpc_status = response.headers().get("grpc-status").cloned();
                assert_eq!(grpc_status.is_some(), path == "/none" && !args.is_empty());
                let got = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(got, body);
            }
        }
        let hello = call(&program, "/hello.Greeter/Hello").await.unwrap();
        assert_eq!(hello, "Hello John by gRPC");
        let later = call(&program, "/hello.Greeter/Later").await.unwrap_err();
        assert_eq!(
            (later.code(), later.message()),
            (Code::Unimplemented, "not yet")
        );
        for path in ["/hello.Greeter/None", "/no.Service/None"] {
            let none = call(&program, path).await.unwrap_err();
            assert_eq!(none.code(), Code::Unimplemented, "{path} {args:?}");
        }
    }
}

async fn call(program: &Program, path: &'static str) -> Result<Bytes, Status> {
    let endpoint = Endpoint::from_shared(program.url.clone()).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from("John"));
    let response = client.unary(request, path.parse().unwrap(), Text).await?;
    Ok(response.into_inner())
}

/// Messages of text.
pub(crate) struct Text;

impl Codec for Text {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, text: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(text);
        Ok(())
    }
}

impl Decoder for Text {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = message.remaining();
        Ok(Some(message.copy_to_bytes(length)))
    }
}
