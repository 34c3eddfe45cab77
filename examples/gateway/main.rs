//! A gateway: axum in front of three servers, one of HTTP/1.1, one of gRPC and one of WebSockets.
//!
//! Start the servers, each with `cargo run -p examples --bin gateway-server` and these words:
//! `http 127.0.0.1:8081`, `grpc 127.0.0.1:8082` and `chat 127.0.0.1:8083`. Then start this program
//! with `cargo run -p examples --bin gateway`.
//!
//! `curl http://127.0.0.1:8080/orders/7` is a request to the first one. Any gRPC client reaches
//! `hello.Greeter` at the same address, and any WebSocket client the echo at `/chat`.

use std::{error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_origin::OriginLayer;
use tower_upstream::{BuildError, Protocol, Upstream};

/// Passes requests to three servers.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// The server of everything else.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    http: String,
    /// The server of gRPC.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8082")]
    grpc: String,
    /// The server of WebSockets.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083")]
    chat: String,
}

fn app(args: &Args) -> Result<Router, BuildError> {
    let shop = Upstream::new(&*args.http)?;
    // Without TLS, nothing negotiates HTTP/2.
    let greeter = Upstream::new(&*args.grpc)?.protocol(Protocol::Http2);
    let chat = Upstream::new(&*args.chat)?;
    let app = Router::new()
        .route("/health", get(async || "well\n"))
        .route_service("/hello.Greeter/{method}", greeter)
        .route_service("/chat", chat)
        .fallback_service(shop)
        // The servers find the client's address in X-Forwarded-For.
        .layer(OriginLayer::new());
    Ok(app)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let app = app(&args)?;
    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
