//! Pylons' KeyAdder in axum: a middleware that puts a value under a name into every request, and a
//! handler that reads it by that name.
//!
//! `cargo run -p examples --bin key-adder`, then `curl http://127.0.0.1:8080/`.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_environ::{Env, EnvironKey, EnvironLayer, Key};

/// Greets with the words that a layer has set.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// The name and the type of a value, which the layer and the handler share.
struct Hello;

impl EnvironKey for Hello {
    type Value = &'static str;
    const KEY: Key<&'static str> = Key::new("example.hello");
}

/// A value of the same type as [`Hello`]. axum's `Extension` could not distinguish the two.
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
