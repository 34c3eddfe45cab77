//! The app `proxy`: its settings, and what a site around it sees. Its own tests are those of
//! tower-upstream.

mod settings;
mod sockets;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_deploy::{App, Body, Error, Loader};
use tower_lint::LintLayer;

/// Short, but longer than a busy machine sleeps.
const SHORT: Duration = Duration::from_millis(300);

/// A proxy with these settings.
fn load(settings: &str) -> Result<App, Error> {
    let file = format!("[app:main]\nuse = egg:tower#proxy\n{settings}");
    let loader = Loader::new(tower_deploy::Registry::standard());
    let loader = loader.files(move |_| Ok(file.clone().into_bytes()));
    loader.load_app("config:/srv/site.ini")
}

/// A proxy before this address, watched by the lint.
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

/// A request without a body.
fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}
