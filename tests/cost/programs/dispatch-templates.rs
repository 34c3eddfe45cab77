// cargo add tower-dispatch --no-default-features --features axum
// at most 390000 bytes, 5 seconds

use axum::{Router, extract::Path, routing::get};
use tower_dispatch::{Args, Dispatch};

async fn user(Path(id): Path<u32>) -> String {
    format!("user {id}")
}

async fn tags(Args(name): Args<String>) -> String {
    format!("tags of {name}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let urls = Dispatch::builder()
        .get("/v2/{*name}/tags", get(tags))
        .get("/files/{name}.{format:any(html,json)}", get(async || "a file"))
        .build()?;
    let app = Router::new()
        .route("/users/{id}", get(user))
        .fallback_service(urls);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
