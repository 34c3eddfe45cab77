//! The routes of an OCI registry, whose repository names have slashes in them: a wildcard in the
//! middle of a path, which axum's own router does not support. All other routes are in an axum
//! router.
//!
//! `cargo run -p examples --bin registry`, then `curl http://127.0.0.1:8080/v2/library/alpine/manifests/3.22`.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower_dispatch::{Args as UrlArgs, Dispatch};

/// Shows how the requests of a registry are routed.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

async fn manifest(UrlArgs((name, reference)): UrlArgs<(String, String)>) -> String {
    format!("the manifest {reference} of {name}\n")
}

async fn blob(UrlArgs((name, digest)): UrlArgs<(String, String)>) -> String {
    format!("the blob {digest} of {name}\n")
}

async fn tags(UrlArgs(name): UrlArgs<String>) -> String {
    format!("the tags of {name}\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The first route that matches wins: a repository may be called `a/tags`, and its list of tags
    // is `/v2/a/tags/tags/list`.
    let registry = Dispatch::builder()
        .get("/v2/{name:path}/tags/list", get(tags))
        .get("/v2/{name:path}/manifests/{reference}", get(manifest))
        .get(
            r"/v2/{name:path}/blobs/{digest:[[a-z0-9]+:[0-9a-f]{32,}]}",
            get(blob),
        )
        .build()?;
    let app = Router::new()
        .route("/v2/", get(async || "a registry\n"))
        .fallback_service(registry);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
