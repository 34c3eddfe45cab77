//! A wiki below `/wiki`, behind a trusted proxy that strips `/team` from the path. The links in its
//! pages are absolute URLs of the proxy.
//!
//! `cargo run -p examples --bin behind-proxy`, then, as the proxy would do it:
//!
//! ```text
//! curl http://127.0.0.1:8080/wiki/Start -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-Proto: https' \
//!     -H 'X-Forwarded-Host: example.org' -H 'X-Forwarded-Prefix: /team'
//! ```

use std::net::SocketAddr;

use axum::{Router, extract::Request, http::StatusCode, response::Html, routing::get};
use clap::Parser;
use tokio::net::TcpListener;
use tower::{Layer, ServiceBuilder};
use tower_environ::MountLayer;
use tower_origin::{Origin, OriginLayer, XForwarded};

/// Serves a wiki of two pages.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// A page with its own URL, the reader's address and a link to the next page.
async fn page(origin: Origin, request: Request) -> Result<Html<String>, StatusCode> {
    let (parts, _) = request.into_parts();
    // A host that is not on the list has been rejected, so there is a URL.
    let (Some(here), Some(wiki)) = (origin.url(&parts), origin.application_url(&parts)) else {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let reader = origin
        .client()
        .map_or("unknown".to_owned(), |client| client.to_string());
    Ok(Html(format!(
        "<!DOCTYPE html>\n<title>Wiki</title>\n<link rel=canonical href=\"{}\">\n\
         <p>Reader: {reader}</p>\n<p><a href=\"{}/Next\">Next page</a></p>\n",
        attribute(&here),
        attribute(&wiki),
    )))
}

/// Escapes a URL for an attribute in quotes. Of the special characters it may have an ampersand.
fn attribute(url: &str) -> String {
    url.replace('&', "&amp;")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The wiki knows neither where it is mounted nor what is in front of it.
    let wiki: Router = Router::new()
        .route("/Start", get(page))
        .route("/Next", get(page));

    let origin = OriginLayer::new()
        .trusted(["127.0.0.0/8", "::1"])?
        .hosts(["example.org", "localhost", "127.0.0.1"])?
        // This proxy sets these headers. A client may have written the others.
        .only_x_forwarded()
        .x_forwarded([XForwarded::Host, XForwarded::Prefix]);
    let mounted = MountLayer::new("/wiki")?.layer(wiki);
    let app: Router =
        Router::new().fallback_service(ServiceBuilder::new().layer(origin).service(mounted));

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
