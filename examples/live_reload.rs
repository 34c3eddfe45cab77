//! A page that reloads when the server was restarted. Every HTML page gets a script before its
//! `</body>`, and the script listens at `/live-reload`.
//!
//! `cargo run -p examples --bin live-reload`, open `http://127.0.0.1:8080/`, change `PAGE`, and run it again.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    response::{
        Html,
        sse::{Event, Sse},
    },
    routing::get,
};
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tower_body_rewrite::{Replace, RewriteLayer};

const PAGE: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Live</title></head>
<body>
<h1>Change me</h1>
</body>
</html>
";

/// `EventSource` connects again by itself. A second connection means that the server was restarted.
const SCRIPT: &str = "<script>
let lost = false;
const server = new EventSource('/live-reload');
server.onerror = () => { lost = true; };
server.onopen = () => { if (lost) location.reload(); };
</script>
</body>";

/// Serves a page that reloads when its source has changed.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// Sends one event, and then nothing until the server ends.
async fn live_reload() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let here = Event::default()
        .comment("here")
        .retry(std::time::Duration::from_millis(300));
    Sse::new(stream::iter([Ok(here)]).chain(stream::pending()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let replace = Replace::ignoring_case([("</body>", SCRIPT)])?.once();
    let layer = RewriteLayer::new(move |_| Some(replace.clone())).types(["text/html"])?;
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/live-reload", get(live_reload))
        .layer(layer);

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
