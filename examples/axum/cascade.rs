//! tower-cascade alone in axum: a 404 of one router falls through to the next one, with the whole
//! request.
//!
//! `cargo run -p examples --bin axum-cascade`, then `curl -d 'a body' http://127.0.0.1:8080/orders/8`.

use std::{env, error::Error};

use axum::{Router, extract::Path, http::StatusCode, routing::post};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_cascade::CascadeLayer;

/// Knows one order, and reads the body before it responds.
async fn new(Path(id): Path<u32>, body: String) -> Result<String, StatusCode> {
    match id {
        7 => Ok(format!("the new shop has {body:?}\n")),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

async fn old(Path(id): Path<u32>, body: String) -> String {
    format!("the old shop has {body:?} for {id}\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let new: Router = Router::new().route("/orders/{id}", post(new));
    let old: Router = Router::new().route("/orders/{id}", post(old));
    let app = ServiceBuilder::new()
        .layer(CascadeLayer::new(new))
        .service(old);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}
