//! An axum app and one layer: what panics below becomes a 500 with an id that is in the log.
//!
//! `cargo run -p examples --bin one-layer`, then `curl -i http://127.0.0.1:8080/divide/1/0`.

use std::net::SocketAddr;

use axum::{Router, extract::Path, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, to_stderr};

/// Divides whole numbers.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

async fn divide(Path((dividend, divisor)): Path<(i64, i64)>) -> String {
    format!("{}\n", dividend / divisor)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/divide/{dividend}/{divisor}", get(divide))
        .layer(ExceptionLayer::production(to_stderr));

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
