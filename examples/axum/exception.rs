//! tower-exception alone in axum: a panic becomes a 500 with an id that is in the log, too.
//!
//! `cargo run -p examples --bin axum-exception`, then `curl -i http://127.0.0.1:8080/divide/1/0`.

use std::{env, error::Error};

use axum::{Router, extract::Path, routing::get};
use tokio::net::TcpListener;
use tower_exception::{ExceptionLayer, install_panic_hook, to_stderr};

async fn divide(Path((dividend, divisor)): Path<(i64, i64)>) -> String {
    format!("{}\n", dividend / divisor)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // With the hook, incidents have the location of a panic.
    install_panic_hook();
    let app = Router::new()
        .route("/divide/{dividend}/{divisor}", get(divide))
        .layer(ExceptionLayer::production(to_stderr));

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
