//! The three servers behind the gateway. See `main.rs`.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{
        Path, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, Request, Response},
    routing::get,
};
use bytes::{Buf, BufMut, Bytes};
use clap::{Parser, ValueEnum};
use futures_util::stream;
use tokio::net::TcpListener;
use tonic::{
    Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService},
    service::Routes,
};
use tower::{Service, service_fn};

/// One of the servers behind the gateway.
#[derive(Parser)]
struct Args {
    /// What it serves.
    kind: Kind,
    /// The address to listen on.
    bind: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// A shop, over HTTP/1.1.
    Http,
    /// A greeter, by gRPC over HTTP/2.
    Grpc,
    /// An echo of messages, by WebSocket.
    Chat,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let app = match args.kind {
        Kind::Http => Router::new().route("/orders/{id}", get(order)),
        Kind::Grpc => Routes::new(Greeter).into_axum_router(),
        Kind::Chat => Router::new().route("/chat", get(chat)),
    };
    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn order(Path(id): Path<u32>, headers: HeaderMap) -> String {
    let client = headers.get("x-forwarded-for");
    let client = client.and_then(|client| client.to_str().ok());
    format!("order {id} for {}\n", client.unwrap_or("an unknown client"))
}

async fn chat(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_end = matches!(message, Message::Close(_));
        if socket.send(message).await.is_err() || is_end {
            return;
        }
    }
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
            let mut grpc = Grpc::new(Text);
            Ok(match request.uri().path() {
                "/hello.Greeter/Hello" => grpc.unary(service_fn(hello), request).await,
                "/hello.Greeter/Count" => grpc.server_streaming(service_fn(count), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

async fn hello(name: tonic::Request<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
    let name = String::from_utf8_lossy(name.get_ref()).into_owned();
    Ok(tonic::Response::new(format!("Hello {name}").into()))
}

type Counted = stream::Iter<std::vec::IntoIter<Result<Bytes, Status>>>;

async fn count(name: tonic::Request<Bytes>) -> Result<tonic::Response<Counted>, Status> {
    let name = String::from_utf8_lossy(name.get_ref()).into_owned();
    let counted = (1..=3).map(|number| Ok(format!("{number} {name}").into()));
    Ok(tonic::Response::new(stream::iter(
        counted.collect::<Vec<_>>(),
    )))
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
