//! tower-hooks alone on a plain hyper server: a line for the end of every request, also of those
//! that are dropped half way.
//!
//! `cargo run -p examples --bin hyper-hooks`, then `curl http://127.0.0.1:8080/`.

mod server;

use std::{convert::Infallible, error::Error, ops::ControlFlow};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_hooks::{Hook, HooksLayer, Outcome};

/// Writes a line for each request.
struct Log;

impl Hook for Log {
    type State = String;

    async fn before(
        &self,
        line: &mut String,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *line = format!("{} {}", request.method, request.uri);
        ControlFlow::Continue(())
    }

    fn finish(&self, line: String, outcome: Outcome) {
        eprintln!("{line}: {:?}", outcome.kind());
    }
}

async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("Hello World\n")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ServiceBuilder::new()
        .layer(HooksLayer::new().hook(Log))
        .service(service_fn(hello));
    server::serve(app).await
}
