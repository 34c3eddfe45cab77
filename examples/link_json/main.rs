//! link.wsgi's router from its own JSON file: the file names handlers and middlewares, and the
//! program registers them under these names.
//!
//! `cargo run -p examples --bin link-json -- serve examples/link_json/site.ini`, then
//! `curl 'http://127.0.0.1:8080/hello?user=John'`. Without a user the middleware responds.
//! `POST /counter?user=John` counts.

use std::{
    convert::Infallible,
    ops::ControlFlow,
    process::ExitCode,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request};
use http_body_util::Full;
use tower::service_fn;
use tower_deploy::{App, Body, Registry, Settings, cli};
use tower_hooks::Hook;

fn hello(_: &Settings, (): ()) -> Result<App, Infallible> {
    Ok(App::new(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::from("Hello world\n")))
    })))
}

/// One object for all requests; link.wsgi makes one for each request.
fn counter(_: &Settings, (): ()) -> Result<App, Infallible> {
    let count = Arc::new(AtomicU64::new(0));
    Ok(App::new(service_fn(move |request: Request<Body>| {
        let more = u64::from(request.method() == Method::POST);
        let count = count.fetch_add(more, Ordering::Relaxed) + more;
        async move { Ok::<_, Infallible>(Response::new(Body::from(format!("{count}\n")))) }
    })))
}

/// Rejects a request without a name.
struct Authentication;

impl Hook for Authentication {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let query = request.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        if pairs.any(|(name, value)| name == "user" && !value.is_empty()) {
            return ControlFlow::Continue(());
        }
        let mut response = Response::new(Full::from("who are you?\n"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        ControlFlow::Break(response)
    }
}

fn main() -> ExitCode {
    cli::main(
        Registry::standard()
            .app("myapp.routes.hello", hello)
            .app("myapp.routes.Counter", counter)
            .hook("myapp.middlewares.Authentication", |_, (): ()| {
                Ok::<_, Infallible>(Authentication)
            }),
    )
}
