//! tower-origin alone on a plain hyper server, which leaves the peer's address as `PeerAddr` in
//! each request.
//!
//! `cargo run -p examples --bin hyper-origin`, then
//! `curl -H 'Forwarded: for=192.0.2.1;host=example.org;proto=https' http://127.0.0.1:8080/`.

mod server;

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_origin::{Origin, OriginLayer};

async fn who<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
    let (parts, _) = request.into_parts();
    let origin = parts.extensions.get::<Origin>().ok_or("no OriginLayer")?;
    let url = origin.url(&parts).ok_or("no list vouches for the host")?;
    let client = origin.client().map(|client| client.to_string());
    let text = format!(
        "{} asked for {url}\n",
        client.as_deref().unwrap_or("a client")
    );
    Ok(Response::new(Full::from(text)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = OriginLayer::new().trusted(["127.0.0.0/8", "::1"])?.hosts([
        "example.org",
        "localhost",
        "127.0.0.1",
    ])?;
    let app = ServiceBuilder::new().layer(layer).service(service_fn(who));
    server::serve(app).await
}
