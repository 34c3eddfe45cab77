//! The app `proxy`: its settings, and the log of a site around it. Its rules are tested in
//! tower-upstream.

mod settings;
mod sockets;
#[cfg(feature = "tls")]
mod tls;
mod tunnels;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_deploy::{App, Body, Error, Loader};
use tower_lint::LintLayer;

/// A short time, but longer than a pause of a busy machine.
const SHORT: Duration = Duration::from_millis(300);

/// Loads a proxy with these settings.
fn load(settings: &str) -> Result<App, Error> {
    let file = format!("[app:main]\nuse = egg:tower#proxy\n{settings}");
    let loader = Loader::new(tower_deploy::Registry::standard());
    let loader = loader.files(move |_| Ok(file.clone().into_bytes()));
    loader.load_app("config:/srv/site.ini")
}

/// Returns a proxy to this address, which the lint watches.
fn proxy(address: impl std::fmt::Display, settings: &str) -> App {
    let app = load(&format!("address = {address}\n{settings}")).unwrap();
    App::new(LintLayer::new().layer(app))
}

async fn ask<B>(app: &App, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<tower_deploy::BoxError>> + Send + 'static,
{
    let answer = app.clone().oneshot(request);
    let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
    answer.unwrap().unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

/// Returns a request without a body.
fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}
