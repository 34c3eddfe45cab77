// The application to which the others add a crate.

use axum::{Router, extract::Path, routing::get};

async fn user(Path(id): Path<u32>) -> String {
    format!("user {id}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/users/{id}", get(user));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
