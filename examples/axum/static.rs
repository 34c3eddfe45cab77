//! tower-static alone in axum: the files of a directory, for all paths without a route.
//!
//! `cargo run -p examples --bin axum-static`, then
//! `curl -i -H 'Range: bytes=0-9' http://127.0.0.1:8080/notes.txt`.

use std::{env, error::Error, time::Duration};

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_static::Files;

/// The directory of the larger example.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/site/files");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let files = Files::new(FILES).max_age(Duration::from_secs(60));
    let app: Router = Router::new()
        .route("/time", get(async || "late\n"))
        .fallback_service(files);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
