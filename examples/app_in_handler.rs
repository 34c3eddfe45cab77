//! A service that an axum handler calls, as Pylons has a WSGI app in a controller. The handler
//! decides which clients may use it, and may change its response.
//!
//! `cargo run -p examples --bin app-in-handler`, then `curl http://127.0.0.1:8080/docs/notes.txt?key=open`.

use std::{net::SocketAddr, path::PathBuf};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use clap::Parser;
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_cascade::CascadeLayer;
use tower_environ::MountLayer;
use tower_http::services::ServeDir;

/// Calls a service in a handler.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// Files, and then a route.
type Docs = tower::util::BoxCloneSyncService<Request, Response, std::convert::Infallible>;

fn docs() -> Result<Docs, Box<dyn std::error::Error>> {
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("site/files");
    let rest = Router::new().route("/today", get(async || "nothing new today\n"));
    // Then a directory is a 404, so it shadows no route.
    let files = ServeDir::new(files).append_index_html_on_directories(false);
    let docs = CascadeLayer::new(files).layer(rest);
    let docs = ServiceBuilder::new()
        .map_response(|response: http::Response<_>| response.map(Body::new))
        .layer(MountLayer::new("/docs")?)
        .service(docs);
    Ok(Docs::new(docs))
}

/// Passes the request on as it is, and may change the response.
async fn controller(State(docs): State<Docs>, request: Request) -> Response {
    if request.uri().query() != Some("key=open") {
        return (StatusCode::FORBIDDEN, "the key is in the source\n").into_response();
    }
    let mut response = match docs.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let by = HeaderValue::from_static("a controller");
    response.headers_mut().insert("x-shown-by", by);
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/", get(async || "see /docs/notes.txt?key=open\n"))
        .route("/docs/{*path}", get(controller))
        .with_state(docs()?);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
