//! The rejections of layers in your own JSON, by axum's `IntoResponse`. Responses of handlers stay.
//!
//! `cargo run -p examples --bin rejections-axum`, then `curl -i http://127.0.0.1:8080/elsewhere`.

use std::{error::Error, net::SocketAddr};

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use clap::Parser;
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_environ::{MountLayer, NotMounted};
use tower_kit::{Rejection, RenderLayer};

/// A wiki whose errors are JSON.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

async fn page(Path(name): Path<String>) -> Result<String, (StatusCode, &'static str)> {
    match name.as_str() {
        "start" => Ok("Welcome\n".to_owned()),
        _ => Err((StatusCode::NOT_FOUND, "no such page\n")),
    }
}

/// Renders the rejections of one layer, and leaves those of others as they are.
fn as_json(rejection: &Rejection) -> Option<Response> {
    rejection.reason::<NotMounted>()?;
    let error = json!({ "error": rejection.detail(), "see": "/wiki/start" });
    Some((rejection.status(), Json(error)).into_response())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wiki: Router = Router::new().route("/{page}", get(page));
    let app = ServiceBuilder::new()
        .layer(RenderLayer::new(as_json))
        .layer(MountLayer::new("/wiki")?)
        .service(wiki);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}
