//! REST and gRPC on one port, in either order: an axum router and tonic's routes, without a rule
//! for which request is whose.
//!
//! `cargo run -p examples --bin rest-and-grpc`, then `curl http://127.0.0.1:8080/hello`, and any gRPC client at the same address.
//! `--rest-first` has the other order.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Bytes,
    http::{Request, Response},
    routing::get,
};
use bytes::Buf;
use clap::Parser;
use tokio::net::TcpListener;
use tonic::{
    Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService},
    service::Routes,
};
use tower::{Layer, Service, service_fn};
use tower_cascade::{CascadeLayer, Final};

/// Serves REST and gRPC on one port.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// Try the REST routes before the gRPC methods.
    #[arg(long)]
    rest_first: bool,
}

fn app(rest_first: bool) -> Router {
    let rest: Router = Router::new().route("/hello", get(async || "Hello by REST\n"));
    let grpc = Routes::new(Greeter);
    if rest_first {
        // A router responds to other paths with 404, which falls through.
        return Router::new().fallback_service(CascadeLayer::new(rest).layer(grpc));
    }
    // gRPC responds to other paths with 200 and `grpc-status: 12`.
    let layer = CascadeLayer::new(grpc).on_grpc_unimplemented();
    Router::new().fallback_service(layer.layer(rest))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(args.rest_first)).await?;
    Ok(())
}

/// A gRPC service, as `tonic-build` would generate it, with two methods.
#[derive(Clone)]
struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "hello.Greeter";
}

impl Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/hello.Greeter/Hello" => Grpc::new(Text).unary(service_fn(hello), request).await,
                "/hello.Greeter/Later" => {
                    let mut response = Status::unimplemented("not yet").into_http();
                    // `Final`: this response does not fall through.
                    response.extensions_mut().insert(Final);
                    response
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

async fn hello(name: tonic::Request<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
    let name = String::from_utf8_lossy(name.get_ref()).into_owned();
    Ok(tonic::Response::new(format!("Hello {name} by gRPC").into()))
}

/// Messages of text instead of protobuf, so that this example needs no protobuf compiler.
#[derive(Clone)]
struct Text;

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
        bytes::BufMut::put(out, text);
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
