//! tower-environ alone on a plain hyper server: a value by its name, and a service that is
//! mounted below a path.
//!
//! `cargo run -p examples --bin hyper-environ`, then `curl http://127.0.0.1:8080/wiki/Start`.

mod server;

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_environ::{EnvironExt, EnvironLayer, Key, MountExt, MountLayer};

const TITLE: Key<&'static str> = Key::new("wiki.title");

async fn page<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
    let title = request.try_environ(&TITLE)?;
    let (mount, path) = (request.script_name(), request.path_info());
    let text = format!("{title}: {path}, below {mount}\n");
    Ok(Response::new(Full::from(text)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(TITLE, "The wiki"))
        .layer(MountLayer::new("/wiki")?)
        .service(service_fn(page));
    server::serve(app).await
}
