//! Pylons' KeyAdder in axum: a middleware that puts a value under a name into every request, and a
//! handler that asks for it by that name.
//!
//! `cargo run -p examples --bin key-adder`, then `curl http://127.0.0.1:8080/`.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_environ::{Env, EnvironKey, EnvironLayer, Key};

/// Says hello in the words that a layer has left for it.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// The name and the type of a value, once for the layer and the handler.
struct Hello;

impl EnvironKey for Hello {
    type Value = &'static str;
    const KEY: Key<&'static str> = Key::new("example.hello");
}

/// Of the same type as [`Hello`], which axum's `Extension` could not tell apart.
struct Whom;

impl EnvironKey for Whom {
    type Value = &'static str;
    const KEY: Key<&'static str> = Key::new("example.whom");
}

async fn greet(Env(hello): Env<Hello>, whom: Option<Env<Whom>>) -> String {
    let whom = whom.map_or("nobody", |Env(whom)| whom);
    format!("{hello} {whom}\n")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(greet))
        .route_layer(EnvironLayer::new(Whom::KEY, "World"))
        .route("/alone", get(greet))
        .layer(EnvironLayer::new(Hello::KEY, "Hello"));

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
