//! tower-origin alone in axum: the client and the URL of a request, as reported by a trusted proxy
//! on this machine.
//!
//! `cargo run -p examples --bin axum-origin`, then
//! `curl -H 'Forwarded: for=192.0.2.1;host=example.org;proto=https' http://127.0.0.1:8080/`.

use std::{env, error::Error, net::SocketAddr};

use axum::{Router, extract::Request, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tower_origin::{Origin, OriginLayer};

async fn who(origin: Origin, request: Request) -> Result<String, StatusCode> {
    let (parts, _) = request.into_parts();
    // There is a URL, because the layer has a list of hosts.
    let url = origin
        .url(&parts)
        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let client = origin.client().map(|client| client.to_string());
    Ok(format!(
        "{} asked for {url}\n",
        client.as_deref().unwrap_or("a client")
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = OriginLayer::new().trusted(["127.0.0.0/8", "::1"])?.hosts([
        "example.org",
        "localhost",
        "127.0.0.1",
    ])?;
    let app = Router::new().route("/", get(who)).layer(layer);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // This leaves the peer's address for the layer.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
