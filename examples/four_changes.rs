//! The four things that a middleware can change, with one layer for each: values for the app, and
//! the status, the headers and the body of the response. Two of the layers are tower-http's.
//!
//! `cargo run -p examples --bin four-changes`, then `curl -i http://127.0.0.1:8080/`.

use std::net::SocketAddr;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode},
    routing::get,
};
use clap::Parser;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_body_rewrite::PrefixLayer;
use tower_environ::{Env, EnvironKey, EnvironLayer, Key};
use tower_http::{set_header::SetResponseHeaderLayer, set_status::SetStatusLayer};

/// Shows what layers do to a request and its response.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

struct Hello;

impl EnvironKey for Hello {
    type Value = &'static str;
    const KEY: Key<&'static str> = Key::new("example.hello");
}

async fn app(Env(hello): Env<Hello>) -> String {
    format!("{hello}\nthis is what the app has to say\n")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let flavour = HeaderName::from_static("x-flavour");
    let layers = ServiceBuilder::new()
        // The request: a value for the app.
        .layer(EnvironLayer::new(Hello::KEY, "Hello World"))
        // The response, from the last layer to the first: the body, the headers, the status.
        .layer(SetStatusLayer::new(StatusCode::IM_A_TEAPOT))
        .layer(SetResponseHeaderLayer::overriding(
            flavour,
            HeaderValue::from_static("darjeeling"),
        ))
        .layer(PrefixLayer::new("yikes: "));
    let app = Router::new().route("/", get(app)).layer(layers);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
