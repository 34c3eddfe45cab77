//! A service that responds for every path, as gRPC's services do, beside an axum router with a
//! fallback of its own. The two cannot be merged, but they can be tried in turn.
//!
//! `cargo run -p examples --bin two-fallbacks`, then `curl -i http://127.0.0.1:8080/missing` and
//! `curl -i -X POST -H 'Content-Type: application/grpc' http://127.0.0.1:8080/hello.Greeter/Bye`.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, body::Body, routing::get};
use clap::Parser;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_cascade::{CascadeLayer, Pass};

/// Serves two services with a fallback each.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// "The method is not implemented" (gRPC's status 12), which comes with HTTP's 200.
const UNIMPLEMENTED: &str = "12";

/// Knows one method, and responds to all others as gRPC does. Requests that are not gRPC fall
/// through.
async fn greeter<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let (parts, _) = request.into_parts();
    let mut response = Response::new(Body::empty());
    if !is_grpc(&parts) {
        response.extensions_mut().insert(Pass);
        return Ok(response);
    }
    let status = match parts.uri.path() {
        "/hello.Greeter/Hello" => "0",
        _ => UNIMPLEMENTED,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    Ok(response)
}

fn is_grpc(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::new()
        .route("/", get(async || "the web\n"))
        .fallback(async || (StatusCode::NOT_FOUND, "the web has no such page\n"));
    let app = CascadeLayer::new(service_fn(greeter)).layer(router);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}
