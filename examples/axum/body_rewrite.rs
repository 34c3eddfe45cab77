//! tower-body-rewrite alone in axum: links to the old host become links to the new one in every
//! page, and Content-Length and ETag fit the new body.
//!
//! `cargo run -p examples --bin axum-body-rewrite`, then `curl -i http://127.0.0.1:8080/`.

use std::{env, error::Error};

use axum::{
    Router,
    http::header::ETAG,
    response::{Html, IntoResponse},
    routing::get,
};
use tokio::net::TcpListener;
use tower_body_rewrite::{Replace, RewriteLayer};

async fn page() -> impl IntoResponse {
    let page = Html("<a href=\"http://old.example/start\">Start</a>\n");
    ([(ETAG, "\"1\"")], page)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let replace = Replace::new([("http://old.example/", "https://new.example/")])?;
    let layer = RewriteLayer::new(move |_| Some(replace.clone())).types(["text/html"])?;
    let app = Router::new().route("/", get(page)).layer(layer);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
