//! Incidents in the application's own log: one event at level ERROR each, with the id that the
//! client got.
//!
//! `cargo run -p examples --bin report-to-tracing`, then `curl -i http://127.0.0.1:8080/panic`.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, install_panic_hook, to_tracing};

/// Fails, and logs the failure.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // As JSON, one object in a line, for programs that read logs.
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .init();
    install_panic_hook();
    let app = Router::new()
        .route("/", get(async || "fine\n"))
        .route(
            "/panic",
            get(async || -> &'static str { panic!("on purpose") }),
        )
        .layer(ExceptionLayer::production(to_tracing));

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
