//! Static files, then an axum API, then the page of a single-page application for all other paths
//! that a browser navigates to. Missing files and orders stay 404: `/app.js` and `/api/x` are no
//! pages.
//!
//! `cargo run -p examples --bin spa`, then open `http://127.0.0.1:8080/orders/7`.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf};

use axum::{Router, body::Body, response::Html, routing::get};
use clap::Parser;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, VARY},
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_cascade::CascadeLayer;
use tower_http::services::ServeDir;

/// Serves a single-page application.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

const PAGE: &str = include_str!("files/index.html");

/// Returns whether a browser navigates, and does not load a script or a picture for a page.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter();
    let mut types = accepts
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/html"))
}

/// Responds with the page, or with 404.
async fn page<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = Response::new(Body::empty());
    if is_get && !is_api && wants_a_page(request.headers()) {
        *response.body_mut() = PAGE.into();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    // The response depends on `Accept`.
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("spa/files");
    let files = ServeDir::new(files).append_index_html_on_directories(false);
    let api = Router::new()
        .route(
            "/api/orders",
            get(async || "[7]\n").post(async |order: String| order),
        )
        .route("/about", get(async || Html("<p>About</p>\n")));
    let files = CascadeLayer::new(files)
        // ServeDir responds to other methods with 405.
        .only(|request| matches!(request.method, Method::GET | Method::HEAD));
    let app = ServiceBuilder::new()
        .layer(files)
        .layer(CascadeLayer::new(api))
        .service(service_fn(page));
    let app = Router::new().fallback_service(app);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
