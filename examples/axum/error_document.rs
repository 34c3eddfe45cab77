//! tower-error-document alone in axum: what its extractors reject is problem+json for a program,
//! and a page for a browser.
//!
//! `cargo run -p examples --bin axum-error-document`, then
//! `curl -i -H 'Accept: application/problem+json' http://127.0.0.1:8080/orders/seven`.

use std::{env, error::Error};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_error_document::{Document, ErrorDocumentLayer};

#[derive(Deserialize)]
struct Order {
    amount: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The texts of the extractors quote the request, and name nothing of the program.
    let documents = ErrorDocumentLayer::new().all_errors(Document::negotiated().with_text(1000));
    let app: Router = Router::new()
        .route(
            "/orders",
            post(async |Json(order): Json<Order>| format!("ordered {}\n", order.amount)),
        )
        .route(
            "/orders/{id}",
            get(async |Path(id): Path<u32>| format!("order {id}\n")),
        )
        .route(
            "/search",
            get(async |Query(order): Query<Order>| format!("orders of {}\n", order.amount)),
        )
        .layer(DefaultBodyLimit::max(1000))
        .layer(documents);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
