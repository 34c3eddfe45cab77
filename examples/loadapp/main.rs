//! Pylons' stack, `Cascade([StaticURLParser(…), loadapp('config:development.ini')])`, which every
//! application had in its `middleware.py`, in an axum app with routes of its own.
//!
//! `cargo run -p examples --bin loadapp`, then `curl http://127.0.0.1:8080/about`, `/notes.txt` and
//! `/hello/John`.

use std::{io, net::SocketAddr, path::Path};

use axum::{Router, routing::get};
use clap::Parser;
use http::StatusCode;
use tower::{BoxError, Layer};
use tower_cascade::CascadeLayer;
use tower_deploy::{Loader, Registry};
use tower_http::services::ServeDir;
use tower_serve::{Address, Server, Shutdown};

/// Serves axum routes, then files, then a loaded app.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

fn app() -> Result<Router, BoxError> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loader = Loader::new(Registry::standard()).relative_to(here.join("loadapp"));
    let loaded = loader.load_app("config:development.ini")?;
    let files = CascadeLayer::new(ServeDir::new(here.join("site/files")))
        // ServeDir redirects to a directory, which would shadow a path of the loaded app.
        .statuses([StatusCode::NOT_FOUND, StatusCode::TEMPORARY_REDIRECT])?;
    Ok(Router::new()
        .route("/about", get(async || "an axum app\n"))
        .fallback_service(files.layer(loaded)))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let app = app()?;
    let shutdown = Shutdown::signals()?;
    let bound = Server::new(Address::Tcp(args.bind.to_string()))
        .bind()
        .await?;
    let address = bound
        .addresses()
        .next()
        .ok_or_else(|| io::Error::other("no socket"))?;
    println!("listening on {address}");
    bound.serve(app, shutdown).await?;
    Ok(())
}
