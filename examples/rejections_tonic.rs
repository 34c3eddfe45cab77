//! The rejections of layers as a status of tonic, with metadata. By default they have the gRPC
//! status that belongs to the layer's HTTP status.
//!
//! `cargo run -p examples --bin rejections-tonic`, then call any method at `http://127.0.0.1:8080`
//! with any gRPC client.

use std::{error::Error, net::SocketAddr};

use axum::http::Response;
use clap::Parser;
use tokio::net::TcpListener;
use tonic::{
    Status,
    body::Body,
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tower_kit::{Rejection, RenderLayer};
use tower_origin::{BadOrigin, OriginLayer};

/// Serves gRPC to clients that call it by its name.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// By default it is `INVALID_ARGUMENT`, since the layer's status is 400.
fn as_status(rejection: &Rejection) -> Option<Response<Body>> {
    let BadOrigin::UnknownHost(host) = rejection.reason()? else {
        return None;
    };
    let mut status = Status::failed_precondition(format!("{host} is not served here"));
    let metadata = status.metadata_mut();
    metadata.insert("served", "localhost".parse().ok()?);
    Some(status.into_http())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Generated services are added to these.
    let routes = Routes::default();
    let mut server = Server::builder()
        .layer(RenderLayer::new(as_status))
        .layer(OriginLayer::new().hosts(["localhost"])?);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = server.add_routes(routes);
    server
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}
