//! tower-serve with axum: limits for clients, the peer's address, and an end that lets requests
//! finish.
//!
//! `cargo run -p examples --bin axum-serve`, then `curl http://127.0.0.1:8080/slow` and Ctrl-C.

use std::{env, error::Error, time::Duration};

use axum::{Extension, Router, routing::get};
use tokio::time::sleep;
use tower_serve::{PeerAddr, Server, Shutdown};

async fn hello(Extension(PeerAddr(peer)): Extension<PeerAddr>) -> String {
    format!("hello {}\n", peer.ip())
}

async fn slow() -> &'static str {
    sleep(Duration::from_secs(1)).await;
    "done\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/", get(hello))
        .route("/slow", get(slow));

    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let shutdown = Shutdown::signals()?;
    let bound = Server::new(address)
        .header_timeout(Duration::from_secs(5))
        .connections(1000)
        .bind()
        .await?;
    for address in bound.addresses() {
        println!("listening on {address}");
    }
    bound.serve(app, shutdown).await?;
    Ok(())
}
