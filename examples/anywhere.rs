//! One program for every host: a server of its own, a FastCGI program and a CGI program.
//!
//! `cargo run -p examples --bin anywhere -- 127.0.0.1:8080` is the server. As `site.fcgi` or
//! `site.cgi` behind Apache, or started by lighttpd, the same file needs no argument.
//! [docs/hosting.md](../docs/hosting.md) has the configurations of these.

use std::{env, error::Error};

use axum::{Router, extract::OriginalUri, routing::get};
use tokio::net::TcpListener;
use tower_gateway::{Listener, Start, cgi, detect, fastcgi};
use tower_origin::{Origin, OriginLayer};

async fn hello(OriginalUri(uri): OriginalUri, origin: Origin) -> String {
    let client = origin.client().map(|client| client.to_string());
    let client = client.unwrap_or("an unknown client".to_owned());
    format!("hello {client}, this is {uri} over {}\n", origin.scheme())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/", get(hello))
        .fallback(get(hello))
        // The client and the scheme are those that the web server states.
        .layer(OriginLayer::new());
    match detect() {
        Start::Cgi => cgi::run(app).await?,
        Start::FastCgi => fastcgi::serve(Listener::stdin()?, app).await?,
        _ => {
            let address = env::args().nth(1);
            let address = address.as_deref().unwrap_or("127.0.0.1:8080");
            let listener = TcpListener::bind(address).await?;
            println!("listening on http://{}", listener.local_addr()?);
            axum::serve(listener, app).await?;
        }
    }
    Ok(())
}
