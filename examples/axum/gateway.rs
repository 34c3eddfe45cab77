//! tower-gateway alone in axum: a CGI program below a path, with the routes of Rust beside it.
//!
//! `cargo run -p examples --bin axum-gateway`, then `curl -i http://127.0.0.1:8080/old/a?b=c`. The
//! second argument is another program, such as `/usr/lib/git-core/git-http-backend`.

use std::{env, error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_gateway::Cgi;
use tower_origin::OriginLayer;

/// A shell script that shows its request.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/axum/old.cgi");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let old = Cgi::new(env::args().nth(2).as_deref().unwrap_or(SCRIPT)).processes(4);
    let app = Router::new()
        .route("/new", get(async || "new\n"))
        // The path of the nest is SCRIPT_NAME.
        .nest_service("/old", old)
        // It has the client's address, for REMOTE_ADDR.
        .layer(OriginLayer::new());

    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
