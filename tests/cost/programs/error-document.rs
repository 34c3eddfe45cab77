// cargo add tower-error-document
// cargo add serde_json
// at most 393000 bytes, 10 seconds

use axum::{Json, Router, routing::post};
use serde_json::Value;
use tower_error_document::{Document, ErrorDocumentLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/orders", post(async |Json(_): Json<Value>| "done"))
        .layer(ErrorDocumentLayer::new().all_errors(Document::negotiated()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
